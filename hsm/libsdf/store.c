/*
 * Keys in files. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c.
 *
 * One file per key: magic (8), kind (1), index (4), iterations (4), salt (16), length of the public part (2) and of the
 * secret (2), public part, secret under SM4-CTR, HMAC-SM3 (32) over all before it. Numbers are big-endian. Both keys
 * come from PBKDF2-HMAC-SM3 over the password, with a fresh salt per file, so the counter may begin at 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libsdf.h"

#define MAGIC "XYLSDF01"
#define MAGIC_BYTES 8U
#define SALT_BYTES 16U
#define MAC_BYTES 32U
#define HEADER_BYTES (MAGIC_BYTES + 1U + 4U + 4U + SALT_BYTES + 2U + 2U)
#define LONGEST_FILE (HEADER_BYTES + LONGEST_PUBLIC + LONGEST_SECRET + MAC_BYTES)
#define MOST_ITERATIONS 10000000U

/* A file in memory; the numbers of its header where they are needed. */
struct file {
    unsigned char bytes[LONGEST_FILE];
    size_t length;
    unsigned int iterations;
};

static void put(unsigned char *to, unsigned long number, size_t bytes) {
    while (bytes-- > 0) {
        to[bytes] = (unsigned char)number;
        number >>= 8;
    }
}

static unsigned long get(const unsigned char *from, size_t bytes) {
    unsigned long number = 0;

    while (bytes-- > 0)
        number = number << 8 | *from++;
    return number;
}

static int find_path(const char *folder, enum key_kind kind, unsigned int index, const char *end,
                     char path[PATH_BYTES]) {
    int written = snprintf(path, PATH_BYTES, "%s/%c-%u.key%s", folder, (char)kind, index, end);

    return written > 0 && written < (int)PATH_BYTES;
}

static int derive(const unsigned char *password, size_t length, const struct file *file,
                  unsigned char keys[SM4_BYTES + MAC_BYTES]) {
    const unsigned char *salt = file->bytes + MAGIC_BYTES + 1 + 4 + 4;

    return PKCS5_PBKDF2_HMAC((const char *)password, (int)length, salt, SALT_BYTES, (int)file->iterations, EVP_sm3(),
                             SM4_BYTES + MAC_BYTES, keys) == 1;
}

static int apply_stream(const unsigned char key[SM4_BYTES], const unsigned char *input, size_t length,
                        unsigned char *output) {
    static const unsigned char counter[SM4_BYTES];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int written = 0;
    int ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_sm4_ctr(), NULL, key, counter) &&
             EVP_EncryptUpdate(ctx, output, &written, input, (int)length) && written == (int)length;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static int authenticate(const unsigned char key[MAC_BYTES], const struct file *file, unsigned char mac[MAC_BYTES]) {
    unsigned int length = 0;

    return HMAC(EVP_sm3(), key, MAC_BYTES, file->bytes, file->length - MAC_BYTES, mac, &length) != NULL &&
           length == MAC_BYTES;
}

static int read_file(const char *folder, enum key_kind kind, unsigned int index, struct file *file,
                     struct stored_key *key) {
    const unsigned char *header = file->bytes;
    char path[PATH_BYTES];
    ssize_t got;
    int handle;

    if (!find_path(folder, kind, index, "", path))
        return SDR_KEYNOTEXIST;
    handle = open(path, O_RDONLY | O_CLOEXEC);
    if (handle < 0)
        return errno == ENOENT ? SDR_KEYNOTEXIST : SDR_KEYERR;
    got = read(handle, file->bytes, sizeof file->bytes);
    close(handle);
    if (got < (ssize_t)(HEADER_BYTES + MAC_BYTES) || memcmp(header, MAGIC, MAGIC_BYTES) != 0 ||
        header[MAGIC_BYTES] != (unsigned char)kind || get(header + MAGIC_BYTES + 1, 4) != index)
        return SDR_KEYERR;
    file->length = (size_t)got;
    file->iterations = (unsigned int)get(header + MAGIC_BYTES + 1 + 4, 4);
    key->public_length = get(header + HEADER_BYTES - 4, 2);
    key->secret_length = get(header + HEADER_BYTES - 2, 2);
    if (key->public_length > LONGEST_PUBLIC || key->secret_length > LONGEST_SECRET || file->iterations == 0 ||
        file->iterations > MOST_ITERATIONS ||
        file->length != HEADER_BYTES + key->public_length + key->secret_length + MAC_BYTES)
        return SDR_KEYERR;
    memcpy(key->public_part, header + HEADER_BYTES, key->public_length);
    return SDR_OK;
}

