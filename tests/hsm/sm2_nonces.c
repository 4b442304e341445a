/*
 * Runs what sm2.c does around the curve, drawing nonces and deriving keys, while memcheck takes every nonce and the
 * private key for undefined; prints the engine and how many branches and addresses depend on them. The argument says
 * what it does: "sign", or "encrypt" and decrypt.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <valgrind/memcheck.h>

#include "sm2.h"

static unsigned draws;

/* In the place of libcrypto's generator. The first number of each operation is out of range and has to be thrown away. */
int RAND_priv_bytes(unsigned char *bytes, int length) {
    if (draws++ == 0)
        memset(bytes, 0xFF, (size_t)length);
    else if (getrandom(bytes, (size_t)length, 0) != length)
        return 0;
    VALGRIND_MAKE_MEM_UNDEFINED(bytes, (size_t)length);
    return 1;
}

/* Whether memcheck takes any bit for undefined; takes the mark away. */
static int was_secret(void *bytes, size_t length) {
    uint8_t bits[256] = {0};
    int undefined = 0;

    VALGRIND_GET_VBITS(bytes, bits, length);
    VALGRIND_MAKE_MEM_DEFINED(bytes, length);
    VALGRIND_MAKE_MEM_DEFINED(bits, sizeof bits);
    for (size_t i = 0; i < length; i++)
        undefined |= bits[i];
    return undefined != 0;
}

static struct sm2_secret secret;

static int signs(void) {
    uint8_t e[32] = {0}, signature[64];

    return sm2_sign_digest(&secret, e, signature) && draws == 2 && was_secret(signature, sizeof signature) &&
           sm2_verify_digest(secret.point, e, signature);
}

static int encrypts(void) {
    static const uint8_t text[40] = "what nobody else is to read";
    uint8_t sealed[sizeof text + SM2_CIPHER_OVERHEAD], opened[sizeof text];

    if (!sm2_encrypt(secret.point, text, sizeof text, sealed) || draws != 2 || !was_secret(sealed, sizeof sealed))
        return 0;
    if (!sm2_decrypt(&secret, sealed, sizeof sealed, opened) || !was_secret(opened, sizeof opened) ||
        memcmp(text, opened, sizeof text) != 0)
        return 0;
    sealed[sizeof sealed - 1] ^= 1;
    return !sm2_decrypt(&secret, sealed, sizeof sealed, opened);
}

int main(int count, char **arguments) {
    uint8_t d[32];
    unsigned before;

    memset(d, 0x11, sizeof d);
    if (!RUNNING_ON_VALGRIND || count != 2 || !sm2_start() || !sm2_secret_from_scalar(&secret, d))
        return 2;
    VALGRIND_MAKE_MEM_UNDEFINED(secret.scalar, 32);
    VALGRIND_MAKE_MEM_UNDEFINED(secret.inverse_mont, 32);
    before = VALGRIND_COUNT_ERRORS;
    if (!(strcmp(arguments[1], "sign") == 0 ? signs() : encrypts()))
        return 3;
    printf("%s %u", sm2_engine_name(), VALGRIND_COUNT_ERRORS - before);
    return 0;
}
