/*
 * Multiples of G without doublings. A number k is written in 37 signed digits, k = sum d_j 2^(7 j) with -63 <= d_j <=
 * 64, and the table holds m 2^(7 j) G for every j and every m from 1 to 64 (151,552 bytes), so kG is the sum of 37
 * points of the table. For a secret k every one of the 64 points of a row is read, and what is not wanted is masked
 * away.
 */
#ifndef SM2_NATIVE_COMB_H
#define SM2_NATIVE_COMB_H

#include "interface.h"
#include "point.h"

#ifdef SM2_NATIVE_X86_64
#include <immintrin.h>
#endif

/* Row j from its first point: m B for m = 1 ... 64 and, for the next row, 128 B. */
static void comb_fill_row(struct sm2_affine row[COMB_POINTS], struct sm2_affine *next) {
    struct jacobian multiples[COMB_POINTS];
    struct sm2_affine points[COMB_POINTS];
    struct jacobian sum;

    jacobian_from_affine(&sum, &row[0]);
    for (int m = 2; m <= COMB_POINTS; m++) {
        jacobian_add_variable(&sum, &row[0], 0);
        multiples[m - 2] = sum;
    }
    jacobian_double(&multiples[COMB_POINTS - 1], &sum);
    normalize(points, multiples, COMB_POINTS);
    for (int m = 2; m <= COMB_POINTS; m++)
        row[m - 1] = points[m - 2];
    *next = points[COMB_POINTS - 1];
}

static void comb_fill(void) {
    struct sm2_affine first = BASE_POINT;

    for (int j = 0; j < COMB_ROWS; j++) {
        sm2_native_table[j][0] = first;
        comb_fill_row(sm2_native_table[j], &first);
    }
}

/*
 * The digit of row j of k; *carry comes from the row below and goes to the row above. A digit above 64 becomes negative
 * and carries. The last row has the 4 bits above 2^252, so its digit is at most 16 and does not carry.
 */
static inline int32_t comb_digit(const struct sm2_number *k, int j, uint32_t *carry) {
    int bit = COMB_BITS * j;
    uint64_t word = k->w[bit / 64] >> (bit % 64);
    uint32_t digit, excess;

    if (bit % 64 > 64 - COMB_BITS && bit / 64 < 3)
        word |= k->w[bit / 64 + 1] << (64 - bit % 64);
    digit = ((uint32_t)word & 127) + *carry;
    excess = (COMB_POINTS - digit) >> 31; /* 1 where digit > 64: the difference wraps */
    *carry = excess;
    return (int32_t)digit - (int32_t)(excess << COMB_BITS);
}

/* out = row[magnitude - 1], or all zeros for magnitude 0, having read every point of the row. */
#ifdef SM2_NATIVE_X86_64
static inline void comb_select(struct sm2_affine *out, const struct sm2_affine row[COMB_POINTS], uint32_t magnitude) {
    const __m256i wanted = _mm256_set1_epi32((int)magnitude);
    const __m256i one = _mm256_set1_epi32(1);
    __m256i count = one;
    __m256i x = _mm256_setzero_si256();
    __m256i y = _mm256_setzero_si256();

    for (int i = 0; i < COMB_POINTS; i++) {
        __m256i mask = _mm256_cmpeq_epi32(count, wanted);

        x = _mm256_or_si256(x, _mm256_and_si256(mask, _mm256_loadu_si256((const __m256i *)row[i].x.w)));
        y = _mm256_or_si256(y, _mm256_and_si256(mask, _mm256_loadu_si256((const __m256i *)row[i].y.w)));
        count = _mm256_add_epi32(count, one);
    }
    _mm256_storeu_si256((__m256i *)out->x.w, x);
    _mm256_storeu_si256((__m256i *)out->y.w, y);
}
#else
static inline void comb_select(struct sm2_affine *out, const struct sm2_affine row[COMB_POINTS], uint32_t magnitude) {
    *out = (struct sm2_affine){0};
    for (uint32_t i = 0; i < COMB_POINTS; i++) {
        uint64_t mask = mask_if_zero((uint64_t)(magnitude ^ (i + 1)));

        for (int j = 0; j < 4; j++) {
            out->x.w[j] |= mask & row[i].x.w[j];
            out->y.w[j] |= mask & row[i].y.w[j];
        }
    }
}
#endif

/*
 * kG for a secret k in [1, n - 1], never infinity.
 *
 * Before row j the sum is S G with |S| <= 64 (2^(7 j) - 1) / 127 < 0.504 2^(7 j), and D G with D = d 2^(7 j) comes to
 * it. The formula for distinct points is right unless S = 0 or D = 0, which are masked, or S = D or S = -D modulo n:
 *   - |D| >= 2^(7 j) > |S| where d is not 0, so S + D and S - D are not 0 themselves;
 *   - for j <= 35, |S| + |D| < 64.504 2^245 < n, so they are not another multiple of n;
 *   - for j = 36, 0 <= d <= 16, S + D = k is in [1, n - 1]. D - S is positive and would have to be n, as 2n > 17 2^252.
 *     d <= 14 leaves it below 14.504 2^252 < n. d = 15 needs S = 15 2^252 - n < -0.99 2^252, and d = 16 needs
 *     S = 2^256 - n > 0 while S = k - 2^256 < 0: neither is.
 */
static void comb_multiply(struct jacobian *sum, const struct sm2_number *k) {
    uint64_t infinite = opaque(~(uint64_t)0);
    uint32_t carry = 0;
    struct jacobian result, lone;
    struct sm2_affine point;
    struct sm2_number h, slope;

    *sum = (struct jacobian){.z = {{0}}};
    for (int j = 0; j < COMB_ROWS; j++) {
        int32_t digit = comb_digit(k, j, &carry);
        uint32_t sign = (uint32_t)digit >> 31;
        uint32_t magnitude = ((uint32_t)digit ^ (0 - sign)) + sign;
        uint64_t zero = mask_if_zero(magnitude);

        comb_select(&point, sm2_native_table[j], magnitude);
        field_negate_if(&point.y, mask_of_bit(sign));
        jacobian_add_distinct(&result, sum, &point, &h, &slope);
        jacobian_from_affine(&lone, &point);
        jacobian_move(&result, &lone, infinite);
        jacobian_move(&result, sum, zero);
        *sum = result;
        infinite &= zero;
    }
    wipe(&result, sizeof result);
    wipe(&lone, sizeof lone);
    wipe(&point, sizeof point);
    wipe(&h, sizeof h);
    wipe(&slope, sizeof slope);
}

/* kG added to the sum for a public k in [0, n - 1]. Variable time, right in every case. */
static void comb_add_variable(struct jacobian *sum, const struct sm2_number *k) {
    uint32_t carry = 0;

    for (int j = 0; j < COMB_ROWS; j++) {
        int32_t digit = comb_digit(k, j, &carry);

        if (digit > 0)
            jacobian_add_variable(sum, &sm2_native_table[j][digit - 1], 0);
        else if (digit < 0)
            jacobian_add_variable(sum, &sm2_native_table[j][-digit - 1], 1);
    }
}

#endif
