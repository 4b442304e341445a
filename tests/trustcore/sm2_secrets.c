/*
 * Runs every function that takes a private value, having told valgrind's memcheck that the value is undefined. Memcheck
 * then reports each branch and each address that depends on it, and each result must still depend on it: otherwise the
 * check would look the other way. Prints what was reported; the status is 0 when nothing was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "native/sm2_native.h"

static int failures;

static void demand(int ok, const char *claim) {
    if (!ok) {
        printf("not so: %s\n", claim);
        failures++;
    }
}

static unsigned reported_so_far;

static void count_reports(const char *what) {
    unsigned now = VALGRIND_COUNT_ERRORS;

    if (now != reported_so_far) {
        printf("depends on a secret: %s\n", what);
        failures++;
    }
    reported_so_far = now;
}

/* Whether memcheck still takes any bit of these bytes for undefined; takes the mark away. */
static int reveal(void *bytes, size_t length) {
    uint8_t bits[SM2_NATIVE_POINT_BYTES];
    int undefined = 0;

    VALGRIND_GET_VBITS(bytes, bits, length);
    VALGRIND_MAKE_MEM_DEFINED(bytes, length);
    VALGRIND_MAKE_MEM_DEFINED(bits, sizeof bits);
    for (size_t i = 0; i < length; i++)
        undefined |= bits[i];
    return undefined != 0;
}

static void hide(uint8_t secret[32]) {
    VALGRIND_MAKE_MEM_UNDEFINED(secret, 32);
}

static void parse(const char *hex, uint8_t out[32]) {
    for (size_t i = 0; i < 32; i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        out[i] = (uint8_t)byte;
    }
}

static void with_secrets(const char *d_hex, const char *k_hex) {
    uint8_t d[32], k[32], e[32], inverse[32], point[65], product[65], signature[64];
    struct sm2_native_public key;
    int retry = 0;

    parse(d_hex, d);
    parse(k_hex, k);
    memset(e, 0xE5, sizeof e);
    demand(sm2_native_multiply_base(d, point) && sm2_native_prepare_public(point, &key), "the key is one");

    hide(d);
    demand(sm2_native_is_scalar(d), "d is in range");
    count_reports("the range of a scalar");
    demand(sm2_native_prepare_private(d, inverse), "d can be prepared");
    count_reports("the preparation of a private key");
    demand(sm2_native_multiply_base(d, product), "a public key can be computed");
    count_reports("a multiple of G");
    demand(reveal(product + 1, 64) && memcmp(product, point, 65) == 0, "dG is secret until shown");
    demand(sm2_native_multiply(d, point, product), "a shared point can be computed");
    count_reports("a multiple of a point");
    demand(reveal(product + 1, 64), "dP is secret until shown");

    hide(k);
    demand(reveal(inverse, 32), "(1 + d)^-1 is secret");
    hide(inverse);
    demand(sm2_native_sign(inverse, e, k, signature, &retry) && !retry, "e can be signed");
    count_reports("a signature");
    demand(reveal(signature, 64), "a signature is secret until shown");
    demand(sm2_native_verify(&key, e, signature), "the signature is right");
}

static void with_a_nonce_out_of_range(const char *k_hex) {
    uint8_t k[32], inverse[32] = {[31] = 1}, e[32] = {0}, signature[64];
    int retry = 0;

    parse(k_hex, k);
    hide(k);
    hide(inverse);
    demand(!sm2_native_sign(inverse, e, k, signature, &retry) && retry, "another nonce is asked for");
    count_reports("the refusal of a nonce");
}

int main(int count, char **arguments) {
    static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char order[] = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
    static const char largest[] = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54121";

    if (!RUNNING_ON_VALGRIND || count != 2 || !sm2_native_start(arguments[1]))
        return 2;
    with_secrets("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8",
                 "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21");
    with_secrets(one, largest);
    with_secrets(largest, one);
    with_secrets("1000000000000000000000000000000000000000000000000000000000000000",
                 "0000000000000000000000000000000080000000000000000000000000000000");
    with_a_nonce_out_of_range(order);
    with_a_nonce_out_of_range("0000000000000000000000000000000000000000000000000000000000000000");
    printf("%s: %s\n", sm2_native_code(), failures == 0 ? "no secret shows" : "secrets show");
    return failures != 0;
}
