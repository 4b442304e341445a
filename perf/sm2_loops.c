/* Signs and verifies again and again with either arithmetic of softgm, with no Python between. */
#include <stdlib.h>
#include <string.h>

#include "sm2.h"

#define EXPORT __attribute__((visibility("default")))

static struct sm2_secret secret;
static uint8_t e[SM2_BYTES], signature[SM2_SIGNATURE_BYTES];

/* One engine at a time; the key stays. */
static int start(const char *engine) {
    sm2_stop();
    return setenv("SOFTGM_ENGINE", engine, 1) == 0 && sm2_start();
}

EXPORT int loops_prepare(const uint8_t d[SM2_BYTES]) {
    memset(e, 0xE5, sizeof e);
    return start("native") && sm2_secret_from_scalar(&secret, d) && sm2_sign_digest(&secret, e, signature);
}

/* Every signature has a fresh nonce from libcrypto's private generator. */
EXPORT int loops_sign(const char *engine, int count) {
    int ok = start(engine);

    while (ok && count-- > 0)
        ok = sm2_sign_digest(&secret, e, signature);
    return ok;
}

/* The key is decoded anew for every signature, as a module does. */
EXPORT int loops_verify(const char *engine, int count) {
    int ok = start(engine);

    while (ok && count-- > 0)
        ok = sm2_verify_digest(secret.point, e, signature);
    return ok;
}

EXPORT int loops_decrypt_point(const char *engine, int count) {
    uint8_t product[SM2_POINT_BYTES];
    int ok = start(engine);

    while (ok && count-- > 0)
        ok = sm2_multiply(secret.scalar, secret.point, product);
    return ok;
}