int store_read_public(const char *folder, enum key_kind kind, unsigned int index, struct stored_key *key) {
    struct file file;

    return read_file(folder, kind, index, &file, key);
}

int store_open(const char *folder, enum key_kind kind, unsigned int index, const unsigned char *password,
               size_t length, struct stored_key *key) {
    unsigned char keys[SM4_BYTES + MAC_BYTES];
    unsigned char mac[MAC_BYTES];
    struct file file;
    int answer = read_file(folder, kind, index, &file, key);

    if (answer != SDR_OK)
        return answer;
    if (!derive(password, length, &file, keys) || !authenticate(keys + SM4_BYTES, &file, mac))
        answer = SDR_UNKNOWERR;
    else if (CRYPTO_memcmp(mac, file.bytes + file.length - MAC_BYTES, MAC_BYTES) != 0)
        answer = SDR_PRKRERR;
    else if (!apply_stream(keys, file.bytes + HEADER_BYTES + key->public_length, key->secret_length, key->secret))
        answer = SDR_UNKNOWERR;
    OPENSSL_cleanse(keys, sizeof keys);
    return answer;
}

/* The file is there as a whole or not at all, and an index in use stays as it is. */
static int write_file(const char *folder, enum key_kind kind, unsigned int index, const struct file *file) {
    char partial[PATH_BYTES], path[PATH_BYTES], end[48];
    int answer = SDR_FILEWERR;
    int handle;

    if (snprintf(end, sizeof end, ".%ld", (long)getpid()) >= (int)sizeof end ||
        !find_path(folder, kind, index, end, partial) || !find_path(folder, kind, index, "", path))
        return SDR_INARGERR;
    handle = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (handle < 0)
        return SDR_FILEWERR;
    if (write(handle, file->bytes, file->length) == (ssize_t)file->length && fsync(handle) == 0) {
        answer = SDR_OK;
        if (link(partial, path) != 0)
            answer = errno == EEXIST ? SDR_FILEEXISTS : SDR_FILEWERR;
    }
    close(handle);
    unlink(partial);
    return answer;
}

int store_write(const char *folder, enum key_kind kind, unsigned int index, const unsigned char *password,
                size_t length, unsigned int iterations, const struct stored_key *key) {
    unsigned char keys[SM4_BYTES + MAC_BYTES];
    unsigned char *at;
    struct file file;
    int answer = SDR_UNKNOWERR;

    memcpy(file.bytes, MAGIC, MAGIC_BYTES);
    file.bytes[MAGIC_BYTES] = (unsigned char)kind;
    put(file.bytes + MAGIC_BYTES + 1, index, 4);
    put(file.bytes + MAGIC_BYTES + 1 + 4, iterations, 4);
    put(file.bytes + HEADER_BYTES - 4, key->public_length, 2);
    put(file.bytes + HEADER_BYTES - 2, key->secret_length, 2);
    file.iterations = iterations;
    file.length = HEADER_BYTES + key->public_length + key->secret_length + MAC_BYTES;
    at = file.bytes + HEADER_BYTES;
    memcpy(at, key->public_part, key->public_length);
    at += key->public_length;
    if (RAND_bytes(file.bytes + MAGIC_BYTES + 1 + 4 + 4, SALT_BYTES) == 1 && derive(password, length, &file, keys) &&
        apply_stream(keys, key->secret, key->secret_length, at) &&
        authenticate(keys + SM4_BYTES, &file, at + key->secret_length))
        answer = write_file(folder, kind, index, &file);
    OPENSSL_cleanse(keys, sizeof keys);
    return answer;
}
