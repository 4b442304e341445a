/*
 * The field's arithmetic in plain C. field.h says what these functions promise. The loops are unrolled by order, because
 * a compiler asked for -O2 leaves them, and that costs half of the speed.
 */
#ifndef SM2_NATIVE_FIELD_PORTABLE_H
#define SM2_NATIVE_FIELD_PORTABLE_H

#include "number.h"

static inline void field_add(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    number_add_mod(out, a, b, &PRIME);
}

static inline void field_subtract(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    number_subtract_mod(out, a, b, &PRIME);
}

/*
 * One round of the reduction: (window + m p) / 2^64 for m = window[0], in place. As p = -1 mod 2^64, adding m p clears
 * the lowest word, and what is added to the others is
 *     m (p + 1) / 2^64 = m 2^192 - m 2^160 - m 2^32 + m,
 * so no multiplication is needed. With window < 2^256 the result is at most
 * (2^256 - 1 + (2^64 - 1) p) / 2^64 < 2^192 + p < 2^256, hence the borrow and the carry past the top cancel.
 */
static inline void reduction_round(uint64_t window[4]) {
    uint64_t m = window[0];
    uint64_t low = m << 32;
    uint64_t high = m >> 32;
    u128 sum = (u128)window[1] + m;
    uint64_t a, b, c, d;

    a = (uint64_t)sum;
    sum = (u128)window[2] + (uint64_t)(sum >> 64);
    b = (uint64_t)sum;
    sum = (u128)window[3] + (uint64_t)(sum >> 64);
    c = (uint64_t)sum;
    d = m + (uint64_t)(sum >> 64);
    sum = (u128)a - low;
    window[0] = (uint64_t)sum;
    sum = (u128)b - high - ((uint64_t)(sum >> 64) & 1);
    window[1] = (uint64_t)sum;
    sum = (u128)c - low - ((uint64_t)(sum >> 64) & 1);
    window[2] = (uint64_t)sum;
    window[3] = d - high - ((uint64_t)(sum >> 64) & 1);
}

/*
 * t / 2^256 mod p. The low half L becomes (L + M p) / 2^256 <= p for some M < 2^256, and the high half of a product of
 * two numbers below p is below p, so their sum is below 2p.
 */
static inline void montgomery_reduce(struct sm2_number *out, uint64_t t[8]) {
    struct sm2_number low, high;
    uint64_t carry;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        reduction_round(t);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        low.w[i] = t[i];
        high.w[i] = t[4 + i];
    }
    carry = number_add(out, &low, &high);
    number_reduce_once(out, carry, &PRIME);
}

static inline void field_multiply(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t t[8] = {0};

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        u128 sum = 0;

#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            sum += (u128)a->w[i] * b->w[j] + t[i + j];
            t[i + j] = (uint64_t)sum;
            sum >>= 64;
        }
        t[i + 4] = (uint64_t)sum;
    }
    montgomery_reduce(out, t);
}

static inline void field_square(struct sm2_number *out, const struct sm2_number *a) {
    field_multiply(out, a, a);
}

#endif
