/* SM4 with session keys. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "libsdf.h"

#define LONGEST_DATA (16U * 1024U * 1024U)

int session_keep_key(struct session *session, const unsigned char value[SM4_BYTES], void **handle) {
    struct session_key *key = calloc(1, sizeof *key);

    if (key == NULL)
        return SDR_NOBUFFER;
    memcpy(key->key, value, SM4_BYTES);
    key->next = session->keys;
    session->keys = key;
    *handle = key;
    return SDR_OK;
}

static void forget_key(struct session_key **at) {
    struct session_key *key = *at;

    *at = key->next;
    OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

void session_forget_keys(struct session *session) {
    while (session->keys != NULL)
        forget_key(&session->keys);
}

static struct session_key **find_key(struct session *session, const void *handle) {
    struct session_key **at = &session->keys;

    while (*at != NULL && *at != handle)
        at = &(*at)->next;
    return at;
}

int SDF_DestroyKey(void *handle, void *key_handle) {
    struct session *session;
    struct session_key **at;
    int answer;

    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    at = find_key(session, key_handle);
    if (*at == NULL)
        return session_leave(session, SDR_KEYNOTEXIST);
    forget_key(at);
    return session_leave(session, SDR_OK);
}

/* Whole blocks; iv is left at the value that the next call goes on with. */
static int run_cipher(const unsigned char key[SM4_BYTES], unsigned int algorithm, int encrypts, unsigned char *iv,
                      const unsigned char *data, unsigned int length, unsigned char *output) {
    const EVP_CIPHER *cipher = algorithm == SGD_SM4_ECB ? EVP_sm4_ecb() : EVP_sm4_cbc();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char last[SM4_BYTES];
    int written = 0;
    int ok = ctx != NULL && EVP_CipherInit_ex(ctx, cipher, NULL, key, iv, encrypts) &&
             EVP_CIPHER_CTX_set_padding(ctx, 0);

    /* The last block in is taken before output may cover it. */
    memcpy(last, data + length - SM4_BYTES, SM4_BYTES);
    ok = ok && EVP_CipherUpdate(ctx, output, &written, data, (int)length) && written == (int)length;
    if (ok && algorithm != SGD_SM4_ECB)
        memcpy(iv, encrypts ? output + length - SM4_BYTES : last, SM4_BYTES);
    EVP_CIPHER_CTX_free(ctx);
    return ok ? SDR_OK : SDR_SYMOPERR;
}

static int apply(void *handle, void *key_handle, unsigned int algorithm, int encrypts, unsigned char *iv,
                 unsigned char *data, unsigned int length, unsigned char *output, unsigned int *output_length) {
    struct session *session;
    struct session_key *key;
    int answer;

    if (algorithm != SGD_SM4_ECB && algorithm != SGD_SM4_CBC)
        return SDR_ALGMODNOTSUPPORT;
    if (data == NULL || length == 0 || length % SM4_BYTES != 0 || length > LONGEST_DATA ||
        (algorithm == SGD_SM4_CBC && iv == NULL))
        return SDR_INARGERR;
    if (output == NULL || output_length == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    key = *find_key(session, key_handle);
    if (key == NULL)
        return session_leave(session, SDR_KEYNOTEXIST);
    answer = run_cipher(key->key, algorithm, encrypts, iv, data, length, output);
    if (answer == SDR_OK)
        *output_length = length;
    return session_leave(session, answer);
}

int SDF_Encrypt(void *handle, void *key, unsigned int algorithm, unsigned char *iv, unsigned char *data,
                unsigned int length, unsigned char *output, unsigned int *output_length) {
    return apply(handle, key, algorithm, 1, iv, data, length, output, output_length);
}

int SDF_Decrypt(void *handle, void *key, unsigned int algorithm, unsigned char *iv, unsigned char *data,
                unsigned int length, unsigned char *output, unsigned int *output_length) {
    return apply(handle, key, algorithm, 0, iv, data, length, output, output_length);
}

/* The last block of SM4-CBC. */
int SDF_CalculateMAC(void *handle, void *key_handle, unsigned int algorithm, unsigned char *iv, unsigned char *data,
                     unsigned int length, unsigned char *mac, unsigned int *mac_length) {
    unsigned char chained[SM4_BYTES], block[SM4_BYTES];
    struct session *session;
    struct session_key *key;
    int answer;

    if (algorithm != SGD_SM4_MAC)
        return SDR_ALGMODNOTSUPPORT;
    if (iv == NULL || data == NULL || length == 0 || length % SM4_BYTES != 0 || length > LONGEST_DATA)
        return SDR_INARGERR;
    if (mac == NULL || mac_length == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    key = *find_key(session, key_handle);
    if (key == NULL)
        return session_leave(session, SDR_KEYNOTEXIST);
    memcpy(chained, iv, SM4_BYTES);
    for (unsigned int at = 0; answer == SDR_OK && at < length; at += SM4_BYTES)
        answer = run_cipher(key->key, SGD_SM4_CBC, 1, chained, data + at, SM4_BYTES, block);
    if (answer == SDR_OK) {
        memcpy(mac, chained, SM4_BYTES);
        memcpy(iv, chained, SM4_BYTES);
        *mac_length = SM4_BYTES;
    }
    return session_leave(session, answer);
}

/* Encrypts or decrypts one SM4 key under a stored key encryption key, in ECB: it is one block. */
static int apply_kek(const struct device *device, unsigned int index, int encrypts, const unsigned char *input,
                     unsigned char *output) {
    struct stored_key kek;
    int answer = store_open(device->folder, KEY_KEK, index, device->secret, device->secret_length, &kek);

    if (answer == SDR_OK && kek.secret_length != SM4_BYTES)
        answer = SDR_KEYERR;
    if (answer == SDR_OK)
        answer = run_cipher(kek.secret, SGD_SM4_ECB, encrypts, NULL, input, SM4_BYTES, output);
    OPENSSL_cleanse(&kek, sizeof kek);
    return answer == SDR_PRKRERR ? SDR_KEYERR : answer;
}

int SDF_GenerateKeyWithKEK(void *handle, unsigned int bits, unsigned int algorithm, unsigned int index,
                           unsigned char *wrapped, unsigned int *length, void **key) {
    unsigned char value[SM4_BYTES];
    struct session *session;
    int answer;

    if (algorithm != SGD_SM4_ECB)
        return SDR_ALGNOTSUPPORT;
    if (bits != 8 * SM4_BYTES)
        return SDR_INARGERR;
    if (wrapped == NULL || length == NULL || key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = RAND_priv_bytes(value, sizeof value) == 1 ? SDR_OK : SDR_RANDERR;
    if (answer == SDR_OK)
        answer = apply_kek(session->device, index, 1, value, wrapped);
    if (answer == SDR_OK)
        answer = session_keep_key(session, value, key);
    if (answer == SDR_OK)
        *length = SM4_BYTES;
    OPENSSL_cleanse(value, sizeof value);
    return session_leave(session, answer);
}

int SDF_ImportKeyWithKEK(void *handle, unsigned int algorithm, unsigned int index, unsigned char *wrapped,
                         unsigned int length, void **key) {
    unsigned char value[SM4_BYTES];
    struct session *session;
    int answer;

    if (algorithm != SGD_SM4_ECB)
        return SDR_ALGNOTSUPPORT;
    if (wrapped == NULL || length != SM4_BYTES)
        return SDR_INARGERR;
    if (key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = apply_kek(session->device, index, 0, wrapped, value);
    if (answer == SDR_OK)
        answer = session_keep_key(session, value, key);
    OPENSSL_cleanse(value, sizeof value);
    return session_leave(session, answer);
}
