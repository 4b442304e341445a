/*
 * Keys from token to token, wrapped. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * The inner module wraps and unwraps what it knows; our keys it does not. So softgm writes what is in the envelope (the
 * PKCS#8 of an SM2 key, the 16 bytes of an SM4 key) and lets the inner module wrap it as a generic secret in a session
 * object that lives for this one call. The wrapped bytes are what any module makes of such a key: AES-KWP (RFC 5649) of
 * a PrivateKeyInfo, for one. Other threads may find the session object; while it lives they do not look into it, and
 * its mark makes it an SM4 key that nothing can be done with.
 *
 * Beside the inner module's mechanisms there are two of softgm's own: SM4-GCM with an SM4 key, which alone of the modes
 * of SM4 notices that something was changed, and the SM2 envelope.
 *
 * Limit, as PKCS#11 has it: a key with CKA_EXTRACTABLE may be wrapped under any wrapping key, so whoever may use the
 * token can learn it. Keys without it never leave.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "der.h"
#include "envelope.h"
#include "sm4.h"
#include "softgm.h"
#include "templates.h"

/* Longer than any PKCS#8 of an SM2 key. */
#define PLAIN_LIMIT 1024U

static const CK_OBJECT_CLASS SECRET_KEY = CKO_SECRET_KEY;
static const CK_KEY_TYPE GENERIC_SECRET = CKK_GENERIC_SECRET;

/* A generic secret that lives in this session only, and is useless to everybody else. */
static void describe_carrier(struct template *out, CK_BBOOL sensitive) {
    static const CK_ATTRIBUTE_TYPE USES[] = {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,   CKA_VERIFY,
                                             CKA_WRAP,    CKA_UNWRAP,  CKA_DERIVE, CKA_COPYABLE};

    out->count = 0;
    template_add(out, CKA_CLASS, &SECRET_KEY, sizeof SECRET_KEY);
    template_add(out, CKA_KEY_TYPE, &GENERIC_SECRET, sizeof GENERIC_SECRET);
    template_add_flag(out, CKA_TOKEN, CK_FALSE);
    template_add_flag(out, CKA_PRIVATE, CK_TRUE);
    template_add_flag(out, CKA_SENSITIVE, sensitive);
    template_add_flag(out, CKA_EXTRACTABLE, CK_TRUE);
    for (size_t i = 0; i < sizeof USES / sizeof USES[0]; i++)
        template_add_flag(out, USES[i], CK_FALSE);
    template_add_sm4_mark(out);
}

/* What stands in the envelope: at most PLAIN_LIMIT bytes. */
static CK_RV read_plain(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, enum object_kind kind,
                        uint8_t plain[PLAIN_LIMIT], size_t *length) {
    struct sm2_secret secret;
    CK_RV rv;

    if (kind == OBJECT_SM4) {
        *length = SM4_KEY_BYTES;
        return object_sm4_value(session, key, plain);
    }
    rv = object_secret(session, key, &secret);
    if (rv != CKR_OK)
        return rv;
    *length = DER_PRIVATE_KEY_BYTES;
    der_write_private_key(&secret, plain);
    OPENSSL_cleanse(&secret, sizeof secret);
    return CKR_OK;
}

static CK_RV wrapping_error(CK_RV rv) {
    switch (rv) {
    case CKR_KEY_HANDLE_INVALID:
        return CKR_WRAPPING_KEY_HANDLE_INVALID;
    case CKR_KEY_TYPE_INCONSISTENT:
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    default:
        return rv;
    }
}

static CK_RV unwrapping_error(CK_RV rv) {
    switch (rv) {
    case CKR_KEY_HANDLE_INVALID:
        return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    case CKR_KEY_TYPE_INCONSISTENT:
        return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    default:
        return rv;
    }
}

/* ---- Wrapping ----------------------------------------------------------------------------------------------------- */

