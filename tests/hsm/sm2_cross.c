/*
 * Our own SM2 arithmetic against libcrypto's, both as softgm knows them, on random and on telling cases: the same nonce
 * must give the same signature, each must accept what the other signed and refuse what was changed, and multiples of
 * points must be equal. Arguments: how many cases, and a number that they depend on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sm2_engine.h"

static uint64_t state;

static uint64_t draw(void) {
    uint64_t z = state += 0x9E3779B97F4A7C15ULL;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static void demand(int ok, const char *claim, long number) {
    if (!ok) {
        fprintf(stderr, "case %ld: not so: %s\n", number, claim);
        exit(1);
    }
}

/* Every fourth number has long runs of equal bits, which is where windows carry; every eighth is short. */
static void draw_number(uint8_t out[32]) {
    uint64_t shape = draw();
    unsigned bit = 0;

    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)draw();
    if (shape % 4 == 0)
        for (int i = 0; i < 256; i++) {
            if (draw() % 24 == 0)
                bit ^= 1;
            out[i / 8] = (uint8_t)((out[i / 8] & ~(1U << (i % 8))) | bit << (i % 8));
        }
    else if (shape % 8 == 1)
        memset(out, 0, 1 + draw() % 31);
}

/* One that both take for a private key, so it is also a nonce. */
static void draw_secret(struct sm2_secret *secret) {
    uint8_t number[32];

    do
        draw_number(number);
    while (!sm2_libcrypto.secret_from_scalar(secret, number));
}

static void multiplications(const struct sm2_secret *key, const struct sm2_secret *nonce, long number) {
    uint8_t ours[65], theirs[65];

    demand(sm2_native.multiply(nonce->scalar, key->point, ours) &&
               sm2_libcrypto.multiply(nonce->scalar, key->point, theirs) && memcmp(ours, theirs, 65) == 0,
           "multiples of a point are equal", number);
    demand(sm2_native.multiply_base(nonce->scalar, ours) && memcmp(ours, nonce->point, 65) == 0,
           "multiples of G are equal", number);
    demand(sm2_native.combine(key->point, nonce->scalar, nonce->point, ours) ==
                   sm2_libcrypto.combine(key->point, nonce->scalar, nonce->point, theirs) &&
               memcmp(ours, theirs, 65) == 0,
           "sums of points are equal", number);
}

/* A changed bit in r, s, e or another key; what one refuses the other must refuse. */
static void changes(const uint8_t point[65], const uint8_t other[65], const uint8_t e[32], const uint8_t signature[64],
                    int ask_both, long number) {
    for (int part = 0; part < 4; part++) {
        uint8_t wrong_e[32], wrong[64];
        size_t bit = draw() % 256;

        memcpy(wrong_e, e, 32);
        memcpy(wrong, signature, 64);
        if (part < 2)
            wrong[32 * part + bit / 8] ^= (uint8_t)(1U << (bit % 8));
        else if (part == 2)
            wrong_e[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        demand(!sm2_native.verify(part == 3 ? other : point, wrong_e, wrong), "ours refuses a change", number);
        if (ask_both)
            demand(!sm2_libcrypto.verify(part == 3 ? other : point, wrong_e, wrong), "theirs refuses it", number);
    }
}

static void one_case(long number) {
    struct sm2_secret key, nonce, own;
    uint8_t e[32], ours[64], theirs[64];
    int retry = 0, their_retry = 0;

    draw_secret(&key);
    draw_secret(&nonce);
    draw_number(e);
    demand(sm2_native.secret_from_scalar(&own, key.scalar) && memcmp(&own, &key, sizeof own) == 0,
           "both prepare a private key alike", number);
    demand(sm2_native.sign(&own, e, nonce.scalar, ours, &retry) &&
               sm2_libcrypto.sign(&key, e, nonce.scalar, theirs, &their_retry) && memcmp(ours, theirs, 64) == 0,
           "the same nonce gives the same signature", number);
    demand(sm2_native.verify(key.point, e, theirs), "ours accepts what theirs signed", number);
    demand(sm2_libcrypto.verify(key.point, e, ours), "theirs accepts what ours signed", number);
    demand(sm2_native.point_is_valid(key.point), "the public key is a point", number);
    changes(key.point, nonce.point, e, ours, number % 16 == 0, number);
    if (number % 4 == 0)
        multiplications(&key, &nonce, number);
}

int main(int count, char **arguments) {
    long cases = count == 3 ? atol(arguments[1]) : 0;

    if (cases <= 0 || !sm2_libcrypto.start() || !sm2_native.start())
        return 2;
    state = strtoull(arguments[2], NULL, 10);
    for (long i = 0; i < cases; i++)
        one_case(i);
    printf("%ld cases agree\n", cases);
    return 0;
}
