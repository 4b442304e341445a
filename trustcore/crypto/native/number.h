/* Numbers of four 64-bit words, the least significant first, and choices among them that take no branch. */
#ifndef SM2_NATIVE_NUMBER_H
#define SM2_NATIVE_NUMBER_H

#include <string.h>

#include "declassify.h"
#include "sm2_native.h"

__extension__ typedef unsigned __int128 u128;

/* Keeps the compiler from learning that a mask is all ones or all zeros, and from making a branch of it. */
static inline uint64_t opaque(uint64_t mask) {
    __asm__("" : "+r"(mask));
    return mask;
}

/* All ones where bit is 1, zero where it is 0. */
static inline uint64_t mask_of_bit(uint64_t bit) {
    return opaque(0 - bit);
}

/* All ones where value is 0. value | -value has its highest bit set exactly when value is not 0. */
static inline uint64_t mask_if_zero(uint64_t value) {
    return mask_of_bit(1 ^ ((value | (0 - value)) >> 63));
}

static inline uint64_t number_is_zero(const struct sm2_number *a) {
    return mask_if_zero(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

/* target = source where mask is all ones. */
static inline void number_move(struct sm2_number *target, const struct sm2_number *source, uint64_t mask) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        target->w[i] ^= mask & (target->w[i] ^ source->w[i]);
}

/* a + b; returns the carry. */
static inline uint64_t number_add(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    u128 sum = 0;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        sum += (u128)a->w[i] + b->w[i];
        out->w[i] = (uint64_t)sum;
        sum >>= 64;
    }
    return (uint64_t)sum;
}

/* a - b; returns the borrow. */
static inline uint64_t number_subtract(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t borrow = 0;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        u128 difference = (u128)a->w[i] - b->w[i] - borrow;

        out->w[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

/*
 * carry * 2^256 + a, which is below 2 * modulus, modulo modulus. It is at least the modulus exactly when there is a
 * carry, because the modulus is below 2^256, or when subtracting does not borrow; what is left fits four words.
 */
static inline void number_reduce_once(struct sm2_number *a, uint64_t carry, const struct sm2_number *modulus) {
    struct sm2_number reduced;
    uint64_t borrow = number_subtract(&reduced, a, modulus);

    number_move(a, &reduced, mask_of_bit(carry | (borrow ^ 1)));
}

/* (a + b) mod modulus for a, b below it. */
static inline void number_add_mod(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b,
                                 const struct sm2_number *modulus) {
    uint64_t carry = number_add(out, a, b);

    number_reduce_once(out, carry, modulus);
}

/* (a - b) mod modulus for a, b below it: the modulus comes back where it borrowed. */
static inline void number_subtract_mod(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b,
                                      const struct sm2_number *modulus) {
    uint64_t mask = mask_of_bit(number_subtract(out, a, b));
    struct sm2_number correction;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        correction.w[i] = modulus->w[i] & mask;
    number_add(out, out, &correction);
}

static inline void number_from_bytes(struct sm2_number *out, const uint8_t bytes[32]) {
    for (int i = 0; i < 4; i++) {
        uint64_t word = 0;

        for (int j = 0; j < 8; j++)
            word = word << 8 | bytes[8 * (3 - i) + j];
        out->w[i] = word;
    }
}

static inline void number_to_bytes(uint8_t bytes[32], const struct sm2_number *a) {
    for (int i = 0; i < 32; i++)
        bytes[31 - i] = (uint8_t)(a->w[i / 8] >> (8 * (i % 8)));
}

/* Leaves no copy of a secret behind; the empty assembler line keeps the compiler from leaving the work out. */
static inline void wipe(void *object, size_t length) {
    memset(object, 0, length);
    __asm__ volatile("" : : "r"(object) : "memory");
}

#endif
