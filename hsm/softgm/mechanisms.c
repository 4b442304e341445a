/* The mechanisms that softgm adds to those of the inner module. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include "softgm.h"

struct mechanism {
    CK_MECHANISM_TYPE type;
    CK_MECHANISM_INFO info;
};

#define SIGNS (CKF_SIGN | CKF_VERIFY)
#define ENCRYPTS (CKF_ENCRYPT | CKF_DECRYPT)
#define WRAPS (CKF_WRAP | CKF_UNWRAP)

/* Sizes are bits of an SM2 key and bytes of an SM4 key. */
static const struct mechanism MECHANISMS[] = {
    {CKM_VENDOR_SM2_KEY_PAIR_GEN, {256, 256, CKF_GENERATE_KEY_PAIR}},
    {CKM_VENDOR_SM3_SM2_RAW, {256, 256, SIGNS}},
    {CKM_VENDOR_SM3_SM2_DER, {256, 256, SIGNS}},
    {CKM_VENDOR_SM2_DER, {256, 256, SIGNS}},
    {CKM_VENDOR_SM2_RAW, {256, 256, SIGNS}},
    {CKM_VENDOR_SM2_ENCRYPT_RAW, {256, 256, ENCRYPTS}},
    {CKM_VENDOR_SM2_ENCRYPT_DER, {256, 256, ENCRYPTS}},
    {CKM_SOFTGM_SM2_KEY_AGREEMENT, {256, 256, CKF_DERIVE}},
    {CKM_SOFTGM_SM2_ENVELOPE, {256, 256, WRAPS}},
    {CKM_VENDOR_SM3, {0, 0, CKF_DIGEST}},
    {CKM_SOFTGM_SM3_HMAC, {1, 512, SIGNS}},
    {CKM_VENDOR_SM4_KEY_GEN, {SM4_KEY_BYTES, SM4_KEY_BYTES, CKF_GENERATE}},
    {CKM_VENDOR_SM4_ECB, {SM4_KEY_BYTES, SM4_KEY_BYTES, ENCRYPTS}},
    {CKM_VENDOR_SM4_CBC, {SM4_KEY_BYTES, SM4_KEY_BYTES, ENCRYPTS}},
    {CKM_VENDOR_SM4_CBC_PAD, {SM4_KEY_BYTES, SM4_KEY_BYTES, ENCRYPTS}},
    {CKM_SOFTGM_SM4_GCM, {SM4_KEY_BYTES, SM4_KEY_BYTES, ENCRYPTS | WRAPS}},
};
#define MECHANISM_COUNT (sizeof MECHANISMS / sizeof MECHANISMS[0])

CK_RV softgm_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count) {
    CK_ULONG below = 0;
    CK_ULONG room;
    CK_RV rv;

    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = inner->C_GetMechanismList(slot, NULL, &below);
    if (rv != CKR_OK)
        return rv;
    room = *count;
    *count = below + MECHANISM_COUNT;
    if (list == NULL)
        return CKR_OK;
    if (room < *count)
        return CKR_BUFFER_TOO_SMALL;
    rv = inner->C_GetMechanismList(slot, list, &below);
    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        list[below + i] = MECHANISMS[i].type;
    *count = below + MECHANISM_COUNT;
    return CKR_OK;
}

CK_RV softgm_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
    CK_SLOT_INFO there;
    CK_RV rv;

    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        if (MECHANISMS[i].type == type) {
            if (info == NULL)
                return CKR_ARGUMENTS_BAD;
            rv = inner->C_GetSlotInfo(slot, &there);
            if (rv == CKR_OK)
                *info = MECHANISMS[i].info;
            return rv;
        }
    return inner->C_GetMechanismInfo(slot, type, info);
}
