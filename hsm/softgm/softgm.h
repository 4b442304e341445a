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
#define CKK_VENDOR_SM4 0x80000106UL
#define CKM_VENDOR_SM4_KEY_GEN 0x80000107UL
#define CKM_VENDOR_SM4_ECB 0x80000108UL
#define CKM_VENDOR_SM4_CBC 0x80000109UL
#define CKM_VENDOR_SM4_CBC_PAD 0x8000A102UL

/* softgm's own numbers, where no vendor's are known. */
#define CKM_SOFTGM_SM4_GCM 0x8000010AUL        /* CK_GCM_PARAMS with a 12-byte IV; tag of 96 to 128 bits */
#define CKM_SOFTGM_SM3_HMAC 0x80009002UL       /* with an SM4 key, or a generic secret that is not sensitive */
#define CKM_SOFTGM_SM2_KEY_AGREEMENT 0x80008300UL /* struct softgm_agreement */
#define CKM_SOFTGM_SM2_ENVELOPE 0x80008301UL   /* wraps and unwraps SM2EnvelopedKey, GB/T 35276-2017 §7.4 */

#define SM4_KEY_BYTES 16U
#define SM4_BLOCK_BYTES 16U

/* CKA_EC_PARAMS of an SM2 key: OBJECT IDENTIFIER 1.2.156.10197.1.301. */
#define SM2_PARAMS_BYTES 10U
extern const CK_BYTE SM2_PARAMS[SM2_PARAMS_BYTES];
/* Identifier of the signer where the caller gives none (GM/T 0009-2012 §10). */
#define DEFAULT_IDENTIFIER "1234567812345678"

/* The module below, normally SoftHSM. */
extern CK_FUNCTION_LIST_PTR inner;

/* ---- objects.c: which objects are ours, and how they look from outside ---------------------------------------- */

enum object_kind { OBJECT_FOREIGN, OBJECT_SM2_PRIVATE, OBJECT_SM2_PUBLIC, OBJECT_SM4 };

CK_RV object_identify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind *kind);
/* Whether an SM2 key was made as CKK_VENDOR_SM2, and not as CKK_EC. */
CK_RV object_has_vendor_type(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, int *has);
/* CKR_KEY_TYPE_INCONSISTENT for a key of ours that a mechanism of the inner module is to work with. */
CK_RV object_refuse_ours(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV object_flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag);
/* Words for a handle that is no key, as the functions that use keys must say it. */
CK_RV object_key_error(CK_RV rv);
/* Also demands that the key may be used so: CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT… */
CK_RV object_require(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                     CK_ATTRIBUTE_TYPE usage);
CK_RV object_public_point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t point[SM2_POINT_BYTES]);
/* The scalar from the cache, or else from the inner token. */
CK_RV object_secret(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, struct sm2_secret *secret);
CK_RV object_sm4_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, uint8_t value[SM4_KEY_BYTES]);
CK_RV object_is_extractable(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, enum object_kind kind,
                            CK_BBOOL *extractable);

/* ---- making.c: new objects ---------------------------------------------------------------------------------------- */

/* Store a key that did not grow here; template is the caller's. */
CK_RV object_import_sm2(CK_SESSION_HANDLE session, const uint8_t scalar[SM2_BYTES], const CK_ATTRIBUTE *template,
                        CK_ULONG count, CK_OBJECT_HANDLE_PTR object);
CK_RV object_import_sm4(CK_SESSION_HANDLE session, const uint8_t value[SM4_KEY_BYTES], const CK_ATTRIBUTE *template,
                        CK_ULONG count, CK_OBJECT_HANDLE_PTR object);

CK_RV softgm_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                         CK_ULONG count, CK_OBJECT_HANDLE_PTR key);
CK_RV softgm_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key);
CK_RV softgm_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                          CK_OBJECT_HANDLE_PTR object);
CK_RV softgm_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR copy);
CK_RV softgm_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object);

/* ---- attributes.c and find.c: how objects look from outside ------------------------------------------------------- */

CK_RV softgm_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count);
CK_RV softgm_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                               CK_ULONG count);
CK_RV softgm_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count);
CK_RV softgm_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG limit, CK_ULONG_PTR count);
CK_RV softgm_FindObjectsFinal(CK_SESSION_HANDLE session);

/* ---- mechanisms.c ------------------------------------------------------------------------------------------------- */

CK_RV softgm_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count);
CK_RV softgm_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info);

/* ---- replication.c: from token to token under a wrapping key -------------------------------------------------- */

CK_RV softgm_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                     CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_length);
CK_RV softgm_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
                       CK_BYTE_PTR wrapped, CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR key);

/* ---- agreement.c: SM2 key agreement ------------------------------------------------------------------------------- */

