/* SM2 with stored and with given keys. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "libsdf.h"

#define SM2_BITS 256U
#define PADDING (ECCref_MAX_LEN - SM2_BYTES)

static int is_sm2(unsigned int algorithm) {
    return algorithm == SGD_SM2 || algorithm == SGD_SM2_1 || algorithm == SGD_SM2_3;
}

/* Copies a right-aligned number; 0 when it does not fit into 32 bytes. */
static int narrow(const unsigned char wide[ECCref_MAX_LEN], unsigned char number[SM2_BYTES]) {
    unsigned char above = 0;

    for (size_t i = 0; i < PADDING; i++)
        above |= wide[i];
    memcpy(number, wide + PADDING, SM2_BYTES);
    return above == 0;
}

static void widen(const unsigned char number[SM2_BYTES], unsigned char wide[ECCref_MAX_LEN]) {
    memset(wide, 0, PADDING);
    memcpy(wide + PADDING, number, SM2_BYTES);
}

int ecc_point(const ECCrefPublicKey *key, unsigned char point[SM2_POINT_BYTES]) {
    point[0] = 0x04;
    return key->bits == SM2_BITS && narrow(key->x, point + 1) && narrow(key->y, point + 1 + SM2_BYTES) &&
           sm2_point_is_valid(point);
}

static void put_point(const unsigned char point[SM2_POINT_BYTES], ECCrefPublicKey *key) {
    key->bits = SM2_BITS;
    widen(point + 1, key->x);
    widen(point + 1 + SM2_BYTES, key->y);
}

int ecc_make_pair(struct stored_key *key) {
    struct sm2_secret secret;
    int tries = 100;
    int ok = 0;

    while (!ok && tries-- > 0)
        ok = RAND_priv_bytes(key->secret, SM2_BYTES) == 1 && sm2_secret_from_scalar(&secret, key->secret);
    memcpy(key->public_part, secret.point, SM2_POINT_BYTES);
    OPENSSL_cleanse(&secret, sizeof secret);
    key->public_length = SM2_POINT_BYTES;
    key->secret_length = SM2_BYTES;
    return ok ? SDR_OK : SDR_RANDERR;
}

static int unlock_one(const struct device *device, enum key_kind kind, unsigned int index,
                      const unsigned char *password, size_t length, struct sm2_secret *secret) {
    struct stored_key key;
    int answer = store_open(device->folder, kind, index, password, length, &key);

    if (answer == SDR_OK && (key.secret_length != SM2_BYTES || !sm2_secret_from_scalar(secret, key.secret)))
        answer = SDR_KEYERR;
    OPENSSL_cleanse(&key, sizeof key);
    return answer;
}

int ecc_unlock(const struct device *device, struct right *right, const unsigned char *password, size_t length) {
    int sign = unlock_one(device, KEY_SIGN_ECC, right->index, password, length, &right->sign);
    int enc = unlock_one(device, KEY_ENC_ECC, right->index, password, length, &right->enc);

    right->has_sign = sign == SDR_OK;
    right->has_enc = enc == SDR_OK;
    return sign == SDR_KEYNOTEXIST ? enc : sign;
}

