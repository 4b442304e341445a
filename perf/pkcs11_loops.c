/* Signs again and again through a module of PKCS#11, with nothing of ours and no Python between. */
#include <p11-kit/pkcs11.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))
#define SIGNATURE_BYTES 512

EXPORT unsigned long loops_sign(
    CK_FUNCTION_LIST *module, unsigned long session, unsigned long key, unsigned long number, unsigned char *data,
    unsigned long length, int count
) {
    CK_MECHANISM mechanism = {number, NULL, 0};
    unsigned char signature[SIGNATURE_BYTES];
    CK_RV code = CKR_OK;

    while (code == CKR_OK && count-- > 0) {
        CK_ULONG signature_length = sizeof signature;
        code = module->C_SignInit(session, &mechanism, key);
        if (code == CKR_OK)
            code = module->C_Sign(session, data, length, signature, &signature_length);
    }
    return code;
}
