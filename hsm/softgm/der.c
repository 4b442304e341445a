/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See der.h. */
#include "der.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define TAG_INTEGER 0x02
#define TAG_BIT_STRING 0x03
#define TAG_OCTET_STRING 0x04
#define TAG_NULL 0x05
#define TAG_OBJECT_IDENTIFIER 0x06
#define TAG_SEQUENCE 0x30

static size_t write_header(uint8_t tag, size_t length, uint8_t *out) {
    out[0] = tag;
    if (length < 0x80) {
        out[1] = (uint8_t)length;
        return 2;
    }
    if (length < 0x100) {
        out[1] = 0x81;
        out[2] = (uint8_t)length;
        return 3;
    }
    if (length < 0x10000) {
        out[1] = 0x82;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        return 4;
    }
    out[1] = 0x83;
    out[2] = (uint8_t)(length >> 16);
    out[3] = (uint8_t)(length >> 8);
    out[4] = (uint8_t)length;
    return 5;
}

/* A non-negative INTEGER of 32 bytes without needless zeros; at most 35 bytes. */
static size_t write_integer(const uint8_t number[SM2_BYTES], uint8_t *out) {
    size_t skip = 0;
    size_t length, sign;

    while (skip < SM2_BYTES - 1 && number[skip] == 0)
        skip++;
    sign = number[skip] >= 0x80;
    length = SM2_BYTES - skip;
    out[0] = TAG_INTEGER;
    out[1] = (uint8_t)(length + sign);
    out[2] = 0;
    memcpy(out + 2 + sign, number + skip, length);
    return 2 + sign + length;
}

/* What is left to read. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

/* Enters the next element, whose tag must match, and steps over it. Only definite, minimal lengths are DER. */
static int read_element(struct cursor *in, uint8_t tag, struct cursor *content) {
    size_t header = 2;
    size_t length;

    if (in->left < 2 || in->at[0] != tag)
        return 0;
    length = in->at[1];
    if (length >= 0x80) {
        size_t count = length & 0x7F;

        if (count == 0 || count > 3 || in->left < 2 + count)
            return 0;
        length = 0;
        for (size_t i = 0; i < count; i++)
            length = length << 8 | in->at[2 + i];
        if (length < 0x80 || (count > 1 && length < (size_t)1 << (8 * (count - 1))))
            return 0;
        header += count;
    }
    if (in->left - header < length)
        return 0;
    content->at = in->at + header;
    content->left = length;
    in->at += header + length;
    in->left -= header + length;
    return 1;
}

static int read_integer(struct cursor *in, uint8_t number[SM2_BYTES]) {
    struct cursor value;

    if (!read_element(in, TAG_INTEGER, &value) || value.left == 0 || value.at[0] >= 0x80)
        return 0;
    if (value.left > 1 && value.at[0] == 0) {
        if (value.at[1] < 0x80)
            return 0;
        value.at++;
        value.left--;
    }
    if (value.left > SM2_BYTES)
        return 0;
    memset(number, 0, SM2_BYTES);
    memcpy(number + SM2_BYTES - value.left, value.at, value.left);
    return 1;
}

size_t der_write_signature(const uint8_t raw[SM2_SIGNATURE_BYTES], uint8_t der[DER_SIGNATURE_LIMIT]) {
    uint8_t body[DER_SIGNATURE_LIMIT];
    size_t length = write_integer(raw, body);
    size_t header;

    length += write_integer(raw + SM2_BYTES, body + length);
    header = write_header(TAG_SEQUENCE, length, der);
    memcpy(der + header, body, length);
    return header + length;
}

int der_read_signature(const uint8_t *der, size_t length, uint8_t raw[SM2_SIGNATURE_BYTES]) {
    struct cursor in = {der, length};
    struct cursor body;

    return read_element(&in, TAG_SEQUENCE, &body) && in.left == 0 && read_integer(&body, raw) &&
           read_integer(&body, raw + SM2_BYTES) && body.left == 0;
}

