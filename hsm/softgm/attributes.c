/* Attributes of keys as the caller sees them; objects.c has the table. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/crypto.h>
#include <string.h>

#include "sm4.h"
#include "softgm.h"
#include "templates.h"

#define UNAVAILABLE ((CK_ULONG)-1)
#define CHECK_VALUE_BYTES 3U

static int is_masked(enum object_kind kind, CK_ATTRIBUTE_TYPE type) {
    switch (type) {
    case CKA_KEY_TYPE:
    case CKA_KEY_GEN_MECHANISM:
        return kind != OBJECT_FOREIGN;
    case CKA_VALUE:
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_COPYABLE:
        return kind == OBJECT_SM2_PRIVATE || kind == OBJECT_SM4;
    case CKA_SIGN_RECOVER:
        return kind == OBJECT_SM2_PRIVATE;
    case CKA_DERIVE:
    case CKA_CHECK_VALUE:
        return kind == OBJECT_SM4;
    default:
        return 0;
    }
}

/* Whether some kind of key masks one of these, so that it must be found out what the object is. */
static int any_masked(const CK_ATTRIBUTE *template, CK_ULONG count) {
    for (CK_ULONG i = 0; i < count; i++)
        if (is_masked(OBJECT_SM4, template[i].type) || is_masked(OBJECT_SM2_PRIVATE, template[i].type))
            return 1;
    return 0;
}

static CK_RV masked_flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                         CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag) {
    CK_RV rv = CKR_OK;

    switch (type) {
    case CKA_SENSITIVE:
        *flag = CK_TRUE;
        break;
    case CKA_ALWAYS_SENSITIVE:
        rv = object_flag(session, object, CKA_LOCAL, flag);
        break;
    case CKA_EXTRACTABLE:
        rv = object_is_extractable(session, object, kind, flag);
        break;
    case CKA_NEVER_EXTRACTABLE:
        rv = object_flag(session, object, CKA_COPYABLE, flag);
        *flag = !*flag;
        break;
    default: /* CKA_COPYABLE, CKA_SIGN_RECOVER, CKA_DERIVE */
        *flag = CK_FALSE;
        break;
    }
    return rv;
}

/* CKA_KEY_TYPE, or CKA_KEY_GEN_MECHANISM of a key that was generated. */
static CK_RV masked_number(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                           CK_ATTRIBUTE_TYPE type, CK_ULONG *number) {
    CK_ATTRIBUTE query = {type, number, sizeof *number};
    int vendor = 0;
    CK_RV rv = inner->C_GetAttributeValue(session, object, &query, 1);

    if (rv == CKR_OK && kind != OBJECT_SM4)
        rv = object_has_vendor_type(session, object, &vendor);
    if (rv != CKR_OK)
        return rv;
    if (type == CKA_KEY_TYPE && kind == OBJECT_SM4)
        *number = CKK_VENDOR_SM4;
    else if (type == CKA_KEY_TYPE && vendor)
        *number = CKK_VENDOR_SM2;
    else if (*number == CKM_GENERIC_SECRET_KEY_GEN && kind == OBJECT_SM4)
        *number = CKM_VENDOR_SM4_KEY_GEN;
    else if (*number == CKM_EC_KEY_PAIR_GEN && vendor)
        *number = CKM_VENDOR_SM2_KEY_PAIR_GEN;
    return CKR_OK;
}

static CK_RV check_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t value[SM4_BLOCK_BYTES]) {
    uint8_t key[SM4_KEY_BYTES];
    CK_RV rv = object_sm4_value(session, object, key);

    memset(value, 0, SM4_BLOCK_BYTES);
    if (rv == CKR_OK && !sm4_encrypt_block(key, value))
        rv = CKR_FUNCTION_FAILED;
    OPENSSL_cleanse(key, sizeof key);
    return rv;
}

static CK_RV answer(CK_ATTRIBUTE_PTR attribute, CK_RV rv, const void *value, CK_ULONG length) {
    if (rv == CKR_OK && attribute->pValue != NULL && attribute->ulValueLen < length)
        rv = CKR_BUFFER_TOO_SMALL;
    if (rv != CKR_OK) {
        attribute->ulValueLen = UNAVAILABLE;
        return rv;
    }
    if (attribute->pValue != NULL)
        memcpy(attribute->pValue, value, length);
    attribute->ulValueLen = length;
    return CKR_OK;
}

