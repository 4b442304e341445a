/*
 * Numbers modulo n, the order of G (GB/T 32918.5-2017 §2). A signature multiplies once here, so plain C is fast enough.
 * Every result is below n.
 */
#ifndef SM2_NATIVE_ORDER_H
#define SM2_NATIVE_ORDER_H

#include "number.h"

static const struct sm2_number ORDER = {
    {0x53BBF40939D54123ULL, 0x7203DF6B21C6052BULL, 0xFFFFFFFFFFFFFFFFULL, 0xFFFFFFFEFFFFFFFFULL}};
/* -n^-1 mod 2^64 */
static const uint64_t ORDER_FACTOR = 0x327F9E8872350975ULL;
/* 2^256 mod n, which is one in Montgomery form, and 2^512 mod n. */
static const struct sm2_number ORDER_ONE = {
    {0xAC440BF6C62ABEDDULL, 0x8DFC2094DE39FAD4ULL, 0x0000000000000000ULL, 0x0000000100000000ULL}};
static const struct sm2_number ORDER_SQUARE = {
    {0x901192AF7C114F20ULL, 0x3464504ADE6FA2FAULL, 0x620FC84C3AFFE0D4ULL, 0x1EB5E412A22B3D3BULL}};

static inline void order_add(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    number_add_mod(out, a, b, &ORDER);
}

static inline void order_subtract(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    number_subtract_mod(out, a, b, &ORDER);
}

/*
 * a * b / 2^256 mod n, word by word (Montgomery). Before each step the six-word sum t is below 2n (0 at first); the
 * step makes (t + a_i b + m n) / 2^64 < (2n + (2^64 - 1) n + (2^64 - 1) n) / 2^64 = 2n, so one subtraction at the end
 * is enough. a may be any 256-bit number, b must be below n.
 */
static void order_multiply(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t t[6] = {0};

    for (int i = 0; i < 4; i++) {
        u128 sum = 0;
        uint64_t m;

        for (int j = 0; j < 4; j++) {
            sum += (u128)a->w[i] * b->w[j] + t[j];
            t[j] = (uint64_t)sum;
            sum >>= 64;
        }
        sum += t[4];
        t[4] = (uint64_t)sum;
        t[5] = (uint64_t)(sum >> 64);
        m = t[0] * ORDER_FACTOR;
        sum = ((u128)m * ORDER.w[0] + t[0]) >> 64;
        for (int j = 1; j < 4; j++) {
            sum += (u128)m * ORDER.w[j] + t[j];
            t[j - 1] = (uint64_t)sum;
            sum >>= 64;
        }
        sum += t[4];
        t[3] = (uint64_t)sum;
        t[4] = t[5] + (uint64_t)(sum >> 64);
    }
    for (int i = 0; i < 4; i++)
        out->w[i] = t[i];
    number_reduce_once(out, t[4], &ORDER);
    wipe(t, sizeof t);
}

/* Any 256-bit number modulo n: it is below 2n, because n > 2^255. */
static inline void order_reduce(struct sm2_number *a) {
    number_reduce_once(a, 0, &ORDER);
}

/* All ones where a is in [1, n - 1]. */
static inline uint64_t order_is_scalar(const struct sm2_number *a) {
    struct sm2_number difference;
    uint64_t below = number_subtract(&difference, a, &ORDER);

    return mask_of_bit(below) & ~number_is_zero(a);
}

/*
 * a^-1 in Montgomery form, of a in Montgomery form, by Fermat: a^(n-2). The exponent is public, so its bits may decide;
 * a is not 0.
 */
static void order_invert(struct sm2_number *out, const struct sm2_number *a) {
    struct sm2_number exponent = ORDER;
    struct sm2_number power = ORDER_ONE;

    exponent.w[0] -= 2;
    for (int bit = 255; bit >= 0; bit--) {
        order_multiply(&power, &power, &power);
        if (exponent.w[bit / 64] >> (bit % 64) & 1)
            order_multiply(&power, &power, a);
    }
    *out = power;
    wipe(&power, sizeof power);
}

#endif
