/* The console of the software device: it alone makes keys. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "libsdf.h"

#define SHORTEST_PASSWORD 8U

static int are_valid(const char *folder, unsigned int index, const char *password, unsigned int length,
                     unsigned int iterations) {
    return folder != NULL && index > 0 && password != NULL && length >= SHORTEST_PASSWORD &&
           length <= LONGEST_PASSWORD && iterations > 0 && sm2_start();
}

static int make_pair(const char *folder, enum key_kind kind, unsigned int index, const char *password,
                     unsigned int length, unsigned int iterations) {
    int is_ecc = kind == KEY_SIGN_ECC || kind == KEY_ENC_ECC;
    struct stored_key key;
    int answer = is_ecc ? ecc_make_pair(&key) : rsa_make_pair(&key);

    if (answer == SDR_OK)
        answer = store_write(folder, kind, index, (const unsigned char *)password, length, iterations, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return answer;
}

int LIBSDF_MakeKeyPairs(const char *folder, unsigned int algorithm, unsigned int index, const char *password,
                        unsigned int length, unsigned int iterations) {
    int answer;

    if (!are_valid(folder, index, password, length, iterations))
        return SDR_INARGERR;
    if (algorithm != SGD_SM2 && algorithm != SGD_RSA)
        return SDR_ALGNOTSUPPORT;
    answer = make_pair(folder, algorithm == SGD_SM2 ? KEY_SIGN_ECC : KEY_SIGN_RSA, index, password, length, iterations);
    if (answer != SDR_OK)
        return answer;
    return make_pair(folder, algorithm == SGD_SM2 ? KEY_ENC_ECC : KEY_ENC_RSA, index, password, length, iterations);
}

int LIBSDF_MakeKEK(const char *folder, unsigned int index, const char *secret, unsigned int length,
                   unsigned int iterations) {
    struct stored_key key = {.secret_length = SM4_BYTES};
    int answer = SDR_RANDERR;

    if (!are_valid(folder, index, secret, length, iterations))
        return SDR_INARGERR;
    if (RAND_priv_bytes(key.secret, SM4_BYTES) == 1)
        answer = store_write(folder, KEY_KEK, index, (const unsigned char *)secret, length, iterations, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return answer;
}
