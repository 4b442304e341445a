/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See templates.h. */
#include "templates.h"

#include <string.h>

const CK_BYTE SM2_PARAMS[SM2_PARAMS_BYTES] = {0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D};

static const CK_BBOOL YES = CK_TRUE;
static const CK_BBOOL NO = CK_FALSE;

const CK_ATTRIBUTE *template_find(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type) {
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == type)
            return &template[i];
    return NULL;
}

int template_add(struct template *to, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length) {
    if (to->count == TEMPLATE_LIMIT)
        return 0;
    /* The module below only reads a template it is given. */
    to->attributes[to->count++] = (CK_ATTRIBUTE){type, (void *)value, length};
    return 1;
}

int template_add_flag(struct template *to, CK_ATTRIBUTE_TYPE type, CK_BBOOL value) {
    return template_add(to, type, value ? &YES : &NO, sizeof YES);
}

int template_has_ulong(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    const CK_ATTRIBUTE *attribute = template_find(template, count, type);
    CK_ULONG found;

    if (attribute == NULL || attribute->pValue == NULL || attribute->ulValueLen != sizeof found)
        return 0;
    memcpy(&found, attribute->pValue, sizeof found);
    return found == value;
}

int template_is_sm2(const CK_ATTRIBUTE *template, CK_ULONG count) {
    const CK_ATTRIBUTE *params = template_find(template, count, CKA_EC_PARAMS);

    return params != NULL && params->pValue != NULL && params->ulValueLen == SM2_PARAMS_BYTES &&
           memcmp(params->pValue, SM2_PARAMS, SM2_PARAMS_BYTES) == 0;
}

CK_RV template_read_flag(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag) {
    const CK_ATTRIBUTE *attribute = template_find(template, count, type);

    if (attribute == NULL)
        return CKR_OK;
    if (attribute->pValue == NULL || attribute->ulValueLen != sizeof(CK_BBOOL))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *flag = *(const CK_BBOOL *)attribute->pValue ? CK_TRUE : CK_FALSE;
    return CKR_OK;
}

static int is_absent_or(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    return template_find(template, count, type) == NULL || template_has_ulong(template, count, type, value);
}

/* A flag that may only be given with one value, because softgm would not keep the promise of the other. */
static CK_RV demand_flag(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_BBOOL wanted) {
    CK_BBOOL flag = wanted;
    CK_RV rv = template_read_flag(template, count, type, &flag);

    if (rv != CKR_OK)
        return rv;
    return flag == wanted ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

/* ---- Marks -------------------------------------------------------------------------------------------------------- */

/* Also true: what such keys are good for. */
static const CK_MECHANISM_TYPE OF_SM2[] = {
    CKM_VENDOR_SM2_KEY_PAIR_GEN, CKM_VENDOR_SM3_SM2_RAW,     CKM_VENDOR_SM3_SM2_DER,       CKM_VENDOR_SM2_DER,
    CKM_VENDOR_SM2_RAW,          CKM_VENDOR_SM2_ENCRYPT_RAW, CKM_VENDOR_SM2_ENCRYPT_DER,   CKM_SOFTGM_SM2_KEY_AGREEMENT,
    CKM_SOFTGM_SM2_ENVELOPE,
};
static const CK_MECHANISM_TYPE OF_SM4[] = {
    CKM_VENDOR_SM4_KEY_GEN, CKM_VENDOR_SM4_ECB, CKM_VENDOR_SM4_CBC,
    CKM_VENDOR_SM4_CBC_PAD, CKM_SOFTGM_SM4_GCM, CKM_SOFTGM_SM3_HMAC,
};

int template_add_sm2_mark(struct template *to) {
    return template_add(to, CKA_ALLOWED_MECHANISMS, OF_SM2, sizeof OF_SM2);
}

int template_add_sm4_mark(struct template *to) {
    return template_add(to, CKA_ALLOWED_MECHANISMS, OF_SM4, sizeof OF_SM4);
}

int template_forges_mark(const CK_ATTRIBUTE *template, CK_ULONG count) {
    CK_MECHANISM_TYPE allowed;

    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type != CKA_ALLOWED_MECHANISMS || template[i].pValue == NULL)
            continue;
        for (CK_ULONG at = 0; at + sizeof allowed <= template[i].ulValueLen; at += sizeof allowed) {
            memcpy(&allowed, (const CK_BYTE *)template[i].pValue + at, sizeof allowed);
            if (allowed == CKM_VENDOR_SM4_KEY_GEN || allowed == CKM_VENDOR_SM2_KEY_PAIR_GEN)
                return 1;
        }
    }
    return 0;
}

/* ---- Keys --------------------------------------------------------------------------------------------------------- */

