/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See envelope.h. */
#include "envelope.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define KEY_BYTES 16

/* SM4-ECB without padding, whole blocks. */
static int crypt_blocks(int encrypting, const uint8_t key[KEY_BYTES], const uint8_t *in, size_t length, uint8_t *out) {
    EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();
    int written = 0;
    int ok = evp != NULL && EVP_CipherInit_ex(evp, EVP_sm4_ecb(), NULL, key, NULL, encrypting) &&
             EVP_CIPHER_CTX_set_padding(evp, 0) && EVP_CipherUpdate(evp, out, &written, in, (int)length) &&
             (size_t)written == length;

    EVP_CIPHER_CTX_free(evp);
    return ok;
}

int envelope_seal(const struct sm2_secret *secret, const uint8_t recipient[SM2_POINT_BYTES],
                  uint8_t der[DER_ENVELOPE_LIMIT], size_t *length) {
    struct der_envelope envelope = {.encrypted_length = SM2_BYTES};
    uint8_t key[KEY_BYTES];
    int ok = RAND_priv_bytes(key, sizeof key) == 1 && sm2_encrypt(recipient, key, sizeof key, envelope.raw_cipher) &&
             crypt_blocks(1, key, secret->scalar, SM2_BYTES, envelope.encrypted);

    OPENSSL_cleanse(key, sizeof key);
    memcpy(envelope.point, secret->point, SM2_POINT_BYTES);
    if (ok)
        *length = der_write_envelope(&envelope, der);
    return ok;
}

int envelope_open(const uint8_t *der, size_t length, const struct sm2_secret *recipient, uint8_t scalar[SM2_BYTES]) {
    static const uint8_t ZEROS[SM2_BYTES];
    struct der_envelope envelope;
    struct sm2_secret secret;
    uint8_t key[KEY_BYTES];
    uint8_t number[2 * SM2_BYTES] = {0};
    size_t filling;
    int ok;

    if (!der_read_envelope(der, length, &envelope))
        return 0;
    filling = envelope.encrypted_length - SM2_BYTES;
    ok = sm2_decrypt(recipient, envelope.raw_cipher, sizeof envelope.raw_cipher, key) &&
         crypt_blocks(0, key, envelope.encrypted, envelope.encrypted_length, number) &&
         CRYPTO_memcmp(number, ZEROS, filling) == 0 && sm2_secret_from_scalar(&secret, number + filling);
    if (ok) {
        ok = memcmp(secret.point, envelope.point, SM2_POINT_BYTES) == 0;
        memcpy(scalar, secret.scalar, SM2_BYTES);
        OPENSSL_cleanse(&secret, sizeof secret);
    }
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(number, sizeof number);
    return ok;
}
