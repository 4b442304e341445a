/* Chooses among the compiled codes and hands every call on. */
#include <string.h>

#include "interface.h"

struct sm2_affine sm2_native_table[COMB_ROWS][COMB_POINTS] __attribute__((aligned(64)));

static const struct sm2_native_code *chosen;

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
