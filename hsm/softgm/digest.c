/* The SM3 digest. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include "softgm.h"

CK_RV softgm_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism) {
    struct operation *operation;
    CK_SESSION_INFO info;
    CK_RV rv;

    if (mechanism == NULL || mechanism->mechanism != CKM_VENDOR_SM3)
        return operation_exists(session, OPERATION_DIGEST) ? CKR_OPERATION_ACTIVE
                                                           : inner->C_DigestInit(session, mechanism);
    rv = inner->C_GetSessionInfo(session, &info);
    if (rv != CKR_OK)
        return rv;
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (operation_exists(session, OPERATION_DIGEST))
        return CKR_OPERATION_ACTIVE;
    operation = operation_new(session, OPERATION_DIGEST, mechanism->mechanism);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    operation->hash = EVP_MD_CTX_new();
    if (operation->hash == NULL || !EVP_DigestInit_ex(operation->hash, EVP_sm3(), NULL)) {
        operation_free(operation);
        return CKR_HOST_MEMORY;
    }
    operation_put(operation);
    return CKR_OK;
}

CK_RV softgm_Digest(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR digest,
                    CK_ULONG_PTR digest_length) {
    struct operation *operation = operation_take(session, OPERATION_DIGEST);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_Digest(session, data, length, digest, digest_length);
    if (!result_fits(digest, digest_length, SM2_BYTES, &rv)) {
        operation_put(operation);
        return rv;
    }
    if (data == NULL && length > 0)
        rv = CKR_ARGUMENTS_BAD;
    else
        rv = EVP_DigestUpdate(operation->hash, data, length) && EVP_DigestFinal_ex(operation->hash, digest, NULL)
                 ? CKR_OK
                 : CKR_FUNCTION_FAILED;
    *digest_length = SM2_BYTES;
    operation_free(operation);
    return rv;
}

CK_RV softgm_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
    struct operation *operation = operation_take(session, OPERATION_DIGEST);

    if (operation == NULL)
        return inner->C_DigestUpdate(session, part, length);
    if ((part == NULL && length > 0) || !EVP_DigestUpdate(operation->hash, part, length)) {
        operation_free(operation);
        return CKR_ARGUMENTS_BAD;
    }
    operation_put(operation);
    return CKR_OK;
}

/* The digest of a key tells the key to whoever can guess it: ours are never digested. */
CK_RV softgm_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
    struct operation *operation = operation_take(session, OPERATION_DIGEST);
    enum object_kind kind;
    CK_RV rv;

    if (operation != NULL) {
        operation_free(operation);
        return CKR_KEY_INDIGESTIBLE;
    }
    look_begin();
    rv = object_identify(session, key, &kind);
    if (rv == CKR_OK && kind != OBJECT_FOREIGN)
        rv = CKR_KEY_INDIGESTIBLE;
    else
        rv = inner->C_DigestKey(session, key);
    look_end();
    return rv;
}

CK_RV softgm_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR digest, CK_ULONG_PTR digest_length) {
    struct operation *operation = operation_take(session, OPERATION_DIGEST);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_DigestFinal(session, digest, digest_length);
    if (!result_fits(digest, digest_length, SM2_BYTES, &rv)) {
        operation_put(operation);
        return rv;
    }
    rv = EVP_DigestFinal_ex(operation->hash, digest, NULL) ? CKR_OK : CKR_FUNCTION_FAILED;
    *digest_length = SM2_BYTES;
    operation_free(operation);
    return rv;
}
