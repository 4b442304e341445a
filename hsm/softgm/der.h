/*
 * The DER forms softgm speaks: SM2Signature, SM2Cipher and SM2EnvelopedKey of GB/T 35276-2017 §7, and PKCS#8 of a
 * private key.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm, see module.c.
 */
#ifndef SOFTGM_DER_H
#define SOFTGM_DER_H

#include "sm2.h"

/* SEQUENCE of two INTEGERs of at most 33 content bytes. */
#define DER_SIGNATURE_LIMIT 72U
/* Headers of an SM2Cipher over those of the raw form, for plaintexts up to SM2_PLAINTEXT_LIMIT. */
#define DER_CIPHER_OVERHEAD 24U
#define DER_PRIVATE_KEY_BYTES 138U

/* Returns the length written. */
size_t der_write_signature(const uint8_t raw[SM2_SIGNATURE_BYTES], uint8_t der[DER_SIGNATURE_LIMIT]);
/* Returns 1, or 0 for anything but strict DER that fits. */
int der_read_signature(const uint8_t *der, size_t length, uint8_t raw[SM2_SIGNATURE_BYTES]);

/* raw is C1 || C3 || C2. Returns the length written, at most length + DER_CIPHER_OVERHEAD. */
size_t der_write_cipher(const uint8_t *raw, size_t length, uint8_t *der);
/*
 * Returns the length of the raw form, or 0 when the DER is malformed or raw_size too small; length +
 * SM2_CIPHER_OVERHEAD is always enough (coordinates are padded, so the raw form may be the longer one).
 */
size_t der_read_cipher(const uint8_t *der, size_t length, uint8_t *raw, size_t raw_size);

/* PrivateKeyInfo (RFC 5208 §5) with ECPrivateKey (RFC 5915 §3) on the curve of SM2. */
void der_write_private_key(const struct sm2_secret *secret, uint8_t der[DER_PRIVATE_KEY_BYTES]);
/* Returns 1 for a PKCS#8 key on the curve of SM2, up to 7 zero bytes after it allowed; 0 for everything else. */
int der_read_private_key(const uint8_t *der, size_t length, uint8_t scalar[SM2_BYTES]);

/*
 * SM2EnvelopedKey (GB/T 35276-2017 §7.4): a key pair on its way to the owner of another one. An SM4 key is encrypted
 * under that other key, the private key under SM4-ECB.
 */
struct der_envelope {
    uint8_t raw_cipher[SM2_CIPHER_OVERHEAD + 16]; /* the SM4 key, as C1 || C3 || C2 */
    uint8_t point[SM2_POINT_BYTES];
    uint8_t encrypted[2 * SM2_BYTES]; /* 32 bytes, or 64 where the number is filled up as in GM/T 0018 */
    size_t encrypted_length;
};
#define DER_ENVELOPE_LIMIT 384U

/* Returns the length written. */
size_t der_write_envelope(const struct der_envelope *envelope, uint8_t der[DER_ENVELOPE_LIMIT]);
/* Returns 1, or 0 for anything but strict DER of an envelope whose algorithm is SM4-ECB (or SM4, as some write). */
int der_read_envelope(const uint8_t *der, size_t length, struct der_envelope *envelope);

#endif
