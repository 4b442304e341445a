/* What portable.c and x86_64.c each make, one after the other, of the same headers: the functions of sm2_native.h. */
#ifndef SM2_NATIVE_CODE_H
#define SM2_NATIVE_CODE_H

#include "interface.h"
#include "multiply.h"
#include "sign.h"
#include "verify.h"

static int is_scalar(const uint8_t bytes[SM2_NATIVE_BYTES]) {
    struct sm2_number number;
    uint64_t valid;

    number_from_bytes(&number, bytes);
    valid = order_is_scalar(&number);
    wipe(&number, sizeof number);
    DECLASSIFY(valid);
    return valid != 0;
}

static int is_point(const uint8_t bytes[SM2_NATIVE_POINT_BYTES]) {
    struct sm2_affine point;

    return point_from_bytes(&point, bytes);
}

static int multiply_base(const uint8_t k_bytes[SM2_NATIVE_BYTES], uint8_t product[SM2_NATIVE_POINT_BYTES]) {
    struct sm2_number k;
    struct jacobian point;
    struct sm2_affine affine;

    if (!is_scalar(k_bytes))
        return 0;
    number_from_bytes(&k, k_bytes);
    comb_multiply(&point, &k);
    normalize(&affine, &point, 1);
    point_to_bytes(product, &affine);
    wipe(&k, sizeof k);
    wipe(&point, sizeof point);
    wipe(&affine, sizeof affine);
    return 1;
}

/* That the product is infinity (k is a multiple of n, and the caller's error) may show. */
static int multiply_point(const uint8_t k_bytes[SM2_NATIVE_BYTES], const uint8_t point_bytes[SM2_NATIVE_POINT_BYTES],
                          uint8_t product[SM2_NATIVE_POINT_BYTES]) {
    struct sm2_number k;
    struct sm2_affine point;
    struct projective result;
    uint64_t infinite;

    if (!point_from_bytes(&point, point_bytes))
        return 0;
    number_from_bytes(&k, k_bytes);
    multiply(&result, &k, &point);
    infinite = number_is_zero(&result.z);
    DECLASSIFY(infinite);
    if (!infinite) {
        projective_to_affine(&point, &result);
        point_to_bytes(product, &point);
    }
    wipe(&k, sizeof k);
    wipe(&point, sizeof point);
    wipe(&result, sizeof result);
    return !infinite;
}

static int combine(const uint8_t p_bytes[SM2_NATIVE_POINT_BYTES], const uint8_t x_bytes[SM2_NATIVE_BYTES],
                   const uint8_t q_bytes[SM2_NATIVE_POINT_BYTES], uint8_t sum[SM2_NATIVE_POINT_BYTES]) {
    struct sm2_native_public q;
    struct sm2_affine p;
    struct sm2_number x;
    struct jacobian result;

    number_from_bytes(&x, x_bytes);
    if (!order_is_scalar(&x) || !point_from_bytes(&p, p_bytes) || !prepare_public(q_bytes, &q))
        return 0;
    multiply_public(&result, &q, &x);
    jacobian_add_variable(&result, &p, 0);
    if (number_is_zero(&result.z))
        return 0;
    normalize(&p, &result, 1);
    point_to_bytes(sum, &p);
    return 1;
}

#define SM2_NATIVE_CODE(its_name)                                                                                      \
    {                                                                                                                  \
        .name = its_name, .comb_fill = comb_fill, .multiply_base = multiply_base, .multiply = multiply_point,          \
        .combine = combine, .is_scalar = is_scalar, .is_point = is_point, .prepare_private = prepare_private,          \
        .sign = sign, .prepare_public = prepare_public, .verify = verify,                                              \
    }

#endif
