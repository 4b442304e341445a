/* Signatures: SM2, of e and of messages; HMAC with SM3. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/crypto.h>
#include <string.h>

#include "der.h"
#include "softgm.h"

static int is_sm2_signature(CK_MECHANISM_TYPE mechanism) {
    return mechanism >= CKM_VENDOR_SM3_SM2_RAW && mechanism <= CKM_VENDOR_SM2_RAW;
}

static int takes_message(CK_MECHANISM_TYPE mechanism) {
    return mechanism == CKM_VENDOR_SM3_SM2_RAW || mechanism == CKM_VENDOR_SM3_SM2_DER;
}

static int speaks_der(CK_MECHANISM_TYPE mechanism) {
    return mechanism == CKM_VENDOR_SM3_SM2_DER || mechanism == CKM_VENDOR_SM2_DER;
}

int result_fits(CK_BYTE_PTR output, CK_ULONG_PTR output_length, size_t needed, CK_RV *rv) {
    if (output_length == NULL) {
        *rv = CKR_ARGUMENTS_BAD;
        return 0;
    }
    if (output == NULL || *output_length < needed) {
        *rv = output == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL;
        *output_length = (CK_ULONG)needed;
        return 0;
    }
    return 1;
}

/* SM3 over Z, waiting for the message. */
static CK_RV start_message(struct operation *operation, const CK_MECHANISM *mechanism) {
    const uint8_t *identifier = (const uint8_t *)DEFAULT_IDENTIFIER;
    size_t length = sizeof DEFAULT_IDENTIFIER - 1;
    uint8_t z[SM2_BYTES];

    if (mechanism->pParameter != NULL) {
        identifier = mechanism->pParameter;
        length = mechanism->ulParameterLen;
    }
    if (length > SM2_IDENTIFIER_LIMIT)
        return CKR_MECHANISM_PARAM_INVALID;
    operation->hash = EVP_MD_CTX_new();
    if (operation->hash == NULL || !sm2_z(operation->point, identifier, length, z) ||
        !EVP_DigestInit_ex(operation->hash, EVP_sm3(), NULL) || !EVP_DigestUpdate(operation->hash, z, sizeof z))
        return CKR_HOST_MEMORY;
    return CKR_OK;
}

