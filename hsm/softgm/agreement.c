/*
 * SM2 key agreement (GB/T 32918.3-2016 §6.1) in C_DeriveKey. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * Each side has a key pair of its own and makes a second one for this agreement alone: a session object with
 * CKA_DERIVE, whose public point it sends to the other side. It is destroyed when the key was derived, so that nobody
 * can derive it again. See struct softgm_agreement in softgm.h.
 */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "softgm.h"
#include "templates.h"

/* Longest generic secret. */
#define KEY_LIMIT 1024U

/* Everything the protocol computes with, A being the initiator. */
struct agreement {
    struct sm2_secret own;
    struct sm2_secret ephemeral;
    uint8_t peer[SM2_POINT_BYTES];
    uint8_t peer_ephemeral[SM2_POINT_BYTES];
    uint8_t z_a[SM2_BYTES], z_b[SM2_BYTES];
    const uint8_t *r_a, *r_b; /* RA and RB */
    uint8_t shared[SM2_POINT_BYTES]; /* U, or V */
};

/* x̄ = 2^127 + (x & (2^127 - 1)), A4 and A7. */
static void shorten(const uint8_t point[SM2_POINT_BYTES], uint8_t number[SM2_BYTES]) {
    memset(number, 0, SM2_BYTES / 2);
    memcpy(number + SM2_BYTES / 2, point + 1 + SM2_BYTES / 2, SM2_BYTES / 2);
    number[SM2_BYTES / 2] |= 0x80;
}

/* t = d + x̄ r mod n, A5. */
static int combine_secrets(const struct agreement *agreement, uint8_t t[SM2_BYTES]) {
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    BN_CTX *ctx = BN_CTX_secure_new();
    BN_MONT_CTX *mont = BN_MONT_CTX_new();
    BIGNUM *d = BN_secure_new();
    BIGNUM *r = BN_secure_new();
    BIGNUM *x = BN_new();
    uint8_t bar[SM2_BYTES];
    int ok = group != NULL && ctx != NULL && mont != NULL && d != NULL && r != NULL && x != NULL;

    shorten(agreement->ephemeral.point, bar);
    if (ok) {
        const BIGNUM *order = EC_GROUP_get0_order(group);

        BN_set_flags(d, BN_FLG_CONSTTIME);
        BN_set_flags(r, BN_FLG_CONSTTIME);
        ok = BN_bin2bn(agreement->own.scalar, SM2_BYTES, d) != NULL &&
             BN_bin2bn(agreement->ephemeral.scalar, SM2_BYTES, r) != NULL && BN_bin2bn(bar, SM2_BYTES, x) != NULL &&
             BN_MONT_CTX_set(mont, order, ctx) && BN_to_montgomery(x, x, mont, ctx) &&
             BN_mod_mul_montgomery(r, r, x, mont, ctx) && BN_mod_add_quick(r, r, d, order) &&
             BN_bn2binpad(r, t, SM2_BYTES) == (int)SM2_BYTES;
    }
    BN_free(x);
    BN_clear_free(r);
    BN_clear_free(d);
    BN_MONT_CTX_free(mont);
    BN_CTX_free(ctx);
    EC_GROUP_free(group);
    ERR_clear_error();
    return ok;
}

/* U = t (P + x̄ R), the cofactor being 1 (A8); fails at infinity. */
static int share_point(struct agreement *agreement) {
    uint8_t t[SM2_BYTES], bar[SM2_BYTES], sum[SM2_POINT_BYTES];
    int ok;

    shorten(agreement->peer_ephemeral, bar);
    ok = combine_secrets(agreement, t) && sm2_combine(agreement->peer, bar, agreement->peer_ephemeral, sum) &&
         sm2_multiply(t, sum, agreement->shared);
    OPENSSL_cleanse(t, sizeof t);
    return ok;
}

/* KDF(xU || yU || ZA || ZB, length), A9. */
static int derive_key(const struct agreement *agreement, uint8_t *key, size_t length) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t block[SM2_BYTES];
    uint32_t counter = 1;
    int ok = hash != NULL;

    for (size_t done = 0; ok && done < length; done += SM2_BYTES, counter++) {
        uint8_t count[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8),
                            (uint8_t)counter};

        ok = EVP_DigestInit_ex(hash, EVP_sm3(), NULL) &&
             EVP_DigestUpdate(hash, agreement->shared + 1, SM2_POINT_BYTES - 1) &&
             EVP_DigestUpdate(hash, agreement->z_a, SM2_BYTES) && EVP_DigestUpdate(hash, agreement->z_b, SM2_BYTES) &&
             EVP_DigestUpdate(hash, count, sizeof count) && EVP_DigestFinal_ex(hash, block, NULL);
        if (ok)
            memcpy(key + done, block, length - done < SM2_BYTES ? length - done : SM2_BYTES);
    }
    OPENSSL_cleanse(block, sizeof block);
    EVP_MD_CTX_free(hash);
    return ok;
}

