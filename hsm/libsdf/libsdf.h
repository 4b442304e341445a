/* What the parts of libsdf know of each other. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#ifndef LIBSDF_LIBSDF_H
#define LIBSDF_LIBSDF_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "sdf.h"
#include "softgm/sm2.h"

#define SM4_BYTES 16U
#define LONGEST_PASSWORD 255U
#define LONGEST_PUBLIC 512U
#define LONGEST_SECRET 2048U
#define PATH_BYTES 512U

/* The kinds of stored keys; also the letter in their file names. */
enum key_kind { KEY_SIGN_ECC = 's', KEY_ENC_ECC = 'e', KEY_SIGN_RSA = 'r', KEY_ENC_RSA = 'p', KEY_KEK = 'k' };

/* A stored key as it was read: the public part is authentic only after store_open. */
struct stored_key {
    unsigned char public_part[LONGEST_PUBLIC]; /* 04 || x || y, or m || e as in RSArefPublicKey; nothing for a KEK */
    size_t public_length;
    unsigned char secret[LONGEST_SECRET]; /* d, PKCS#8, or an SM4 key */
    size_t secret_length;
};

/* What an access right lets a session use. */
struct right {
    unsigned int index;
    int has_sign, has_enc;
    struct sm2_secret sign, enc; /* the pairs of SGD_SM2 */
    EVP_PKEY *rsa;               /* the signature pair of SGD_RSA */
    struct right *next;
};

struct session_key {
    unsigned char key[SM4_BYTES];
    struct session_key *next;
};

struct device {
    char name[64];
    char folder[PATH_BYTES];
    unsigned char secret[LONGEST_PASSWORD];
    size_t secret_length;
    int sessions;
    struct device *next;
};

struct session {
    struct device *device;
    pthread_mutex_t lock;
    int users;
    struct right *rights;
    struct session_key *keys;
    EVP_MD_CTX *hash;
    struct session *next;
};

/*
 * Every function on a session begins with session_enter, which injects faults and takes the session's lock, and ends
 * with session_leave, which hands the answer through.
 */
int session_enter(void *handle, struct session **session);
int session_leave(struct session *session, int answer);
struct right *session_right(struct session *session, unsigned int index);

/* Session keys: *handle names the value until SDF_DestroyKey or the end of the session. */
int session_keep_key(struct session *session, const unsigned char value[SM4_BYTES], void **handle);
void session_forget_keys(struct session *session);

/* Reads the clear part of a key's file. */
int store_read_public(const char *folder, enum key_kind kind, unsigned int index, struct stored_key *key);
/* Reads all of it; SDR_PRKRERR for a wrong password. Cleanse the key after use. */
int store_open(const char *folder, enum key_kind kind, unsigned int index, const unsigned char *password,
               size_t length, struct stored_key *key);
/* SDR_FILEEXISTS when the index is in use. */
int store_write(const char *folder, enum key_kind kind, unsigned int index, const unsigned char *password,
                size_t length, unsigned int iterations, const struct stored_key *key);

/* Fills in what the password opens; SDR_KEYNOTEXIST when there is nothing at the index. */
int ecc_unlock(const struct device *device, struct right *right, const unsigned char *password, size_t length);
int rsa_unlock(const struct device *device, struct right *right, const unsigned char *password, size_t length);
int ecc_make_pair(struct stored_key *key);
int rsa_make_pair(struct stored_key *key);

/* From a right-aligned key to 04 || x || y; 0 when it is no point of the curve. */
int ecc_point(const ECCrefPublicKey *key, unsigned char point[SM2_POINT_BYTES]);

#endif