static CK_RV wrap_below(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                        const uint8_t *plain, size_t length, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    struct template carrier_template;
    CK_OBJECT_HANDLE carrier;
    CK_RV rv;

    describe_carrier(&carrier_template, CK_TRUE);
    template_add(&carrier_template, CKA_VALUE, plain, length);
    carrier_begin();
    rv = inner->C_CreateObject(session, carrier_template.attributes, carrier_template.count, &carrier);
    if (rv == CKR_OK) {
        rv = inner->C_WrapKey(session, mechanism, wrapping_key, carrier, wrapped, wrapped_length);
        inner->C_DestroyObject(session, carrier);
    }
    carrier_end();
    return rv;
}

static CK_RV wrap_gcm(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
                      const uint8_t *plain, size_t length, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    uint8_t value[SM4_KEY_BYTES];
    struct sm4 *cipher = NULL;
    int goes_on;
    CK_RV rv = wrapping_error(object_require(session, wrapping_key, OBJECT_SM4, CKA_WRAP));

    if (rv == CKR_OK)
        rv = wrapping_error(object_sm4_value(session, wrapping_key, value));
    if (rv != CKR_OK)
        return rv;
    rv = sm4_start(mechanism, value, 1, &cipher);
    OPENSSL_cleanse(value, sizeof value);
    if (rv == CKR_OK)
        rv = sm4_whole(cipher, plain, length, wrapped, wrapped_length, &goes_on);
    sm4_free(cipher);
    return rv;
}

static CK_RV wrap_envelope(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
                           CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    uint8_t der[DER_ENVELOPE_LIMIT];
    uint8_t point[SM2_POINT_BYTES];
    struct sm2_secret secret;
    size_t length;
    int sealed;
    CK_RV rv;

    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    rv = wrapping_error(object_require(session, wrapping_key, OBJECT_SM2_PUBLIC, CKA_WRAP));
    if (rv == CKR_OK)
        rv = wrapping_error(object_public_point(session, wrapping_key, point));
    if (rv != CKR_OK)
        return rv;
    /* How long it gets differs by some bytes from time to time. */
    if (!result_fits(wrapped, wrapped_length, sizeof der, &rv))
        return rv;
    rv = object_secret(session, key, &secret);
    if (rv != CKR_OK)
        return rv;
    sealed = envelope_seal(&secret, point, der, &length);
    OPENSSL_cleanse(&secret, sizeof secret);
    if (!sealed)
        return CKR_FUNCTION_FAILED;
    memcpy(wrapped, der, length);
    *wrapped_length = (CK_ULONG)length;
    return CKR_OK;
}

static CK_RV wrap_ours(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                       CK_OBJECT_HANDLE key, enum object_kind kind, CK_BYTE_PTR wrapped,
                       CK_ULONG_PTR wrapped_length) {
    uint8_t plain[PLAIN_LIMIT];
    size_t length = 0;
    CK_RV rv;

    if (kind == OBJECT_SM2_PRIVATE && mechanism->mechanism == CKM_SOFTGM_SM2_ENVELOPE)
        return wrap_envelope(session, mechanism, wrapping_key, key, wrapped, wrapped_length);
    if (mechanism->mechanism == CKM_SOFTGM_SM2_ENVELOPE)
        return CKR_KEY_NOT_WRAPPABLE;
    /* What other mechanisms make of a PKCS#8 would be read by nobody. */
    if (kind == OBJECT_SM2_PRIVATE && mechanism->mechanism != CKM_AES_KEY_WRAP_PAD &&
        mechanism->mechanism != CKM_SOFTGM_SM4_GCM)
        return CKR_MECHANISM_INVALID;
    rv = read_plain(session, key, kind, plain, &length);
    if (rv == CKR_OK && mechanism->mechanism == CKM_SOFTGM_SM4_GCM)
        rv = wrap_gcm(session, mechanism, wrapping_key, plain, length, wrapped, wrapped_length);
    else if (rv == CKR_OK)
        rv = wrap_below(session, mechanism, wrapping_key, plain, length, wrapped, wrapped_length);
    OPENSSL_cleanse(plain, sizeof plain);
    return rv;
}

