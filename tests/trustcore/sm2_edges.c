/*
 * The edges of SM2 over each code of native/: scalars around 0 and n, coordinates around p, signatures that must be
 * refused, sums of equal and opposite points, and the codes against each other. Run with what finds wild reads and
 * undefined behaviour.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native/interface.h"

static const struct sm2_native_code *code;

static void demand(int ok, const char *claim) {
    if (!ok) {
        fprintf(stderr, "%s: not so: %s\n", code->name, claim);
        exit(1);
    }
}

static void parse(const char *hex, uint8_t *out, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        out[i] = (uint8_t)byte;
    }
}

static const char ORDER[] = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
static const char PRIME[] = "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff";

/* Worked out with Python's integers. */
/* The y of a point with x = 0. */
static const char ROOT_OF_B[] = "fd4511e81736a60f07e88a83d6cf5a167fae6d1a9c9330e76e232e00f5cdc154";
/* For k = 1, e that makes r = 0 and r + k = n; for k = 1 and d = 3, e that makes s = 0. */
static const char MINUS_X_OF_G[] = "cd3b51d2e0e67ee6a066fbb995c6366ae220d3ab2f5ff949e261ae800688cc5c";
static const char MINUS_X_OF_G_MINUS_1[] = "cd3b51d2e0e67ee6a066fbb995c6366ae220d3ab2f5ff949e261ae800688cc5b";
static const char THIRD_MINUS_X_OF_G[] = "77e5fc7de0e67ee6a066fbb995c6366b1174de8779734ce61bcdb27cf341b6a6";
/* A key P with sG + (r + s) P = (n + 4, y), the first point whose x is not below n. */
static const char P_OF_HIGH_X[] = "04" "648bba51f1c464720013e9108b5cbb89413a2a95f62b8dde7a0bd3802148aa17"
                                  "aa39092255ec4a7949af80de884e1fa95f89fe082c59cd02793001c6150633ab";
static const char E_OF_HIGH_X[] = "000000000000000000000000000000000000000000000000000000000641fdb6";
static const char R_OF_HIGH_X[] = "000000000000000000000000000000000000000000000000000000000641fdba";
static const char S_OF_HIGH_X[] = "0000000000000000000000000000000000000000000000000000000001234567";

/* number + delta as big-endian bytes, modulo 2^256. */
static void near(uint8_t out[32], const char *number, int delta) {
    int carry = delta;

    parse(number, out, 32);
    for (int i = 31; i >= 0; i--) {
        int sum = out[i] + carry;

        out[i] = (uint8_t)sum;
        carry = (sum - (int)out[i]) / 256;
    }
}

static void small(uint8_t out[32], unsigned value) {
    memset(out, 0, 32);
    out[31] = (uint8_t)value;
    out[30] = (uint8_t)(value >> 8);
}

static void scalars(void) {
    uint8_t k[32], inverse[32], point[65];

    for (int delta = -3; delta <= 3; delta++) {
        near(k, ORDER, delta);
        demand(code->is_scalar(k) == (delta < 0), "scalars are below n");
        demand(code->multiply_base(k, point) == (delta < 0), "multiples of G are of scalars");
        demand(code->prepare_private(k, inverse) == (delta < -1), "private keys end at n - 2");
        small(k, (unsigned)(delta + 3));
        demand(code->is_scalar(k) == (delta > -3), "0 is no scalar");
        demand(code->multiply_base(k, point) == (delta > -3), "0 G is refused");
        demand(code->prepare_private(k, inverse) == (delta > -3), "private keys begin at 1");
    }
    memset(k, 0xFF, 32);
    demand(!code->is_scalar(k) && !code->multiply_base(k, point) && !code->prepare_private(k, inverse),
           "2^256 - 1 is no scalar");
}

