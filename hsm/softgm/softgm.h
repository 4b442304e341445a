/*
 * What the parts of softgm share. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See module.c for what softgm is.
 */
#ifndef SOFTGM_H
#define SOFTGM_H

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

#include "faults.h"
#include "sm2.h"

/* Vendor numbers of the Sansec family, also used by TASS, Koal and ChainMaker. */
#define CKK_VENDOR_SM2 0x80000004UL
#define CKM_VENDOR_SM2_KEY_PAIR_GEN 0x80008001UL
#define CKM_VENDOR_SM3_SM2_RAW 0x80008102UL /* message, with Z; the parameter is the identifier */
#define CKM_VENDOR_SM3_SM2_DER 0x80008103UL
#define CKM_VENDOR_SM2_DER 0x80008104UL /* the 32-byte e */
#define CKM_VENDOR_SM2_RAW 0x80008105UL
#define CKM_VENDOR_SM2_ENCRYPT_RAW 0x80008200UL
#define CKM_VENDOR_SM2_ENCRYPT_DER 0x80008201UL
#define CKM_VENDOR_SM3 0x80009001UL

/* CKA_EC_PARAMS of an SM2 key: OBJECT IDENTIFIER 1.2.156.10197.1.301. */
#define SM2_PARAMS_BYTES 10U
extern const CK_BYTE SM2_PARAMS[SM2_PARAMS_BYTES];
/* Identifier of the signer where the caller gives none (GM/T 0009-2012 §10). */
#define DEFAULT_IDENTIFIER "1234567812345678"

/* The module below, normally SoftHSM. */
extern CK_FUNCTION_LIST_PTR inner;

/* ---- objects.c: which objects are ours, and how they look from outside ---------------------------------------- */

enum object_kind { OBJECT_FOREIGN, OBJECT_SM2_PRIVATE, OBJECT_SM2_PUBLIC };

CK_RV object_identify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind *kind);
/* Also demands that the key may be used so: CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT or CKA_DECRYPT. */
CK_RV object_require(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                     CK_ATTRIBUTE_TYPE usage);
CK_RV object_public_point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t point[SM2_POINT_BYTES]);
/* The scalar from the cache, or else from the inner token. */
CK_RV object_secret(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, struct sm2_secret *secret);
CK_RV object_is_extractable(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_BBOOL *extractable);
/* Stores a private key that did not grow here; template is the caller's. */
CK_RV object_import(CK_SESSION_HANDLE session, const uint8_t scalar[SM2_BYTES], const CK_ATTRIBUTE *template,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR object);

CK_RV softgm_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key);
CK_RV softgm_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                          CK_OBJECT_HANDLE_PTR object);
CK_RV softgm_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR copy);
CK_RV softgm_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object);
CK_RV softgm_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count);
CK_RV softgm_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count);
CK_RV softgm_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count);

/* ---- replication.c: from token to token under a wrapping key -------------------------------------------------- */

CK_RV softgm_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                     CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length);
CK_RV softgm_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                       CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR key);

/* ---- state.c: running operations, and the cache of private values ---------------------------------------------- */

enum operation_kind { OPERATION_SIGN, OPERATION_VERIFY, OPERATION_ENCRYPT, OPERATION_DECRYPT, OPERATION_DIGEST };

struct operation {
    CK_SESSION_HANDLE session;
    enum operation_kind kind;
    CK_MECHANISM_TYPE mechanism;
    EVP_MD_CTX *hash; /* digests, and signatures over a message */
    uint8_t e[SM2_BYTES];
    size_t e_length; /* signatures over e: how much of it has come */
    struct sm2_secret secret;
    uint8_t point[SM2_POINT_BYTES];
    struct operation *next;
};

struct operation *operation_new(CK_SESSION_HANDLE session, enum operation_kind kind, CK_MECHANISM_TYPE mechanism);
void operation_free(struct operation *operation);
int operation_exists(CK_SESSION_HANDLE session, enum operation_kind kind);
/*
 * Takes the operation out of the table, so that whoever holds it is its only owner: a session that is closed or used
 * by two threads at once then costs an error and not memory. NULL: none of ours, ask the inner module.
 */
struct operation *operation_take(CK_SESSION_HANDLE session, enum operation_kind kind);
void operation_put(struct operation *operation);

int secret_find(CK_OBJECT_HANDLE object, struct sm2_secret *secret);
void secret_store(CK_SLOT_ID slot, CK_OBJECT_HANDLE object, const struct sm2_secret *secret);
void secret_forget(CK_OBJECT_HANDLE object);

void state_forget_session(CK_SESSION_HANDLE session);
void state_forget_slot(CK_SLOT_ID slot);
void state_forget_all(void);

/* ---- token_faults.c: a machine that is down, for tests ---------------------------------------------------------- */

CK_RV fault_of_slot(CK_SLOT_ID slot);
CK_RV fault_of_session(CK_SESSION_HANDLE session);

/* ---- sign.c and crypt.c ------------------------------------------------------------------------------------------ */

/*
 * PKCS#11 v2.40 §5.2: a call without a buffer asks for the length, one with a short buffer is told it; both leave the
 * operation running. Returns 1 when the output has room, or else 0 with the answer in *rv and *output_length set.
 */
int result_fits(CK_BYTE_PTR output, CK_ULONG_PTR output_length, size_t needed, CK_RV *rv);

CK_RV softgm_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV softgm_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                  CK_ULONG_PTR signature_length);
CK_RV softgm_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length);
CK_RV softgm_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR signature_length);
CK_RV softgm_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV softgm_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                    CK_ULONG signature_length);
CK_RV softgm_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length);
CK_RV softgm_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_length);

CK_RV softgm_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV softgm_Encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length);
CK_RV softgm_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length, CK_BYTE_PTR output,
                           CK_ULONG_PTR output_length);
CK_RV softgm_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR output, CK_ULONG_PTR output_length);
CK_RV softgm_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV softgm_Decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length);
CK_RV softgm_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length, CK_BYTE_PTR output,
                           CK_ULONG_PTR output_length);
CK_RV softgm_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR output, CK_ULONG_PTR output_length);
CK_RV softgm_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism);
CK_RV softgm_Digest(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR digest,
                    CK_ULONG_PTR digest_length);
CK_RV softgm_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length);
CK_RV softgm_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key);
CK_RV softgm_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR digest, CK_ULONG_PTR digest_length);

#endif
