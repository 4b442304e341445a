/*
 * SM2: GB/T 32918.2-2016 (signature) and GB/T 32918.4-2016 (encryption), over libcrypto's arithmetic or our own.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm, see module.c.
 *
 * Points are uncompressed, 04 || x || y. Signatures are raw, r || s. Ciphertexts are raw, C1 || C3 || C2 with the 04
 * of C1. Numbers are big-endian and padded to 32 bytes. No function keeps a pointer it was given.
 */
#ifndef SOFTGM_SM2_H
#define SOFTGM_SM2_H

#include <stddef.h>
#include <stdint.h>

#define SM2_BYTES 32U
#define SM2_POINT_BYTES 65U
#define SM2_SIGNATURE_BYTES 64U
/* C1 and C3 around a ciphertext's C2. */
#define SM2_CIPHER_OVERHEAD (SM2_POINT_BYTES + SM2_BYTES)
/* More is an error of the caller: SM2 encryption carries keys, not files. */
#define SM2_PLAINTEXT_LIMIT 65536U
/* ENTL counts the identifier's bits in two bytes (GB/T 32918.2-2016 §5.5). */
#define SM2_IDENTIFIER_LIMIT 8191U

/* A private key and what signing wants of it, so that a signature costs no inversion. Cleanse after use. */
struct sm2_secret {
    uint8_t scalar[SM2_BYTES];       /* d, in [1, n-2] */
    uint8_t inverse_mont[SM2_BYTES]; /* (1 + d)^-1 mod n, in Montgomery form */
    uint8_t point[SM2_POINT_BYTES];  /* P = dG */
};

/* All functions return 1 for success and 0 for failure. */

/*
 * Takes the arithmetic that the environment's SOFTGM_ENGINE names, "native" (which is the default) or "libcrypto";
 * fails for another name. Not thread-safe; nothing else may be called before.
 */
int sm2_start(void);
void sm2_stop(void);
const char *sm2_engine_name(void);

/* Fails when the scalar is outside [1, n-2]. */
int sm2_secret_from_scalar(struct sm2_secret *secret, const uint8_t scalar[SM2_BYTES]);
int sm2_point_is_valid(const uint8_t point[SM2_POINT_BYTES]);

/* Z of GB/T 32918.2-2016 §5.5. */
int sm2_z(const uint8_t point[SM2_POINT_BYTES], const uint8_t *identifier, size_t identifier_length,
          uint8_t z[SM2_BYTES]);

int sm2_sign_digest(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                    uint8_t signature[SM2_SIGNATURE_BYTES]);
/* One try with a given nonce k; *retry is set where the standard asks for another k. Not exported from the module. */
int sm2_sign_digest_with_nonce(const struct sm2_secret *secret, const uint8_t e[SM2_BYTES],
                               const uint8_t k[SM2_BYTES], uint8_t signature[SM2_SIGNATURE_BYTES], int *retry);
int sm2_verify_digest(const uint8_t point[SM2_POINT_BYTES], const uint8_t e[SM2_BYTES],
                      const uint8_t signature[SM2_SIGNATURE_BYTES]);

/* kG for a secret k in [1, n - 1]. */
int sm2_multiply_base(const uint8_t scalar[SM2_BYTES], uint8_t product[SM2_POINT_BYTES]);
/* kP for a secret k; fails when the product is the point at infinity. */
int sm2_multiply(const uint8_t scalar[SM2_BYTES], const uint8_t point[SM2_POINT_BYTES],
                 uint8_t product[SM2_POINT_BYTES]);
/* P + xQ, all of it public: for key agreement (GB/T 32918.3-2016 §6.1, A8). Fails where that is infinity. */
int sm2_combine(const uint8_t p[SM2_POINT_BYTES], const uint8_t x[SM2_BYTES], const uint8_t q[SM2_POINT_BYTES],
                uint8_t sum[SM2_POINT_BYTES]);

/* Writes length + SM2_CIPHER_OVERHEAD bytes. */
int sm2_encrypt(const uint8_t point[SM2_POINT_BYTES], const uint8_t *plaintext, size_t length, uint8_t *ciphertext);
/* Writes length - SM2_CIPHER_OVERHEAD bytes, and none when C3 does not match. */
int sm2_decrypt(const struct sm2_secret *secret, const uint8_t *ciphertext, size_t length, uint8_t *plaintext);

#endif
