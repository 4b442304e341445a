/*
 * SM2 and SM4 keys as objects of the inner token. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * The inner object is a plain EC private key on the curve of SM2, or a generic secret of 16 bytes, CKA_PRIVATE (so
 * SoftHSM stores it encrypted under the PIN), but readable inside: CKA_SENSITIVE=0, CKA_EXTRACTABLE=1, because softgm
 * has to read the value to compute with it. Outside it looks as PKCS#11 v2.40 §4.9 and §4.10 want of a good key. What
 * the caller asked for is kept in inner attributes that have no other use for such a key:
 *
 *   outer                        inner
 *   CKA_EXTRACTABLE              SM2: CKA_SIGN_RECOVER       may only become false
 *                                SM4: CKA_DERIVE
 *   CKA_NEVER_EXTRACTABLE        not CKA_COPYABLE            fixed when the key is made
 *   CKA_ALWAYS_SENSITIVE         CKA_LOCAL                   true for keys generated here
 *   CKA_SENSITIVE                                            always true
 *   CKA_COPYABLE                                             always false
 *   CKA_SIGN_RECOVER                                         SM2: always false
 *   CKA_DERIVE                                               SM4: always false
 *   CKA_VALUE                                                CKR_ATTRIBUTE_SENSITIVE
 *   CKA_CHECK_VALUE                                          SM4: the first 3 bytes of an encrypted zero block
 *
 * (CKA_WRAP_WITH_TRUSTED would be the natural place of the first, but SoftHSM 2.6.1 lets nobody change it later.)
 *
 * CKA_ALLOWED_MECHANISMS, fixed when an object is made, tells what it is: a generic secret that may be used with
 * CKM_VENDOR_SM4_KEY_GEN is an SM4 key, and CKK_VENDOR_SM4 outside; an SM2 key that may be used with
 * CKM_VENDOR_SM2_KEY_PAIR_GEN was made as CKK_VENDOR_SM2 and reads so, others read CKK_EC. A search for
 * CKK_VENDOR_SM2 finds both, one for CKK_EC too; one for CKK_GENERIC_SECRET does not find SM4 keys. See find.c.
 */
#include "softgm.h"

#include <openssl/crypto.h>
#include <string.h>

/* More than any object of ours has. */
#define ALLOWED_LIMIT 32U

static CK_RV allows(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_MECHANISM_TYPE mark, int *has) {
    CK_MECHANISM_TYPE allowed[ALLOWED_LIMIT];
    CK_ATTRIBUTE query = {CKA_ALLOWED_MECHANISMS, allowed, sizeof allowed};
    CK_RV rv = inner->C_GetAttributeValue(session, object, &query, 1);

    *has = 0;
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL)
        return CKR_OK;
    if (rv != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < query.ulValueLen / sizeof allowed[0]; i++)
        if (allowed[i] == mark)
            *has = 1;
    return CKR_OK;
}

/* Both in one call, because signing begins with it; usage may be NULL. */
static CK_RV identify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind *kind,
                      CK_ATTRIBUTE *usage) {
    CK_OBJECT_CLASS class = 0;
    CK_KEY_TYPE type = 0;
    CK_BYTE params[SM2_PARAMS_BYTES];
    CK_ATTRIBUTE query[4] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_EC_PARAMS, params, sizeof params}};
    int marked;
    CK_RV rv;

    if (usage != NULL)
        query[3] = *usage;
    rv = inner->C_GetAttributeValue(session, object, query, usage != NULL ? 4 : 3);

    *kind = OBJECT_FOREIGN;
    /* The object has no such attribute, or a longer curve name: every attribute was answered for itself. */
    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_BUFFER_TOO_SMALL && rv != CKR_ATTRIBUTE_SENSITIVE)
        return rv;
    if (query[0].ulValueLen != sizeof class || query[1].ulValueLen != sizeof type)
        return CKR_OK;
    if (class == CKO_SECRET_KEY && type == CKK_GENERIC_SECRET) {
        rv = allows(session, object, CKM_VENDOR_SM4_KEY_GEN, &marked);
        if (rv == CKR_OK && marked)
            *kind = OBJECT_SM4;
        return rv;
    }
    if (type == CKK_EC && query[2].ulValueLen == SM2_PARAMS_BYTES && memcmp(params, SM2_PARAMS, SM2_PARAMS_BYTES) == 0) {
        if (class == CKO_PRIVATE_KEY)
            *kind = OBJECT_SM2_PRIVATE;
        else if (class == CKO_PUBLIC_KEY)
            *kind = OBJECT_SM2_PUBLIC;
    }
    return CKR_OK;
}

