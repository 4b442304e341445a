/* HMAC with SM3 (GB/T 15852.2-2012, MAC algorithm 2). FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "softgm.h"

/* Longest generic secret that is taken. */
#define KEY_LIMIT 512U

/* The value of an SM4 key, or of a generic secret that may be read. */
static CK_RV read_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE usage,
                      CK_BYTE value[KEY_LIMIT], CK_ULONG *length) {
    CK_OBJECT_CLASS class = 0;
    CK_KEY_TYPE type = 0;
    CK_BBOOL allowed = CK_FALSE;
    CK_ATTRIBUTE query[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {usage, &allowed, sizeof allowed}};
    CK_ATTRIBUTE value_query = {CKA_VALUE, value, KEY_LIMIT};
    CK_RV rv = inner->C_GetAttributeValue(session, key, query, 3);

    if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (rv != CKR_OK)
        return object_key_error(rv);
    if (class != CKO_SECRET_KEY || type != CKK_GENERIC_SECRET)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!allowed)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    rv = inner->C_GetAttributeValue(session, key, &value_query, 1);
    if (rv == CKR_ATTRIBUTE_SENSITIVE)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (rv == CKR_BUFFER_TOO_SMALL)
        return CKR_KEY_SIZE_RANGE;
    *length = value_query.ulValueLen;
    return object_key_error(rv);
}

CK_RV mac_start(struct operation *operation, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE usage) {
    char digest[] = "SM3";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    CK_BYTE value[KEY_LIMIT];
    CK_ULONG length = 0;
    EVP_MAC *hmac;
    CK_RV rv;

    look_begin();
    rv = read_key(operation->session, key, usage, value, &length);
    look_end();
    if (rv == CKR_OK) {
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        if (hmac != NULL)
            operation->mac = EVP_MAC_CTX_new(hmac);
        EVP_MAC_free(hmac);
        if (operation->mac == NULL || !EVP_MAC_init(operation->mac, value, length, params))
            rv = CKR_HOST_MEMORY;
    }
    OPENSSL_cleanse(value, sizeof value);
    return rv;
}
