/*
 * SM2 private keys as objects of the inner token. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * The inner object is a plain EC private key on the curve of SM2, CKA_PRIVATE (so SoftHSM stores it encrypted under the
 * PIN), but readable inside: CKA_SENSITIVE=0, CKA_EXTRACTABLE=1, because softgm has to read d to compute with it.
 * Outside it looks as PKCS#11 v2.40 §4.9 wants of a good key. What the caller asked for is kept in inner attributes
 * that have no other use for such a key:
 *
 *   outer                        inner
 *   CKA_EXTRACTABLE              CKA_SIGN_RECOVER            may only become false
 *   CKA_NEVER_EXTRACTABLE        not CKA_COPYABLE            fixed when the key is made
 *   CKA_ALWAYS_SENSITIVE         CKA_LOCAL                   true for keys generated here
 *   CKA_SENSITIVE                                            always true
 *   CKA_COPYABLE                                             always false
 *   CKA_SIGN_RECOVER                                         always false
 *   CKA_VALUE                                                CKR_ATTRIBUTE_SENSITIVE
 *
 * (CKA_WRAP_WITH_TRUSTED would be the natural place of the first, but SoftHSM 2.6.1 lets nobody change it later.)
 * Limit: a search by one of these attributes sees the inner values.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "softgm.h"
#include "templates.h"

#define UNAVAILABLE ((CK_ULONG)-1)

/* ---- What an object is -------------------------------------------------------------------------------------------- */

CK_RV object_identify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind *kind) {
    CK_OBJECT_CLASS class = 0;
    CK_KEY_TYPE type = 0;
    CK_BYTE params[SM2_PARAMS_BYTES];
    CK_ATTRIBUTE query[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_EC_PARAMS, params, sizeof params}};
    CK_RV rv = inner->C_GetAttributeValue(session, object, query, 3);

    *kind = OBJECT_FOREIGN;
    /* The object has no such attribute, or a longer curve name: then it is not ours. */
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL || rv == CKR_ATTRIBUTE_SENSITIVE)
        return CKR_OK;
    if (rv != CKR_OK)
        return rv;
    if (type == CKK_EC && query[2].ulValueLen == SM2_PARAMS_BYTES && memcmp(params, SM2_PARAMS, SM2_PARAMS_BYTES) == 0) {
        if (class == CKO_PRIVATE_KEY)
            *kind = OBJECT_SM2_PRIVATE;
        else if (class == CKO_PUBLIC_KEY)
            *kind = OBJECT_SM2_PUBLIC;
    }
    return CKR_OK;
}

static CK_RV inner_flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag) {
    CK_ATTRIBUTE query = {type, flag, sizeof *flag};

    return inner->C_GetAttributeValue(session, object, &query, 1);
}

/* Words for a handle that is no key, as the functions that use keys must say it. */
static CK_RV key_error(CK_RV rv) {
    return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
}

CK_RV object_require(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                     CK_ATTRIBUTE_TYPE usage) {
    enum object_kind found;
    CK_BBOOL allowed = CK_FALSE;
    CK_RV rv = object_identify(session, object, &found);

    if (rv != CKR_OK)
        return key_error(rv);
    if (found != kind)
        return CKR_KEY_TYPE_INCONSISTENT;
    rv = inner_flag(session, object, usage, &allowed);
    if (rv != CKR_OK)
        return key_error(rv);
    return allowed ? CKR_OK : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV object_is_extractable(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_BBOOL *extractable) {
    *extractable = CK_FALSE;
    return inner_flag(session, object, CKA_SIGN_RECOVER, extractable);
}

CK_RV object_public_point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t point[SM2_POINT_BYTES]) {
    /* DER OCTET STRING around the point (PKCS#11 v2.40 §2.3.3); the bare point is met in the field. */
    CK_BYTE value[2 + SM2_POINT_BYTES];
    CK_ATTRIBUTE query = {CKA_EC_POINT, value, sizeof value};
    CK_RV rv = inner->C_GetAttributeValue(session, object, &query, 1);
    const CK_BYTE *at = value;

    if (rv != CKR_OK)
        return key_error(rv);
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
        return key_error(rv);
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

/* ---- Making objects ----------------------------------------------------------------------------------------------- */

CK_RV softgm_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
    CK_MECHANISM ec_key_pair_gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    struct template inner_public, inner_private;
    CK_BBOOL extractable;
    CK_RV rv = fault_of_session(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || (public_template == NULL && public_count > 0) ||
        (private_template == NULL && private_count > 0))
        return CKR_ARGUMENTS_BAD;
    if (mechanism->mechanism != CKM_VENDOR_SM2_KEY_PAIR_GEN &&
        (mechanism->mechanism != CKM_EC_KEY_PAIR_GEN || !template_is_sm2(public_template, public_count)))
        return inner->C_GenerateKeyPair(session, mechanism, public_template, public_count, private_template,
                                        private_count, public_key, private_key);
    if ((template_find(public_template, public_count, CKA_EC_PARAMS) != NULL &&
         !template_is_sm2(public_template, public_count)) ||
        template_find(private_template, private_count, CKA_VALUE) != NULL)
        return CKR_TEMPLATE_INCONSISTENT;
    if ((rv = template_translate_key_type(public_template, public_count, &inner_public)) != CKR_OK ||
        (rv = template_check_private(private_template, private_count, &inner_private, &extractable)) != CKR_OK ||
        (rv = template_add_inner_flags(&inner_private, extractable, extractable)) != CKR_OK)
        return rv;
    return inner->C_GenerateKeyPair(session, &ec_key_pair_gen, inner_public.attributes, inner_public.count,
                                    inner_private.attributes, inner_private.count, public_key, private_key);
}

