/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See ghash.h. */
#include "ghash.h"

#include <string.h>

static uint64_t load(const uint8_t *bytes) {
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void store(uint64_t number, uint8_t *bytes) {
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)number;
        number >>= 8;
    }
}

/* sum = sum * key in GF(2^128), bits counted from the left (NIST SP 800-38D §6.3). */
static void multiply(struct ghash *hash) {
    uint64_t product[2] = {0, 0};
    uint64_t v[2] = {hash->key[0], hash->key[1]};

    for (int i = 0; i < 128; i++) {
        uint64_t mask = (uint64_t)0 - (hash->sum[i / 64] >> (63 - i % 64) & 1);
        uint64_t reduce = (uint64_t)0 - (v[1] & 1);

        product[0] ^= v[0] & mask;
        product[1] ^= v[1] & mask;
        v[1] = v[1] >> 1 | v[0] << 63;
        v[0] = v[0] >> 1 ^ (reduce & (uint64_t)0xE1 << 56);
    }
    hash->sum[0] = product[0];
    hash->sum[1] = product[1];
}

static void absorb_block(struct ghash *hash, const uint8_t block[GHASH_BYTES]) {
    hash->sum[0] ^= load(block);
    hash->sum[1] ^= load(block + 8);
    multiply(hash);
}

static void absorb(struct ghash *hash, const uint8_t *data, size_t length) {
    while (length > 0) {
        size_t step = GHASH_BYTES - hash->filled;

        if (step > length)
            step = length;
        memcpy(hash->block + hash->filled, data, step);
        hash->filled += step;
        data += step;
        length -= step;
        if (hash->filled == GHASH_BYTES) {
            absorb_block(hash, hash->block);
            hash->filled = 0;
        }
    }
}

/* Zeros up to the end of the block. */
static void pad(struct ghash *hash) {
    if (hash->filled == 0)
        return;
    memset(hash->block + hash->filled, 0, GHASH_BYTES - hash->filled);
    absorb_block(hash, hash->block);
    hash->filled = 0;
}

void ghash_start(struct ghash *hash, const uint8_t key[GHASH_BYTES]) {
    memset(hash, 0, sizeof *hash);
    hash->key[0] = load(key);
    hash->key[1] = load(key + 8);
}

void ghash_associated(struct ghash *hash, const uint8_t *data, size_t length) {
    hash->lengths[0] += length;
    absorb(hash, data, length);
    pad(hash);
}

void ghash_ciphertext(struct ghash *hash, const uint8_t *data, size_t length) {
    hash->lengths[1] += length;
    absorb(hash, data, length);
}

void ghash_final(struct ghash *hash, uint8_t sum[GHASH_BYTES]) {
    pad(hash);
    hash->sum[0] ^= hash->lengths[0] * 8;
    hash->sum[1] ^= hash->lengths[1] * 8;
    multiply(hash);
    store(hash->sum[0], sum);
    store(hash->sum[1], sum + 8);
}
