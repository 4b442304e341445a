/* New objects: generated, given by the caller, copied, destroyed. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/crypto.h>
#include <string.h>

#include "softgm.h"
#include "templates.h"

static const CK_OBJECT_CLASS PRIVATE_KEY = CKO_PRIVATE_KEY;
static const CK_OBJECT_CLASS SECRET_KEY = CKO_SECRET_KEY;
static const CK_KEY_TYPE EC = CKK_EC;
static const CK_KEY_TYPE GENERIC_SECRET = CKK_GENERIC_SECRET;

static int says_vendor_sm2(const CK_ATTRIBUTE *template, CK_ULONG count) {
    return template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2);
}

CK_RV softgm_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
    CK_MECHANISM ec_key_pair_gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    struct template inner_public, inner_private;
    CK_BBOOL extractable;
    int vendor;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || (public_template == NULL && public_count > 0) ||
        (private_template == NULL && private_count > 0))
        return CKR_ARGUMENTS_BAD;
    vendor = mechanism->mechanism == CKM_VENDOR_SM2_KEY_PAIR_GEN;
    if (!vendor &&
        (mechanism->mechanism != CKM_EC_KEY_PAIR_GEN || !template_is_sm2(public_template, public_count)))
        return inner->C_GenerateKeyPair(session, mechanism, public_template, public_count, private_template,
                                        private_count, public_key, private_key);
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if ((template_find(public_template, public_count, CKA_EC_PARAMS) != NULL &&
         !template_is_sm2(public_template, public_count)) ||
        template_find(private_template, private_count, CKA_VALUE) != NULL)
        return CKR_TEMPLATE_INCONSISTENT;
    if ((rv = template_translate_public(public_template, public_count, &inner_public, vendor)) != CKR_OK ||
        (rv = template_check_private(private_template, private_count, &inner_private, &extractable)) != CKR_OK ||
        (rv = template_add_inner_flags(&inner_private, OBJECT_SM2_PRIVATE, extractable, extractable)) != CKR_OK)
        return rv;
    if (vendor && !template_add_sm2_mark(&inner_private))
        return CKR_TEMPLATE_INCONSISTENT;
    return inner->C_GenerateKeyPair(session, &ec_key_pair_gen, inner_public.attributes, inner_public.count,
                                    inner_private.attributes, inner_private.count, public_key, private_key);
}

/* The inner module makes the value, so that the key is CKA_LOCAL where it can; SoftHSM does. */
CK_RV softgm_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                         CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    static const CK_ULONG length = SM4_KEY_BYTES;
    CK_MECHANISM generic = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    struct template made;
    CK_BBOOL extractable;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || (template == NULL && count > 0))
        return CKR_ARGUMENTS_BAD;
    if (mechanism->mechanism != CKM_VENDOR_SM4_KEY_GEN) {
        if (template_forges_mark(template, count))
            return CKR_TEMPLATE_INCONSISTENT;
        return inner->C_GenerateKey(session, mechanism, template, count, key);
    }
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (template_find(template, count, CKA_VALUE) != NULL)
        return CKR_TEMPLATE_INCONSISTENT;
    if ((rv = template_check_sm4(template, count, &made, &extractable)) != CKR_OK ||
        (rv = template_add_inner_flags(&made, OBJECT_SM4, extractable, extractable)) != CKR_OK)
        return rv;
    if (!(template_add(&made, CKA_CLASS, &SECRET_KEY, sizeof SECRET_KEY) &&
          template_add(&made, CKA_KEY_TYPE, &GENERIC_SECRET, sizeof GENERIC_SECRET) &&
          template_add(&made, CKA_VALUE_LEN, &length, sizeof length)))
        return CKR_TEMPLATE_INCONSISTENT;
    return inner->C_GenerateKey(session, &generic, made.attributes, made.count, key);
}

