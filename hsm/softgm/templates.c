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

/* Attributes of the caller's template that do not go down as they are. */
static int is_controlled(CK_ATTRIBUTE_TYPE type) {
    switch (type) {
    case CKA_CLASS:
    case CKA_KEY_TYPE:
    case CKA_EC_PARAMS:
    case CKA_VALUE:
    case CKA_PRIVATE:
    case CKA_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_SIGN_RECOVER:
    case CKA_WRAP_WITH_TRUSTED:
    case CKA_COPYABLE:
    case CKA_ALWAYS_AUTHENTICATE:
        return 1;
    default:
        return 0;
    }
}

CK_RV template_check_private(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out,
                             CK_BBOOL *extractable) {
    CK_RV rv;

    *extractable = CK_FALSE;
    out->count = 0;
    if (!is_absent_or(template, count, CKA_CLASS, CKO_PRIVATE_KEY) ||
        (!is_absent_or(template, count, CKA_KEY_TYPE, CKK_EC) &&
         !is_absent_or(template, count, CKA_KEY_TYPE, CKK_VENDOR_SM2)) ||
        (template_find(template, count, CKA_EC_PARAMS) != NULL && !template_is_sm2(template, count)))
        return CKR_TEMPLATE_INCONSISTENT;
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
        (rv = demand_flag(template, count, CKA_SIGN_RECOVER, CK_FALSE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_WRAP_WITH_TRUSTED, CK_FALSE)) != CKR_OK ||
        (rv = demand_flag(template, count, CKA_ALWAYS_AUTHENTICATE, CK_FALSE)) != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < count; i++)
        if (!is_controlled(template[i].type) &&
            !template_add(out, template[i].type, template[i].pValue, template[i].ulValueLen))
            return CKR_TEMPLATE_INCONSISTENT;
    return CKR_OK;
}

CK_RV template_add_inner_flags(struct template *to, CK_BBOOL extractable, CK_BBOOL was_extractable) {
    int ok = template_add_flag(to, CKA_PRIVATE, CK_TRUE) && template_add_flag(to, CKA_SENSITIVE, CK_FALSE) &&
             template_add_flag(to, CKA_EXTRACTABLE, CK_TRUE) &&
             template_add_flag(to, CKA_SIGN_RECOVER, extractable) &&
             template_add_flag(to, CKA_COPYABLE, was_extractable);

    return ok ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV template_translate_key_type(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out) {
    static const CK_KEY_TYPE ec = CKK_EC;
    int ok = 1;

    out->count = 0;
    for (CK_ULONG i = 0; ok && i < count; i++)
        if (template[i].type != CKA_KEY_TYPE && template[i].type != CKA_EC_PARAMS)
            ok = template_add(out, template[i].type, template[i].pValue, template[i].ulValueLen);
    ok = ok && template_add(out, CKA_KEY_TYPE, &ec, sizeof ec) &&
         template_add(out, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES);
    return ok ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}
