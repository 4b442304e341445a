/*
 * The interface of cryptographic devices, GM/T 0018-2012, as far as libsdf offers it.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of libsdf, see device.c.
 *
 * Numbers in keys, signatures and ciphertexts are big-endian and right-aligned in their fields. Handles are opaque.
 * Every function answers 0 (SDR_OK) or one of the SDR_ codes of appendix A.
 */
#ifndef LIBSDF_SDF_H
#define LIBSDF_SDF_H

#define SDF_EXPORT __attribute__((visibility("default")))

/* Some makers' headers say 256 for ECC: the fields are then half as wide. */
#ifndef ECCref_MAX_BITS
#define ECCref_MAX_BITS 512
#endif
#define ECCref_MAX_LEN (ECCref_MAX_BITS / 8)
#define RSAref_MAX_BITS 2048
#define RSAref_MAX_LEN (RSAref_MAX_BITS / 8)

/* Codes, GM/T 0018-2012 appendix A. */
#define SDR_OK 0x0
#define SDR_BASE 0x01000000
#define SDR_UNKNOWERR (SDR_BASE + 0x01)
#define SDR_NOTSUPPORT (SDR_BASE + 0x02)
#define SDR_OPENDEVICE (SDR_BASE + 0x05)
#define SDR_OPENSESSION (SDR_BASE + 0x06)
#define SDR_PARDENY (SDR_BASE + 0x07)
#define SDR_KEYNOTEXIST (SDR_BASE + 0x08)
#define SDR_ALGNOTSUPPORT (SDR_BASE + 0x09)
#define SDR_ALGMODNOTSUPPORT (SDR_BASE + 0x0A)
#define SDR_PKOPERR (SDR_BASE + 0x0B)
#define SDR_SKOPERR (SDR_BASE + 0x0C)
#define SDR_SIGNERR (SDR_BASE + 0x0D)
#define SDR_VERIFYERR (SDR_BASE + 0x0E)
#define SDR_SYMOPERR (SDR_BASE + 0x0F)
#define SDR_STEPERR (SDR_BASE + 0x10)
#define SDR_FILESIZEERR (SDR_BASE + 0x11)
#define SDR_FILENOEXIST (SDR_BASE + 0x12)
#define SDR_FILEOFSERR (SDR_BASE + 0x13)
#define SDR_KEYERR (SDR_BASE + 0x15)
#define SDR_ENCDATAERR (SDR_BASE + 0x16)
#define SDR_RANDERR (SDR_BASE + 0x17)
#define SDR_PRKRERR (SDR_BASE + 0x18)
#define SDR_FILEEXISTS (SDR_BASE + 0x1A)
#define SDR_FILEWERR (SDR_BASE + 0x1B)
#define SDR_NOBUFFER (SDR_BASE + 0x1C)
#define SDR_INARGERR (SDR_BASE + 0x1D)
#define SDR_OUTARGERR (SDR_BASE + 0x1E)

/* Algorithms, GM/T 0006-2012. */
#define SGD_SM4_ECB 0x00000401U
#define SGD_SM4_CBC 0x00000402U
#define SGD_SM4_MAC 0x00000410U
#define SGD_RSA 0x00010000U
#define SGD_SM2 0x00020100U
#define SGD_SM2_1 0x00020200U
#define SGD_SM2_3 0x00020800U
#define SGD_SM3 0x00000001U

#pragma pack(push, 1)
typedef struct {
    unsigned char IssuerName[40];
    unsigned char DeviceName[16];
    unsigned char DeviceSerial[16];
    unsigned int DeviceVersion;
    unsigned int StandardVersion;
    unsigned int AsymAlgAbility[2];
    unsigned int SymAlgAbility;
    unsigned int HashAlgAbility;
    unsigned int BufferSize;
} DEVICEINFO;

typedef struct {
    unsigned int bits;
    unsigned char m[RSAref_MAX_LEN];
    unsigned char e[RSAref_MAX_LEN];
} RSArefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char x[ECCref_MAX_LEN];
    unsigned char y[ECCref_MAX_LEN];
} ECCrefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char K[ECCref_MAX_LEN];
} ECCrefPrivateKey;

/* The caller makes room for L bytes of C. */
typedef struct {
    unsigned char x[ECCref_MAX_LEN];
    unsigned char y[ECCref_MAX_LEN];
    unsigned char M[32];
    unsigned int L;
    unsigned char C[1];
} ECCCipher;

typedef struct {
    unsigned char r[ECCref_MAX_LEN];
    unsigned char s[ECCref_MAX_LEN];
} ECCSignature;
#pragma pack(pop)

/* Devices, §6.2. */
SDF_EXPORT int SDF_OpenDevice(void **device);
SDF_EXPORT int SDF_CloseDevice(void *device);
SDF_EXPORT int SDF_OpenSession(void *device, void **session);
SDF_EXPORT int SDF_CloseSession(void *session);
SDF_EXPORT int SDF_GetDeviceInfo(void *session, DEVICEINFO *info);
SDF_EXPORT int SDF_GenerateRandom(void *session, unsigned int length, unsigned char *random);
SDF_EXPORT int SDF_GetPrivateKeyAccessRight(void *session, unsigned int index, unsigned char *password,
                                            unsigned int length);
SDF_EXPORT int SDF_ReleasePrivateKeyAccessRight(void *session, unsigned int index);

