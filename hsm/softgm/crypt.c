/* Encryption and decryption with SM2 and SM4. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/crypto.h>
#include <string.h>

#include "der.h"
#include "sm4.h"
#include "softgm.h"

static int is_sm2_encryption(const CK_MECHANISM *mechanism) {
    return mechanism != NULL && (mechanism->mechanism == CKM_VENDOR_SM2_ENCRYPT_RAW ||
                                 mechanism->mechanism == CKM_VENDOR_SM2_ENCRYPT_DER);
}

static CK_RV start(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key) {
    int decrypting = kind == OPERATION_DECRYPT;
    struct operation *operation;
    CK_RV rv;

    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (operation_exists(session, kind))
        return CKR_OPERATION_ACTIVE;
    rv = object_require(session, key, decrypting ? OBJECT_SM2_PRIVATE : OBJECT_SM2_PUBLIC,
                        decrypting ? CKA_DECRYPT : CKA_ENCRYPT);
    if (rv != CKR_OK)
        return rv;
    operation = operation_new(session, kind, mechanism->mechanism);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    rv = decrypting ? object_secret(session, key, &operation->secret)
                    : object_public_point(session, key, operation->point);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

static CK_RV start_sm4(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE key) {
    int decrypting = kind == OPERATION_DECRYPT;
    uint8_t value[SM4_KEY_BYTES];
    struct operation *operation;
    CK_RV rv;

    if (operation_exists(session, kind))
        return CKR_OPERATION_ACTIVE;
    rv = object_require(session, key, OBJECT_SM4, decrypting ? CKA_DECRYPT : CKA_ENCRYPT);
    if (rv != CKR_OK)
        return rv;
    operation = operation_new(session, kind, mechanism->mechanism);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    rv = object_sm4_value(session, key, value);
    if (rv == CKR_OK)
        rv = sm4_start(mechanism, value, !decrypting, &operation->sm4);
    OPENSSL_cleanse(value, sizeof value);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

/* Puts the operation back where it goes on, or else ends it. */
static void settle(struct operation *operation, int goes_on) {
    if (goes_on)
        operation_put(operation);
    else
        operation_free(operation);
}

static CK_RV whole_sm4(struct operation *operation, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                       CK_ULONG_PTR output_length) {
    int goes_on;
    CK_RV rv = sm4_whole(operation->sm4, data, length, output, output_length, &goes_on);

    settle(operation, goes_on);
    return rv;
}

static CK_RV encrypt(const struct operation *operation, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length) {
    size_t raw_length = length + SM2_CIPHER_OVERHEAD;
    uint8_t *raw = OPENSSL_malloc(raw_length);
    CK_RV rv = CKR_FUNCTION_FAILED;

    if (raw == NULL)
        return CKR_HOST_MEMORY;
    if (sm2_encrypt(operation->point, data, length, raw)) {
        if (operation->mechanism == CKM_VENDOR_SM2_ENCRYPT_DER) {
            *output_length = (CK_ULONG)der_write_cipher(raw, raw_length, output);
        } else {
            memcpy(output, raw, raw_length);
            *output_length = (CK_ULONG)raw_length;
        }
        rv = CKR_OK;
    }
    OPENSSL_free(raw);
    return rv;
}

/* The ciphertext in raw form, to be freed; NULL when it is malformed. */
static uint8_t *raw_cipher(const struct operation *operation, const CK_BYTE *data, CK_ULONG length,
                           size_t *raw_length) {
    size_t size = length + SM2_CIPHER_OVERHEAD;
    uint8_t *raw = OPENSSL_malloc(size);

    if (raw == NULL)
        return NULL;
    if (operation->mechanism == CKM_VENDOR_SM2_ENCRYPT_DER) {
        *raw_length = der_read_cipher(data, length, raw, size);
    } else {
        memcpy(raw, data, length);
        *raw_length = length;
    }
    if (*raw_length > SM2_CIPHER_OVERHEAD)
        return raw;
    OPENSSL_free(raw);
    return NULL;
}

CK_RV softgm_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (is_sm2_encryption(mechanism))
        return start(session, OPERATION_ENCRYPT, mechanism, key);
    if (sm4_is_cipher(mechanism))
        return start_sm4(session, OPERATION_ENCRYPT, mechanism, key);
    rv = operation_check_foreign(session, OPERATION_ENCRYPT, mechanism, key);
    return rv != CKR_OK ? rv : inner->C_EncryptInit(session, mechanism, key);
}

