/*
 * The field of the curve: numbers modulo p = 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5-2017 §2), in Montgomery
 * form: a stands as a 2^256 mod p. Every operand and every result is below p, so a number has one form and 0 is 0. Any
 * operand may lie where the result goes.
 */
#ifndef SM2_NATIVE_FIELD_H
#define SM2_NATIVE_FIELD_H

#include "number.h"

static const struct sm2_number PRIME = {
    {0xFFFFFFFFFFFFFFFFULL, 0xFFFFFFFF00000000ULL, 0xFFFFFFFFFFFFFFFFULL, 0xFFFFFFFEFFFFFFFFULL}};
/* 2^256 mod p, which is one, and 2^512 mod p, which brings numbers into Montgomery form. */
static const struct sm2_number FIELD_ONE = {
    {0x0000000000000001ULL, 0x00000000FFFFFFFFULL, 0x0000000000000000ULL, 0x0000000100000000ULL}};
static const struct sm2_number FIELD_SQUARE = {
    {0x0000000200000003ULL, 0x00000002FFFFFFFFULL, 0x0000000100000001ULL, 0x0000000400000002ULL}};

/* field_add, field_subtract, field_multiply (a b / 2^256 mod p) and field_square. */
#ifdef SM2_NATIVE_X86_64
#include "field_x86_64.h"
#else
#include "field_portable.h"
#endif

static inline void field_double(struct sm2_number *out, const struct sm2_number *a) {
    field_add(out, a, a);
}

/* -a where mask is all ones; 0 stays 0. */
static inline void field_negate_if(struct sm2_number *a, uint64_t mask) {
    static const struct sm2_number ZERO = {{0}};
    struct sm2_number negative;

    field_subtract(&negative, &ZERO, a);
    number_move(a, &negative, mask);
}

/* Whether two numbers are equal. Variable time. */
static inline int field_equal(const struct sm2_number *a, const struct sm2_number *b) {
    return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

static inline void field_to_montgomery(struct sm2_number *out, const struct sm2_number *a) {
    field_multiply(out, a, &FIELD_SQUARE);
}

static inline void field_from_montgomery(struct sm2_number *out, const struct sm2_number *a) {
    static const struct sm2_number PLAIN_ONE = {{1}};

    field_multiply(out, a, &PLAIN_ONE);
}

/* a^(2^count) * factor */
static void square_times(struct sm2_number *out, const struct sm2_number *a, int count,
                         const struct sm2_number *factor) {
    struct sm2_number power = *a;

    for (int i = 0; i < count; i++)
        field_square(&power, &power);
    field_multiply(out, &power, factor);
    wipe(&power, sizeof power);
}

/*
 * a^-1 by Fermat, a^(p-2); 0 gives 0. The exponent, in 32-bit words from the top,
 *     FFFFFFFE FFFFFFFF FFFFFFFF FFFFFFFF FFFFFFFF 00000000 FFFFFFFF FFFFFFFD,
 * is 31 ones, 0, 128 ones, 32 zeros, 62 ones, 0, 1. onesN is a^(2^N - 1), whose exponent is N ones.
 */
static void field_invert(struct sm2_number *out, const struct sm2_number *a) {
    struct sm2_number power, ones3, ones15, ones30, ones31, ones32;

    square_times(&power, a, 1, a);
    square_times(&ones3, &power, 1, a);
    square_times(&power, &ones3, 3, &ones3);
    square_times(&power, &power, 6, &power);
    square_times(&ones15, &power, 3, &ones3);
    square_times(&ones30, &ones15, 15, &ones15);
    square_times(&ones31, &ones30, 1, a);
    square_times(&ones32, &ones31, 1, a);
    square_times(&power, &ones31, 33, &ones32);
    square_times(&power, &power, 32, &ones32);
    square_times(&power, &power, 32, &ones32);
    square_times(&power, &power, 32, &ones32);
    square_times(&power, &power, 64, &ones32);
    square_times(&power, &power, 30, &ones30);
    square_times(out, &power, 2, a);
    wipe(&power, sizeof power);
    wipe(&ones3, sizeof ones3);
    wipe(&ones15, sizeof ones15);
    wipe(&ones30, sizeof ones30);
    wipe(&ones31, sizeof ones31);
    wipe(&ones32, sizeof ones32);
}

#endif