/*
 * Parameter of CKM_SOFTGM_SM2_KEY_AGREEMENT; the base key is the private key of one's own. The template asks for a
 * CKK_VENDOR_SM4, CKK_AES or CKK_GENERIC_SECRET key, the latter two with CKA_VALUE_LEN. Where a function fails, the
 * ephemeral key lives on; where it succeeds, it is destroyed.
 */
#define SOFTGM_INITIATOR 1UL /* A of the standard, who sends the first message */
#define SOFTGM_RESPONDER 2UL /* B */
struct softgm_agreement {
    CK_ULONG role;
    CK_OBJECT_HANDLE ephemeral_key; /* own private key of this agreement: a session object with CKA_DERIVE */
    CK_BYTE_PTR own_identifier;     /* NULL: 1234567812345678 */
    CK_ULONG own_identifier_length;
    CK_BYTE_PTR peer_identifier;
    CK_ULONG peer_identifier_length;
    CK_BYTE_PTR peer_point; /* 04 || x || y, and so below */
    CK_ULONG peer_point_length;
    CK_BYTE_PTR peer_ephemeral_point;
    CK_ULONG peer_ephemeral_point_length;
    CK_BYTE_PTR confirmations; /* NULL, or room for 64 bytes: SB (= S1), then SA (= S2), of the optional steps */
};

CK_RV softgm_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                       CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR key);

/* ---- state.c: running operations, and the cache of private values ---------------------------------------------- */

enum operation_kind {
    OPERATION_SIGN,
    OPERATION_VERIFY,
    OPERATION_ENCRYPT,
    OPERATION_DECRYPT,
    OPERATION_DIGEST,
    OPERATION_FIND
};
#define OPERATION_KINDS 6

struct sm4;

struct operation {
    CK_SESSION_HANDLE session;
    enum operation_kind kind;
    CK_MECHANISM_TYPE mechanism;
    EVP_MD_CTX *hash; /* digests, and signatures over a message */
    uint8_t e[SM2_BYTES];
    size_t e_length; /* signatures over e: how much of it has come */
    struct sm2_secret secret;
    uint8_t point[SM2_POINT_BYTES];
    EVP_MAC_CTX *mac;
    struct sm4 *sm4;
    CK_OBJECT_HANDLE *found; /* what a search found, and how much of it was handed out */
    CK_ULONG found_count;
    CK_ULONG found_next;
    struct operation *next;
};

/*
 * While a key passes through the token in an object that the inner module can read (see replication.c), nobody else
 * looks at an object's value: SoftHSM shows an object before it has all of its attributes, its mark among them.
 */
void carrier_begin(void);
void carrier_end(void);
void look_begin(void);
void look_end(void);

struct operation *operation_new(CK_SESSION_HANDLE session, enum operation_kind kind, CK_MECHANISM_TYPE mechanism);
void operation_free(struct operation *operation);
int operation_exists(CK_SESSION_HANDLE session, enum operation_kind kind);
/* Whether any operation of ours but a search runs in the session. */
int operation_any(CK_SESSION_HANDLE session);
/*
 * Takes the operation out of the table, so that whoever holds it is its only owner: a session that is closed or used
 * by two threads at once then costs an error and not memory. NULL: none of ours, ask the inner module.
 */
struct operation *operation_take(CK_SESSION_HANDLE session, enum operation_kind kind);
void operation_put(struct operation *operation);

int secret_find(CK_OBJECT_HANDLE object, struct sm2_secret *secret);
void secret_store(CK_SLOT_ID slot, CK_OBJECT_HANDLE object, const struct sm2_secret *secret);
void secret_forget(CK_OBJECT_HANDLE object);

/* Frees operations of sessions that the inner module has closed. */
void state_forget_closed(void);
void state_forget_session(CK_SESSION_HANDLE session);
void state_forget_slot(CK_SLOT_ID slot);
void state_forget_all(void);

/* ---- token_faults.c: a machine that is down, for tests ---------------------------------------------------------- */

CK_RV fault_of_slot(CK_SLOT_ID slot);
/* What is wrong with the session, if anything, and else the fault of its token. */
CK_RV session_check(CK_SESSION_HANDLE session);

/* ---- mac.c --------------------------------------------------------------------------------------------------------- */

/* Readies operation->mac; the key must be allowed to be used so. */
CK_RV mac_start(struct operation *operation, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE usage);

/* ---- sign.c, crypt.c and digest.c --------------------------------------------------------------------------------- */

/*
 * PKCS#11 v2.40 §5.2: a call without a buffer asks for the length, one with a short buffer is told it; both leave the
 * operation running. Returns 1 when the output has room, or else 0 with the answer in *rv and *output_length set.
 */
int result_fits(CK_BYTE_PTR output, CK_ULONG_PTR output_length, size_t needed, CK_RV *rv);

/*
 * What a function does before it hands an operation to the inner module: ours must not be running, and a key of ours
 * must not be meant.
 */
CK_RV operation_check_foreign(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                              CK_OBJECT_HANDLE key);

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