static CK_RV get_masked(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                        CK_ATTRIBUTE_PTR attribute) {
    uint8_t block[SM4_BLOCK_BYTES];
    CK_BBOOL flag = CK_FALSE;
    CK_ULONG number = 0;
    CK_RV rv;

    switch (attribute->type) {
    case CKA_VALUE:
        return answer(attribute, CKR_ATTRIBUTE_SENSITIVE, NULL, 0);
    case CKA_KEY_TYPE:
    case CKA_KEY_GEN_MECHANISM:
        rv = masked_number(session, object, kind, attribute->type, &number);
        return answer(attribute, rv, &number, sizeof number);
    case CKA_CHECK_VALUE:
        rv = check_value(session, object, block);
        return answer(attribute, rv, block, CHECK_VALUE_BYTES);
    default:
        rv = masked_flag(session, object, kind, attribute->type, &flag);
        return answer(attribute, rv, &flag, sizeof flag);
    }
}

static CK_RV get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                            CK_ULONG count) {
    enum object_kind kind = OBJECT_FOREIGN;
    CK_RV result = CKR_OK;
    CK_RV rv;

    rv = object_identify(session, object, &kind);
    if (rv != CKR_OK)
        return rv;
    if (kind == OBJECT_FOREIGN)
        return inner->C_GetAttributeValue(session, object, template, count);
    /* Every attribute is answered, also after one that has no answer (PKCS#11 v2.40 §5.7, C_GetAttributeValue). */
    for (CK_ULONG i = 0; i < count; i++) {
        rv = is_masked(kind, template[i].type) ? get_masked(session, object, kind, &template[i])
                                               : inner->C_GetAttributeValue(session, object, &template[i], 1);
        if (rv != CKR_OK && result == CKR_OK)
            result = rv;
    }
    return result;
}

CK_RV softgm_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count) {
    CK_RV rv;

    if (template == NULL || !any_masked(template, count))
        return inner->C_GetAttributeValue(session, object, template, count);
    look_begin();
    rv = get_attributes(session, object, template, count);
    look_end();
    return rv;
}

/* Seals where asked to; every other change of a masked attribute is refused. */
static CK_RV check_change(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                          const CK_ATTRIBUTE *attribute, int *seal) {
    CK_BBOOL wanted = CK_FALSE;
    CK_BBOOL now = CK_FALSE;
    CK_RV rv;

    if (attribute->type == CKA_VALUE || attribute->type == CKA_KEY_TYPE || attribute->type == CKA_CHECK_VALUE ||
        attribute->type == CKA_KEY_GEN_MECHANISM)
        return CKR_ATTRIBUTE_READ_ONLY;
    rv = template_read_flag(attribute, 1, attribute->type, &wanted);
    if (rv == CKR_OK)
        rv = masked_flag(session, object, kind, attribute->type, &now);
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
    if (template_forges_mark(template, count))
        return CKR_ATTRIBUTE_READ_ONLY;
    if (kind == OBJECT_FOREIGN)
        return inner->C_SetAttributeValue(session, object, template, count);
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type == CKA_ALLOWED_MECHANISMS)
            rv = CKR_ATTRIBUTE_READ_ONLY;
        else if (is_masked(kind, template[i].type))
            rv = check_change(session, object, kind, &template[i], &seal);
        else if (!template_add(&changes, template[i].type, template[i].pValue, template[i].ulValueLen))
            rv = CKR_TEMPLATE_INCONSISTENT;
        if (rv != CKR_OK)
            return rv;
    }
    if (seal && !template_add_flag(&changes, kind == OBJECT_SM4 ? CKA_DERIVE : CKA_SIGN_RECOVER, CK_FALSE))
        return CKR_TEMPLATE_INCONSISTENT;
    if (changes.count == 0)
        return CKR_OK;
    return inner->C_SetAttributeValue(session, object, changes.attributes, changes.count);
}
