/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See sm2.h. */
#include "sm2.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <string.h>

static EC_GROUP *group;
static BN_MONT_CTX *order_mont;
static EVP_MD *sm3;

/* a, b, Gx, Gy as Z hashes them (GB/T 32918.5-2017 §A.1). */
static const uint8_t CURVE_CONSTANTS[4 * SM2_BYTES] = {
    0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC,
    0x28, 0xE9, 0xFA, 0x9E, 0x9D, 0x9F, 0x5E, 0x34, 0x4D, 0x5A, 0x9E, 0x4B, 0xCF, 0x65, 0x09, 0xA7,
    0xF3, 0x97, 0x89, 0xF5, 0x15, 0xAB, 0x8F, 0x92, 0xDD, 0xBC, 0xBD, 0x41, 0x4D, 0x94, 0x0E, 0x93,
    0x32, 0xC4, 0xAE, 0x2C, 0x1F, 0x19, 0x81, 0x19, 0x5F, 0x99, 0x04, 0x46, 0x6A, 0x39, 0xC9, 0x94,
    0x8F, 0xE3, 0x0B, 0xBF, 0xF2, 0x66, 0x0B, 0xE1, 0x71, 0x5A, 0x45, 0x89, 0x33, 0x4C, 0x74, 0xC7,
    0xBC, 0x37, 0x36, 0xA2, 0xF4, 0xF6, 0x77, 0x9C, 0x59, 0xBD, 0xCE, 0xE3, 0x6B, 0x69, 0x21, 0x53,
    0xD0, 0xA9, 0x87, 0x7C, 0xC6, 0x2A, 0x47, 0x40, 0x02, 0xDF, 0x32, 0xE5, 0x21, 0x39, 0xF0, 0xA0,
};

int sm2_start(void) {
    BN_CTX *ctx = BN_CTX_new();
    int ok = 0;

    if (group != NULL) {
        BN_CTX_free(ctx);
        return 1;
    }
    group = EC_GROUP_new_by_curve_name(NID_sm2);
    order_mont = BN_MONT_CTX_new();
    sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
    if (ctx != NULL && group != NULL && order_mont != NULL && sm3 != NULL)
        ok = BN_MONT_CTX_set(order_mont, EC_GROUP_get0_order(group), ctx);
    BN_CTX_free(ctx);
    if (!ok)
        sm2_stop();
    return ok;
}