CK_RV softgm_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                     CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length) {
    enum object_kind kind;
    CK_BBOOL extractable;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || wrapped_length == NULL)
        return CKR_ARGUMENTS_BAD;
    look_begin();
    rv = object_identify(session, key, &kind);
    if (rv == CKR_OK && (kind == OBJECT_FOREIGN || kind == OBJECT_SM2_PUBLIC)) {
        if (mechanism->mechanism == CKM_SOFTGM_SM4_GCM || mechanism->mechanism == CKM_SOFTGM_SM2_ENVELOPE)
            rv = CKR_KEY_NOT_WRAPPABLE;
        else
            rv = inner->C_WrapKey(session, mechanism, wrapping_key, key, wrapped, wrapped_length);
        look_end();
        return rv;
    }
    look_end();
    if (rv != CKR_OK)
        return object_key_error(rv);
    rv = object_is_extractable(session, key, kind, &extractable);
    if (rv != CKR_OK)
        return rv;
    if (!extractable)
        return CKR_KEY_UNEXTRACTABLE;
    return wrap_ours(session, mechanism, wrapping_key, key, kind, wrapped, wrapped_length);
}

/* ---- Unwrapping --------------------------------------------------------------------------------------------------- */

static CK_RV unwrap_below(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                          CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, uint8_t plain[PLAIN_LIMIT], size_t *length) {
    CK_ATTRIBUTE query = {CKA_VALUE, plain, PLAIN_LIMIT};
    struct template carrier_template;
    CK_OBJECT_HANDLE carrier;
    CK_RV rv;

    *length = 0;
    describe_carrier(&carrier_template, CK_FALSE);
    carrier_begin();
    rv = inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, carrier_template.attributes,
                            carrier_template.count, &carrier);
    if (rv == CKR_OK) {
        rv = inner->C_GetAttributeValue(session, carrier, &query, 1);
        inner->C_DestroyObject(session, carrier);
        if (rv == CKR_OK)
            *length = query.ulValueLen;
    }
    carrier_end();
    /* Longer than ours can be: a key of another kind, and of no length here. */
    return rv == CKR_BUFFER_TOO_SMALL ? CKR_OK : rv;
}

static CK_RV unwrap_gcm(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping_key,
                        const CK_BYTE *wrapped, CK_ULONG wrapped_length, uint8_t plain[PLAIN_LIMIT], size_t *length) {
    uint8_t value[SM4_KEY_BYTES];
    CK_ULONG room = PLAIN_LIMIT;
    struct sm4 *cipher = NULL;
    int goes_on;
    CK_RV rv = unwrapping_error(object_require(session, unwrapping_key, OBJECT_SM4, CKA_UNWRAP));

    if (rv == CKR_OK)
        rv = unwrapping_error(object_sm4_value(session, unwrapping_key, value));
    if (rv != CKR_OK)
        return rv;
    rv = sm4_start(mechanism, value, 0, &cipher);
    OPENSSL_cleanse(value, sizeof value);
    if (rv == CKR_OK && wrapped_length > PLAIN_LIMIT)
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
    if (rv == CKR_OK)
        rv = sm4_whole(cipher, wrapped, wrapped_length, plain, &room, &goes_on);
    sm4_free(cipher);
    *length = room;
    if (rv == CKR_ENCRYPTED_DATA_LEN_RANGE)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_WRAPPED_KEY_INVALID : rv;
}

