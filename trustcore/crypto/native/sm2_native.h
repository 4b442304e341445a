/*
 * SM2 arithmetic (GB/T 32918.1-2016, .2-2016) on the recommended curve (GB/T 32918.5-2017 §2), without a library under
 * it: no memory is allocated, nothing is read or written but the arguments, and randomness is the caller's.
 *
 * Numbers are big-endian, 32 bytes; points uncompressed, 04 || x || y; signatures raw, r || s. Functions return 1 for
 * yes or success and 0 for no or failure.
 *
 * Everything that takes a private value (d, k, (1 + d)^-1) runs the same instructions on the same addresses whatever
 * the value is; what is said of "secret" arguments below has been checked with valgrind
 * (tests/trustcore/sm2_secrets.c). Functions on public values only say "variable time".
 *
 * How the files lie: field.h (mod p), order.h (mod n), point.h, comb.h (multiples of G), multiply.h (multiples of any
 * point), sign.h and verify.h hold static functions; code.h gathers them. portable.c and x86_64.c each compile that
 * whole once more for another processor, and native.c chooses among them when the program starts.
 */
#ifndef SM2_NATIVE_H
#define SM2_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define SM2_NATIVE_BYTES 32U
#define SM2_NATIVE_POINT_BYTES 65U
#define SM2_NATIVE_SIGNATURE_BYTES 64U

/* Alone, the library shows these functions; inside another one they stay hidden. */
#ifdef SM2_NATIVE_LIBRARY
#define SM2_NATIVE_EXPORT __attribute__((visibility("default")))
#else
#define SM2_NATIVE_EXPORT
#endif

/* Four words, the least significant first. */
struct sm2_number {
    uint64_t w[4];
};

/* A point other than infinity; the coordinates are in Montgomery form. */
struct sm2_affine {
    struct sm2_number x, y;
};

/* A public key with what verification wants of it: (2j + 1) 2^(64 i) P. See verify.h. */
struct sm2_native_public {
    struct sm2_affine odd[4][8];
};

/*
 * Chooses the code for this processor, computes the table of G and tries the standard's example. Call it once, before
 * anything else and before a second thread; later calls change nothing. `code` names the code to use ("portable",
 * "x86-64-avx2"), for tests; NULL is the best. Fails when the code named is not there, when this processor cannot run
 * it, and when the example comes out wrong.
 */
SM2_NATIVE_EXPORT int sm2_native_start(const char *code);
/* The name of the code in use, or NULL before the start. */
SM2_NATIVE_EXPORT const char *sm2_native_code(void);

/* Whether a secret number is in [1, n - 1]: what a nonce must be. */
SM2_NATIVE_EXPORT int sm2_native_is_scalar(const uint8_t scalar[SM2_NATIVE_BYTES]);
/* Whether the bytes are a point of the curve, which has prime order and no other subgroup. Variable time. */
SM2_NATIVE_EXPORT int sm2_native_is_point(const uint8_t point[SM2_NATIVE_POINT_BYTES]);

/* kG for a secret k in [1, n - 1]; fails for others. */
SM2_NATIVE_EXPORT int sm2_native_multiply_base(const uint8_t k[SM2_NATIVE_BYTES],
                                               uint8_t product[SM2_NATIVE_POINT_BYTES]);
/* kP for a secret k; fails when P is no point of the curve or the product is the point at infinity. */
SM2_NATIVE_EXPORT int sm2_native_multiply(const uint8_t k[SM2_NATIVE_BYTES],
                                          const uint8_t point[SM2_NATIVE_POINT_BYTES],
                                          uint8_t product[SM2_NATIVE_POINT_BYTES]);

/*
 * P + xQ, all of it public, x in [1, n - 1]. Fails for points off the curve and where the sum is infinity. Variable
 * time.
 */
SM2_NATIVE_EXPORT int sm2_native_combine(const uint8_t p[SM2_NATIVE_POINT_BYTES], const uint8_t x[SM2_NATIVE_BYTES],
                                         const uint8_t q[SM2_NATIVE_POINT_BYTES], uint8_t sum[SM2_NATIVE_POINT_BYTES]);

/*
 * What signing needs of a private key: (1 + d)^-1 mod n, times 2^256. Computed once for each key. Fails when the secret
 * d is not in [1, n - 2] (GB/T 32918.1-2016 §6.1).
 */
SM2_NATIVE_EXPORT int sm2_native_prepare_private(const uint8_t d[SM2_NATIVE_BYTES],
                                                 uint8_t inverse_mont[SM2_NATIVE_BYTES]);
/*
 * Signs e with the nonce k, both secret. Fails, with *retry set and no signature, where the standard asks for another
 * k: k is not in [1, n - 1], r = 0, r + k = n or s = 0 (GB/T 32918.2-2016 §6.1, A3 to A6).
 */
SM2_NATIVE_EXPORT int sm2_native_sign(const uint8_t inverse_mont[SM2_NATIVE_BYTES], const uint8_t e[SM2_NATIVE_BYTES],
                                      const uint8_t k[SM2_NATIVE_BYTES],
                                      uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES], int *retry);

/* Fails when the bytes are no point of the curve. Variable time. */
SM2_NATIVE_EXPORT int sm2_native_prepare_public(const uint8_t point[SM2_NATIVE_POINT_BYTES],
                                                struct sm2_native_public *key);
/* Whether the signature of e is right (GB/T 32918.2-2016 §7.1, B1 to B7). Variable time. */
SM2_NATIVE_EXPORT int sm2_native_verify(const struct sm2_native_public *key, const uint8_t e[SM2_NATIVE_BYTES],
                                        const uint8_t signature[SM2_NATIVE_SIGNATURE_BYTES]);
/*
 * The same for many at once: results[i] tells of keys[i], the i-th 32 bytes of digests and the i-th 64 bytes of
 * signatures. Returns how many are right.
 */
SM2_NATIVE_EXPORT size_t sm2_native_verify_many(size_t count, const struct sm2_native_public *const *keys,
                                                const uint8_t *digests, const uint8_t *signatures, uint8_t *results);

#endif
