/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. SM2 over libcrypto's curve arithmetic: one engine of sm2_engine.h. */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "sm2_engine.h"

static EC_GROUP *group;
static BN_MONT_CTX *order_mont;

static void stop(void) {
    EC_GROUP_free(group);
    BN_MONT_CTX_free(order_mont);
    group = NULL;
    order_mont = NULL;
}

static int start(void) {
    BN_CTX *ctx = BN_CTX_new();
    int ok = 0;

    group = EC_GROUP_new_by_curve_name(NID_sm2);
    order_mont = BN_MONT_CTX_new();
    if (ctx != NULL && group != NULL && order_mont != NULL)
        ok = BN_MONT_CTX_set(order_mont, EC_GROUP_get0_order(group), ctx);
    BN_CTX_free(ctx);
    if (!ok)
        stop();
    return ok;
}

static EC_POINT *decode_point(const uint8_t bytes[SM2_POINT_BYTES], BN_CTX *ctx) {
    EC_POINT *point;

    if (bytes[0] != POINT_CONVERSION_UNCOMPRESSED)
        return NULL;
    point = EC_POINT_new(group);
    /* EC_POINT_oct2point checks that the point is on the curve; h = 1, so no subgroup check is needed. */
    if (point != NULL && EC_POINT_oct2point(group, point, bytes, SM2_POINT_BYTES, ctx) == 1)
        return point;
    EC_POINT_free(point);
    return NULL;
}

static int encode_point(const EC_POINT *point, uint8_t bytes[SM2_POINT_BYTES], BN_CTX *ctx) {
    return EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, SM2_POINT_BYTES, ctx) ==
           SM2_POINT_BYTES;
}

