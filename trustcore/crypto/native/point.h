/*
 * Points of y^2 = x^3 - 3x + b (GB/T 32918.5-2017 §2). Jacobian (X, Y, Z) stands for (X / Z^2, Y / Z^3); Z = 0 is the
 * point at infinity. The order of the curve is the prime n, so every point but infinity has order n, and none has y =
 * 0.
 */
#ifndef SM2_NATIVE_POINT_H
#define SM2_NATIVE_POINT_H

#include "field.h"

struct jacobian {
    struct sm2_number x, y, z;
};

/* b and G in Montgomery form. */
static const struct sm2_number CURVE_B = {
    {0x90D230632BC0DD42ULL, 0x71CF379AE9B537ABULL, 0x527981505EA51C3CULL, 0x240FE188BA20E2C8ULL}};
static const struct sm2_affine BASE_POINT = {
    {{0x61328990F418029EULL, 0x3E7981EDDCA6C050ULL, 0xD6A1ED99AC24C3C3ULL, 0x91167A5EE1C13B05ULL}},
    {{0xC1354E593C2D0DDDULL, 0xC1F5E5788D3295FAULL, 0x8D4CFB066E2A48F8ULL, 0x63CD65D481D735BDULL}}};

/* The most points that are normalized at once. */
#define NORMALIZED_AT_ONCE 64

static inline void jacobian_from_affine(struct jacobian *out, const struct sm2_affine *a) {
    out->x = a->x;
    out->y = a->y;
    out->z = FIELD_ONE;
}

static inline void jacobian_move(struct jacobian *target, const struct jacobian *source, uint64_t mask) {
    number_move(&target->x, &source->x, mask);
    number_move(&target->y, &source->y, mask);
    number_move(&target->z, &source->z, mask);
}

/*
 * 2a, for every a: infinity gives Z = 0 again. delta = Z^2, gamma = Y^2, beta = X gamma, alpha = 3 (X - delta)(X +
 * delta), which is 3 X^2 - 3 Z^4 because the curve's a is -3.
 */
static void jacobian_double(struct jacobian *out, const struct jacobian *a) {
    struct sm2_number delta, gamma, beta, alpha, t;

    field_square(&delta, &a->z);
    field_square(&gamma, &a->y);
    field_multiply(&beta, &a->x, &gamma);
    field_subtract(&alpha, &a->x, &delta);
    field_add(&t, &a->x, &delta);
    field_multiply(&alpha, &alpha, &t);
    field_double(&t, &alpha);
    field_add(&alpha, &alpha, &t);
    field_add(&t, &a->y, &a->z);
    field_square(&t, &t);
    field_subtract(&t, &t, &gamma);
    field_subtract(&out->z, &t, &delta); /* 2 Y Z */
    field_double(&beta, &beta);
    field_double(&beta, &beta);
    field_square(&t, &alpha);
    field_subtract(&t, &t, &beta);
    field_subtract(&out->x, &t, &beta); /* alpha^2 - 8 beta */
    field_subtract(&beta, &beta, &out->x);
    field_multiply(&alpha, &alpha, &beta);
    field_square(&gamma, &gamma);
    field_double(&gamma, &gamma);
    field_double(&gamma, &gamma);
    field_double(&gamma, &gamma);
    field_subtract(&out->y, &alpha, &gamma); /* alpha (4 beta - X') - 8 gamma^2 */
}

/*
 * a + b where neither a is infinity nor a = b nor a = -b. h is the difference of the x, slope that of the y, both over
 * powers of Z: h = 0 tells the cases apart that this function does not compute.
 */
static inline void jacobian_add_distinct(struct jacobian *out, const struct jacobian *a, const struct sm2_affine *b,
                                         struct sm2_number *h, struct sm2_number *slope) {
    struct sm2_number t, hh, hhh, v;

    field_square(&t, &a->z);
    field_multiply(h, &b->x, &t);
    field_subtract(h, h, &a->x);
    field_multiply(&t, &t, &a->z);
    field_multiply(&t, &t, &b->y);
    field_subtract(slope, &t, &a->y);
    field_square(&hh, h);
    field_multiply(&hhh, &hh, h);
    field_multiply(&v, &a->x, &hh);
    field_multiply(&t, &a->y, &hhh);
    field_multiply(&out->z, &a->z, h);
    field_square(&out->x, slope);
    field_subtract(&out->x, &out->x, &hhh);
    field_subtract(&out->x, &out->x, &v);
    field_subtract(&out->x, &out->x, &v); /* slope^2 - h^3 - 2 X h^2 */
    field_subtract(&v, &v, &out->x);
    field_multiply(&v, &v, slope);
    field_subtract(&out->y, &v, &t); /* slope (X h^2 - X') - Y h^3 */
}

