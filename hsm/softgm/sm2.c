/*
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See sm2.h. What is above the curve: Z, nonces, key derivation, encryption.
 */
#include "sm2.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "native/declassify.h"
#include "sm2_engine.h"

static const struct sm2_engine *engine;
static EVP_MD *sm3;

/* a, b, Gx, Gy as Z hashes them (GB/T 32918.5-2017 §A.1). */
static const uint8_t CURVE_CONSTANTS[4 * SM2_BYTES] = {
    0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC,
    0x28, 0xE9, 0xFA, 0x9E, 0x9D, 0x9F, 0x5E, 0x34, 0x4D, 0x5A, 0x9E, 0x4B, 0xCF, 0x65, 0x09, 0xA7,
    0xF3, 0x97, 0x89, 0xF5, 0x15, 0xAB, 0x8F, 0x92, 0xDD, 0xBC, 0xBD, 0x41, 0x4D, 0x94, 0x0E, 0x93,
    0x32, 0xC4, 0xAE, 0x2C, 0x1F, 0x19, 0x81, 0x19, 0x5F, 0x99, 0x04, 0x46, 0x6A, 0x39, 0xC9, 0x94,
    0x8F, 0xE3, 0x0B, 0xBF, 0xF2, 0x66, 0x0B, 0xE1, 0x71, 0x5A, 0x45, 0x89, 0x33, 0x4C, 0x74, 0xC7,
    0xBC, 0x37, 0x36, 0xA2, 0xF4, 0xF6, 0x77, 0x9C, 0x59, 0xBD, 0xCE, 0xE3, 0x6B, 0x69, 0x21, 0x53,
    0xD0, 0xA9, 0x87, 0x7C, 0xC6, 0x2A, 0x47, 0x40, 0x02, 0xDF, 0x32, 0xE5, 0x21, 0x39, 0xF0, 0xA0,
};

/* n, the order of G (GB/T 32918.5-2017 §2). */
static const uint8_t ORDER[SM2_BYTES] = {
    0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0x72, 0x03, 0xDF, 0x6B, 0x21, 0xC6, 0x05, 0x2B, 0x53, 0xBB, 0xF4, 0x09, 0x39, 0xD5, 0x41, 0x23,
};

/* The engine that the environment names, or the usual one; NULL for a name that is none. */
static const struct sm2_engine *wanted_engine(void) {
    const char *name = getenv("SOFTGM_ENGINE");

    if (name == NULL || *name == '\0' || strcmp(name, sm2_native.name) == 0)
        return &sm2_native;
    return strcmp(name, sm2_libcrypto.name) == 0 ? &sm2_libcrypto : NULL;
}

int sm2_start(void) {
    const struct sm2_engine *wanted = wanted_engine();

    if (engine != NULL)
        return 1;
    sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
    if (sm3 != NULL && wanted != NULL && wanted->start())
        engine = wanted;
    else
        sm2_stop();
    return engine != NULL;
}

void sm2_stop(void) {
    if (engine != NULL)
        engine->stop();
    EVP_MD_free(sm3);
    engine = NULL;
    sm3 = NULL;
}

const char *sm2_engine_name(void) {
    return engine != NULL ? engine->name : "none";
}

int sm2_point_is_valid(const uint8_t point[SM2_POINT_BYTES]) {
    return engine->point_is_valid(point);
}

int sm2_secret_from_scalar(struct sm2_secret *secret, const uint8_t scalar[SM2_BYTES]) {
    return engine->secret_from_scalar(secret, scalar);
}

int sm2_z(const uint8_t point[SM2_POINT_BYTES], const uint8_t *identifier, size_t identifier_length,
          uint8_t z[SM2_BYTES]) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    size_t bits = identifier_length * 8;
    uint8_t entl[2] = {(uint8_t)(bits >> 8), (uint8_t)bits};
    int ok = hash != NULL && identifier_length <= SM2_IDENTIFIER_LIMIT && EVP_DigestInit_ex(hash, sm3, NULL) &&
             EVP_DigestUpdate(hash, entl, sizeof entl) && EVP_DigestUpdate(hash, identifier, identifier_length) &&
             EVP_DigestUpdate(hash, CURVE_CONSTANTS, sizeof CURVE_CONSTANTS) &&
             EVP_DigestUpdate(hash, point + 1, SM2_POINT_BYTES - 1) && EVP_DigestFinal_ex(hash, z, NULL);

    EVP_MD_CTX_free(hash);
    return ok;
}

/*
 * A fresh number in [1, n - 1], from the private random generator. Numbers outside, one in 2^32, are thrown away; the
 * comparison goes over all bytes, and only its outcome shows.
 */
static int draw_scalar(uint8_t scalar[SM2_BYTES]) {
    unsigned borrow, any, in_range;

    do {
        if (RAND_priv_bytes(scalar, SM2_BYTES) != 1)
            return 0;
        borrow = 0;
        any = 0;
        for (size_t i = SM2_BYTES; i-- > 0;) {
            borrow = (scalar[i] - ORDER[i] - borrow) >> 31;
            any |= scalar[i];
        }
        in_range = borrow & (any != 0);
        DECLASSIFY(in_range);
    } while (!in_range);
    return 1;
}

int sm2_sign_digest(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                    uint8_t signature[SM2_SIGNATURE_BYTES]) {
    uint8_t k[SM2_BYTES];
    int retry = 1;
    int ok = 0;

    while (!ok && retry && draw_scalar(k))
        ok = engine->sign(secret, e, k, signature, &retry);
    OPENSSL_cleanse(k, sizeof k);
    return ok;
}