void sm2_stop(void) {
    EC_GROUP_free(group);
    BN_MONT_CTX_free(order_mont);
    EVP_MD_free(sm3);
    group = NULL;
    order_mont = NULL;
    sm3 = NULL;
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

int sm2_point_is_valid(const uint8_t bytes[SM2_POINT_BYTES]) {
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *point = ctx != NULL ? decode_point(bytes, ctx) : NULL;
    int ok = point != NULL;

    EC_POINT_free(point);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int sm2_secret_from_scalar(struct sm2_secret *secret, const uint8_t scalar[SM2_BYTES]) {
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

int sm2_z(const uint8_t point[SM2_POINT_BYTES], const uint8_t *identifier, size_t identifier_length,
          uint8_t z[SM2_BYTES]) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    size_t bits = identifier_length * 8;
    uint8_t entl[2] = {(uint8_t)(bits >> 8), (uint8_t)bits};
    int ok = hash != NULL && identifier_length <= SM2_IDENTIFIER_LIMIT && EVP_DigestInit_ex(hash, sm3, NULL) &&
             EVP_DigestUpdate(hash, entl, sizeof entl) && EVP_DigestUpdate(hash, identifier, identifier_length) &&
             EVP_DigestUpdate(hash, CURVE_CONSTANTS, sizeof CURVE_CONSTANTS) &&
             EVP_DigestUpdate(hash, point + 1, SM2_POINT_BYTES - 1) && EVP_DigestFinal_ex(hash, z, NULL);

    EVP_MD_CTX_free(hash);
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

/* Calls sign_with_bn with the nonce given, or else with fresh ones from the private random generator. */
static int sign_digest(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES], const uint8_t *given,
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
    do {
        if (given != NULL ? BN_bin2bn(given, SM2_BYTES, k) == NULL : !BN_priv_rand_range(k, order))
            break;
        if (BN_is_zero(k) || BN_cmp(k, order) >= 0)
            *retry = 1;
        else
            ok = sign_with_bn(secret, e, k, signature, retry, ctx);
    } while (!ok && *retry && given == NULL);
    BN_CTX_end(ctx);
done:
    BN_clear_free(k);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int sm2_sign_digest(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                    uint8_t signature[SM2_SIGNATURE_BYTES]) {
    int retry;

    return sign_digest(secret, e, NULL, signature, &retry);
}

int sm2_sign_digest_with_nonce(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                               const uint8_t k[SM2_BYTES], uint8_t signature[SM2_SIGNATURE_BYTES], int *retry) {
    return sign_digest(secret, e, k, signature, retry);
}

int sm2_verify_digest(const uint8_t point[SM2_POINT_BYTES], const uint8_t e[SM2_BYTES],
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

/*
 * XORs the key stream KDF(x2 || y2, length) of GB/T 32918.4-2016 §5.4.3 into data; *zero tells that the stream was all
 * zero, which the standard refuses.
 */
static int xor_key_stream(const uint8_t shared[SM2_POINT_BYTES], const uint8_t *input, size_t length, uint8_t *output,
                          int *zero) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t block[SM2_BYTES];
    uint8_t seen = 0;
    size_t done = 0;
    uint32_t counter = 1;
    int ok = hash != NULL;

    for (; ok && done < length; counter++) {
        uint8_t count[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8),
                            (uint8_t)counter};
        size_t step = length - done < SM2_BYTES ? length - done : SM2_BYTES;

        ok = EVP_DigestInit_ex(hash, sm3, NULL) && EVP_DigestUpdate(hash, shared + 1, SM2_POINT_BYTES - 1) &&
             EVP_DigestUpdate(hash, count, sizeof count) && EVP_DigestFinal_ex(hash, block, NULL);
        for (size_t i = 0; ok && i < step; i++) {
            seen |= block[i];
            output[done + i] = input[done + i] ^ block[i];
        }
        done += step;
    }
    OPENSSL_cleanse(block, sizeof block);
    EVP_MD_CTX_free(hash);
    *zero = seen == 0;
    return ok;
}

/* C3 = SM3(x2 || M || y2) (GB/T 32918.4-2016 §6.1, A7). */
static int check_value(const uint8_t shared[SM2_POINT_BYTES], const uint8_t *plaintext, size_t length,
                       uint8_t c3[SM2_BYTES]) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int ok = hash != NULL && EVP_DigestInit_ex(hash, sm3, NULL) &&
             EVP_DigestUpdate(hash, shared + 1, SM2_BYTES) && EVP_DigestUpdate(hash, plaintext, length) &&
             EVP_DigestUpdate(hash, shared + 1 + SM2_BYTES, SM2_BYTES) && EVP_DigestFinal_ex(hash, c3, NULL);

    EVP_MD_CTX_free(hash);
    return ok;
}

int sm2_encrypt(const uint8_t point[SM2_POINT_BYTES], const uint8_t *plaintext, size_t length, uint8_t *ciphertext) {
    uint8_t shared[SM2_POINT_BYTES];
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *k = BN_secure_new();
    EC_POINT *public_key = ctx != NULL ? decode_point(point, ctx) : NULL;
    EC_POINT *product = EC_POINT_new(group);
    int zero = 0;
    int ok = 0;

    if (k == NULL || public_key == NULL || product == NULL || length == 0 || length > SM2_PLAINTEXT_LIMIT)
        goto done;
    BN_set_flags(k, BN_FLG_CONSTTIME);
    do {
        do {
            if (!BN_priv_rand_range(k, EC_GROUP_get0_order(group)))
                goto done;
        } while (BN_is_zero(k));
        if (!EC_POINT_mul(group, product, k, NULL, NULL, ctx) || !encode_point(product, ciphertext, ctx) ||
            !EC_POINT_mul(group, product, NULL, public_key, k, ctx) || !encode_point(product, shared, ctx) ||
            !xor_key_stream(shared, plaintext, length, ciphertext + SM2_CIPHER_OVERHEAD, &zero))
            goto done;
    } while (zero);
    ok = check_value(shared, plaintext, length, ciphertext + SM2_POINT_BYTES);
done:
    OPENSSL_cleanse(shared, sizeof shared);
    EC_POINT_clear_free(product);
    EC_POINT_free(public_key);
    BN_clear_free(k);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int sm2_decrypt(const struct sm2_secret *secret, const uint8_t *ciphertext, size_t length, uint8_t *plaintext) {
    uint8_t shared[SM2_POINT_BYTES];
    uint8_t c3[SM2_BYTES];
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *d = BN_secure_new();
    EC_POINT *c1 = NULL;
    int zero = 1;
    int ok = 0;

    if (ctx == NULL || d == NULL || length <= SM2_CIPHER_OVERHEAD)
        goto done;
    BN_set_flags(d, BN_FLG_CONSTTIME);
    length -= SM2_CIPHER_OVERHEAD;
    c1 = decode_point(ciphertext, ctx);
    if (c1 == NULL || length > SM2_PLAINTEXT_LIMIT || BN_bin2bn(secret->scalar, SM2_BYTES, d) == NULL)
        goto done;
    if (!EC_POINT_mul(group, c1, NULL, c1, d, ctx) || !encode_point(c1, shared, ctx) ||
        !xor_key_stream(shared, ciphertext + SM2_CIPHER_OVERHEAD, length, plaintext, &zero) || zero)
        goto wipe;
    ok = check_value(shared, plaintext, length, c3) &&
         CRYPTO_memcmp(c3, ciphertext + SM2_POINT_BYTES, SM2_BYTES) == 0;
wipe:
    if (!ok)
        OPENSSL_cleanse(plaintext, length);
done:
    OPENSSL_cleanse(shared, sizeof shared);
    OPENSSL_cleanse(c3, sizeof c3);
    EC_POINT_clear_free(c1);
    BN_clear_free(d);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}