/* SM3(prefix || yU || SM3(xU || ZA || ZB || x1 || y1 || x2 || y2)): S1 and SB with 02, SA and S2 with 03 (A10, B8). */
static int confirm(const struct agreement *agreement, uint8_t prefix, uint8_t confirmation[SM2_BYTES]) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t middle[SM2_BYTES];
    int ok = hash != NULL && EVP_DigestInit_ex(hash, EVP_sm3(), NULL) &&
             EVP_DigestUpdate(hash, agreement->shared + 1, SM2_BYTES) &&
             EVP_DigestUpdate(hash, agreement->z_a, SM2_BYTES) && EVP_DigestUpdate(hash, agreement->z_b, SM2_BYTES) &&
             EVP_DigestUpdate(hash, agreement->r_a + 1, SM2_POINT_BYTES - 1) &&
             EVP_DigestUpdate(hash, agreement->r_b + 1, SM2_POINT_BYTES - 1) &&
             EVP_DigestFinal_ex(hash, middle, NULL) && EVP_DigestInit_ex(hash, EVP_sm3(), NULL) &&
             EVP_DigestUpdate(hash, &prefix, 1) &&
             EVP_DigestUpdate(hash, agreement->shared + 1 + SM2_BYTES, SM2_BYTES) &&
             EVP_DigestUpdate(hash, middle, sizeof middle) && EVP_DigestFinal_ex(hash, confirmation, NULL);

    OPENSSL_cleanse(middle, sizeof middle);
    EVP_MD_CTX_free(hash);
    return ok;
}

/* ---- Parameters --------------------------------------------------------------------------------------------------- */

static CK_RV read_point(const CK_BYTE *bytes, CK_ULONG length, uint8_t point[SM2_POINT_BYTES]) {
    if (bytes == NULL || length != SM2_POINT_BYTES || !sm2_point_is_valid(bytes))
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(point, bytes, SM2_POINT_BYTES);
    return CKR_OK;
}

static CK_RV read_z(const uint8_t point[SM2_POINT_BYTES], const CK_BYTE *identifier, CK_ULONG length,
                    uint8_t z[SM2_BYTES]) {
    if (identifier == NULL) {
        identifier = (const CK_BYTE *)DEFAULT_IDENTIFIER;
        length = sizeof DEFAULT_IDENTIFIER - 1;
    }
    if (length > SM2_IDENTIFIER_LIMIT)
        return CKR_MECHANISM_PARAM_INVALID;
    return sm2_z(point, identifier, length, z) ? CKR_OK : CKR_FUNCTION_FAILED;
}

/* The key of this agreement alone must not outlive the session. */
static CK_RV read_ephemeral(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, struct sm2_secret *secret) {
    CK_BBOOL lasts = CK_TRUE;
    CK_RV rv = object_require(session, key, OBJECT_SM2_PRIVATE, CKA_DERIVE);

    if (rv == CKR_OK)
        rv = object_flag(session, key, CKA_TOKEN, &lasts);
    if (rv == CKR_OK && lasts)
        rv = CKR_MECHANISM_PARAM_INVALID;
    return rv != CKR_OK ? rv : object_secret(session, key, secret);
}

static CK_RV read_parameters(CK_SESSION_HANDLE session, const struct softgm_agreement *params, CK_OBJECT_HANDLE base,
                             struct agreement *agreement) {
    int initiator = params->role == SOFTGM_INITIATOR;
    CK_RV rv;

    if ((!initiator && params->role != SOFTGM_RESPONDER) || params->ephemeral_key == base)
        return CKR_MECHANISM_PARAM_INVALID;
    if ((rv = object_require(session, base, OBJECT_SM2_PRIVATE, CKA_DERIVE)) != CKR_OK ||
        (rv = object_secret(session, base, &agreement->own)) != CKR_OK ||
        (rv = read_ephemeral(session, params->ephemeral_key, &agreement->ephemeral)) != CKR_OK ||
        (rv = read_point(params->peer_point, params->peer_point_length, agreement->peer)) != CKR_OK ||
        (rv = read_point(params->peer_ephemeral_point, params->peer_ephemeral_point_length,
                         agreement->peer_ephemeral)) != CKR_OK ||
        (rv = read_z(agreement->own.point, params->own_identifier, params->own_identifier_length,
                     initiator ? agreement->z_a : agreement->z_b)) != CKR_OK ||
        (rv = read_z(agreement->peer, params->peer_identifier, params->peer_identifier_length,
                     initiator ? agreement->z_b : agreement->z_a)) != CKR_OK)
        return rv;
    agreement->r_a = initiator ? agreement->ephemeral.point : agreement->peer_ephemeral;
    agreement->r_b = initiator ? agreement->peer_ephemeral : agreement->ephemeral.point;
    return CKR_OK;
}