CK_RV object_identify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind *kind) {
    return identify(session, object, kind, NULL);
}

CK_RV object_has_vendor_type(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, int *has) {
    return allows(session, object, CKM_VENDOR_SM2_KEY_PAIR_GEN, has);
}

CK_RV object_flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag) {
    CK_ATTRIBUTE query = {type, flag, sizeof *flag};

    return inner->C_GetAttributeValue(session, object, &query, 1);
}

CK_RV object_key_error(CK_RV rv) {
    return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
}

/*
 * Some would even seem to work: ECDSA with an SM2 key gives a signature that everybody refuses, HMAC with the generic
 * secret that an SM4 key is inside gives one that nobody can check, and SoftHSM begins an RSA signature with any key.
 */
CK_RV object_refuse_ours(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    enum object_kind kind;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_OK;
    rv = object_identify(session, key, &kind);
    /* Errors are the inner module's to tell, in the order of its own checks. */
    return rv == CKR_OK && kind != OBJECT_FOREIGN ? CKR_KEY_TYPE_INCONSISTENT : CKR_OK;
}

CK_RV object_require(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                     CK_ATTRIBUTE_TYPE usage) {
    enum object_kind found;
    CK_BBOOL allowed = CK_FALSE;
    CK_ATTRIBUTE flag = {usage, &allowed, sizeof allowed};
    CK_RV rv = identify(session, object, &found, &flag);

    if (rv != CKR_OK)
        return object_key_error(rv);
    if (found != kind)
        return CKR_KEY_TYPE_INCONSISTENT;
    return allowed ? CKR_OK : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV object_is_extractable(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                            CK_BBOOL *extractable) {
    *extractable = CK_FALSE;
    return object_flag(session, object, kind == OBJECT_SM4 ? CKA_DERIVE : CKA_SIGN_RECOVER, extractable);
}

CK_RV object_public_point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t point[SM2_POINT_BYTES]) {
    /* DER OCTET STRING around the point (PKCS#11 v2.40 §2.3.3); the bare point is met in the field. */
    CK_BYTE value[2 + SM2_POINT_BYTES];
    CK_ATTRIBUTE query = {CKA_EC_POINT, value, sizeof value};
    CK_RV rv = inner->C_GetAttributeValue(session, object, &query, 1);
    const CK_BYTE *at = value;

    if (rv != CKR_OK)
        return rv == CKR_BUFFER_TOO_SMALL ? CKR_KEY_HANDLE_INVALID : object_key_error(rv);
    if (query.ulValueLen == sizeof value && value[0] == 0x04 && value[1] == SM2_POINT_BYTES)
        at += 2;
    else if (query.ulValueLen != SM2_POINT_BYTES)
        return CKR_KEY_HANDLE_INVALID;
    memcpy(point, at, SM2_POINT_BYTES);
    return sm2_point_is_valid(point) ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

CK_RV object_secret(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, struct sm2_secret *secret) {
    CK_BYTE value[SM2_BYTES];
    uint8_t scalar[SM2_BYTES] = {0};
    CK_ATTRIBUTE query = {CKA_VALUE, value, sizeof value};
    CK_SESSION_INFO info;
    CK_RV rv;

    if (secret_find(object, secret))
        return CKR_OK;
    rv = inner->C_GetSessionInfo(session, &info);
    if (rv == CKR_OK)
        rv = inner->C_GetAttributeValue(session, object, &query, 1);
    /* Made in the token by somebody else, and sealed there. */
    if (rv == CKR_ATTRIBUTE_SENSITIVE)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (rv != CKR_OK)
        return object_key_error(rv);
    if (query.ulValueLen <= SM2_BYTES)
        memcpy(scalar + SM2_BYTES - query.ulValueLen, value, query.ulValueLen);
    if (sm2_secret_from_scalar(secret, scalar))
        secret_store(info.slotID, object, secret);
    else
        rv = CKR_KEY_HANDLE_INVALID;
    OPENSSL_cleanse(value, sizeof value);
    OPENSSL_cleanse(scalar, sizeof scalar);
    return rv;
}

CK_RV object_sm4_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t value[SM4_KEY_BYTES]) {
    CK_ATTRIBUTE query = {CKA_VALUE, value, SM4_KEY_BYTES};
    CK_RV rv = inner->C_GetAttributeValue(session, object, &query, 1);

    if (rv == CKR_ATTRIBUTE_SENSITIVE)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && query.ulValueLen != SM4_KEY_BYTES))
        return CKR_KEY_SIZE_RANGE;
    return object_key_error(rv);
}
