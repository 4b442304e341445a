/* GHASH of NIST SP 800-38D §6.4, without tables, so without secret addresses. Part of softgm. */
#ifndef SOFTGM_GHASH_H
#define SOFTGM_GHASH_H

#include <stddef.h>
#include <stdint.h>

#define GHASH_BYTES 16U

struct ghash {
    uint64_t key[2];
    uint64_t sum[2];
    uint8_t block[GHASH_BYTES]; /* a block that is not whole yet */
    size_t filled;
    uint64_t lengths[2]; /* bytes of associated data, and of ciphertext */
};

/* key is the zero block, encrypted. */
void ghash_start(struct ghash *hash, const uint8_t key[GHASH_BYTES]);
/* All associated data at once, before any ciphertext. */
void ghash_associated(struct ghash *hash, const uint8_t *data, size_t length);
void ghash_ciphertext(struct ghash *hash, const uint8_t *data, size_t length);
void ghash_final(struct ghash *hash, uint8_t sum[GHASH_BYTES]);

#endif