int sm2_sign_digest_with_nonce(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                               const uint8_t k[SM2_BYTES], uint8_t signature[SM2_SIGNATURE_BYTES], int *retry) {
    return engine->sign(secret, e, k, signature, retry);
}

int sm2_verify_digest(const uint8_t point[SM2_POINT_BYTES], const uint8_t e[SM2_BYTES],
                      const uint8_t signature[SM2_SIGNATURE_BYTES]) {
    return engine->verify(point, e, signature);
}

int sm2_multiply_base(const uint8_t scalar[SM2_BYTES], uint8_t product[SM2_POINT_BYTES]) {
    return engine->multiply_base(scalar, product);
}

int sm2_multiply(const uint8_t scalar[SM2_BYTES], const uint8_t point[SM2_POINT_BYTES],
                 uint8_t product[SM2_POINT_BYTES]) {
    return engine->multiply(scalar, point, product);
}

int sm2_combine(const uint8_t p[SM2_POINT_BYTES], const uint8_t x[SM2_BYTES], const uint8_t q[SM2_POINT_BYTES],
                uint8_t sum[SM2_POINT_BYTES]) {
    return engine->combine(p, x, q, sum);
}

/*
 * XORs the key stream KDF(x2 || y2, length) of GB/T 32918.4-2016 §5.4.3 into data; *zero tells that the stream was all
 * zero, which the standard refuses.
 */
static int xor_key_stream(const uint8_t shared[SM2_POINT_BYTES], const uint8_t *input, size_t length, uint8_t *output,
                          int *zero) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t block[SM2_BYTES];
    uint8_t seen = 0;
    size_t done = 0;
    uint32_t counter = 1;
    int ok = hash != NULL;

    for (; ok && done < length; counter++) {
        uint8_t count[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8),
                            (uint8_t)counter};
        size_t step = length - done < SM2_BYTES ? length - done : SM2_BYTES;

        ok = EVP_DigestInit_ex(hash, sm3, NULL) && EVP_DigestUpdate(hash, shared + 1, SM2_POINT_BYTES - 1) &&
             EVP_DigestUpdate(hash, count, sizeof count) && EVP_DigestFinal_ex(hash, block, NULL);
        for (size_t i = 0; ok && i < step; i++) {
            seen |= block[i];
            output[done + i] = input[done + i] ^ block[i];
        }
        done += step;
    }
    OPENSSL_cleanse(block, sizeof block);
    EVP_MD_CTX_free(hash);
    *zero = seen == 0;
    DECLASSIFY(*zero);
    return ok;
}

/* C3 = SM3(x2 || M || y2) (GB/T 32918.4-2016 §6.1, A7). */
static int check_value(const uint8_t shared[SM2_POINT_BYTES], const uint8_t *plaintext, size_t length,
                       uint8_t c3[SM2_BYTES]) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int ok = hash != NULL && EVP_DigestInit_ex(hash, sm3, NULL) &&
             EVP_DigestUpdate(hash, shared + 1, SM2_BYTES) && EVP_DigestUpdate(hash, plaintext, length) &&
             EVP_DigestUpdate(hash, shared + 1 + SM2_BYTES, SM2_BYTES) && EVP_DigestFinal_ex(hash, c3, NULL);

    EVP_MD_CTX_free(hash);
    return ok;
}

int sm2_encrypt(const uint8_t point[SM2_POINT_BYTES], const uint8_t *plaintext, size_t length, uint8_t *ciphertext) {
    uint8_t shared[SM2_POINT_BYTES];
    uint8_t k[SM2_BYTES];
    int zero = 1;
    int ok = length > 0 && length <= SM2_PLAINTEXT_LIMIT;

    while (ok && zero)
        ok = draw_scalar(k) && engine->multiply_base(k, ciphertext) && engine->multiply(k, point, shared) &&
             xor_key_stream(shared, plaintext, length, ciphertext + SM2_CIPHER_OVERHEAD, &zero);
    ok = ok && check_value(shared, plaintext, length, ciphertext + SM2_POINT_BYTES);
    OPENSSL_cleanse(shared, sizeof shared);
    OPENSSL_cleanse(k, sizeof k);
    return ok;
}

int sm2_decrypt(const struct sm2_secret *secret, const uint8_t *ciphertext, size_t length, uint8_t *plaintext) {
    uint8_t shared[SM2_POINT_BYTES];
    uint8_t c3[SM2_BYTES];
    int zero = 1, differs = 1;
    int ok;

    if (length <= SM2_CIPHER_OVERHEAD || length - SM2_CIPHER_OVERHEAD > SM2_PLAINTEXT_LIMIT)
        return 0;
    length -= SM2_CIPHER_OVERHEAD;
    ok = engine->multiply(secret->scalar, ciphertext, shared) &&
         xor_key_stream(shared, ciphertext + SM2_CIPHER_OVERHEAD, length, plaintext, &zero) && !zero &&
         check_value(shared, plaintext, length, c3);
    if (ok)
        differs = CRYPTO_memcmp(c3, ciphertext + SM2_POINT_BYTES, SM2_BYTES);
    DECLASSIFY(differs);
    ok = ok && !differs;
    if (!ok)
        OPENSSL_cleanse(plaintext, length);
    OPENSSL_cleanse(shared, sizeof shared);
    OPENSSL_cleanse(c3, sizeof c3);
    return ok;
}