static CK_RV unwrap_envelope(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping_key,
                             const CK_BYTE *wrapped, CK_ULONG wrapped_length, const CK_ATTRIBUTE *template,
                             CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    uint8_t scalar[SM2_BYTES];
    struct sm2_secret secret;
    CK_RV rv;

    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    rv = unwrapping_error(object_require(session, unwrapping_key, OBJECT_SM2_PRIVATE, CKA_UNWRAP));
    if (rv == CKR_OK)
        rv = unwrapping_error(object_secret(session, unwrapping_key, &secret));
    if (rv != CKR_OK)
        return rv;
    if (envelope_open(wrapped, wrapped_length, &secret, scalar))
        rv = object_import_sm2(session, scalar, template, count, key);
    else
        rv = CKR_WRAPPED_KEY_INVALID;
    OPENSSL_cleanse(&secret, sizeof secret);
    OPENSSL_cleanse(scalar, sizeof scalar);
    return rv;
}

/* Makes the object that was wrapped; CKR_KEY_TYPE_INCONSISTENT when the bytes are no key of ours. */
static CK_RV import_plain(CK_SESSION_HANDLE session, const uint8_t *plain, size_t length, const CK_ATTRIBUTE *template,
                          CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    uint8_t scalar[SM2_BYTES];
    CK_RV rv = CKR_KEY_TYPE_INCONSISTENT;

    if (template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4)) {
        if (length == SM4_KEY_BYTES)
            rv = object_import_sm4(session, plain, template, count, key);
    } else if (length > 0 && der_read_private_key(plain, length, scalar)) {
        rv = object_import_sm2(session, scalar, template, count, key);
        OPENSSL_cleanse(scalar, sizeof scalar);
    }
    return rv;
}

CK_RV softgm_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                       CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR key) {
    uint8_t plain[PLAIN_LIMIT];
    size_t length = 0;
    int says_sm2, says_sm4, says_ec;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || wrapped == NULL || key == NULL || (template == NULL && count > 0))
        return CKR_ARGUMENTS_BAD;
    says_sm4 = template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4);
    says_sm2 = template_has_ulong(template, count, CKA_CLASS, CKO_PRIVATE_KEY) &&
               template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2);
    says_ec = template_has_ulong(template, count, CKA_CLASS, CKO_PRIVATE_KEY) &&
              template_has_ulong(template, count, CKA_KEY_TYPE, CKK_EC);
    if (mechanism->mechanism == CKM_SOFTGM_SM2_ENVELOPE)
        return says_sm2 || says_ec ? unwrap_envelope(session, mechanism, unwrapping_key, wrapped, wrapped_length,
                                                     template, count, key)
                                   : CKR_TEMPLATE_INCONSISTENT;
    if (mechanism->mechanism == CKM_SOFTGM_SM4_GCM) {
        if (!says_sm2 && !says_sm4 && !says_ec)
            return CKR_TEMPLATE_INCONSISTENT;
        rv = unwrap_gcm(session, mechanism, unwrapping_key, wrapped, wrapped_length, plain, &length);
    } else if (says_sm4 || ((says_sm2 || says_ec) && mechanism->mechanism == CKM_AES_KEY_WRAP_PAD)) {
        rv = unwrap_below(session, mechanism, unwrapping_key, wrapped, wrapped_length, plain, &length);
    } else if (says_sm2) {
        return CKR_MECHANISM_INVALID;
    } else {
        if (template_forges_mark(template, count))
            return CKR_TEMPLATE_INCONSISTENT;
        return inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, template, count, key);
    }
    if (rv == CKR_OK)
        rv = import_plain(session, plain, length, template, count, key);
    OPENSSL_cleanse(plain, sizeof plain);
    if (rv != CKR_KEY_TYPE_INCONSISTENT)
        return rv;
    /* "EC" may be any curve: only the bytes tell, and the inner module would keep an SM2 key that nobody can use. */
    if (says_ec && mechanism->mechanism == CKM_AES_KEY_WRAP_PAD)
        return inner->C_UnwrapKey(session, mechanism, unwrapping_key, wrapped, wrapped_length, template, count, key);
    return CKR_WRAPPED_KEY_INVALID;
}
