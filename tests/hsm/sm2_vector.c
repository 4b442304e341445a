/* Reproduces the examples of GB/T 32918.5-2017 with the arithmetic of softgm, and tries its DER with odd input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "sm2.h"

static void parse(const char *hex, uint8_t *out, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        out[i] = (uint8_t)byte;
    }
}

static void demand(int ok, const char *claim) {
    if (!ok) {
        fprintf(stderr, "not so: %s\n", claim);
        exit(1);
    }
}

static struct sm2_secret secret;

static void signature_example(void) {
    static const char expected[] = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
                                   "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
    uint8_t e[32], k[32], z[32], raw[64], wanted[64], der[DER_SIGNATURE_LIMIT], back[64];
    size_t length;
    int retry;

    parse("b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3", wanted, 32);
    demand(sm2_z(secret.point, (const uint8_t *)"1234567812345678", 16, z), "Z can be computed");
    demand(memcmp(z, wanted, 32) == 0, "Z is that of the standard");
    parse("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640", e, 32);
    parse("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21", k, 32);
    parse(expected, wanted, 64);
    demand(sm2_sign_digest_with_nonce(&secret, e, k, raw, &retry) && !retry, "the example can be signed");
    demand(memcmp(raw, wanted, 64) == 0, "r and s are those of the standard");
    demand(sm2_verify_digest(secret.point, e, raw), "the example verifies");
    length = der_write_signature(raw, der);
    demand(der_read_signature(der, length, back) && memcmp(raw, back, 64) == 0, "DER comes back as it went");
    for (size_t cut = 0; cut < length; cut++)
        demand(!der_read_signature(der, cut, back), "a cut signature is refused");
    for (size_t bit = 0; bit < 512; bit++) {
        raw[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        demand(!sm2_verify_digest(secret.point, e, raw), "a changed signature is refused");
        raw[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    memset(k, 0, 32);
    demand(!sm2_sign_digest_with_nonce(&secret, e, k, raw, &retry) && retry, "k = 0 asks for another k");
    memset(raw, 0, 64);
    demand(!sm2_verify_digest(secret.point, e, raw), "r = s = 0 is refused");
    memset(raw, 0xFF, 64);
    demand(!sm2_verify_digest(secret.point, e, raw), "r, s >= n are refused");
}

static void encryption_example(void) {
    static const char expected[] = "0404ebfc718e8d179862043226 8e77feb6415e2ede0e073c0f4f640ecd2e149a73"
                                   "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
                                   "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
                                   "21886ca989ca9c7d58087307ca93092d651efa";
    char hex[sizeof expected];
    uint8_t cipher[SM2_CIPHER_OVERHEAD + 19], der[256], raw[512], plain[19];
    size_t length, at = 0;

    for (const char *c = expected; *c; c++)
        if (*c != ' ')
            hex[at++] = *c;
    hex[at] = '\0';
    parse(hex, cipher, sizeof cipher);
    demand(sm2_decrypt(&secret, cipher, sizeof cipher, plain), "the example decrypts");
    demand(memcmp(plain, "encryption standard", 19) == 0, "the plaintext is that of the standard");
    length = der_write_cipher(cipher, sizeof cipher, der);
    demand(length <= sizeof cipher + DER_CIPHER_OVERHEAD, "DER stays within its bound");
    demand(der_read_cipher(der, length, raw, sizeof raw) == sizeof cipher, "DER comes back with its length");
    demand(memcmp(raw, cipher, sizeof cipher) == 0, "DER comes back as it went");
    for (size_t cut = 0; cut < length; cut++)
        demand(der_read_cipher(der, cut, raw, sizeof raw) == 0, "a cut ciphertext is refused");
    for (size_t i = 0; i < sizeof cipher; i++) {
        cipher[i] ^= 1;
        demand(!sm2_decrypt(&secret, cipher, sizeof cipher, plain), "a changed ciphertext is refused");
        cipher[i] ^= 1;
    }
    for (size_t size = 1; size < 200; size++) {
        uint8_t text[200], out[200], sealed[200 + SM2_CIPHER_OVERHEAD];

        memset(text, (int)size, size);
        demand(sm2_encrypt(secret.point, text, size, sealed), "every length encrypts");
        demand(sm2_decrypt(&secret, sealed, size + SM2_CIPHER_OVERHEAD, out) && memcmp(text, out, size) == 0,
               "every length decrypts");
    }
}

static void private_key_form(void) {
    uint8_t der[DER_PRIVATE_KEY_BYTES + 8] = {0}, scalar[32];

    der_write_private_key(&secret, der);
    demand(der_read_private_key(der, DER_PRIVATE_KEY_BYTES, scalar), "PKCS#8 comes back");
    demand(memcmp(scalar, secret.scalar, 32) == 0, "PKCS#8 comes back as it went");
    demand(der_read_private_key(der, DER_PRIVATE_KEY_BYTES + 6, scalar), "padding with zeros is accepted");
    demand(!der_read_private_key(der, DER_PRIVATE_KEY_BYTES + 8, scalar), "a block of zeros is not padding");
    der[DER_PRIVATE_KEY_BYTES] = 1;
    demand(!der_read_private_key(der, DER_PRIVATE_KEY_BYTES + 1, scalar), "trailing bytes are refused");
    for (size_t cut = 0; cut < DER_PRIVATE_KEY_BYTES; cut++)
        demand(!der_read_private_key(der, cut, scalar), "a cut key is refused");
}

static void bounds(void) {
    struct sm2_secret other;
    uint8_t scalar[32];

    memset(scalar, 0, 32);
    demand(!sm2_secret_from_scalar(&other, scalar), "d = 0 is refused");
    parse("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122", scalar, 32);
    demand(!sm2_secret_from_scalar(&other, scalar), "d = n - 1 is refused");
    scalar[31] -= 1;
    demand(sm2_secret_from_scalar(&other, scalar), "d = n - 2 is a key");
    other.point[64] ^= 1;
    demand(!sm2_point_is_valid(other.point), "a point off the curve is refused");
}

static void combination(void) {
    uint8_t two[32] = {[31] = 2}, three[32] = {[31] = 3}, seven[32] = {[31] = 7}, zero[32] = {0}, last[32];
    uint8_t p[65], q[65], sum[65], wanted[65];

    demand(sm2_multiply_base(two, p) && sm2_multiply_base(three, q), "2G and 3G");
    demand(sm2_combine(p, two, q, sum), "2G + 2 * 3G can be computed");
    demand(sm2_multiply_base(seven, wanted) && memcmp(sum, wanted, 65) != 0, "7G is another point");
    seven[31] = 8;
    demand(sm2_multiply_base(seven, wanted) && memcmp(sum, wanted, 65) == 0, "2G + 2 * 3G = 8G");
    demand(sm2_multiply(two, q, sum) && memcmp(sum + 1, p + 1, 64) != 0, "6G can be computed from 3G");
    demand(sm2_combine(q, three, q, wanted) && sm2_multiply(two, p, sum) && sm2_combine(sum, two, sum, sum) &&
               memcmp(sum, wanted, 65) == 0, "3G + 3 * 3G = 4G + 2 * 4G");
    parse("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122", last, 32);
    demand(!sm2_combine(p, last, p, sum), "P - P is refused");
    demand(!sm2_multiply(zero, p, sum), "infinity is refused");
    p[64] ^= 1;
    demand(!sm2_multiply(two, p, sum) && !sm2_combine(p, two, q, sum) && !sm2_combine(q, two, p, sum),
           "points off the curve are refused");
}

int main(void) {
    uint8_t scalar[32];

    demand(sm2_start(), "the arithmetic is there");
    parse("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8", scalar, 32);
    demand(sm2_secret_from_scalar(&secret, scalar), "the private key of the example is one");
    signature_example();
    encryption_example();
    private_key_form();
    bounds();
    combination();
    printf("ok with %s\n", sm2_engine_name());
    sm2_stop();
    return 0;
}