size_t der_write_cipher(const uint8_t *raw, size_t length, uint8_t *der) {
    const uint8_t *c3 = raw + SM2_POINT_BYTES;
    const uint8_t *c2 = raw + SM2_CIPHER_OVERHEAD;
    size_t c2_length = length - SM2_CIPHER_OVERHEAD;
    uint8_t head[128];
    size_t head_length = write_integer(raw + 1, head);
    size_t header;

    head_length += write_integer(raw + 1 + SM2_BYTES, head + head_length);
    head_length += write_header(TAG_OCTET_STRING, SM2_BYTES, head + head_length);
    memcpy(head + head_length, c3, SM2_BYTES);
    head_length += SM2_BYTES;
    head_length += write_header(TAG_OCTET_STRING, c2_length, head + head_length);
    header = write_header(TAG_SEQUENCE, head_length + c2_length, der);
    memcpy(der + header, head, head_length);
    memcpy(der + header + head_length, c2, c2_length);
    return header + head_length + c2_length;
}

size_t der_read_cipher(const uint8_t *der, size_t length, uint8_t *raw, size_t raw_size) {
    struct cursor in = {der, length};
    struct cursor body, c3, c2;

    if (raw_size < SM2_CIPHER_OVERHEAD || !read_element(&in, TAG_SEQUENCE, &body) || in.left != 0)
        return 0;
    raw[0] = 0x04;
    if (!read_integer(&body, raw + 1) || !read_integer(&body, raw + 1 + SM2_BYTES) ||
        !read_element(&body, TAG_OCTET_STRING, &c3) || c3.left != SM2_BYTES ||
        !read_element(&body, TAG_OCTET_STRING, &c2) || body.left != 0 || c2.left > raw_size - SM2_CIPHER_OVERHEAD)
        return 0;
    memcpy(raw + SM2_POINT_BYTES, c3.at, SM2_BYTES);
    memcpy(raw + SM2_CIPHER_OVERHEAD, c2.at, c2.left);
    return SM2_CIPHER_OVERHEAD + c2.left;
}

/* SEQUENCE { 0, { id-ecPublicKey, sm2p256v1 }, OCTET STRING { SEQUENCE { 1, OCTET STRING d, [1] BIT STRING P } } } */
static const uint8_t BEFORE_SCALAR[] = {
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
    0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D, 0x04, 0x6D, 0x30, 0x6B, 0x02, 0x01, 0x01, 0x04, 0x20,
};
static const uint8_t BEFORE_POINT[] = {0xA1, 0x44, 0x03, 0x42, 0x00};

void der_write_private_key(const struct sm2_secret *secret, uint8_t der[DER_PRIVATE_KEY_BYTES]) {
    memcpy(der, BEFORE_SCALAR, sizeof BEFORE_SCALAR);
    der += sizeof BEFORE_SCALAR;
    memcpy(der, secret->scalar, SM2_BYTES);
    der += SM2_BYTES;
    memcpy(der, BEFORE_POINT, sizeof BEFORE_POINT);
    memcpy(der + sizeof BEFORE_POINT, secret->point, SM2_POINT_BYTES);
}

/* SoftHSM 2.6.1 fills a key with zeros to a multiple of 8 before it wraps it, also where the wrapping pads by itself. */
static int is_padding(const unsigned char *at, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (at[i] != 0)
            return 0;
    return length < 8;
}

int der_read_private_key(const uint8_t *der, size_t length, uint8_t scalar[SM2_BYTES]) {
    const unsigned char *at = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)length);
    EVP_PKEY *key = NULL;
    BIGNUM *d = NULL;
    char curve[32] = "";
    int ok = 0;

    if (info != NULL && is_padding(at, (size_t)(der + length - at)))
        key = EVP_PKCS82PKEY(info);
    if (key != NULL && EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) && strcmp(curve, "SM2") == 0 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d))
        ok = BN_bn2binpad(d, scalar, SM2_BYTES) == (int)SM2_BYTES;
    BN_clear_free(d);
    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    return ok;
}

