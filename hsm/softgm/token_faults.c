/* Faults of the token that a call goes to. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See faults.h. */
#include <string.h>

#include "softgm.h"

CK_RV fault_of_slot(CK_SLOT_ID slot) {
    CK_TOKEN_INFO token;
    char name[sizeof token.label + 1];
    size_t length = sizeof token.label;
    unsigned long code = CKR_OK;

    if (!fault_is_active() || inner->C_GetTokenInfo(slot, &token) != CKR_OK)
        return CKR_OK;
    while (length > 0 && token.label[length - 1] == ' ')
        length--;
    memcpy(name, token.label, length);
    name[length] = '\0';
    switch (fault_of_name(name, &code)) {
    case FAULT_NONE:
        return CKR_OK;
    case FAULT_CODE:
        return (CK_RV)code;
    case FAULT_ENDED:
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    default:
        return CKR_GENERAL_ERROR;
    }
}

CK_RV session_check(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info;
    CK_RV rv = inner->C_GetSessionInfo(session, &info);

    return rv != CKR_OK ? rv : fault_of_slot(info.slotID);
}
