"""The system's libcrypto (OpenSSL 3) through cffi: the few functions that SM2 needs.

``cryptography`` carries an OpenSSL of its own without a way to SM2, so the system's library is opened by name. It is
opened at first use, not at import. Calls release the GIL.
"""

from functools import cache
from typing import Any

from cffi import FFI

from trustcore.errors import InternalError

__all__ = ["ffi", "libcrypto"]

ffi = FFI()
ffi.cdef("""
typedef struct bignum_st BIGNUM;
typedef struct bignum_ctx BN_CTX;
typedef struct ec_group_st EC_GROUP;
typedef struct ec_point_st EC_POINT;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;

EVP_PKEY *d2i_PUBKEY(EVP_PKEY **a, const unsigned char **pp, long length);
void EVP_PKEY_free(EVP_PKEY *key);
int EVP_PKEY_is_a(const EVP_PKEY *pkey, const char *name);
EVP_PKEY_CTX *EVP_PKEY_CTX_new(EVP_PKEY *pkey, void *e);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *ctx);
int EVP_PKEY_verify_init(EVP_PKEY_CTX *ctx);
int EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t siglen,
                    const unsigned char *tbs, size_t tbslen);
int EVP_PKEY_encrypt_init(EVP_PKEY_CTX *ctx);
int EVP_PKEY_encrypt(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *outlen,
                     const unsigned char *in, size_t inlen);
void ERR_clear_error(void);

BN_CTX *BN_CTX_secure_new(void);
void BN_CTX_free(BN_CTX *c);
BIGNUM *BN_secure_new(void);
BIGNUM *BN_bin2bn(const unsigned char *s, int len, BIGNUM *ret);
int BN_bn2binpad(const BIGNUM *a, unsigned char *to, int tolen);
void BN_clear_free(BIGNUM *a);
EC_GROUP *EC_GROUP_new_by_curve_name(int nid);
void EC_GROUP_free(EC_GROUP *group);
EC_POINT *EC_POINT_new(const EC_GROUP *group);
void EC_POINT_clear_free(EC_POINT *point);
int EC_POINT_mul(const EC_GROUP *group, EC_POINT *r, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m, BN_CTX *ctx);
int EC_POINT_oct2point(const EC_GROUP *group, EC_POINT *p, const unsigned char *buf, size_t len, BN_CTX *ctx);
size_t EC_POINT_point2oct(const EC_GROUP *group, const EC_POINT *p, int form, unsigned char *buf, size_t len,
                          BN_CTX *ctx);
int OBJ_sn2nid(const char *s);
""")


@cache
def libcrypto() -> Any:  # noqa: ANN401 - cffi's library objects have no static type
    """The opened library. Raises ``InternalError`` (``crypto.libcrypto.missing``) where OpenSSL 3 is not installed."""
    for name in ("libcrypto.so.3", "libcrypto.so"):
        try:
            return ffi.dlopen(name)
        except OSError:
            continue
    raise InternalError(
        "The system's OpenSSL 3 library (libcrypto.so.3, Debian package libssl3) is missing; SM2 needs it",
        code="crypto.libcrypto.missing",
    )