/* Attributes of the caller's template that do not go down as they are. */
static int is_controlled(CK_ATTRIBUTE_TYPE type, enum object_kind kind) {
    switch (type) {
    case CKA_CLASS:
    case CKA_KEY_TYPE:
    case CKA_VALUE:
    case CKA_PRIVATE:
    case CKA_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_WRAP_WITH_TRUSTED:
    case CKA_COPYABLE:
        return 1;
    case CKA_EC_PARAMS:
    case CKA_SIGN_RECOVER:
    case CKA_ALWAYS_AUTHENTICATE:
        return kind == OBJECT_SM2_PRIVATE;
    case CKA_VALUE_LEN:
    case CKA_DERIVE:
        return kind == OBJECT_SM4;
    default:
        return 0;
    }
}

/* What both kinds of keys have in common. */
static CK_RV check_key(const CK_ATTRIBUTE *template, CK_ULONG count, enum object_kind kind, struct template *out,
                       CK_BBOOL *extractable) {
    CK_RV rv;

    *extractable = CK_FALSE;
    out->count = 0;
    if (template_find(template, count, CKA_ALWAYS_SENSITIVE) != NULL ||
        template_find(template, count, CKA_NEVER_EXTRACTABLE) != NULL ||
        template_find(template, count, CKA_LOCAL) != NULL)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (template_find(template, count, CKA_ALLOWED_MECHANISMS) != NULL)
        return CKR_TEMPLATE_INCONSISTENT;
    if ((rv = template_read_flag(template, count, CKA_EXTRACTABLE, extractable)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_SENSITIVE, CK_TRUE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_PRIVATE, CK_TRUE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_COPYABLE, CK_FALSE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_WRAP_WITH_TRUSTED, CK_FALSE)) != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < count; i++)
        if (!is_controlled(template[i].type, kind) &&
            !template_add(out, template[i].type, template[i].pValue, template[i].ulValueLen))
            return CKR_TEMPLATE_INCONSISTENT;
    return CKR_OK;
}

CK_RV template_check_private(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out,
                             CK_BBOOL *extractable) {
    CK_RV rv;

    if (!is_absent_or(template, count, CKA_CLASS, CKO_PRIVATE_KEY) ||
        (!is_absent_or(template, count, CKA_KEY_TYPE, CKK_EC) &&
         !is_absent_or(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2)) ||
        (template_find(template, count, CKA_EC_PARAMS) != NULL && !template_is_sm2(template, count)))
        return CKR_TEMPLATE_INCONSISTENT;
    if ((rv = demand_flag(template, count, CKA_SIGN_RECOVER, CK_FALSE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_ALWAYS_AUTHENTICATE, CK_FALSE)) != CKR_OK)
        return rv;
    return check_key(template, count, OBJECT_SM2_PRIVATE, out, extractable);
}

CK_RV template_check_sm4(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out, CK_BBOOL *extractable) {
    CK_RV rv;

    if (!is_absent_or(template, count, CKA_CLASS, CKO_SECRET_KEY) ||
        !is_absent_or(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM4))
        return CKR_TEMPLATE_INCONSISTENT;
    if (!is_absent_or(template, count, CKA_VALUE_LEN, SM4_KEY_BYTES))
        return CKR_KEY_SIZE_RANGE;
    if (template_find(template, count, CKA_CHECK_VALUE) != NULL)
        return CKR_ATTRIBUTE_READ_ONLY;
    rv = demand_flag(template, count, CKA_DERIVE, CK_FALSE);
    return rv != CKR_OK ? rv : check_key(template, count, OBJECT_SM4, out, extractable);
}

CK_RV template_add_inner_flags(struct template *to, enum object_kind kind, CK_BBOOL extractable,
                               CK_BBOOL was_extractable) {
    int ok = template_add_flag(to, CKA_PRIVATE, CK_TRUE) && template_add_flag(to, CKA_SENSITIVE, CK_FALSE) &&
             template_add_flag(to, CKA_EXTRACTABLE, CK_TRUE) &&
             template_add_flag(to, kind == OBJECT_SM4 ? CKA_DERIVE : CKA_SIGN_RECOVER, extractable) &&
             template_add_flag(to, CKA_COPYABLE, was_extractable) &&
             (kind != OBJECT_SM4 || template_add_sm4_mark(to));

    return ok ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV template_translate_public(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out, int vendor) {
    static const CK_KEY_TYPE ec = CKK_EC;
    int ok = 1;

    out->count = 0;
    if (template_find(template, count, CKA_EC_PARAMS) != NULL && !template_is_sm2(template, count))
        return CKR_TEMPLATE_INCONSISTENT;
    if (!is_absent_or(template, count, CKA_KEY_TYPE, CKK_EC) &&
        !is_absent_or(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2))
        return CKR_TEMPLATE_INCONSISTENT;
    if (template_find(template, count, CKA_ALLOWED_MECHANISMS) != NULL)
        return CKR_TEMPLATE_INCONSISTENT;
    for (CK_ULONG i = 0; ok && i < count; i++)
        if (template[i].type != CKA_KEY_TYPE && template[i].type != CKA_EC_PARAMS)
            ok = template_add(out, template[i].type, template[i].pValue, template[i].ulValueLen);
    ok = ok && template_add(out, CKA_KEY_TYPE, &ec, sizeof ec) &&
         template_add(out, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES) && (!vendor || template_add_sm2_mark(out));
    return ok ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}
