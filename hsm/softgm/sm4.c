/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See sm4.h. */
#include "sm4.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "ghash.h"

#define GCM_IV_BYTES 12U
#define TAG_BITS_LEAST 96U
#define TAG_BITS_MOST 128U
/* NIST SP 800-38D §5.2.1.1: 2^39 - 256 bits under one IV. */
#define GCM_LIMIT (((uint64_t)1 << 36) - 32)
/* EVP counts in int. */
#define PART_LIMIT ((CK_ULONG)1 << 30)

struct sm4 {
    CK_MECHANISM_TYPE mode;
    int encrypting;
    EVP_CIPHER_CTX *evp; /* under GCM: the counter mode inside */
    size_t pending;      /* bytes that wait for the rest of their block, or to be known as the last one */
    struct ghash hash;
    uint8_t tag_mask[SM4_BLOCK_BYTES];
    size_t tag_bytes;
    uint8_t *held; /* what must not go out yet: ciphertext under GCM, or a result that found no room */
    size_t held_length;
    size_t held_room;
    int in_parts; /* C_EncryptUpdate or C_DecryptUpdate was called */
    int finished; /* held is the result */
};

int sm4_encrypt_block(const uint8_t key[SM4_KEY_BYTES], uint8_t block[SM4_BLOCK_BYTES]) {
    EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();
    int length = 0;
    int ok = evp != NULL && EVP_EncryptInit_ex(evp, EVP_sm4_ecb(), NULL, key, NULL) &&
             EVP_EncryptUpdate(evp, block, &length, block, SM4_BLOCK_BYTES) && length == (int)SM4_BLOCK_BYTES;

    EVP_CIPHER_CTX_free(evp);
    return ok;
}

int sm4_is_cipher(const CK_MECHANISM *mechanism) {
    if (mechanism == NULL)
        return 0;
    switch (mechanism->mechanism) {
    case CKM_VENDOR_SM4_ECB:
    case CKM_VENDOR_SM4_CBC:
    case CKM_VENDOR_SM4_CBC_PAD:
    case CKM_SOFTGM_SM4_GCM:
        return 1;
    default:
        return 0;
    }
}

/* ---- Starting ----------------------------------------------------------------------------------------------------- */