static int export_public(void *handle, enum key_kind kind, unsigned int index, ECCrefPublicKey *public_key) {
    struct session *session;
    struct stored_key key;
    int answer;

    if (public_key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = store_read_public(session->device->folder, kind, index, &key);
    if (answer == SDR_OK && key.public_length != SM2_POINT_BYTES)
        answer = SDR_KEYERR;
    if (answer == SDR_OK)
        put_point(key.public_part, public_key);
    return session_leave(session, answer);
}

int SDF_ExportSignPublicKey_ECC(void *handle, unsigned int index, ECCrefPublicKey *key) {
    return export_public(handle, KEY_SIGN_ECC, index, key);
}

int SDF_ExportEncPublicKey_ECC(void *handle, unsigned int index, ECCrefPublicKey *key) {
    return export_public(handle, KEY_ENC_ECC, index, key);
}

int SDF_GenerateKeyPair_ECC(void *handle, unsigned int algorithm, unsigned int bits, ECCrefPublicKey *public_key,
                            ECCrefPrivateKey *private_key) {
    struct session *session;
    struct stored_key key;
    int answer;

    if (public_key == NULL || private_key == NULL)
        return SDR_OUTARGERR;
    if (!is_sm2(algorithm) || bits != SM2_BITS)
        return SDR_ALGNOTSUPPORT;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = ecc_make_pair(&key);
    if (answer == SDR_OK) {
        put_point(key.public_part, public_key);
        private_key->bits = SM2_BITS;
        widen(key.secret, private_key->K);
    }
    OPENSSL_cleanse(&key, sizeof key);
    return session_leave(session, answer);
}

int SDF_InternalSign_ECC(void *handle, unsigned int index, unsigned char *data, unsigned int length,
                         ECCSignature *signature) {
    unsigned char raw[SM2_SIGNATURE_BYTES];
    struct session *session;
    struct right *right;
    int answer;

    if (data == NULL || length != SM2_BYTES)
        return SDR_INARGERR;
    if (signature == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    right = session_right(session, index);
    if (right == NULL)
        return session_leave(session, SDR_PARDENY);
    if (!right->has_sign)
        return session_leave(session, SDR_KEYNOTEXIST);
    if (!sm2_sign_digest(&right->sign, data, raw))
        return session_leave(session, SDR_SIGNERR);
    widen(raw, signature->r);
    widen(raw + SM2_BYTES, signature->s);
    return session_leave(session, SDR_OK);
}

static int verify(const unsigned char point[SM2_POINT_BYTES], const unsigned char e[SM2_BYTES],
                  const ECCSignature *signature) {
    unsigned char raw[SM2_SIGNATURE_BYTES];

    return narrow(signature->r, raw) && narrow(signature->s, raw + SM2_BYTES) && sm2_verify_digest(point, e, raw)
               ? SDR_OK
               : SDR_VERIFYERR;
}

int SDF_InternalVerify_ECC(void *handle, unsigned int index, unsigned char *data, unsigned int length,
                           ECCSignature *signature) {
    struct session *session;
    struct stored_key key;
    int answer;

    if (data == NULL || length != SM2_BYTES || signature == NULL)
        return SDR_INARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = store_read_public(session->device->folder, KEY_SIGN_ECC, index, &key);
    if (answer == SDR_OK)
        answer = key.public_length == SM2_POINT_BYTES ? verify(key.public_part, data, signature) : SDR_KEYERR;
    return session_leave(session, answer);
}

int SDF_ExternalVerify_ECC(void *handle, unsigned int algorithm, ECCrefPublicKey *key, unsigned char *data,
                           unsigned int length, ECCSignature *signature) {
    unsigned char point[SM2_POINT_BYTES];
    struct session *session;
    int answer;

    if (key == NULL || data == NULL || length != SM2_BYTES || signature == NULL)
        return SDR_INARGERR;
    if (!is_sm2(algorithm))
        return SDR_ALGNOTSUPPORT;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    return session_leave(session, ecc_point(key, point) ? verify(point, data, signature) : SDR_PKOPERR);
}

static int encrypt(const unsigned char point[SM2_POINT_BYTES], const unsigned char *data, unsigned int length,
                   ECCCipher *cipher) {
    unsigned char *raw = malloc(SM2_CIPHER_OVERHEAD + (size_t)length);
    int ok = raw != NULL && sm2_encrypt(point, data, length, raw);

    if (ok) {
        widen(raw + 1, cipher->x);
        widen(raw + 1 + SM2_BYTES, cipher->y);
        memcpy(cipher->M, raw + SM2_POINT_BYTES, SM2_BYTES);
        cipher->L = length;
        memcpy((unsigned char *)cipher + offsetof(ECCCipher, C), raw + SM2_CIPHER_OVERHEAD, length);
    }
    free(raw);
    return ok ? SDR_OK : SDR_PKOPERR;
}

/* Writes cipher->L bytes. */
static int decrypt(const struct sm2_secret *secret, const ECCCipher *cipher, unsigned char *data) {
    unsigned char *raw = malloc(SM2_CIPHER_OVERHEAD + (size_t)cipher->L);
    int ok = raw != NULL && narrow(cipher->x, raw + 1) && narrow(cipher->y, raw + 1 + SM2_BYTES);

    if (ok) {
        raw[0] = 0x04;
        memcpy(raw + SM2_POINT_BYTES, cipher->M, SM2_BYTES);
        memcpy(raw + SM2_CIPHER_OVERHEAD, (const unsigned char *)cipher + offsetof(ECCCipher, C), cipher->L);
        ok = sm2_decrypt(secret, raw, SM2_CIPHER_OVERHEAD + (size_t)cipher->L, data);
    }
    free(raw);
    return ok ? SDR_OK : SDR_ENCDATAERR;
}

int SDF_ExternalEncrypt_ECC(void *handle, unsigned int algorithm, ECCrefPublicKey *key, unsigned char *data,
                            unsigned int length, ECCCipher *cipher) {
    unsigned char point[SM2_POINT_BYTES];
    struct session *session;
    int answer;

    if (key == NULL || data == NULL || length == 0 || length > SM2_PLAINTEXT_LIMIT)
        return SDR_INARGERR;
    if (cipher == NULL)
        return SDR_OUTARGERR;
    if (!is_sm2(algorithm))
        return SDR_ALGNOTSUPPORT;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    return session_leave(session, ecc_point(key, point) ? encrypt(point, data, length, cipher) : SDR_PKOPERR);
}

/* The access right to the encryption pair of an index. */
static int enc_right(struct session *session, unsigned int index, struct right **right) {
    *right = session_right(session, index);
    if (*right == NULL)
        return SDR_PARDENY;
    return (*right)->has_enc ? SDR_OK : SDR_KEYNOTEXIST;
}

int SDF_InternalDecrypt_ECC(void *handle, unsigned int index, unsigned int algorithm, ECCCipher *cipher,
                            unsigned char *data, unsigned int *length) {
    struct session *session;
    struct right *right;
    int answer;

    if (cipher == NULL || cipher->L == 0 || cipher->L > SM2_PLAINTEXT_LIMIT)
        return SDR_INARGERR;
    if (data == NULL || length == NULL)
        return SDR_OUTARGERR;
    if (!is_sm2(algorithm))
        return SDR_ALGNOTSUPPORT;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = enc_right(session, index, &right);
    if (answer == SDR_OK)
        answer = decrypt(&right->enc, cipher, data);
    if (answer == SDR_OK)
        *length = cipher->L;
    return session_leave(session, answer);
}

int SDF_GenerateKeyWithIPK_ECC(void *handle, unsigned int index, unsigned int bits, ECCCipher *wrapped, void **key) {
    unsigned char value[SM4_BYTES];
    struct stored_key stored;
    struct session *session;
    int answer;

    if (bits != 8 * SM4_BYTES)
        return SDR_INARGERR;
    if (wrapped == NULL || key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = store_read_public(session->device->folder, KEY_ENC_ECC, index, &stored);
    if (answer == SDR_OK && stored.public_length != SM2_POINT_BYTES)
        answer = SDR_KEYERR;
    if (answer == SDR_OK && RAND_priv_bytes(value, sizeof value) != 1)
        answer = SDR_RANDERR;
    if (answer == SDR_OK)
        answer = encrypt(stored.public_part, value, sizeof value, wrapped);
    if (answer == SDR_OK)
        answer = session_keep_key(session, value, key);
    OPENSSL_cleanse(value, sizeof value);
    return session_leave(session, answer);
}

int SDF_ImportKeyWithISK_ECC(void *handle, unsigned int index, ECCCipher *wrapped, void **key) {
    unsigned char value[SM4_BYTES];
    struct session *session;
    struct right *right;
    int answer;

    if (wrapped == NULL || wrapped->L != SM4_BYTES)
        return SDR_INARGERR;
    if (key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = enc_right(session, index, &right);
    if (answer == SDR_OK)
        answer = decrypt(&right->enc, wrapped, value);
    if (answer == SDR_OK)
        answer = session_keep_key(session, value, key);
    OPENSSL_cleanse(value, sizeof value);
    return session_leave(session, answer);
}