CK_RV object_import(CK_SESSION_HANDLE session, const uint8_t scalar[SM2_BYTES], const CK_ATTRIBUTE *template,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR object) {
    static const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    static const CK_KEY_TYPE ec = CKK_EC;
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
    rv = template_add_inner_flags(&imported, extractable, CK_TRUE);
    if (rv == CKR_OK &&
        !(template_add(&imported, CKA_CLASS, &class, sizeof class) &&
          template_add(&imported, CKA_KEY_TYPE, &ec, sizeof ec) &&
          template_add(&imported, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES) &&
          template_add(&imported, CKA_VALUE, scalar, SM2_BYTES)))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = inner->C_CreateObject(session, imported.attributes, imported.count, object);
    return rv;
}

CK_RV softgm_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                          CK_OBJECT_HANDLE_PTR object) {
    struct template translated;
    const CK_ATTRIBUTE *value;
    uint8_t scalar[SM2_BYTES] = {0};
    int is_sm2;
    CK_RV rv = fault_of_session(session);

    if (rv != CKR_OK)
        return rv;
    if (template == NULL && count > 0)
        return CKR_ARGUMENTS_BAD;
    is_sm2 = template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2) || template_is_sm2(template, count);
    if (is_sm2 && template_has_ulong(template, count, CKA_CLASS, CKO_PRIVATE_KEY)) {
        value = template_find(template, count, CKA_VALUE);
        if (value == NULL || value->pValue == NULL)
            return CKR_TEMPLATE_INCOMPLETE;
        if (value->ulValueLen > SM2_BYTES)
            return CKR_ATTRIBUTE_VALUE_INVALID;
        memcpy(scalar + SM2_BYTES - value->ulValueLen, value->pValue, value->ulValueLen);
        rv = object_import(session, scalar, template, count, object);
        OPENSSL_cleanse(scalar, sizeof scalar);
        return rv;
    }
    if (is_sm2 && template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2)) {
        rv = template_translate_key_type(template, count, &translated);
        if (rv != CKR_OK)
            return rv;
        return inner->C_CreateObject(session, translated.attributes, translated.count, object);
    }
    return inner->C_CreateObject(session, template, count, object);
}

CK_RV softgm_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR copy) {
    enum object_kind kind;
    CK_RV rv = object_identify(session, object, &kind);

    if (rv != CKR_OK)
        return rv;
    /* A copy could be made with other attributes than the ones that hide the value. */
    if (kind == OBJECT_SM2_PRIVATE)
        return CKR_ACTION_PROHIBITED;
    return inner->C_CopyObject(session, object, template, count, copy);
}

CK_RV softgm_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    CK_RV rv = inner->C_DestroyObject(session, object);

    if (rv == CKR_OK)
        secret_forget(object);
    return rv;
}

CK_RV softgm_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    struct template translated;
    CK_RV rv;

    if (template == NULL || !template_has_ulong(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2))
        return inner->C_FindObjectsInit(session, template, count);
    rv = template_translate_key_type(template, count, &translated);
    if (rv != CKR_OK)
        return rv;
    return inner->C_FindObjectsInit(session, translated.attributes, translated.count);
}

/* ---- Attributes as the caller sees them --------------------------------------------------------------------------- */

static int is_masked(CK_ATTRIBUTE_TYPE type) {
    switch (type) {
    case CKA_VALUE:
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_COPYABLE:
    case CKA_SIGN_RECOVER:
        return 1;
    default:
        return 0;
    }
}