/* ---- The derived key ---------------------------------------------------------------------------------------------- */

/* Length of the key the template asks for: an SM4, AES or generic secret key. */
static CK_RV key_length(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ULONG *length) {
    const CK_ATTRIBUTE *asked = template_find(template, count, CKA_VALUE_LEN);

    if (template_find(template, count, CKA_VALUE) != NULL || !template_has_ulong(template, count, CKA_CLASS, CKO_SECRET_KEY))
        return CKR_TEMPLATE_INCONSISTENT;
    *length = SM4_KEY_BYTES;
    if (template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4))
        return CKR_OK;
    if (!template_has_ulong(template, count, CKA_KEY_TYPE, CKK_AES) &&
        !template_has_ulong(template, count, CKA_KEY_TYPE, CKK_GENERIC_SECRET))
        return CKR_TEMPLATE_INCONSISTENT;
    if (asked == NULL || asked->pValue == NULL || asked->ulValueLen != sizeof *length)
        return CKR_TEMPLATE_INCOMPLETE;
    memcpy(length, asked->pValue, sizeof *length);
    if (*length == 0 || *length > KEY_LIMIT)
        return CKR_KEY_SIZE_RANGE;
    return CKR_OK;
}

static CK_RV store_key(CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count, const uint8_t *value,
                       CK_ULONG length, CK_OBJECT_HANDLE_PTR key) {
    struct template made = {.count = 0};

    if (template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4))
        return object_import_sm4(session, value, template, count, key);
    if (template_forges_mark(template, count))
        return CKR_TEMPLATE_INCONSISTENT;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type != CKA_VALUE_LEN &&
            !template_add(&made, template[i].type, template[i].pValue, template[i].ulValueLen))
            return CKR_TEMPLATE_INCONSISTENT;
    if (!template_add(&made, CKA_VALUE, value, length))
        return CKR_TEMPLATE_INCONSISTENT;
    return inner->C_CreateObject(session, made.attributes, made.count, key);
}

static CK_RV agree(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                   const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    struct softgm_agreement params;
    struct agreement agreement;
    uint8_t value[KEY_LIMIT];
    uint8_t confirmations[2 * SM2_BYTES];
    CK_ULONG length = 0;
    CK_RV rv = key_length(template, count, &length);

    if (rv != CKR_OK)
        return rv;
    if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof params)
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&params, mechanism->pParameter, sizeof params);
    rv = read_parameters(session, &params, base, &agreement);
    if (rv == CKR_OK && !(share_point(&agreement) && derive_key(&agreement, value, length) &&
                          confirm(&agreement, 0x02, confirmations) &&
                          confirm(&agreement, 0x03, confirmations + SM2_BYTES)))
        rv = CKR_FUNCTION_FAILED;
    if (rv == CKR_OK)
        rv = store_key(session, template, count, value, length, key);
    if (rv == CKR_OK) {
        softgm_DestroyObject(session, params.ephemeral_key);
        if (params.confirmations != NULL)
            memcpy(params.confirmations, confirmations, sizeof confirmations);
    }
    OPENSSL_cleanse(value, sizeof value);
    OPENSSL_cleanse(&agreement, sizeof agreement);
    return rv;
}

CK_RV softgm_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                       CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    enum object_kind kind;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || key == NULL || (template == NULL && count > 0))
        return CKR_ARGUMENTS_BAD;
    if (mechanism->mechanism == CKM_SOFTGM_SM2_KEY_AGREEMENT)
        return agree(session, mechanism, base, template, count, key);
    look_begin();
    rv = object_key_error(object_identify(session, base, &kind));
    /* Raw Diffie-Hellman with d, or a derivation of what an SM4 key is inside. */
    if (rv == CKR_OK && kind != OBJECT_FOREIGN)
        rv = CKR_KEY_TYPE_INCONSISTENT;
    if (rv == CKR_OK && template_forges_mark(template, count))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = inner->C_DeriveKey(session, mechanism, base, template, count, key);
    look_end();
    return rv;
}