/* a + b, or a - b where negative is 1, in every case. Variable time. */
static void jacobian_add_variable(struct jacobian *a, const struct sm2_affine *b, int negative) {
    struct sm2_affine addend = *b;
    struct jacobian sum;
    struct sm2_number h, slope;

    field_negate_if(&addend.y, mask_of_bit((uint64_t)negative));
    if (number_is_zero(&a->z)) {
        jacobian_from_affine(a, &addend);
        return;
    }
    jacobian_add_distinct(&sum, a, &addend, &h, &slope);
    if (!number_is_zero(&h))
        *a = sum;
    else if (number_is_zero(&slope))
        jacobian_double(a, a);
    else
        *a = (struct jacobian){.z = {{0}}};
}

/*
 * The same points with Z = 1, for one inversion: the inverse of the product of all Z, from which each Z^-1 is peeled
 * off. No point may be infinity; count is from 1 to NORMALIZED_AT_ONCE. Of a secret multiple Z would tell, so it is
 * wiped.
 */
static void normalize(struct sm2_affine *out, const struct jacobian *points, int count) {
    struct sm2_number before[NORMALIZED_AT_ONCE]; /* before[i] is the product of the Z up to and with i */
    struct sm2_number inverse, own, t;

    before[0] = points[0].z;
    for (int i = 1; i < count; i++)
        field_multiply(&before[i], &before[i - 1], &points[i].z);
    field_invert(&inverse, &before[count - 1]);
    for (int i = count - 1; i >= 0; i--) {
        own = inverse;
        if (i > 0) {
            field_multiply(&own, &inverse, &before[i - 1]);
            field_multiply(&inverse, &inverse, &points[i].z);
        }
        field_square(&t, &own);
        field_multiply(&out[i].x, &points[i].x, &t);
        field_multiply(&t, &t, &own);
        field_multiply(&out[i].y, &points[i].y, &t);
    }
    wipe(before, sizeof before);
    wipe(&inverse, sizeof inverse);
    wipe(&own, sizeof own);
    wipe(&t, sizeof t);
}

/* Whether the bytes are 04 || x || y with x, y < p and y^2 = x^3 - 3x + b (GB/T 32918.1-2016 §4.2.9). Variable time. */
static int point_from_bytes(struct sm2_affine *out, const uint8_t bytes[SM2_NATIVE_POINT_BYTES]) {
    struct sm2_number x, y, left, right, t;

    number_from_bytes(&x, bytes + 1);
    number_from_bytes(&y, bytes + 33);
    if (bytes[0] != 0x04 || !number_subtract(&t, &x, &PRIME) || !number_subtract(&t, &y, &PRIME))
        return 0;
    field_to_montgomery(&x, &x);
    field_to_montgomery(&y, &y);
    field_square(&left, &y);
    field_square(&right, &x);
    field_subtract(&right, &right, &FIELD_ONE);
    field_subtract(&right, &right, &FIELD_ONE);
    field_subtract(&right, &right, &FIELD_ONE);
    field_multiply(&right, &right, &x);
    field_add(&right, &right, &CURVE_B);
    out->x = x;
    out->y = y;
    return field_equal(&left, &right);
}

static void point_to_bytes(uint8_t bytes[SM2_NATIVE_POINT_BYTES], const struct sm2_affine *a) {
    struct sm2_number t;

    bytes[0] = 0x04;
    field_from_montgomery(&t, &a->x);
    number_to_bytes(bytes + 1, &t);
    field_from_montgomery(&t, &a->y);
    number_to_bytes(bytes + 33, &t);
    wipe(&t, sizeof t);
}

#endif
