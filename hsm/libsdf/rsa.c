/* RSA without padding, which is the caller's. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "libsdf.h"

#define MODULUS_BYTES RSAref_MAX_LEN

static int put_number(const EVP_PKEY *pair, const char *name, unsigned char *field) {
    BIGNUM *number = NULL;
    int ok = EVP_PKEY_get_bn_param(pair, name, &number) && BN_bn2binpad(number, field, RSAref_MAX_LEN) > 0;

    BN_free(number);
    return ok;
}

int rsa_make_pair(struct stored_key *key) {
    EVP_PKEY *pair = EVP_RSA_gen(RSAref_MAX_BITS);
    unsigned char *at = key->secret;
    int length = pair != NULL ? i2d_PrivateKey(pair, NULL) : -1;
    int ok = length > 0 && length <= (int)LONGEST_SECRET && i2d_PrivateKey(pair, &at) == length &&
             put_number(pair, OSSL_PKEY_PARAM_RSA_N, key->public_part) &&
             put_number(pair, OSSL_PKEY_PARAM_RSA_E, key->public_part + RSAref_MAX_LEN);

    key->public_length = 2 * RSAref_MAX_LEN;
    key->secret_length = ok ? (size_t)length : 0;
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return ok ? SDR_OK : SDR_UNKNOWERR;
}

int rsa_unlock(const struct device *device, struct right *right, const unsigned char *password, size_t length) {
    struct stored_key key;
    int answer = store_open(device->folder, KEY_SIGN_RSA, right->index, password, length, &key);
    const unsigned char *at = key.secret;

    if (answer == SDR_OK) {
        right->rsa = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)key.secret_length);
        if (right->rsa == NULL)
            answer = SDR_KEYERR;
    }
    OPENSSL_cleanse(&key, sizeof key);
    ERR_clear_error();
    return answer;
}

static int export_public(void *handle, enum key_kind kind, unsigned int index, RSArefPublicKey *public_key) {
    struct session *session;
    struct stored_key key;
    int answer;

    if (public_key == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    answer = store_read_public(session->device->folder, kind, index, &key);
    if (answer == SDR_OK && key.public_length != 2 * RSAref_MAX_LEN)
        answer = SDR_KEYERR;
    if (answer == SDR_OK) {
        public_key->bits = RSAref_MAX_BITS;
        memcpy(public_key->m, key.public_part, RSAref_MAX_LEN);
        memcpy(public_key->e, key.public_part + RSAref_MAX_LEN, RSAref_MAX_LEN);
    }
    return session_leave(session, answer);
}

int SDF_ExportSignPublicKey_RSA(void *handle, unsigned int index, RSArefPublicKey *key) {
    return export_public(handle, KEY_SIGN_RSA, index, key);
}

int SDF_ExportEncPublicKey_RSA(void *handle, unsigned int index, RSArefPublicKey *key) {
    return export_public(handle, KEY_ENC_RSA, index, key);
}

static EVP_PKEY *public_pkey(const RSArefPublicKey *key) {
    BIGNUM *modulus = BN_bin2bn(key->m, RSAref_MAX_LEN, NULL);
    BIGNUM *exponent = BN_bin2bn(key->e, RSAref_MAX_LEN, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY *pkey = NULL;

    if (modulus != NULL && exponent != NULL && build != NULL && ctx != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) &&
        (parameters = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
        pkey = NULL;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

/* The private operation is that of decryption without padding, the public one that of encryption. */
static int operate(EVP_PKEY *pkey, int is_private, const unsigned char *input, unsigned char *output) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    size_t length = MODULUS_BYTES;
    int ok = ctx != NULL && EVP_PKEY_get_size(pkey) == (int)MODULUS_BYTES;

    if (is_private)
        ok = ok && EVP_PKEY_decrypt_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0 &&
             EVP_PKEY_decrypt(ctx, output, &length, input, MODULUS_BYTES) > 0;
    else
        ok = ok && EVP_PKEY_encrypt_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0 &&
             EVP_PKEY_encrypt(ctx, output, &length, input, MODULUS_BYTES) > 0;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok && length == MODULUS_BYTES;
}

int SDF_ExternalPublicKeyOperation_RSA(void *handle, RSArefPublicKey *key, unsigned char *input,
                                       unsigned int input_length, unsigned char *output,
                                       unsigned int *output_length) {
    struct session *session;
    EVP_PKEY *pkey;
    int answer;

    if (key == NULL || input == NULL || input_length != MODULUS_BYTES)
        return SDR_INARGERR;
    if (output == NULL || output_length == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    pkey = public_pkey(key);
    if (pkey == NULL || !operate(pkey, 0, input, output))
        answer = SDR_PKOPERR;
    else
        *output_length = MODULUS_BYTES;
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return session_leave(session, answer);
}

int SDF_InternalPrivateKeyOperation_RSA(void *handle, unsigned int index, unsigned char *input,
                                        unsigned int input_length, unsigned char *output,
                                        unsigned int *output_length) {
    struct session *session;
    struct right *right;
    int answer;

    if (input == NULL || input_length != MODULUS_BYTES)
        return SDR_INARGERR;
    if (output == NULL || output_length == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    right = session_right(session, index);
    if (right == NULL)
        return session_leave(session, SDR_PARDENY);
    if (right->rsa == NULL)
        return session_leave(session, SDR_KEYNOTEXIST);
    if (!operate(right->rsa, 1, input, output))
        return session_leave(session, SDR_SKOPERR);
    *output_length = MODULUS_BYTES;
    return session_leave(session, SDR_OK);
}
