/*
 * Searching by what objects look like from outside. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * The inner module would compare with what its objects are inside, and so tell whether a guessed CKA_VALUE is right.
 * A template that names an attribute that softgm masks is therefore not given down whole: the inner module searches by
 * the others, and every object it finds is compared here with what C_GetAttributeValue would tell the caller.
 */
#include <openssl/crypto.h>
#include <sched.h>
#include <string.h>

#include "softgm.h"
#include "templates.h"

#define BATCH 64U
#define TRIES 5
/* Longest value that is compared here: flags, numbers, data that happens to be searched by its CKA_VALUE. */
#define VALUE_LIMIT 4096U

static int is_compared_here(CK_ATTRIBUTE_TYPE type) {
    switch (type) {
    case CKA_KEY_TYPE:
    case CKA_KEY_GEN_MECHANISM:
    case CKA_VALUE:
    case CKA_CHECK_VALUE:
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_COPYABLE:
    case CKA_SIGN_RECOVER:
    case CKA_DERIVE:
        return 1;
    default:
        return 0;
    }
}

/* A key type that means the same inside and outside. */
static int is_plain_type(const CK_ATTRIBUTE *attribute) {
    return attribute->type == CKA_KEY_TYPE && !template_has_ulong(attribute, 1, CKA_KEY_TYPE, CKK_VENDOR_SM2) &&
           !template_has_ulong(attribute, 1, CKA_KEY_TYPE, CKK_VENDOR_SM4) &&
           !template_has_ulong(attribute, 1, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
}

static CK_RV matches_type(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *wanted, int *match) {
    enum object_kind kind;
    CK_RV rv = object_identify(session, object, &kind);

    *match = 0;
    if (rv != CKR_OK)
        return rv;
    if (template_has_ulong(wanted, 1, CKA_KEY_TYPE, CKK_VENDOR_SM2))
        *match = kind == OBJECT_SM2_PRIVATE || kind == OBJECT_SM2_PUBLIC;
    else if (template_has_ulong(wanted, 1, CKA_KEY_TYPE, CKK_VENDOR_SM4))
        *match = kind == OBJECT_SM4;
    else /* the inner module was asked for it */
        *match = kind != OBJECT_SM4;
    return CKR_OK;
}

static CK_RV matches_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *wanted, int *match) {
    CK_BYTE value[VALUE_LIMIT];
    CK_ATTRIBUTE found = {wanted->type, value, sizeof value};
    CK_RV rv = softgm_GetAttributeValue(session, object, &found, 1);

    *match = rv == CKR_OK && wanted->pValue != NULL && found.ulValueLen == wanted->ulValueLen &&
             CRYPTO_memcmp(value, wanted->pValue, found.ulValueLen) == 0;
    if (rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL)
        rv = CKR_OK;
    OPENSSL_cleanse(value, sizeof value);
    return rv;
}

static CK_RV compare(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *template, CK_ULONG count,
                     int *match) {
    CK_RV rv = CKR_OK;

    *match = 1;
    for (CK_ULONG i = 0; rv == CKR_OK && *match && i < count; i++) {
        if (template[i].type == CKA_KEY_TYPE)
            rv = is_plain_type(&template[i]) ? CKR_OK : matches_type(session, object, &template[i], match);
        else if (is_compared_here(template[i].type))
            rv = matches_value(session, object, &template[i], match);
    }
    return rv;
}

/*
 * An object that vanished meanwhile does not match. While another thread destroys an object, SoftHSM has all sorts of
 * answers for it: then it is asked again.
 */
static int matches(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *template, CK_ULONG count,
                   CK_RV *rv) {
    int match = 0;

    for (int tries = 0; tries < TRIES; tries++) {
        *rv = compare(session, object, template, count, &match);
        if (*rv == CKR_OK)
            return match;
        if (*rv == CKR_OBJECT_HANDLE_INVALID) {
            *rv = CKR_OK;
            return 0;
        }
        sched_yield();
    }
    return 0;
}

/* Everything the inner search finds. */
static CK_RV collect(CK_SESSION_HANDLE session, struct operation *operation) {
    CK_OBJECT_HANDLE batch[BATCH];
    CK_OBJECT_HANDLE *grown;
    CK_ULONG got = 0;
    CK_RV rv;

    while ((rv = inner->C_FindObjects(session, batch, BATCH, &got)) == CKR_OK && got > 0) {
        grown = OPENSSL_realloc(operation->found, (operation->found_count + got) * sizeof *grown);
        if (grown == NULL)
            return CKR_HOST_MEMORY;
        memcpy(grown + operation->found_count, batch, got * sizeof *grown);
        operation->found = grown;
        operation->found_count += got;
    }
    return rv;
}

static CK_RV search(CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count,
                    struct operation *operation) {
    static const CK_KEY_TYPE inner_types[] = {CKK_EC, CKK_GENERIC_SECRET};
    struct template below = {.count = 0};
    CK_ULONG kept = 0;
    CK_RV rv;

    for (CK_ULONG i = 0; i < count; i++) {
        const CK_KEY_TYPE *type = NULL;
        int ok = 1;

        if (template_has_ulong(&template[i], 1, CKA_KEY_TYPE, CKK_VENDOR_SM2))
            type = &inner_types[0];
        else if (template_has_ulong(&template[i], 1, CKA_KEY_TYPE, CKK_VENDOR_SM4))
            type = &inner_types[1];
        if (type != NULL)
            ok = template_add(&below, CKA_KEY_TYPE, type, sizeof *type);
        else if (template[i].type == CKA_KEY_TYPE || !is_compared_here(template[i].type))
            ok = template_add(&below, template[i].type, template[i].pValue, template[i].ulValueLen);
        if (!ok)
            return CKR_TEMPLATE_INCONSISTENT;
    }
    rv = inner->C_FindObjectsInit(session, below.attributes, below.count);
    if (rv != CKR_OK)
        return rv;
    rv = collect(session, operation);
    inner->C_FindObjectsFinal(session);
    for (CK_ULONG i = 0; rv == CKR_OK && i < operation->found_count; i++)
        if (matches(session, operation->found[i], template, count, &rv))
            operation->found[kept++] = operation->found[i];
    operation->found_count = kept;
    return rv;
}

CK_RV softgm_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    struct operation *operation;
    int ours = 0;
    CK_RV rv;

    for (CK_ULONG i = 0; template != NULL && i < count; i++)
        ours |= is_compared_here(template[i].type) && !is_plain_type(&template[i]);
    if (operation_exists(session, OPERATION_FIND))
        return CKR_OPERATION_ACTIVE;
    if (!ours)
        return inner->C_FindObjectsInit(session, template, count);
    operation = operation_new(session, OPERATION_FIND, 0);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    rv = search(session, template, count, operation);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

CK_RV softgm_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG limit, CK_ULONG_PTR count) {
    struct operation *operation;
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    operation = operation_take(session, OPERATION_FIND);
    if (operation == NULL)
        return inner->C_FindObjects(session, objects, limit, count);
    if (objects == NULL || count == NULL || limit == 0) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        *count = operation->found_count - operation->found_next;
        if (*count > limit)
            *count = limit;
        if (*count > 0)
            memcpy(objects, operation->found + operation->found_next, *count * sizeof *objects);
        operation->found_next += *count;
    }
    operation_put(operation);
    return rv;
}

CK_RV softgm_FindObjectsFinal(CK_SESSION_HANDLE session) {
    struct operation *operation = operation_take(session, OPERATION_FIND);

    if (operation == NULL)
        return inner->C_FindObjectsFinal(session);
    operation_free(operation);
    return CKR_OK;
}