/* Keys, §6.3. */
SDF_EXPORT int SDF_ExportSignPublicKey_RSA(void *session, unsigned int index, RSArefPublicKey *key);
SDF_EXPORT int SDF_ExportEncPublicKey_RSA(void *session, unsigned int index, RSArefPublicKey *key);
SDF_EXPORT int SDF_ExportSignPublicKey_ECC(void *session, unsigned int index, ECCrefPublicKey *key);
SDF_EXPORT int SDF_ExportEncPublicKey_ECC(void *session, unsigned int index, ECCrefPublicKey *key);
SDF_EXPORT int SDF_GenerateKeyPair_ECC(void *session, unsigned int algorithm, unsigned int bits,
                                       ECCrefPublicKey *public_key, ECCrefPrivateKey *private_key);
SDF_EXPORT int SDF_GenerateKeyWithIPK_ECC(void *session, unsigned int index, unsigned int bits, ECCCipher *wrapped,
                                          void **key);
SDF_EXPORT int SDF_ImportKeyWithISK_ECC(void *session, unsigned int index, ECCCipher *wrapped, void **key);
SDF_EXPORT int SDF_GenerateKeyWithKEK(void *session, unsigned int bits, unsigned int algorithm, unsigned int index,
                                      unsigned char *wrapped, unsigned int *length, void **key);
SDF_EXPORT int SDF_ImportKeyWithKEK(void *session, unsigned int algorithm, unsigned int index, unsigned char *wrapped,
                                    unsigned int length, void **key);
SDF_EXPORT int SDF_DestroyKey(void *session, void *key);

/* Asymmetric operations, §6.4. */
SDF_EXPORT int SDF_ExternalPublicKeyOperation_RSA(void *session, RSArefPublicKey *key, unsigned char *input,
                                                  unsigned int input_length, unsigned char *output,
                                                  unsigned int *output_length);
SDF_EXPORT int SDF_InternalPrivateKeyOperation_RSA(void *session, unsigned int index, unsigned char *input,
                                                   unsigned int input_length, unsigned char *output,
                                                   unsigned int *output_length);
SDF_EXPORT int SDF_InternalSign_ECC(void *session, unsigned int index, unsigned char *data, unsigned int length,
                                    ECCSignature *signature);
SDF_EXPORT int SDF_InternalVerify_ECC(void *session, unsigned int index, unsigned char *data, unsigned int length,
                                      ECCSignature *signature);
SDF_EXPORT int SDF_ExternalVerify_ECC(void *session, unsigned int algorithm, ECCrefPublicKey *key, unsigned char *data,
                                      unsigned int length, ECCSignature *signature);
SDF_EXPORT int SDF_ExternalEncrypt_ECC(void *session, unsigned int algorithm, ECCrefPublicKey *key,
                                       unsigned char *data, unsigned int length, ECCCipher *cipher);
SDF_EXPORT int SDF_InternalDecrypt_ECC(void *session, unsigned int index, unsigned int algorithm, ECCCipher *cipher,
                                       unsigned char *data, unsigned int *length);

/* Symmetric operations, §6.5. */
SDF_EXPORT int SDF_Encrypt(void *session, void *key, unsigned int algorithm, unsigned char *iv, unsigned char *data,
                           unsigned int length, unsigned char *output, unsigned int *output_length);
SDF_EXPORT int SDF_Decrypt(void *session, void *key, unsigned int algorithm, unsigned char *iv, unsigned char *data,
                           unsigned int length, unsigned char *output, unsigned int *output_length);
SDF_EXPORT int SDF_CalculateMAC(void *session, void *key, unsigned int algorithm, unsigned char *iv,
                                unsigned char *data, unsigned int length, unsigned char *mac,
                                unsigned int *mac_length);

/* Hashing, §6.6. */
SDF_EXPORT int SDF_HashInit(void *session, unsigned int algorithm, ECCrefPublicKey *key, unsigned char *identifier,
                            unsigned int identifier_length);
SDF_EXPORT int SDF_HashUpdate(void *session, unsigned char *data, unsigned int length);
SDF_EXPORT int SDF_HashFinal(void *session, unsigned char *digest, unsigned int *length);

/* Files, §6.7. */
SDF_EXPORT int SDF_CreateFile(void *session, unsigned char *name, unsigned int name_length, unsigned int size);
SDF_EXPORT int SDF_ReadFile(void *session, unsigned char *name, unsigned int name_length, unsigned int offset,
                            unsigned int *length, unsigned char *buffer);
SDF_EXPORT int SDF_WriteFile(void *session, unsigned char *name, unsigned int name_length, unsigned int offset,
                             unsigned int length, unsigned char *buffer);
SDF_EXPORT int SDF_DeleteFile(void *session, unsigned char *name, unsigned int name_length);

/*
 * What a maker's console does: not part of GM/T 0018. An index that is in use answers SDR_FILEEXISTS.
 *
 * The first makes the signature pair and the encryption pair of an index, for SGD_SM2 or SGD_RSA, and protects both by
 * the password; the second makes a key encryption key, protected by the device's own secret.
 */
SDF_EXPORT int LIBSDF_MakeKeyPairs(const char *folder, unsigned int algorithm, unsigned int index,
                                   const char *password, unsigned int length, unsigned int iterations);
SDF_EXPORT int LIBSDF_MakeKEK(const char *folder, unsigned int index, const char *secret, unsigned int length,
                              unsigned int iterations);

#endif
