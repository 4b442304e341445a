/* Chooses among the compiled codes and hands every call on. */
#include <string.h>

#include "interface.h"

struct sm2_affine sm2_native_table[COMB_ROWS][COMB_POINTS] __attribute__((aligned(64)));

static const struct sm2_native_code *chosen;

/* GB/T 32918.5-2017 annex A.2: the example of a signature. */
static const uint8_t EXAMPLE_D[SM2_NATIVE_BYTES] = {
    0x39, 0x45, 0x20, 0x8F, 0x7B, 0x21, 0x44, 0xB1, 0x3F, 0x36, 0xE3, 0x8A, 0xC6, 0xD3, 0x9F, 0x95,
    0x88, 0x93, 0x93, 0x69, 0x28, 0x60, 0xB5, 0x1A, 0x42, 0xFB, 0x81, 0xEF, 0x4D, 0xF7, 0xC5, 0xB8,
};
static const uint8_t EXAMPLE_E[SM2_NATIVE_BYTES] = {
    0xF0, 0xB4, 0x3E, 0x94, 0xBA, 0x45, 0xAC, 0xCA, 0xAC, 0xE6, 0x92, 0xED, 0x53, 0x43, 0x82, 0xEB,
    0x17, 0xE6, 0xAB, 0x5A, 0x19, 0xCE, 0x7B, 0x31, 0xF4, 0x48, 0x6F, 0xDF, 0xC0, 0xD2, 0x86, 0x40,
};
static const uint8_t EXAMPLE_K[SM2_NATIVE_BYTES] = {
    0x59, 0x27, 0x6E, 0x27, 0xD5, 0x06, 0x86, 0x1A, 0x16, 0x68, 0x0F, 0x3A, 0xD9, 0xC0, 0x2D, 0xCC,
    0xEF, 0x3C, 0xC1, 0xFA, 0x3C, 0xDB, 0xE4, 0xCE, 0x6D, 0x54, 0xB8, 0x0D, 0xEA, 0xC1, 0xBC, 0x21,
};
static const uint8_t EXAMPLE_SIGNATURE[SM2_NATIVE_SIGNATURE_BYTES] = {
    0xF5, 0xA0, 0x3B, 0x06, 0x48, 0xD2, 0xC4, 0x63, 0x0E, 0xEA, 0xC5, 0x13, 0xE1, 0xBB, 0x81, 0xA1,
    0x59, 0x44, 0xDA, 0x38, 0x27, 0xD5, 0xB7, 0x41, 0x43, 0xAC, 0x7E, 0xAC, 0xEE, 0xE7, 0x20, 0xB3,
    0xB1, 0xB6, 0xAA, 0x29, 0xDF, 0x21, 0x2F, 0xD8, 0x76, 0x31, 0x82, 0xBC, 0x0D, 0x42, 0x1C, 0xA1,
    0xBB, 0x90, 0x38, 0xFD, 0x1F, 0x7F, 0x42, 0xD4, 0x84, 0x0B, 0x69, 0xC4, 0x85, 0xBB, 0xC1, 0xAA,
};

/* Whether the code signs and verifies as the standard does; a compiler can be wrong too. */
static int reproduces_the_example(const struct sm2_native_code *code) {
    uint8_t inverse[SM2_NATIVE_BYTES], point[SM2_NATIVE_POINT_BYTES], again[SM2_NATIVE_POINT_BYTES];
    uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES], one[SM2_NATIVE_BYTES] = {[SM2_NATIVE_BYTES - 1] = 1};
    struct sm2_native_public key;
    int retry;

    if (!code->prepare_private(EXAMPLE_D, inverse) || !code->sign(inverse, EXAMPLE_E, EXAMPLE_K, signature, &retry) ||
        memcmp(signature, EXAMPLE_SIGNATURE, sizeof signature) != 0)
        return 0;
    if (!code->multiply_base(one, point) || !code->multiply(EXAMPLE_D, point, again) ||
        !code->multiply_base(EXAMPLE_D, point) || memcmp(point, again, sizeof point) != 0)
        return 0;
    if (!code->prepare_public(point, &key) || !code->verify(&key, EXAMPLE_E, signature))
        return 0;
    signature[0] ^= 1;
    return !code->verify(&key, EXAMPLE_E, signature);
}

static const struct sm2_native_code *best_code(void) {
#ifdef SM2_NATIVE_HAS_X86_64
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return &sm2_native_x86_64;
#endif
    return &sm2_native_portable;
}

int sm2_native_start(const char *code) {
    const struct sm2_native_code *best = best_code();

    if (chosen != NULL)
        return code == NULL || strcmp(code, chosen->name) == 0;
    if (code != NULL && strcmp(code, best->name) != 0) {
        if (strcmp(code, sm2_native_portable.name) != 0)
            return 0;
        best = &sm2_native_portable;
    }
    best->comb_fill();
    if (!reproduces_the_example(best))
        return 0;
    chosen = best;
    return 1;
}

const char *sm2_native_code(void) {
    return chosen != NULL ? chosen->name : NULL;
}

int sm2_native_is_scalar(const uint8_t scalar[SM2_NATIVE_BYTES]) {
    return chosen->is_scalar(scalar);
}

int sm2_native_is_point(const uint8_t point[SM2_NATIVE_POINT_BYTES]) {
    return chosen->is_point(point);
}

int sm2_native_multiply_base(const uint8_t k[SM2_NATIVE_BYTES], uint8_t product[SM2_NATIVE_POINT_BYTES]) {
    return chosen->multiply_base(k, product);
}

int sm2_native_multiply(const uint8_t k[SM2_NATIVE_BYTES], const uint8_t point[SM2_NATIVE_POINT_BYTES],
                        uint8_t product[SM2_NATIVE_POINT_BYTES]) {
    return chosen->multiply(k, point, product);
}

int sm2_native_combine(const uint8_t p[SM2_NATIVE_POINT_BYTES], const uint8_t x[SM2_NATIVE_BYTES],
                       const uint8_t q[SM2_NATIVE_POINT_BYTES], uint8_t sum[SM2_NATIVE_POINT_BYTES]) {
    return chosen->combine(p, x, q, sum);
}

int sm2_native_prepare_private(const uint8_t d[SM2_NATIVE_BYTES], uint8_t inverse_mont[SM2_NATIVE_BYTES]) {
    return chosen->prepare_private(d, inverse_mont);
}

int sm2_native_sign(const uint8_t inverse_mont[SM2_NATIVE_BYTES], const uint8_t e[SM2_NATIVE_BYTES],
                    const uint8_t k[SM2_NATIVE_BYTES], uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES], int *retry) {
    return chosen->sign(inverse_mont, e, k, signature, retry);
}

int sm2_native_prepare_public(const uint8_t point[SM2_NATIVE_POINT_BYTES], struct sm2_native_public *key) {
    return chosen->prepare_public(point, key);
}

int sm2_native_verify(const struct sm2_native_public *key, const uint8_t e[SM2_NATIVE_BYTES],
                      const uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES]) {
    return chosen->verify(key, e, signature);
}

size_t sm2_native_verify_many(size_t count, const struct sm2_native_public *const *keys, const uint8_t *digests,
                              const uint8_t *signatures, uint8_t *results) {
    size_t right = 0;

    for (size_t i = 0; i < count; i++) {
        results[i] = (uint8_t)chosen->verify(keys[i], digests + i * SM2_NATIVE_BYTES,
                                             signatures + i * SM2_NATIVE_SIGNATURE_BYTES);
        right += results[i];
    }
    return right;
}