/* (n - k) G = -(k G), k G by doublings and additions, and by the complete formulas: three ways to the same points. */
static void multiples(void) {
    uint8_t k[32], one[32], generator[65], point[65], previous[65], other[65];

    small(one, 1);
    demand(code->multiply_base(one, generator), "G is a multiple of itself");
    memcpy(previous, generator, 65);
    for (unsigned i = 2; i < 135; i++) {
        small(k, i);
        demand(code->multiply_base(k, point) && code->is_point(point), "small multiples are points");
        demand(code->combine(generator, one, previous, other) && memcmp(point, other, 65) == 0, "iG = G + (i - 1) G");
        demand(code->combine(previous, one, generator, other) && memcmp(point, other, 65) == 0, "iG = (i - 1) G + G");
        demand(code->multiply(k, generator, other) && memcmp(point, other, 65) == 0, "both multiplications agree");
        near(k, ORDER, -(int)i);
        demand(code->multiply_base(k, other) && memcmp(point, other, 33) == 0 && memcmp(point, other, 65) != 0,
               "(n - i) G mirrors iG");
        demand(!code->combine(point, one, other, previous), "a point and its mirror add up to infinity");
        demand(code->multiply(k, generator, previous) && memcmp(previous, other, 65) == 0, "both agree near n");
        memcpy(previous, point, 65);
    }
    for (int bit = 0; bit < 256; bit++) {
        if (bit % 7 != 0 && bit % 32 != 31 && bit % 32 != 0)
            continue; /* where neither a window nor a word begins or ends */
        for (int delta = -1; delta <= 1; delta++) {
            char hex[65];

            memset(k, 0, 32);
            k[31 - bit / 8] = (uint8_t)(1U << (bit % 8));
            for (int i = 0; i < 32; i++)
                snprintf(hex + 2 * i, 3, "%02x", k[i]);
            near(k, hex, delta);
            if (code->is_scalar(k))
                demand(code->multiply_base(k, point) && code->multiply(k, generator, other) &&
                           memcmp(point, other, 65) == 0, "both agree around powers of two");
        }
    }
    small(k, 0);
    demand(!code->multiply(k, generator, point), "0 P is refused");
    near(k, ORDER, 0);
    demand(!code->multiply(k, generator, point), "n P is refused");
    near(k, ORDER, 5);
    demand(code->multiply(k, generator, point), "n + 5 is 5");
    small(k, 5);
    demand(code->multiply_base(k, other) && memcmp(point, other, 65) == 0, "n + 5 is 5, the same point");
}

static void points(void) {
    uint8_t one[32], point[65], changed[65], out[65];
    struct sm2_native_public key;

    small(one, 1);
    demand(code->multiply_base(one, point) && code->is_point(point), "G is a point");
    for (size_t bit = 0; bit < 65 * 8; bit++) {
        memcpy(changed, point, 65);
        changed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        demand(!code->is_point(changed) && !code->prepare_public(changed, &key) && !code->multiply(one, changed, out) &&
                   !code->combine(changed, one, point, out) && !code->combine(point, one, changed, out),
               "one changed bit is no point");
    }
    memset(changed, 0, 65);
    demand(!code->is_point(changed), "zeros are no point");
    changed[0] = 4;
    demand(!code->is_point(changed), "(0, 0) is no point");
    for (int delta = 0; delta <= 3; delta++) {
        /* x = p + delta would be x = delta if it were not refused */
        near(changed + 1, PRIME, delta);
        demand(!code->is_point(changed), "a coordinate of p or more is refused");
    }
    /* (0, sqrt b) is a point; (p, sqrt b) is the same one written wrongly. */
    memset(changed + 1, 0, 32);
    parse(ROOT_OF_B, changed + 33, 32);
    demand(code->is_point(changed), "(0, sqrt b) is a point");
    near(changed + 1, PRIME, 0);
    demand(!code->is_point(changed), "(p, sqrt b) is not");
}

static void refused(const struct sm2_native_public *key, const uint8_t e[32], const uint8_t signature[64],
                    const char *claim) {
    demand(!code->verify(key, e, signature), claim);
}

