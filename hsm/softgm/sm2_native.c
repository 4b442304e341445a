/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. SM2 over the product's own arithmetic: one engine of sm2_engine.h. */
#include <string.h>

#include "native/sm2_native.h"
#include "sm2_engine.h"

static int start(void) {
    return sm2_native_start(NULL);
}

/* The table of G is public and stays for the next start. */
static void stop(void) {
}

static int secret_from_scalar(struct sm2_secret *secret, const uint8_t scalar[SM2_BYTES]) {
    if (!sm2_native_prepare_private(scalar, secret->inverse_mont) ||
        !sm2_native_multiply_base(scalar, secret->point))
        return 0;
    memcpy(secret->scalar, scalar, SM2_BYTES);
    return 1;
}

static int sign(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES], const uint8_t nonce[SM2_BYTES],
                uint8_t signature[SM2_SIGNATURE_BYTES], int *retry) {
    return sm2_native_sign(secret->inverse_mont, e, nonce, signature, retry);
}

static int verify(const uint8_t point[SM2_POINT_BYTES], const uint8_t e[SM2_BYTES],
                  const uint8_t signature[SM2_SIGNATURE_BYTES]) {
    struct sm2_native_public key;

    return sm2_native_prepare_public(point, &key) && sm2_native_verify(&key, e, signature);
}

const struct sm2_engine sm2_native = {
    .name = "native",
    .start = start,
    .stop = stop,
    .point_is_valid = sm2_native_is_point,
    .secret_from_scalar = secret_from_scalar,
    .sign = sign,
    .verify = verify,
    .multiply_base = sm2_native_multiply_base,
    .multiply = sm2_native_multiply,
    .combine = sm2_native_combine,
};
