/* Computes what it reads, an operation and two numbers on a line, as the codes of native/ do; one answer a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if NUMBERS_X86_64
#pragma GCC target("avx2,bmi2")
#define SM2_NATIVE_X86_64
#endif
#include "native/field.h"
#include "native/order.h"

static void parse(const char *hex, struct sm2_number *out) {
    uint8_t bytes[32];

    for (size_t i = 0; i < 32; i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        bytes[i] = (uint8_t)byte;
    }
    number_from_bytes(out, bytes);
}

/* Results lie where an operand lay, which every operation must bear. */
static int compute(const char *operation, struct sm2_number *a, const struct sm2_number *b) {
    if (strcmp(operation, "add") == 0)
        field_add(a, a, b);
    else if (strcmp(operation, "subtract") == 0)
        field_subtract(a, a, b);
    else if (strcmp(operation, "multiply") == 0)
        field_multiply(a, a, b);
    else if (strcmp(operation, "square") == 0)
        field_square(a, a);
    else if (strcmp(operation, "negate") == 0)
        field_negate_if(a, ~(uint64_t)0);
    else if (strcmp(operation, "keep") == 0)
        field_negate_if(a, 0);
    else if (strcmp(operation, "invert") == 0)
        field_invert(a, a);
    else if (strcmp(operation, "order-add") == 0)
        order_add(a, a, b);
    else if (strcmp(operation, "order-subtract") == 0)
        order_subtract(a, a, b);
    else if (strcmp(operation, "order-multiply") == 0)
        order_multiply(a, a, b);
    else if (strcmp(operation, "order-invert") == 0)
        order_invert(a, a);
    else if (strcmp(operation, "order-reduce") == 0)
        order_reduce(a);
    else if (strcmp(operation, "order-holds") == 0)
        *a = (struct sm2_number){{order_is_scalar(a) & 1}};
    else
        return 0;
    return 1;
}

int main(void) {
    char operation[32], left[65], right[65];
    uint8_t bytes[32];

    while (scanf("%31s %64s %64s", operation, left, right) == 3) {
        struct sm2_number a, b;

        parse(left, &a);
        parse(right, &b);
        if (!compute(operation, &a, &b))
            return 1;
        number_to_bytes(bytes, &a);
        for (size_t i = 0; i < 32; i++)
            printf("%02x", bytes[i]);
        putchar('\n');
    }
    return 0;
}