/* Every pair of edge values for r and s is refused, with e = 0, all ones and something. */
static void signatures_of_nobody(void) {
    static const struct {
        const char *number;
        int delta;
    } EDGES[] = {{"0000000000000000000000000000000000000000000000000000000000000000", 0},
                 {"0000000000000000000000000000000000000000000000000000000000000000", 1},
                 {ORDER, -1}, {ORDER, 0}, {ORDER, 1}, {PRIME, -1}, {PRIME, 0}, {PRIME, 1},
                 {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0}};
    uint8_t d[32], point[65], e[32], signature[64];
    struct sm2_native_public key;

    small(d, 77);
    demand(code->multiply_base(d, point) && code->prepare_public(point, &key), "77 is a key");
    for (size_t i = 0; i < sizeof EDGES / sizeof *EDGES; i++)
        for (size_t j = 0; j < sizeof EDGES / sizeof *EDGES; j++)
            for (int fill = 0; fill < 256; fill += 85) {
                near(signature, EDGES[i].number, EDGES[i].delta);
                near(signature + 32, EDGES[j].number, EDGES[j].delta);
                memset(e, fill, 32);
                refused(&key, e, signature, "an edge is no signature");
            }
}

/* With t = r + s and P = dG the sum sG + tP is infinity for s = -t d: no x1, so no signature, whatever e is. */
static void sum_at_infinity(void) {
    uint8_t d[32], point[65], e[32] = {0}, signature[64];
    struct sm2_native_public key;

    /* d = 1: s + t = 2 s + r = 0 modulo n for r = n - 2 s. */
    small(d, 1);
    demand(code->multiply_base(d, point) && code->prepare_public(point, &key), "1 is a key");
    for (int s = 1; s < 30; s++) {
        near(signature, ORDER, -2 * s);
        small(signature + 32, (unsigned)s);
        refused(&key, e, signature, "infinity has no x");
    }
    /* d = n - 2 = -2: s = 2 t, so s = 2 r + 2 s and s = -2 r. */
    near(d, ORDER, -2);
    demand(code->multiply_base(d, point) && code->prepare_public(point, &key), "n - 2 is a key");
    for (int r = 1; r < 30; r++) {
        small(signature, (unsigned)r);
        near(signature + 32, ORDER, -2 * r);
        refused(&key, e, signature, "infinity has no x");
    }
}

static void round_trip(const uint8_t d[32], const uint8_t k[32], const uint8_t e[32]) {
    uint8_t inverse[32], point[65], signature[64];
    struct sm2_native_public key;
    int retry;

    demand(code->prepare_private(d, inverse) && code->multiply_base(d, point) && code->prepare_public(point, &key),
           "d is a key");
    if (!code->sign(inverse, e, k, signature, &retry)) {
        demand(retry, "what is not signed wants another nonce");
        return;
    }
    demand(!retry && code->verify(&key, e, signature), "a signature verifies");
    /* Not in the lowest byte of s: s - 2k / (1 + d) is right too, as it stands for -k, and k and d are small here. */
    for (size_t bit = 0; bit < 496; bit += 97) {
        signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        refused(&key, e, signature, "a changed signature");
        signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t bit = 0; bit < 256; bit += 127) {
        uint8_t changed[32];

        memcpy(changed, e, 32);
        changed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        refused(&key, changed, signature, "another digest");
    }
    point[0] = 4;
    demand(code->multiply_base(k, point) && code->prepare_public(point, &key), "k is a key too");
    if (memcmp(d, k, 32) != 0)
        refused(&key, e, signature, "another key");
}

static void keys_and_nonces_at_the_edges(void) {
    uint8_t d[32], k[32], e[32];

    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            for (int fill = 0; fill < 256; fill += 255) {
                near(d, ORDER, -2 - i / 2);
                near(k, ORDER, -1 - j / 2);
                if (i % 2)
                    small(d, 1 + (unsigned)i / 2);
                if (j % 2)
                    small(k, 1 + (unsigned)j / 2);
                memset(e, fill, 32);
                round_trip(d, k, e);
            }
}

