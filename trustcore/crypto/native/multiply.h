/*
 * Secret multiples of any point, for decryption and key agreement. The formulas are complete: with homogeneous
 * coordinates (X / Z, Y / Z) and a prime order they are right for every pair of points, infinity, equal and opposite
 * ones among them, so there is no case to tell apart (Renes, Costello, Batina: Complete addition formulas for prime
 * order elliptic curves, algorithms 4 and 6, for a = -3).
 */
#ifndef SM2_NATIVE_MULTIPLY_H
#define SM2_NATIVE_MULTIPLY_H

#include "point.h"

struct projective {
    struct sm2_number x, y, z;
};

/* (0 : 1 : 0), where 1 is FIELD_ONE */
static const struct projective INFINITE = {
    .y = {{0x0000000000000001ULL, 0x00000000FFFFFFFFULL, 0x0000000000000000ULL, 0x0000000100000000ULL}}};

static inline void field_triple(struct sm2_number *out, const struct sm2_number *a) {
    struct sm2_number twice;

    field_double(&twice, a);
    field_add(out, &twice, a);
}

/* (a1 + a2)(b1 + b2) - a1 b1 - a2 b2 = a1 b2 + a2 b1, given the two products. */
static inline void cross_terms(struct sm2_number *out, const struct sm2_number *a1, const struct sm2_number *a2,
                               const struct sm2_number *b1, const struct sm2_number *b2, const struct sm2_number *a1b1,
                               const struct sm2_number *a2b2) {
    struct sm2_number left, right;

    field_add(&left, a1, a2);
    field_add(&right, b1, b2);
    field_multiply(&left, &left, &right);
    field_add(&right, a1b1, a2b2);
    field_subtract(out, &left, &right);
}

/* Algorithm 4. */
static void projective_add(struct projective *out, const struct projective *p, const struct projective *q) {
    struct sm2_number xx, yy, zz, xy, yz, xz, plus, minus, t;

    field_multiply(&xx, &p->x, &q->x);
    field_multiply(&yy, &p->y, &q->y);
    field_multiply(&zz, &p->z, &q->z);
    cross_terms(&xy, &p->x, &p->y, &q->x, &q->y, &xx, &yy);
    cross_terms(&yz, &p->y, &p->z, &q->y, &q->z, &yy, &zz);
    cross_terms(&xz, &p->x, &p->z, &q->x, &q->z, &xx, &zz);
    field_multiply(&t, &CURVE_B, &zz);
    field_subtract(&t, &xz, &t);
    field_triple(&t, &t); /* 3 (xz - b zz) */
    field_subtract(&minus, &yy, &t);
    field_add(&plus, &yy, &t);
    field_triple(&zz, &zz);
    field_multiply(&t, &CURVE_B, &xz);
    field_subtract(&t, &t, &zz);
    field_subtract(&t, &t, &xx);
    field_triple(&t, &t); /* 3 (b xz - 3 zz - xx) */
    field_triple(&xx, &xx);
    field_subtract(&xx, &xx, &zz); /* 3 (xx - zz) */
    field_multiply(&zz, &yz, &t);
    field_multiply(&out->x, &xy, &plus);
    field_subtract(&out->x, &out->x, &zz);
    field_multiply(&zz, &xx, &t);
    field_multiply(&out->y, &plus, &minus);
    field_add(&out->y, &out->y, &zz);
    field_multiply(&zz, &xy, &xx);
    field_multiply(&out->z, &yz, &minus);
    field_add(&out->z, &out->z, &zz);
}

/* Algorithm 6. */
static void projective_double(struct projective *out, const struct projective *p) {
    struct sm2_number xx, yy, zz, xy, yz, xz, plus, minus, t;

    field_square(&xx, &p->x);
    field_square(&yy, &p->y);
    field_square(&zz, &p->z);
    field_multiply(&xy, &p->x, &p->y);
    field_double(&xy, &xy);
    field_multiply(&yz, &p->y, &p->z);
    field_double(&yz, &yz);
    field_multiply(&xz, &p->x, &p->z);
    field_double(&xz, &xz);
    field_multiply(&t, &CURVE_B, &zz);
    field_subtract(&t, &t, &xz);
    field_triple(&t, &t); /* 3 (b zz - 2 xz) */
    field_subtract(&minus, &yy, &t);
    field_add(&plus, &yy, &t);
    field_triple(&zz, &zz);
    field_multiply(&t, &CURVE_B, &xz);
    field_subtract(&t, &t, &zz);
    field_subtract(&t, &t, &xx);
    field_triple(&t, &t); /* 3 (2 b xz - 3 zz - xx) */
    field_triple(&xx, &xx);
    field_subtract(&xx, &xx, &zz); /* 3 (xx - zz) */
    field_multiply(&zz, &yz, &t);
    field_multiply(&out->x, &minus, &xy);
    field_subtract(&out->x, &out->x, &zz);
    field_multiply(&zz, &xx, &t);
    field_multiply(&out->y, &minus, &plus);
    field_add(&out->y, &out->y, &zz);
    field_multiply(&out->z, &yz, &yy);
    field_double(&out->z, &out->z);
    field_double(&out->z, &out->z);
}

/* out = table[index], having read all sixteen. */
static inline void projective_select(struct projective *out, const struct projective table[16], uint32_t index) {
    *out = (struct projective){.x = {{0}}};
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t mask = mask_if_zero((uint64_t)(index ^ i));

        number_move(&out->x, &table[i].x, mask);
        number_move(&out->y, &table[i].y, mask);
        number_move(&out->z, &table[i].z, mask);
    }
}

/* kP for a secret k, any 256-bit number: 64 digits of four bits from the top. */
static void multiply(struct projective *product, const struct sm2_number *k, const struct sm2_affine *point) {
    struct projective table[16];
    struct projective chosen;

    table[0] = INFINITE;
    table[1] = (struct projective){point->x, point->y, FIELD_ONE};
    for (int i = 2; i < 16; i++)
        projective_add(&table[i], &table[i - 1], &table[1]);
    *product = INFINITE;
    for (int digit = 63; digit >= 0; digit--) {
        for (int i = 0; i < 4; i++)
            projective_double(product, product);
        projective_select(&chosen, table, (uint32_t)(k->w[digit / 16] >> (4 * (digit % 16))) & 15);
        projective_add(product, product, &chosen);
    }
    wipe(&chosen, sizeof chosen);
}

/* X / Z and Y / Z; infinity gives zeros. */
static void projective_to_affine(struct sm2_affine *out, const struct projective *p) {
    struct sm2_number inverse;

    field_invert(&inverse, &p->z);
    field_multiply(&out->x, &p->x, &inverse);
    field_multiply(&out->y, &p->y, &inverse);
    wipe(&inverse, sizeof inverse);
}

#endif
