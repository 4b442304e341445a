/*
 * SM4 in four modes over libcrypto's block cipher. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm.
 *
 * GCM (NIST SP 800-38D; SM4 in it: RFC 8998 §3) adds its own GHASH, because libcrypto 3.0 has no SM4-GCM.
 */
#ifndef SOFTGM_SM4_H
#define SOFTGM_SM4_H

#include "softgm.h"

/* Encrypts one block in place. Returns 1, or 0 for failure. */
int sm4_encrypt_block(const uint8_t key[SM4_KEY_BYTES], uint8_t block[SM4_BLOCK_BYTES]);

int sm4_is_cipher(const CK_MECHANISM *mechanism);
/* The mechanism's parameter is checked and copied; free the cipher with sm4_free. */
CK_RV sm4_start(const CK_MECHANISM *mechanism, const uint8_t key[SM4_KEY_BYTES], int encrypting, struct sm4 **cipher);
void sm4_free(struct sm4 *cipher);

/*
 * What the functions of PKCS#11 of the same names do, with their lengths and buffers. *goes_on tells whether the
 * operation does: after an answer about lengths it does.
 *
 * Decryption under GCM gives out nothing before the tag is checked: C_DecryptUpdate only collects, up to
 * SM4_HELD_LIMIT bytes, and C_DecryptFinal gives everything.
 */
#define SM4_HELD_LIMIT ((size_t)64 << 20)
CK_RV sm4_whole(struct sm4 *cipher, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                CK_ULONG_PTR output_length, int *goes_on);
CK_RV sm4_update(struct sm4 *cipher, const CK_BYTE *data, CK_ULONG length, CK_BYTE_PTR output,
                 CK_ULONG_PTR output_length, int *goes_on);
CK_RV sm4_final(struct sm4 *cipher, CK_BYTE_PTR output, CK_ULONG_PTR output_length, int *goes_on);

#endif