static int any_masked(const CK_ATTRIBUTE *template, CK_ULONG count) {
    for (CK_ULONG i = 0; i < count; i++)
        if (is_masked(template[i].type))
            return 1;
    return 0;
}

static CK_RV masked_flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag) {
    CK_RV rv = CKR_OK;

    switch (type) {
    case CKA_SENSITIVE:
        *flag = CK_TRUE;
        break;
    case CKA_ALWAYS_SENSITIVE:
        rv = inner_flag(session, object, CKA_LOCAL, flag);
        break;
    case CKA_EXTRACTABLE:
        rv = object_is_extractable(session, object, flag);
        break;
    case CKA_NEVER_EXTRACTABLE:
        rv = inner_flag(session, object, CKA_COPYABLE, flag);
        *flag = !*flag;
        break;
    default: /* CKA_COPYABLE, CKA_SIGN_RECOVER */
        *flag = CK_FALSE;
        break;
    }
    return rv;
}

static CK_RV get_masked(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attribute) {
    CK_BBOOL flag = CK_FALSE;
    CK_RV rv;

    if (attribute->type == CKA_VALUE) {
        attribute->ulValueLen = UNAVAILABLE;
        return CKR_ATTRIBUTE_SENSITIVE;
    }
    rv = masked_flag(session, object, attribute->type, &flag);
    if (rv == CKR_OK && attribute->pValue != NULL && attribute->ulValueLen < sizeof flag)
        rv = CKR_BUFFER_TOO_SMALL;
    if (rv != CKR_OK) {
        attribute->ulValueLen = UNAVAILABLE;
        return rv;
    }
    if (attribute->pValue != NULL)
        *(CK_BBOOL *)attribute->pValue = flag;
    attribute->ulValueLen = sizeof flag;
    return CKR_OK;
}

CK_RV softgm_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count) {
    enum object_kind kind = OBJECT_FOREIGN;
    CK_RV result = CKR_OK;
    CK_RV rv;

    if (template == NULL || !any_masked(template, count))
        return inner->C_GetAttributeValue(session, object, template, count);
    rv = object_identify(session, object, &kind);
    if (rv != CKR_OK)
        return rv;
    if (kind != OBJECT_SM2_PRIVATE)
        return inner->C_GetAttributeValue(session, object, template, count);
    /* Every attribute is answered, also after one that has no answer (PKCS#11 v2.40 §5.7, C_GetAttributeValue). */
    for (CK_ULONG i = 0; i < count; i++) {
        rv = is_masked(template[i].type) ? get_masked(session, object, &template[i])
                                         : inner->C_GetAttributeValue(session, object, &template[i], 1);
        if (rv != CKR_OK && result == CKR_OK)
            result = rv;
    }
    return result;
}

/* Seals where asked to; every other change of a masked attribute is refused. */
static CK_RV check_change(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *attribute,
                          int *seal) {
    CK_BBOOL wanted = CK_FALSE;
    CK_BBOOL now = CK_FALSE;
    CK_RV rv;

    if (attribute->type == CKA_VALUE)
        return CKR_ATTRIBUTE_READ_ONLY;
    rv = template_read_flag(attribute, 1, attribute->type, &wanted);
    if (rv == CKR_OK)
        rv = masked_flag(session, object, attribute->type, &now);
    if (rv != CKR_OK || wanted == now)
        return rv;
    if (attribute->type != CKA_EXTRACTABLE || wanted)
        return CKR_ATTRIBUTE_READ_ONLY;
    *seal = 1;
    return CKR_OK;
}

CK_RV softgm_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count) {
    struct template changes = {.count = 0};
    enum object_kind kind = OBJECT_FOREIGN;
    int seal = 0;
    CK_RV rv;

    if (template == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = object_identify(session, object, &kind);
    if (rv != CKR_OK)
        return rv;
    if (kind != OBJECT_SM2_PRIVATE)
        return inner->C_SetAttributeValue(session, object, template, count);
    for (CK_ULONG i = 0; i < count; i++) {
        if (is_masked(template[i].type))
            rv = check_change(session, object, &template[i], &seal);
        else if (!template_add(&changes, template[i].type, template[i].pValue, template[i].ulValueLen))
            rv = CKR_TEMPLATE_INCONSISTENT;
        if (rv != CKR_OK)
            return rv;
    }
    if (seal && !template_add_flag(&changes, CKA_SIGN_RECOVER, CK_FALSE))
        return CKR_TEMPLATE_INCONSISTENT;
    if (changes.count == 0)
        return CKR_OK;
    return inner->C_SetAttributeValue(session, object, changes.attributes, changes.count);
}