static int point_is_valid(const uint8_t bytes[SM2_POINT_BYTES]) {
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *point = ctx != NULL ? decode_point(bytes, ctx) : NULL;
    int ok = point != NULL;

    EC_POINT_free(point);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static int secret_from_scalar(struct sm2_secret *secret, const uint8_t scalar[SM2_BYTES]) {
    const BIGNUM *order = EC_GROUP_get0_order(group);
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *d = BN_secure_new();
    BIGNUM *inverse = BN_secure_new();
    BIGNUM *exponent = BN_new();
    EC_POINT *point = EC_POINT_new(group);
    int ok = 0;

    if (ctx == NULL || d == NULL || inverse == NULL || exponent == NULL || point == NULL)
        goto done;
    BN_set_flags(d, BN_FLG_CONSTTIME);
    BN_set_flags(inverse, BN_FLG_CONSTTIME);
    if (BN_bin2bn(scalar, SM2_BYTES, d) == NULL || BN_copy(exponent, order) == NULL || !BN_sub_word(exponent, 2))
        goto done;
    /* exponent is n - 2, which is both the upper bound of d and, by Fermat, the power that inverts. */
    if (BN_is_zero(d) || BN_cmp(d, exponent) > 0)
        goto done;
    if (!EC_POINT_mul(group, point, d, NULL, NULL, ctx) || !encode_point(point, secret->point, ctx))
        goto done;
    if (!BN_add_word(d, 1) || !BN_mod_exp_mont_consttime(inverse, d, exponent, order, ctx, order_mont))
        goto done;
    if (!BN_to_montgomery(inverse, inverse, order_mont, ctx))
        goto done;
    memcpy(secret->scalar, scalar, SM2_BYTES);
    ok = BN_bn2binpad(inverse, secret->inverse_mont, SM2_BYTES) == (int)SM2_BYTES;
done:
    EC_POINT_free(point);
    BN_free(exponent);
    BN_clear_free(inverse);
    BN_clear_free(d);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

/*
 * s = (1 + d)^-1 (k - r d) is computed as (1 + d)^-1 (k + r) - r: the same number, one multiplication, and d itself
 * is not touched. Secret values only meet the fixed-time routines: the ladder of EC_POINT_mul, Montgomery
 * multiplication and the "quick" modular additions.
 */
static int sign_with_bn(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES], const BIGNUM *k,
                        uint8_t signature[SM2_SIGNATURE_BYTES], int *retry, BN_CTX *ctx) {
    const BIGNUM *order = EC_GROUP_get0_order(group);
    BIGNUM *r = BN_CTX_get(ctx);
    BIGNUM *s = BN_CTX_get(ctx);
    BIGNUM *inverse = BN_CTX_get(ctx);
    EC_POINT *kg = EC_POINT_new(group);
    int ok = 0;

    *retry = 0;
    if (inverse == NULL || kg == NULL)
        goto done;
    BN_set_flags(inverse, BN_FLG_CONSTTIME);
    if (!EC_POINT_mul(group, kg, k, NULL, NULL, ctx) || !EC_POINT_get_affine_coordinates(group, kg, s, NULL, ctx) ||
        BN_bin2bn(e, SM2_BYTES, r) == NULL || !BN_mod_add(r, r, s, order, ctx))
        goto done;
    if (!BN_mod_add_quick(s, k, r, order))
        goto done;
    /* r = 0, or r + k = n (GB/T 32918.2-2016 §6.1, A5). */
    if (BN_is_zero(r) || BN_is_zero(s)) {
        *retry = 1;
        goto done;
    }
    if (BN_bin2bn(secret->inverse_mont, SM2_BYTES, inverse) == NULL ||
        !BN_mod_mul_montgomery(s, s, inverse, order_mont, ctx) || !BN_mod_sub_quick(s, s, r, order))
        goto done;
    if (BN_is_zero(s)) {
        *retry = 1;
        goto done;
    }
    ok = BN_bn2binpad(r, signature, SM2_BYTES) == (int)SM2_BYTES &&
         BN_bn2binpad(s, signature + SM2_BYTES, SM2_BYTES) == (int)SM2_BYTES;
done:
    EC_POINT_clear_free(kg);
    return ok;
}

static int sign(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES], const uint8_t nonce[SM2_BYTES],
                uint8_t signature[SM2_SIGNATURE_BYTES], int *retry) {
    const BIGNUM *order = EC_GROUP_get0_order(group);
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *k = BN_secure_new();
    int ok = 0;

    *retry = 0;
    if (ctx == NULL || k == NULL)
        goto done;
    BN_CTX_start(ctx);
    BN_set_flags(k, BN_FLG_CONSTTIME);
    if (BN_bin2bn(nonce, SM2_BYTES, k) != NULL) {
        *retry = BN_is_zero(k) || BN_cmp(k, order) >= 0;
        ok = !*retry && sign_with_bn(secret, e, k, signature, retry, ctx);
    }
    BN_CTX_end(ctx);
done:
    BN_clear_free(k);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static int verify(const uint8_t point[SM2_POINT_BYTES], const uint8_t e[SM2_BYTES],
                      const uint8_t signature[SM2_SIGNATURE_BYTES]) {
    const BIGNUM *order = EC_GROUP_get0_order(group);
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *public_key = NULL;
    EC_POINT *sum = NULL;
    BIGNUM *r, *s, *t, *x;
    int ok = 0;

    if (ctx == NULL)
        return 0;
    BN_CTX_start(ctx);
    r = BN_CTX_get(ctx);
    s = BN_CTX_get(ctx);
    t = BN_CTX_get(ctx);
    x = BN_CTX_get(ctx);
    public_key = decode_point(point, ctx);
    sum = EC_POINT_new(group);
    if (x == NULL || public_key == NULL || sum == NULL)
        goto done;
    if (BN_bin2bn(signature, SM2_BYTES, r) == NULL || BN_bin2bn(signature + SM2_BYTES, SM2_BYTES, s) == NULL)
        goto done;
    if (BN_is_zero(r) || BN_is_zero(s) || BN_cmp(r, order) >= 0 || BN_cmp(s, order) >= 0)
        goto done;
    if (!BN_mod_add_quick(t, r, s, order) || BN_is_zero(t))
        goto done;
    if (!EC_POINT_mul(group, sum, s, public_key, t, ctx) || EC_POINT_is_at_infinity(group, sum) ||
        !EC_POINT_get_affine_coordinates(group, sum, x, NULL, ctx))
        goto done;
    if (BN_bin2bn(e, SM2_BYTES, t) == NULL || !BN_mod_add(t, t, x, order, ctx))
        goto done;
    ok = BN_cmp(t, r) == 0;
done:
    EC_POINT_free(sum);
    EC_POINT_free(public_key);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

/* kP, or kG where the point is NULL. */
static int multiply(const uint8_t scalar[SM2_BYTES], const uint8_t *point, uint8_t product[SM2_POINT_BYTES]) {
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *k = BN_secure_new();
    EC_POINT *result = EC_POINT_new(group);
    EC_POINT *operand = ctx != NULL && point != NULL ? decode_point(point, ctx) : NULL;
    int ok = 0;

    if (ctx == NULL || k == NULL || result == NULL || (point != NULL && operand == NULL))
        goto done;
    BN_set_flags(k, BN_FLG_CONSTTIME);
    if (BN_bin2bn(scalar, SM2_BYTES, k) == NULL)
        goto done;
    if (operand != NULL)
        ok = EC_POINT_mul(group, result, NULL, operand, k, ctx);
    else
        ok = EC_POINT_mul(group, result, k, NULL, NULL, ctx);
    ok = ok && encode_point(result, product, ctx);
done:
    EC_POINT_free(operand);
    EC_POINT_clear_free(result);
    BN_clear_free(k);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static int multiply_base(const uint8_t scalar[SM2_BYTES], uint8_t product[SM2_POINT_BYTES]) {
    return multiply(scalar, NULL, product);
}

static int combine(const uint8_t p[SM2_POINT_BYTES], const uint8_t x[SM2_BYTES], const uint8_t q[SM2_POINT_BYTES],
                   uint8_t sum[SM2_POINT_BYTES]) {
    uint8_t product[SM2_POINT_BYTES];
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *left = NULL;
    EC_POINT *right = NULL;
    int ok = 0;

    if (ctx == NULL || !multiply(x, q, product))
        goto done;
    left = decode_point(p, ctx);
    right = decode_point(product, ctx);
    ok = left != NULL && right != NULL && EC_POINT_add(group, left, left, right, ctx) && encode_point(left, sum, ctx);
done:
    EC_POINT_free(left);
    EC_POINT_free(right);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

const struct sm2_engine sm2_libcrypto = {
    .name = "libcrypto",
    .start = start,
    .stop = stop,
    .point_is_valid = point_is_valid,
    .secret_from_scalar = secret_from_scalar,
    .sign = sign,
    .verify = verify,
    .multiply_base = multiply_base,
    .multiply = multiply,
    .combine = combine,
};
