/*
 * SM2 private keys from token to token, wrapped. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * The inner module wraps and unwraps what it knows; an SM2 key it does not. So softgm writes the PKCS#8 itself and lets
 * the inner module wrap it as a generic secret in a session object that lives for this one call. The wrapped bytes are
 * what any module makes of an EC key: AES-KWP (RFC 5649) of a PrivateKeyInfo.
 */
#include <openssl/crypto.h>

#include "der.h"
#include "softgm.h"
#include "templates.h"

/* Longer than any PKCS#8 of an SM2 key. */
#define PRIVATE_KEY_LIMIT 1024U

static const CK_OBJECT_CLASS SECRET_KEY = CKO_SECRET_KEY;
static const CK_KEY_TYPE GENERIC_SECRET = CKK_GENERIC_SECRET;

/* A generic secret that lives in this session only. */
static void describe_passing_secret(struct template *out, CK_BBOOL sensitive) {
    out->count = 0;
    template_add(out, CKA_CLASS, &SECRET_KEY, sizeof SECRET_KEY);
    template_add(out, CKA_KEY_TYPE, &GENERIC_SECRET, sizeof GENERIC_SECRET);
    template_add_flag(out, CKA_TOKEN, CK_FALSE);
    template_add_flag(out, CKA_PRIVATE, CK_TRUE);
    template_add_flag(out, CKA_SENSITIVE, sensitive);
    template_add_flag(out, CKA_EXTRACTABLE, CK_TRUE);
}

static CK_RV wrap_sm2(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                      CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    uint8_t der[DER_PRIVATE_KEY_BYTES];
    struct sm2_secret secret;
    struct template passing;
    CK_OBJECT_HANDLE carrier;
    CK_RV rv = object_secret(session, key, &secret);

    if (rv != CKR_OK)
        return rv;
    der_write_private_key(&secret, der);
    OPENSSL_cleanse(&secret, sizeof secret);
    describe_passing_secret(&passing, CK_TRUE);
    template_add(&passing, CKA_VALUE, der, sizeof der);
    rv = inner->C_CreateObject(session, passing.attributes, passing.count, &carrier);
    OPENSSL_cleanse(der, sizeof der);
    if (rv != CKR_OK)
        return rv;
    rv = inner->C_WrapKey(session, mechanism, wrapping_key, carrier, wrapped, wrapped_length);
    inner->C_DestroyObject(session, carrier);
    return rv;
}

CK_RV softgm_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                     CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    enum object_kind kind;
    CK_BBOOL extractable;
    CK_RV rv = fault_of_session(session);

    if (rv != CKR_OK)
        return rv;
    rv = object_identify(session, key, &kind);
    if (rv != CKR_OK)
        return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
    if (kind != OBJECT_SM2_PRIVATE)
        return inner->C_WrapKey(session, mechanism, wrapping_key, key, wrapped, wrapped_length);
    rv = object_is_extractable(session, key, &extractable);
    if (rv != CKR_OK)
        return rv;
    if (!extractable)
        return CKR_KEY_UNEXTRACTABLE;
    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    if (mechanism->mechanism != CKM_AES_KEY_WRAP_PAD)
        return CKR_MECHANISM_INVALID;
    return wrap_sm2(session, mechanism, wrapping_key, key, wrapped, wrapped_length);
}

/* *is_sm2 tells whether the wrapped bytes held a key on the curve of SM2. */
static CK_RV unwrap_scalar(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                           CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, uint8_t scalar[SM2_BYTES], int *is_sm2) {
    CK_BYTE der[PRIVATE_KEY_LIMIT];
    CK_ATTRIBUTE query = {CKA_VALUE, der, sizeof der};
    struct template passing;
    CK_OBJECT_HANDLE carrier;
    CK_RV rv;

    *is_sm2 = 0;
    describe_passing_secret(&passing, CK_FALSE);
    rv = inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, passing.attributes,
                            passing.count, &carrier);
    if (rv != CKR_OK)
        return rv;
    rv = inner->C_GetAttributeValue(session, carrier, &query, 1);
    inner->C_DestroyObject(session, carrier);
    if (rv == CKR_OK)
        *is_sm2 = der_read_private_key(der, query.ulValueLen, scalar);
    else if (rv == CKR_BUFFER_TOO_SMALL)
        rv = CKR_OK; /* a longer key of another kind */
    OPENSSL_cleanse(der, sizeof der);
    return rv;
}

CK_RV softgm_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                       CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR key) {
    uint8_t scalar[SM2_BYTES];
    int says_sm2, is_sm2;
    CK_RV rv = fault_of_session(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || wrapped == NULL || (template == NULL && count > 0))
        return CKR_ARGUMENTS_BAD;
    says_sm2 = template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2);
    if (!template_has_ulong(template, count, CKA_CLASS, CKO_PRIVATE_KEY) ||
        !(says_sm2 || template_has_ulong(template, count, CKA_KEY_TYPE, CKK_EC)) ||
        (!says_sm2 && mechanism->mechanism != CKM_AES_KEY_WRAP_PAD))
        return inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, template, count, key);
    if (mechanism->mechanism != CKM_AES_KEY_WRAP_PAD)
        return CKR_MECHANISM_INVALID;
    /* "EC" may be any curve: only the bytes tell, and the inner module would keep an SM2 key that nobody can use. */
    rv = unwrap_scalar(session, mechanism, unwrapping_key, wrapped, wrapped_length, scalar, &is_sm2);
    if (rv != CKR_OK)
        return rv;
    if (is_sm2)
        rv = object_import(session, scalar, template, count, key);
    else if (says_sm2)
        rv = CKR_WRAPPED_KEY_INVALID;
    else
        rv = inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, template, count, key);
    OPENSSL_cleanse(scalar, sizeof scalar);
    return rv;
}