/* ---- SM2EnvelopedKey ---------------------------------------------------------------------------------------------- */

/* 1.2.156.10197.1.104.1 is SM4-ECB; without the last arc it is SM4, and means the same here. */
static const uint8_t SM4_ECB[] = {0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x68, 0x01};

static size_t write_bits(const uint8_t *bits, size_t length, uint8_t *out) {
    size_t header = write_header(TAG_BIT_STRING, length + 1, out);

    out[header] = 0;
    memcpy(out + header + 1, bits, length);
    return header + 1 + length;
}

/* A BIT STRING of whole bytes. */
static int read_bits(struct cursor *in, struct cursor *bits) {
    if (!read_element(in, TAG_BIT_STRING, bits) || bits->left < 1 || bits->at[0] != 0)
        return 0;
    bits->at++;
    bits->left--;
    return 1;
}

size_t der_write_envelope(const struct der_envelope *envelope, uint8_t der[DER_ENVELOPE_LIMIT]) {
    static const uint8_t ALGORITHM[] = {TAG_SEQUENCE, 12, TAG_OBJECT_IDENTIFIER, sizeof SM4_ECB};
    uint8_t body[DER_ENVELOPE_LIMIT];
    size_t length = sizeof ALGORITHM;
    size_t header;

    memcpy(body, ALGORITHM, sizeof ALGORITHM);
    memcpy(body + length, SM4_ECB, sizeof SM4_ECB);
    length += sizeof SM4_ECB;
    length += write_header(TAG_NULL, 0, body + length);
    length += der_write_cipher(envelope->raw_cipher, sizeof envelope->raw_cipher, body + length);
    length += write_bits(envelope->point, sizeof envelope->point, body + length);
    length += write_bits(envelope->encrypted, envelope->encrypted_length, body + length);
    header = write_header(TAG_SEQUENCE, length, der);
    memcpy(der + header, body, length);
    return header + length;
}

static int read_algorithm(struct cursor *in) {
    struct cursor algorithm, oid, parameters;

    if (!read_element(in, TAG_SEQUENCE, &algorithm) || !read_element(&algorithm, TAG_OBJECT_IDENTIFIER, &oid))
        return 0;
    if (oid.left != sizeof SM4_ECB && oid.left != sizeof SM4_ECB - 1)
        return 0;
    if (memcmp(oid.at, SM4_ECB, oid.left) != 0)
        return 0;
    return algorithm.left == 0 ||
           (read_element(&algorithm, TAG_NULL, &parameters) && parameters.left == 0 && algorithm.left == 0);
}

int der_read_envelope(const uint8_t *der, size_t length, struct der_envelope *envelope) {
    struct cursor in = {der, length};
    struct cursor body, point, encrypted;
    uint8_t raw[sizeof envelope->raw_cipher];
    const uint8_t *cipher;

    if (!read_element(&in, TAG_SEQUENCE, &body) || in.left != 0 || !read_algorithm(&body))
        return 0;
    cipher = body.at;
    if (!read_element(&body, TAG_SEQUENCE, &in) ||
        der_read_cipher(cipher, (size_t)(body.at - cipher), raw, sizeof raw) != sizeof raw)
        return 0;
    if (!read_bits(&body, &point) || point.left != SM2_POINT_BYTES || !read_bits(&body, &encrypted) ||
        (encrypted.left != SM2_BYTES && encrypted.left != 2 * SM2_BYTES) || body.left != 0)
        return 0;
    memcpy(envelope->raw_cipher, raw, sizeof raw);
    memcpy(envelope->point, point.at, SM2_POINT_BYTES);
    memcpy(envelope->encrypted, encrypted.at, encrypted.left);
    envelope->encrypted_length = encrypted.left;
    return 1;
}