CK_RV object_import_sm2(CK_SESSION_HANDLE session, const uint8_t scalar[SM2_BYTES], const CK_ATTRIBUTE *template,
                        CK_ULONG count, CK_OBJECT_HANDLE_PTR object) {
    struct sm2_secret secret;
    struct template imported;
    CK_BBOOL extractable;
    CK_RV rv = template_check_private(template, count, &imported, &extractable);

    if (rv != CKR_OK)
        return rv;
    if (!sm2_secret_from_scalar(&secret, scalar))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    OPENSSL_cleanse(&secret, sizeof secret);
    /* It was outside once, so it is not "never extractable". */
    rv = template_add_inner_flags(&imported, OBJECT_SM2_PRIVATE, extractable, CK_TRUE);
    if (rv == CKR_OK &&
        !(template_add(&imported, CKA_CLASS, &PRIVATE_KEY, sizeof PRIVATE_KEY) &&
          template_add(&imported, CKA_KEY_TYPE, &EC, sizeof EC) &&
          template_add(&imported, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES) &&
          template_add(&imported, CKA_VALUE, scalar, SM2_BYTES) &&
          (!says_vendor_sm2(template, count) || template_add_sm2_mark(&imported))))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = inner->C_CreateObject(session, imported.attributes, imported.count, object);
    return rv;
}

CK_RV object_import_sm4(CK_SESSION_HANDLE session, const uint8_t value[SM4_KEY_BYTES], const CK_ATTRIBUTE *template,
                        CK_ULONG count, CK_OBJECT_HANDLE_PTR object) {
    struct template imported;
    CK_BBOOL extractable;
    CK_RV rv = template_check_sm4(template, count, &imported, &extractable);

    if (rv == CKR_OK)
        rv = template_add_inner_flags(&imported, OBJECT_SM4, extractable, CK_TRUE);
    if (rv == CKR_OK && !(template_add(&imported, CKA_CLASS, &SECRET_KEY, sizeof SECRET_KEY) &&
                          template_add(&imported, CKA_KEY_TYPE, &GENERIC_SECRET, sizeof GENERIC_SECRET) &&
                          template_add(&imported, CKA_VALUE, value, SM4_KEY_BYTES)))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = inner->C_CreateObject(session, imported.attributes, imported.count, object);
    return rv;
}

static CK_RV create_sm2_private(CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count,
                                CK_OBJECT_HANDLE_PTR object) {
    const CK_ATTRIBUTE *value = template_find(template, count, CKA_VALUE);
    uint8_t scalar[SM2_BYTES] = {0};
    CK_RV rv;

    if (value == NULL || value->pValue == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    if (value->ulValueLen > SM2_BYTES)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    memcpy(scalar + SM2_BYTES - value->ulValueLen, value->pValue, value->ulValueLen);
    rv = object_import_sm2(session, scalar, template, count, object);
    OPENSSL_cleanse(scalar, sizeof scalar);
    return rv;
}

static CK_RV create_sm4(CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR object) {
    const CK_ATTRIBUTE *value = template_find(template, count, CKA_VALUE);

    if (value == NULL || value->pValue == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    if (value->ulValueLen != SM4_KEY_BYTES)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return object_import_sm4(session, value->pValue, template, count, object);
}

CK_RV softgm_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                          CK_OBJECT_HANDLE_PTR object) {
    struct template translated;
    int is_sm2;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (template == NULL && count > 0)
        return CKR_ARGUMENTS_BAD;
    if (template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4))
        return create_sm4(session, template, count, object);
    is_sm2 = says_vendor_sm2(template, count) || template_is_sm2(template, count);
    if (is_sm2 && template_has_ulong(template, count, CKA_CLASS, CKO_PRIVATE_KEY))
        return create_sm2_private(session, template, count, object);
    if (is_sm2 && template_has_ulong(template, count, CKA_CLASS, CKO_PUBLIC_KEY)) {
        rv = template_translate_public(template, count, &translated, says_vendor_sm2(template, count));
        if (rv != CKR_OK)
            return rv;
        return inner->C_CreateObject(session, translated.attributes, translated.count, object);
    }
    if (template_forges_mark(template, count))
        return CKR_TEMPLATE_INCONSISTENT;
    return inner->C_CreateObject(session, template, count, object);
}

CK_RV softgm_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR copy) {
    enum object_kind kind;
    CK_RV rv;

    if (template == NULL && count > 0)
        return CKR_ARGUMENTS_BAD;
    look_begin();
    rv = object_identify(session, object, &kind);
    /* A copy could be made with other attributes than the ones that hide the value. */
    if (rv == CKR_OK && (kind == OBJECT_SM2_PRIVATE || kind == OBJECT_SM4))
        rv = CKR_ACTION_PROHIBITED;
    if (rv == CKR_OK && template_forges_mark(template, count))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = inner->C_CopyObject(session, object, template, count, copy);
    look_end();
    return rv;
}

CK_RV softgm_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    CK_RV rv = inner->C_DestroyObject(session, object);

    if (rv == CKR_OK)
        secret_forget(object);
    return rv;
}
