/* Signatures (GB/T 32918.2-2016 §6.1). d, k and what is computed from them on the way are secret. */
#ifndef SM2_NATIVE_SIGN_H
#define SM2_NATIVE_SIGN_H

#include "comb.h"
#include "order.h"

/*
 * Fails unless d is in [1, n - 2]. Then 1 + d is in [2, n - 1] and has an inverse. Whether d is in range is no secret:
 * a key outside is refused for all to see.
 */
static int prepare_private(const uint8_t d[SM2_NATIVE_BYTES], uint8_t inverse_mont[SM2_NATIVE_BYTES]) {
    static const struct sm2_number PLAIN_ONE = {{1}};
    struct sm2_number scalar, sum;
    uint64_t valid;

    number_from_bytes(&scalar, d);
    number_add(&sum, &scalar, &PLAIN_ONE);
    valid = order_is_scalar(&scalar) & order_is_scalar(&sum);
    DECLASSIFY(valid);
    if (valid) {
        order_multiply(&sum, &sum, &ORDER_SQUARE);
        order_invert(&sum, &sum);
        number_to_bytes(inverse_mont, &sum);
    }
    wipe(&scalar, sizeof scalar);
    wipe(&sum, sizeof sum);
    return valid != 0;
}

/* x1 of kG, modulo n: below p < 2n, so one subtraction is enough. Z would tell of k, so it is wiped. */
static void nonce_point(struct sm2_number *x1, const struct sm2_number *k) {
    struct jacobian point;
    struct sm2_number inverse;

    comb_multiply(&point, k);
    field_invert(&inverse, &point.z);
    field_square(&inverse, &inverse);
    field_multiply(x1, &point.x, &inverse);
    field_from_montgomery(x1, x1);
    order_reduce(x1);
    wipe(&point, sizeof point);
    wipe(&inverse, sizeof inverse);
}

/*
 * s = (1 + d)^-1 (k - r d) = (1 + d)^-1 (k + r) - r: one multiplication, no inversion, and d itself is not needed. A
 * nonce that the standard refuses is found at the end: no result of it leaves, so that it was refused tells nothing.
 */
static int sign(const uint8_t inverse_mont[SM2_NATIVE_BYTES], const uint8_t e[SM2_NATIVE_BYTES],
                const uint8_t k_bytes[SM2_NATIVE_BYTES], uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES], int *retry) {
    struct sm2_number inverse, k, r, s, t;
    uint64_t accepted;

    number_from_bytes(&inverse, inverse_mont);
    number_from_bytes(&k, k_bytes);
    number_from_bytes(&t, e);
    order_reduce(&t);
    accepted = order_is_scalar(&k);
    number_move(&k, &ORDER_ONE, ~accepted); /* comb_multiply wants a number in range, whatever becomes of it */
    nonce_point(&r, &k);
    order_add(&r, &r, &t);
    order_add(&t, &k, &r);
    accepted &= ~number_is_zero(&r) & ~number_is_zero(&t); /* A5 */
    order_multiply(&s, &inverse, &t);
    order_subtract(&s, &s, &r);
    accepted &= ~number_is_zero(&s); /* A6 */
    DECLASSIFY(accepted);
    *retry = accepted == 0;
    if (accepted) {
        number_to_bytes(signature, &r);
        number_to_bytes(signature + SM2_NATIVE_BYTES, &s);
    }
    wipe(&inverse, sizeof inverse);
    wipe(&k, sizeof k);
    wipe(&t, sizeof t);
    return accepted != 0;
}

#endif