/* e chosen so that the standard asks for another nonce: r = e + x1 = 0 and r + k = n. */
static void nonces_that_are_refused(void) {
    uint8_t d[32], k[32], e[32], inverse[32], signature[64], untouched[64];
    int retry = 0;

    small(d, 3);
    memset(signature, 0xAB, 64);
    memcpy(untouched, signature, 64);
    demand(code->prepare_private(d, inverse), "3 is a key");
    small(k, 1);
    parse(MINUS_X_OF_G, e, 32);
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "r = 0 asks for another nonce");
    parse(MINUS_X_OF_G_MINUS_1, e, 32);
    retry = 0;
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "r + k = n asks for another nonce");
    /* s = 0: k = r d, so with k = 1 and d = 3, r = 1 / 3 */
    parse(THIRD_MINUS_X_OF_G, e, 32);
    retry = 0;
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "s = 0 asks for another nonce");
    small(k, 0);
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "k = 0 asks for another nonce");
    near(k, ORDER, 0);
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "k = n asks for another nonce");
    memset(k, 0xFF, 32);
    demand(!code->sign(inverse, e, k, signature, &retry) && retry, "k = 2^256 - 1 asks for another nonce");
    demand(memcmp(signature, untouched, 64) == 0, "a refused nonce leaves no signature");
}

/* x1 >= n: then the sum's x is not r - e but r - e + n. */
static void x_above_the_order(void) {
    uint8_t point[65], e[32], signature[64];
    struct sm2_native_public key;

    parse(P_OF_HIGH_X, point, 65);
    parse(E_OF_HIGH_X, e, 32);
    parse(R_OF_HIGH_X, signature, 32);
    parse(S_OF_HIGH_X, signature + 32, 32);
    demand(code->prepare_public(point, &key) && code->verify(&key, e, signature), "x1 above n is reduced");
    for (unsigned bit = 0; bit < 256; bit++) {
        e[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        refused(&key, e, signature, "and compared");
        e[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void the_codes_agree(int cases) {
#ifdef SM2_NATIVE_HAS_X86_64
    const struct sm2_native_code *const codes[2] = {&sm2_native_portable, &sm2_native_x86_64};
    uint64_t state = 20261122;

    for (int i = 0; i < cases; i++) {
        uint8_t random[3][32], product[2][65], shared[2][65], inverse[2][32], signature[2][64];
        struct sm2_native_public key[2];

        for (size_t j = 0; j < sizeof random; j++) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            random[j / 32][j % 32] = (uint8_t)(state >> 56);
        }
        for (int j = 0; j < 3; j++)
            random[j][0] &= 0x7F;
        for (int j = 0; j < 2; j++) {
            int retry;

            code = codes[j];
            demand(code->prepare_private(random[0], inverse[j]) && code->multiply_base(random[0], product[j]) &&
                       code->multiply(random[1], product[j], shared[j]) && code->prepare_public(product[j], &key[j]) &&
                       code->sign(inverse[j], random[2], random[1], signature[j], &retry) &&
                       code->verify(&key[j], random[2], signature[j]), "a random case works");
        }
        demand(memcmp(inverse[0], inverse[1], 32) == 0 && memcmp(product[0], product[1], 65) == 0 &&
                   memcmp(shared[0], shared[1], 65) == 0 && memcmp(signature[0], signature[1], 64) == 0 &&
                   memcmp(&key[0], &key[1], sizeof key[0]) == 0, "the codes agree");
    }
#else
    (void)cases;
#endif
}

int main(int count, char **arguments) {
    const struct sm2_native_code *codes[2] = {&sm2_native_portable, NULL};
    int cases = count == 2 ? atoi(arguments[1]) : 0;

#ifdef SM2_NATIVE_HAS_X86_64
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        codes[1] = &sm2_native_x86_64;
#endif
    for (int i = 0; i < 2 && codes[i] != NULL; i++) {
        code = codes[i];
        memset(sm2_native_table, 0, sizeof sm2_native_table);
        code->comb_fill();
        scalars();
        multiples();
        points();
        signatures_of_nobody();
        sum_at_infinity();
        keys_and_nonces_at_the_edges();
        nonces_that_are_refused();
        x_above_the_order();
        printf("%s\n", code->name);
    }
    if (codes[1] != NULL)
        the_codes_agree(cases);
    return 0;
}