CK_RV softgm_Encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_ENCRYPT);
    size_t overhead = SM2_CIPHER_OVERHEAD;
    CK_RV rv;

    if (operation == NULL)
        return inner->C_Encrypt(session, data, length, output, output_length);
    if (operation->sm4 != NULL)
        return whole_sm4(operation, data, length, output, output_length);
    if (operation->mechanism == CKM_VENDOR_SM2_ENCRYPT_DER)
        overhead += DER_CIPHER_OVERHEAD;
    if (data == NULL || length == 0 || length > SM2_PLAINTEXT_LIMIT) {
        rv = CKR_DATA_LEN_RANGE;
    } else if (!result_fits(output, output_length, length + overhead, &rv)) {
        operation_put(operation);
        return rv;
    } else {
        rv = encrypt(operation, data, length, output, output_length);
    }
    operation_free(operation);
    return rv;
}

CK_RV softgm_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (is_sm2_encryption(mechanism))
        return start(session, OPERATION_DECRYPT, mechanism, key);
    if (sm4_is_cipher(mechanism))
        return start_sm4(session, OPERATION_DECRYPT, mechanism, key);
    rv = operation_check_foreign(session, OPERATION_DECRYPT, mechanism, key);
    return rv != CKR_OK ? rv : inner->C_DecryptInit(session, mechanism, key);
}

CK_RV softgm_Decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_DECRYPT);
    size_t raw_length = 0;
    uint8_t *raw = NULL;
    CK_RV rv = CKR_ENCRYPTED_DATA_INVALID;

    if (operation == NULL)
        return inner->C_Decrypt(session, data, length, output, output_length);
    if (operation->sm4 != NULL)
        return whole_sm4(operation, data, length, output, output_length);
    if (data == NULL || length > SM2_PLAINTEXT_LIMIT + SM2_CIPHER_OVERHEAD + DER_CIPHER_OVERHEAD)
        rv = CKR_ENCRYPTED_DATA_LEN_RANGE;
    else
        raw = raw_cipher(operation, data, length, &raw_length);
    if (raw != NULL) {
        if (!result_fits(output, output_length, raw_length - SM2_CIPHER_OVERHEAD, &rv)) {
            OPENSSL_free(raw);
            operation_put(operation);
            return rv;
        }
        rv = CKR_ENCRYPTED_DATA_INVALID;
        if (sm2_decrypt(&operation->secret, raw, raw_length, output)) {
            *output_length = (CK_ULONG)(raw_length - SM2_CIPHER_OVERHEAD);
            rv = CKR_OK;
        }
        OPENSSL_free(raw);
    }
    operation_free(operation);
    return rv;
}

/* SM2 encryption has no parts: the attempt ends it. */
static CK_RV update(struct operation *operation, const CK_BYTE *part, CK_ULONG length, CK_BYTE_PTR output,
                    CK_ULONG_PTR output_length) {
    CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED;
    int goes_on = 0;

    if (operation->sm4 != NULL)
        rv = sm4_update(operation->sm4, part, length, output, output_length, &goes_on);
    settle(operation, goes_on);
    return rv;
}

static CK_RV final(struct operation *operation, CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED;
    int goes_on = 0;

    if (operation->sm4 != NULL)
        rv = sm4_final(operation->sm4, output, output_length, &goes_on);
    settle(operation, goes_on);
    return rv;
}

CK_RV softgm_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length, CK_BYTE_PTR output,
                           CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_ENCRYPT);

    if (operation == NULL)
        return inner->C_EncryptUpdate(session, part, length, output, output_length);
    return update(operation, part, length, output, output_length);
}

CK_RV softgm_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_ENCRYPT);

    if (operation == NULL)
        return inner->C_EncryptFinal(session, output, output_length);
    return final(operation, output, output_length);
}

CK_RV softgm_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length, CK_BYTE_PTR output,
                           CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_DECRYPT);

    if (operation == NULL)
        return inner->C_DecryptUpdate(session, part, length, output, output_length);
    return update(operation, part, length, output, output_length);
}

CK_RV softgm_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    struct operation *operation = operation_take(session, OPERATION_DECRYPT);

    if (operation == NULL)
        return inner->C_DecryptFinal(session, output, output_length);
    return final(operation, output, output_length);
}
