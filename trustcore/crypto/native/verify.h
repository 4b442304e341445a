/*
 * Verification (GB/T 32918.2-2016 §7.1). Everything is public, so this takes branches.
 *
 * tP is computed from four quarters of t at once, t = t_0 + 2^64 t_1 + 2^128 t_2 + 2^192 t_3, each in signed odd digits
 * (wNAF of width 5), with the odd multiples of P, 2^64 P, 2^128 P and 2^192 P that a prepared key holds: 64 doublings
 * instead of 256. sG comes from the table of the comb.
 */
#ifndef SM2_NATIVE_VERIFY_H
#define SM2_NATIVE_VERIFY_H

#include "comb.h"
#include "order.h"

#define QUARTERS 4
#define ODD_MULTIPLES 8
/* A quarter has 64 bits, and a negative digit carries. */
#define DIGITS 65

/* Base and double of each quarter, 2^(64 i) P and 2^(64 i + 1) P, all with Z = 1. */
static void quarter_bases(struct sm2_affine bases[2 * QUARTERS], const struct sm2_affine *point) {
    struct jacobian points[2 * QUARTERS];
    struct jacobian power;

    jacobian_from_affine(&power, point);
    for (int i = 0; i < QUARTERS; i++) {
        points[2 * i] = power;
        jacobian_double(&power, &power);
        points[2 * i + 1] = power;
        for (int bit = 1; bit < 64; bit++)
            jacobian_double(&power, &power);
    }
    normalize(bases, points, 2 * QUARTERS);
}

/* No multiple here is infinity: P has order n, and 15 2^192 < n. */
static int prepare_public(const uint8_t bytes[SM2_NATIVE_POINT_BYTES], struct sm2_native_public *key) {
    struct sm2_affine point;
    struct sm2_affine bases[2 * QUARTERS];
    struct jacobian multiples[QUARTERS * ODD_MULTIPLES];

    if (!point_from_bytes(&point, bytes))
        return 0;
    quarter_bases(bases, &point);
    for (int i = 0; i < QUARTERS; i++) {
        struct jacobian sum;

        jacobian_from_affine(&sum, &bases[2 * i]);
        for (int j = 0; j < ODD_MULTIPLES; j++) {
            multiples[i * ODD_MULTIPLES + j] = sum;
            jacobian_add_variable(&sum, &bases[2 * i + 1], 0);
        }
    }
    normalize(key->odd[0], multiples, QUARTERS * ODD_MULTIPLES);
    return 1;
}

/* Writes the digits of one quarter: each 0 or odd in [-15, 15], sum digits[i] 2^i = quarter. */
static void odd_digits(int8_t digits[DIGITS], uint64_t quarter) {
    u128 rest = quarter;

    for (int i = 0; i < DIGITS; i++) {
        int digit = 0;

        if (rest & 1) {
            digit = (int)(rest & 31);
            if (digit > 15)
                digit -= 32;
            rest -= (u128)digit; /* modulo 2^128, which the 65 bits of rest never reach */
        }
        digits[i] = (int8_t)digit;
        rest >>= 1;
    }
}

/* tP for t in [1, n - 1]. */
static void multiply_public(struct jacobian *sum, const struct sm2_native_public *key, const struct sm2_number *t) {
    int8_t digits[QUARTERS][DIGITS];

    for (int i = 0; i < QUARTERS; i++)
        odd_digits(digits[i], t->w[i]);
    *sum = (struct jacobian){.z = {{0}}};
    for (int bit = DIGITS - 1; bit >= 0; bit--) {
        jacobian_double(sum, sum);
        for (int i = 0; i < QUARTERS; i++) {
            int digit = digits[i][bit];

            if (digit != 0)
                jacobian_add_variable(sum, &key->odd[i][(digit < 0 ? -digit : digit) / 2], digit < 0);
        }
    }
}

/* Whether the affine x of the sum is the given number below p: X = x Z^2, without an inversion. */
static int has_x(const struct jacobian *sum, const struct sm2_number *x) {
    struct sm2_number left, zz;

    field_to_montgomery(&left, x);
    field_square(&zz, &sum->z);
    field_multiply(&left, &left, &zz);
    return field_equal(&left, &sum->x);
}

/* Whether x1 of the sum is r - e modulo n (B7): r - e itself or, if that is still below p, r - e + n. */
static int has_x_modulo_order(const struct jacobian *sum, const struct sm2_number *r, const struct sm2_number *e) {
    struct sm2_number x, rest;

    order_subtract(&x, r, e);
    if (has_x(sum, &x))
        return 1;
    return !number_add(&x, &x, &ORDER) && number_subtract(&rest, &x, &PRIME) && has_x(sum, &x);
}

static int verify(const struct sm2_native_public *key, const uint8_t e_bytes[SM2_NATIVE_BYTES],
                  const uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES]) {
    struct sm2_number e, r, s, t;
    struct jacobian sum;

    number_from_bytes(&r, signature);
    number_from_bytes(&s, signature + SM2_NATIVE_BYTES);
    number_from_bytes(&e, e_bytes);
    order_reduce(&e);
    if (!order_is_scalar(&r) || !order_is_scalar(&s)) /* B1, B2 */
        return 0;
    order_add(&t, &r, &s);
    if (number_is_zero(&t)) /* B5 */
        return 0;
    multiply_public(&sum, key, &t);
    comb_add_variable(&sum, &s);
    return !number_is_zero(&sum.z) && has_x_modulo_order(&sum, &r, &e);
}

#endif