static CK_RV start(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key) {
    int signing = kind == OPERATION_SIGN;
    struct operation *operation;
    CK_RV rv;

    if (operation_exists(session, kind))
        return CKR_OPERATION_ACTIVE;
    rv = object_require(session, key, signing ? OBJECT_SM2_PRIVATE : OBJECT_SM2_PUBLIC,
                        signing ? CKA_SIGN : CKA_VERIFY);
    if (rv != CKR_OK)
        return rv;
    operation = operation_new(session, kind, mechanism->mechanism);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    if (signing) {
        rv = object_secret(session, key, &operation->secret);
        memcpy(operation->point, operation->secret.point, SM2_POINT_BYTES);
    } else {
        rv = object_public_point(session, key, operation->point);
    }
    if (rv == CKR_OK && takes_message(mechanism->mechanism))
        rv = start_message(operation, mechanism);
    else if (rv == CKR_OK && mechanism->ulParameterLen != 0)
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

static CK_RV start_mac(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE key) {
    struct operation *operation;
    CK_RV rv;

    if (operation_exists(session, kind))
        return CKR_OPERATION_ACTIVE;
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    operation = operation_new(session, kind, mechanism->mechanism);
    if (operation == NULL)
        return CKR_HOST_MEMORY;
    rv = mac_start(operation, key, kind == OPERATION_SIGN ? CKA_SIGN : CKA_VERIFY);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

static CK_RV absorb(struct operation *operation, const CK_BYTE *data, CK_ULONG length) {
    if (data == NULL && length > 0)
        return CKR_ARGUMENTS_BAD;
    if (operation->mac != NULL)
        return EVP_MAC_update(operation->mac, data, length) ? CKR_OK : CKR_FUNCTION_FAILED;
    if (operation->hash != NULL)
        return EVP_DigestUpdate(operation->hash, data, length) ? CKR_OK : CKR_FUNCTION_FAILED;
    if (length > SM2_BYTES - operation->e_length)
        return CKR_DATA_LEN_RANGE;
    if (length > 0)
        memcpy(operation->e + operation->e_length, data, length);
    operation->e_length += length;
    return CKR_OK;
}

/* Leaves e, or the authentication code, in operation->e. */
static CK_RV close_digest(struct operation *operation) {
    if (operation->mac != NULL)
        return EVP_MAC_final(operation->mac, operation->e, NULL, SM2_BYTES) ? CKR_OK : CKR_FUNCTION_FAILED;
    if (operation->hash != NULL)
        return EVP_DigestFinal_ex(operation->hash, operation->e, NULL) ? CKR_OK : CKR_FUNCTION_FAILED;
    return operation->e_length == SM2_BYTES ? CKR_OK : CKR_DATA_LEN_RANGE;
}

static CK_RV make_signature(struct operation *operation, CK_BYTE_PTR signature, CK_ULONG_PTR signature_length) {
    uint8_t raw[SM2_SIGNATURE_BYTES];
    CK_RV rv = close_digest(operation);

    if (rv != CKR_OK)
        return rv;
    if (operation->mac != NULL) {
        memcpy(signature, operation->e, SM2_BYTES);
        *signature_length = SM2_BYTES;
        return CKR_OK;
    }
    if (!sm2_sign_digest(&operation->secret, operation->e, raw))
        return CKR_FUNCTION_FAILED;
    if (speaks_der(operation->mechanism)) {
        *signature_length = (CK_ULONG)der_write_signature(raw, signature);
    } else {
        memcpy(signature, raw, sizeof raw);
        *signature_length = sizeof raw;
    }
    return CKR_OK;
}

static CK_RV check_signature(struct operation *operation, const CK_BYTE *signature, CK_ULONG length) {
    uint8_t raw[SM2_SIGNATURE_BYTES];
    CK_RV rv = close_digest(operation);

    if (rv != CKR_OK)
        return rv;
    if (signature == NULL)
        return CKR_ARGUMENTS_BAD;
    if (operation->mac != NULL) {
        if (length != SM2_BYTES)
            return CKR_SIGNATURE_LEN_RANGE;
        return CRYPTO_memcmp(signature, operation->e, SM2_BYTES) == 0 ? CKR_OK : CKR_SIGNATURE_INVALID;
    }
    if (speaks_der(operation->mechanism)) {
        if (length > DER_SIGNATURE_LIMIT)
            return CKR_SIGNATURE_LEN_RANGE;
        if (!der_read_signature(signature, length, raw))
            return CKR_SIGNATURE_INVALID;
    } else {
        if (length != sizeof raw)
            return CKR_SIGNATURE_LEN_RANGE;
        memcpy(raw, signature, sizeof raw);
    }
    return sm2_verify_digest(operation->point, operation->e, raw) ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static size_t signature_size(const struct operation *operation) {
    if (operation->mac != NULL)
        return SM2_BYTES;
    return speaks_der(operation->mechanism) ? DER_SIGNATURE_LIMIT : SM2_SIGNATURE_BYTES;
}

CK_RV softgm_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism != NULL && is_sm2_signature(mechanism->mechanism))
        return start(session, OPERATION_SIGN, mechanism, key);
    if (mechanism != NULL && mechanism->mechanism == CKM_SOFTGM_SM3_HMAC)
        return start_mac(session, OPERATION_SIGN, mechanism, key);
    rv = operation_check_foreign(session, OPERATION_SIGN, mechanism, key);
    return rv != CKR_OK ? rv : inner->C_SignInit(session, mechanism, key);
}

CK_RV softgm_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                  CK_ULONG_PTR signature_length) {
    struct operation *operation = operation_take(session, OPERATION_SIGN);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_Sign(session, data, length, signature, signature_length);
    if (!result_fits(signature, signature_length, signature_size(operation), &rv)) {
        operation_put(operation);
        return rv;
    }
    rv = absorb(operation, data, length);
    if (rv == CKR_OK)
        rv = make_signature(operation, signature, signature_length);
    operation_free(operation);
    return rv;
}

CK_RV softgm_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
    struct operation *operation = operation_take(session, OPERATION_SIGN);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_SignUpdate(session, part, length);
    rv = absorb(operation, part, length);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

CK_RV softgm_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR signature_length) {
    struct operation *operation = operation_take(session, OPERATION_SIGN);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_SignFinal(session, signature, signature_length);
    if (!result_fits(signature, signature_length, signature_size(operation), &rv)) {
        operation_put(operation);
        return rv;
    }
    rv = make_signature(operation, signature, signature_length);
    operation_free(operation);
    return rv;
}

CK_RV softgm_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = session_check(session);

    if (rv != CKR_OK)
        return rv;
    if (mechanism != NULL && is_sm2_signature(mechanism->mechanism))
        return start(session, OPERATION_VERIFY, mechanism, key);
    if (mechanism != NULL && mechanism->mechanism == CKM_SOFTGM_SM3_HMAC)
        return start_mac(session, OPERATION_VERIFY, mechanism, key);
    rv = operation_check_foreign(session, OPERATION_VERIFY, mechanism, key);
    return rv != CKR_OK ? rv : inner->C_VerifyInit(session, mechanism, key);
}

CK_RV softgm_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                    CK_ULONG signature_length) {
    struct operation *operation = operation_take(session, OPERATION_VERIFY);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_Verify(session, data, length, signature, signature_length);
    rv = absorb(operation, data, length);
    if (rv == CKR_OK)
        rv = check_signature(operation, signature, signature_length);
    operation_free(operation);
    return rv;
}

CK_RV softgm_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
    struct operation *operation = operation_take(session, OPERATION_VERIFY);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_VerifyUpdate(session, part, length);
    rv = absorb(operation, part, length);
    if (rv == CKR_OK)
        operation_put(operation);
    else
        operation_free(operation);
    return rv;
}

CK_RV softgm_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_length) {
    struct operation *operation = operation_take(session, OPERATION_VERIFY);
    CK_RV rv;

    if (operation == NULL)
        return inner->C_VerifyFinal(session, signature, signature_length);
    rv = check_signature(operation, signature, signature_length);
    operation_free(operation);
    return rv;
}