/* Counter mode from J0 + 1, and E(J0) for the tag (NIST SP 800-38D §7.1). */
static CK_RV start_gcm(struct sm4 *cipher, const CK_MECHANISM *mechanism, const uint8_t key[SM4_KEY_BYTES]) {
    CK_GCM_PARAMS params;
    uint8_t hash_key[SM4_BLOCK_BYTES] = {0};
    uint8_t counter[SM4_BLOCK_BYTES] = {0};
    int ok;

    if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof params)
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&params, mechanism->pParameter, sizeof params);
    /* iv_bits repeats iv_len, and callers leave it 0. */
    if (params.iv_ptr == NULL || params.iv_len != GCM_IV_BYTES ||
        (params.iv_bits != 0 && params.iv_bits != 8 * GCM_IV_BYTES) ||
        (params.aad_ptr == NULL && params.aad_len > 0) || params.aad_len > PART_LIMIT ||
        params.tag_bits < TAG_BITS_LEAST || params.tag_bits > TAG_BITS_MOST || params.tag_bits % 8 != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    cipher->tag_bytes = params.tag_bits / 8;
    memcpy(counter, params.iv_ptr, GCM_IV_BYTES);
    counter[SM4_BLOCK_BYTES - 1] = 1;
    memcpy(cipher->tag_mask, counter, sizeof counter);
    counter[SM4_BLOCK_BYTES - 1] = 2;
    ok = sm4_encrypt_block(key, hash_key) && sm4_encrypt_block(key, cipher->tag_mask) &&
         EVP_EncryptInit_ex(cipher->evp, EVP_sm4_ctr(), NULL, key, counter);
    ghash_start(&cipher->hash, hash_key);
    ghash_associated(&cipher->hash, params.aad_ptr, params.aad_len);
    OPENSSL_cleanse(hash_key, sizeof hash_key);
    return ok ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV start_blocks(struct sm4 *cipher, const CK_MECHANISM *mechanism, const uint8_t key[SM4_KEY_BYTES]) {
    int chained = mechanism->mechanism != CKM_VENDOR_SM4_ECB;
    size_t iv_bytes = chained ? SM4_BLOCK_BYTES : 0;

    if (mechanism->ulParameterLen != iv_bytes || (chained && mechanism->pParameter == NULL))
        return CKR_MECHANISM_PARAM_INVALID;
    if (!EVP_CipherInit_ex(cipher->evp, chained ? EVP_sm4_cbc() : EVP_sm4_ecb(), NULL, key,
                           chained ? mechanism->pParameter : NULL, cipher->encrypting) ||
        !EVP_CIPHER_CTX_set_padding(cipher->evp, cipher->mode == CKM_VENDOR_SM4_CBC_PAD))
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

CK_RV sm4_start(const CK_MECHANISM *mechanism, const uint8_t key[SM4_KEY_BYTES], int encrypting, struct sm4 **cipher) {
    struct sm4 *made = OPENSSL_zalloc(sizeof *made);
    CK_RV rv = CKR_HOST_MEMORY;

    *cipher = NULL;
    if (made == NULL)
        return rv;
    made->mode = mechanism->mechanism;
    made->encrypting = encrypting;
    made->evp = EVP_CIPHER_CTX_new();
    if (made->evp != NULL)
        rv = made->mode == CKM_SOFTGM_SM4_GCM ? start_gcm(made, mechanism, key) : start_blocks(made, mechanism, key);
    if (rv == CKR_OK)
        *cipher = made;
    else
        sm4_free(made);
    return rv;
}

void sm4_free(struct sm4 *cipher) {
    if (cipher == NULL)
        return;
    EVP_CIPHER_CTX_free(cipher->evp);
    OPENSSL_clear_free(cipher->held, cipher->held_room);
    OPENSSL_clear_free(cipher, sizeof *cipher);
}

/* ---- Parts -------------------------------------------------------------------------------------------------------- */

static int is_gcm(const struct sm4 *cipher) {
    return cipher->mode == CKM_SOFTGM_SM4_GCM;
}

/* Whether the result is known only when everything has come: the tag decides, or the padding how long it is. */
static int is_late(const struct sm4 *cipher) {
    return !cipher->encrypting && (is_gcm(cipher) || cipher->mode == CKM_VENDOR_SM4_CBC_PAD);
}

static CK_RV bad_length(const struct sm4 *cipher) {
    return cipher->encrypting ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV hold(struct sm4 *cipher, const CK_BYTE *data, size_t length) {
    size_t room = cipher->held_room;
    uint8_t *grown;

    if (length > SM4_HELD_LIMIT - cipher->held_length)
        return bad_length(cipher);
    while (room < cipher->held_length + length)
        room = room < 1024 ? 1024 : room * 2;
    if (room > cipher->held_room) {
        grown = OPENSSL_clear_realloc(cipher->held, cipher->held_room, room);
        if (grown == NULL)
            return CKR_HOST_MEMORY;
        cipher->held = grown;
        cipher->held_room = room;
    }
    if (length > 0)
        memcpy(cipher->held + cipher->held_length, data, length);
    cipher->held_length += length;
    return CKR_OK;
}

/* What update puts out for so many more bytes. */
static size_t update_size(const struct sm4 *cipher, size_t length) {
    size_t total = cipher->pending + length;

    if (is_gcm(cipher))
        return cipher->encrypting ? length : 0;
    if (is_late(cipher) && total > 0)
        total--;
    return total / SM4_BLOCK_BYTES * SM4_BLOCK_BYTES;
}

static CK_RV update(struct sm4 *cipher, const CK_BYTE *data, size_t length, uint8_t *output) {
    size_t expected = update_size(cipher, length);
    int written = 0;

    if (is_gcm(cipher) && !cipher->encrypting)
        return hold(cipher, data, length);
    if (length == 0)
        return CKR_OK;
    if (!EVP_CipherUpdate(cipher->evp, output, &written, data, (int)length) || (size_t)written != expected)
        return CKR_FUNCTION_FAILED;
    if (is_gcm(cipher))
        ghash_ciphertext(&cipher->hash, output, expected);
    else
        cipher->pending += length - expected;
    return CKR_OK;
}

/* ---- The end ------------------------------------------------------------------------------------------------------ */

static void make_tag(struct sm4 *cipher, uint8_t tag[SM4_BLOCK_BYTES]) {
    ghash_final(&cipher->hash, tag);
    for (size_t i = 0; i < SM4_BLOCK_BYTES; i++)
        tag[i] ^= cipher->tag_mask[i];
}

/* held is ciphertext and tag; becomes the plaintext. */
static CK_RV open_held(struct sm4 *cipher) {
    uint8_t tag[SM4_BLOCK_BYTES];
    size_t length;
    int written = 0;

    if (cipher->held_length < cipher->tag_bytes)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    length = cipher->held_length - cipher->tag_bytes;
    ghash_ciphertext(&cipher->hash, cipher->held, length);
    make_tag(cipher, tag);
    if (CRYPTO_memcmp(tag, cipher->held + length, cipher->tag_bytes) != 0)
        return CKR_ENCRYPTED_DATA_INVALID;
    if (length > 0 && (!EVP_EncryptUpdate(cipher->evp, cipher->held, &written, cipher->held, (int)length) ||
                       (size_t)written != length))
        return CKR_FUNCTION_FAILED;
    cipher->held_length = length;
    return CKR_OK;
}

/* Appends what the end gives to held: a padding block, the rest of the last block without padding, a tag. */
static CK_RV close_blocks(struct sm4 *cipher) {
    uint8_t last[SM4_BLOCK_BYTES];
    int written = 0;
    CK_RV rv;

    if (cipher->mode != CKM_VENDOR_SM4_CBC_PAD)
        return cipher->pending == 0 ? CKR_OK : bad_length(cipher);
    if (!cipher->encrypting && cipher->pending != SM4_BLOCK_BYTES)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (!EVP_CipherFinal_ex(cipher->evp, last, &written)) {
        ERR_clear_error();
        return cipher->encrypting ? CKR_FUNCTION_FAILED : CKR_ENCRYPTED_DATA_INVALID;
    }
    rv = hold(cipher, last, (size_t)written);
    OPENSSL_cleanse(last, sizeof last);
    return rv;
}

static CK_RV finish(struct sm4 *cipher) {
    uint8_t tag[SM4_BLOCK_BYTES];
    CK_RV rv;

    if (cipher->finished)
        return CKR_OK;
    if (!is_gcm(cipher)) {
        rv = close_blocks(cipher);
    } else if (cipher->encrypting) {
        make_tag(cipher, tag);
        rv = hold(cipher, tag, cipher->tag_bytes);
    } else {
        rv = open_held(cipher);
    }
    cipher->finished = rv == CKR_OK;
    return rv;
}

static CK_RV deliver(const struct sm4 *cipher, CK_BYTE_PTR output, CK_ULONG_PTR output_length, int *goes_on) {
    CK_RV rv;

    *goes_on = !result_fits(output, output_length, cipher->held_length, &rv);
    if (*goes_on)
        return rv;
    if (cipher->held_length > 0)
        memcpy(output, cipher->held, cipher->held_length);
    *output_length = (CK_ULONG)cipher->held_length;
    return CKR_OK;
}

CK_RV sm4_update(struct sm4 *cipher, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                 CK_ULONG_PTR output_length, int *goes_on) {
    size_t expected;
    CK_RV rv;

    *goes_on = 0;
    if (data == NULL && length > 0)
        return CKR_ARGUMENTS_BAD;
    if (cipher->finished)
        return CKR_OPERATION_ACTIVE;
    if (length > PART_LIMIT || cipher->hash.lengths[1] > GCM_LIMIT - length)
        return bad_length(cipher);
    cipher->in_parts = 1;
    expected = update_size(cipher, length);
    *goes_on = 1;
    if (!result_fits(output, output_length, expected, &rv))
        return rv;
    rv = update(cipher, data, length, output);
    *output_length = (CK_ULONG)expected;
    *goes_on = rv == CKR_OK;
    return rv;
}

CK_RV sm4_final(struct sm4 *cipher, CK_BYTE_PTR output, CK_ULONG_PTR output_length, int *goes_on) {
    CK_RV rv = finish(cipher);

    *goes_on = 0;
    return rv != CKR_OK ? rv : deliver(cipher, output, output_length, goes_on);
}

/* Longest result of this many bytes in one part. */
static size_t whole_size(const struct sm4 *cipher, size_t length) {
    if (is_gcm(cipher))
        return cipher->encrypting ? length + cipher->tag_bytes : length - cipher->tag_bytes;
    if (cipher->mode == CKM_VENDOR_SM4_CBC_PAD)
        return cipher->encrypting ? (length / SM4_BLOCK_BYTES + 1) * SM4_BLOCK_BYTES : length;
    return length;
}

/* Everything into held: nothing may go out before the end is known. */
static CK_RV whole_late(struct sm4 *cipher, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                        CK_ULONG_PTR output_length, int *goes_on) {
    size_t plain;
    CK_RV rv = CKR_OK;

    if (!cipher->finished && is_gcm(cipher)) {
        rv = hold(cipher, data, length);
    } else if (!cipher->finished) {
        plain = update_size(cipher, length);
        rv = hold(cipher, data, length); /* for the room */
        cipher->held_length = plain;
        if (rv == CKR_OK)
            rv = update(cipher, data, length, cipher->held);
    }
    if (rv == CKR_OK)
        rv = finish(cipher);
    return rv != CKR_OK ? rv : deliver(cipher, output, output_length, goes_on);
}

CK_RV sm4_whole(struct sm4 *cipher, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                CK_ULONG_PTR output_length, int *goes_on) {
    size_t body;
    CK_RV rv;

    *goes_on = 0;
    if ((data == NULL && length > 0) || output_length == NULL)
        return CKR_ARGUMENTS_BAD;
    if (length > PART_LIMIT || (is_gcm(cipher) && !cipher->encrypting && length < cipher->tag_bytes))
        return bad_length(cipher);
    if (cipher->in_parts)
        return CKR_OPERATION_ACTIVE;
    if (output == NULL && !cipher->finished) {
        *output_length = (CK_ULONG)whole_size(cipher, length);
        *goes_on = 1;
        return CKR_OK;
    }
    if (is_late(cipher))
        return whole_late(cipher, data, length, output, output_length, goes_on);
    if (cipher->mode != CKM_VENDOR_SM4_CBC_PAD && !is_gcm(cipher) && length % SM4_BLOCK_BYTES != 0)
        return bad_length(cipher);
    *goes_on = 1;
    if (!result_fits(output, output_length, whole_size(cipher, length), &rv))
        return rv;
    *goes_on = 0;
    body = update_size(cipher, length);
    rv = update(cipher, data, length, output);
    if (rv == CKR_OK)
        rv = finish(cipher);
    if (rv != CKR_OK)
        return rv;
    if (cipher->held_length > 0)
        memcpy(output + body, cipher->held, cipher->held_length);
    *output_length = (CK_ULONG)(body + cipher->held_length);
    return CKR_OK;
}
