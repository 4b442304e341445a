/*
 * softgm: an encryption machine in software that knows SM2, SM3 and SM4. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * A PKCS#11 module that loads another one, normally libsofthsm2.so, takes over its function list and replaces what the
 * Chinese algorithms need; everything else goes straight through. SoftHSM can make and keep SM2 keys but has no SM2
 * signature, and of SM3 and SM4 it knows nothing. The numbers are in softgm.h; what a caller sees is 2.40, or a
 * complete list of 3.0 whose own functions are not supported.
 *
 * It is not a secure device: whoever has the PIN, the token's files and this library can get at the private values.
 * What it promises is that they do not cross its interface, as with a real machine (see objects.c).
 *
 * C_Initialize always asks the inner module for operating system locks. python-pkcs11 passes NULL there, which means
 * "one thread only", and releases the GIL around every call: without this the module below crashes under two threads.
 *
 * Environment, read when the module is loaded or initialised:
 *   SOFTGM_INNER   path of the module below; by default SoftHSM where Debian and Ubuntu put it
 *   SOFTGM_SM2     "off" leaves only the locks and the faults: a shim in front of a real machine's own module
 *   SOFTGM_FAULTS  directory of fault files, see faults.h
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "interfaces.h"
#include "softgm.h"

#define EXPORT __attribute__((visibility("default")))

CK_FUNCTION_LIST_PTR inner;

static CK_FUNCTION_LIST functions;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static CK_RV loaded = CKR_GENERAL_ERROR;
static int with_sm2 = 1;

static const char *const USUAL_PLACES[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    NULL,
};

/* ---- General functions -------------------------------------------------------------------------------------------- */

static CK_RV softgm_Initialize(void *arguments) {
    const CK_C_INITIALIZE_ARGS *given = arguments;
    CK_C_INITIALIZE_ARGS locking = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv;

    if (given != NULL) {
        locking.flags |= given->flags & CKF_LIBRARY_CANT_CREATE_OS_THREADS;
        locking.pReserved = given->pReserved;
    }
    rv = inner->C_Initialize(&locking);
    if (rv != CKR_OK)
        return rv;
    fault_start("SOFTGM_FAULTS");
    if (sm2_start())
        return CKR_OK;
    inner->C_Finalize(NULL);
    return CKR_GENERAL_ERROR;
}

static CK_RV softgm_Finalize(void *reserved) {
    CK_RV rv = inner->C_Finalize(reserved);

    if (rv == CKR_OK) {
        state_forget_all();
        fault_stop();
        sm2_stop();
    }
    return rv;
}

static CK_RV softgm_GetInfo(CK_INFO_PTR info) {
    static const char description[] = "softgm: SM2 SM4, for tests only";
    CK_RV rv = inner->C_GetInfo(info);

    if (rv == CKR_OK && with_sm2) {
        memset(info->libraryDescription, ' ', sizeof info->libraryDescription);
        memcpy(info->libraryDescription, description, sizeof description - 1);
    }
    return rv;
}

/* ---- Sessions ----------------------------------------------------------------------------------------------------- */

static CK_RV softgm_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                                CK_SESSION_HANDLE_PTR session) {
    CK_RV rv = fault_of_slot(slot);

    return rv != CKR_OK ? rv : inner->C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV softgm_CloseSession(CK_SESSION_HANDLE session) {
    CK_RV rv = inner->C_CloseSession(session);

    if (rv == CKR_OK)
        state_forget_session(session);
    return rv;
}

static CK_RV softgm_CloseAllSessions(CK_SLOT_ID slot) {
    CK_RV rv = inner->C_CloseAllSessions(slot);

    if (rv == CKR_OK) {
        state_forget_slot(slot);
        state_forget_closed();
    }
    return rv;
}

static CK_RV softgm_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
    CK_RV rv = session_check(session);

    return rv != CKR_OK ? rv : inner->C_Login(session, user, pin, length);
}

static CK_RV softgm_Logout(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info;
    CK_RV rv = inner->C_GetSessionInfo(session, &info);

    if (rv == CKR_OK)
        rv = inner->C_Logout(session);
    if (rv == CKR_OK)
        state_forget_slot(info.slotID);
    return rv;
}

static CK_RV softgm_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR random, CK_ULONG length) {
    CK_RV rv = session_check(session);

    return rv != CKR_OK ? rv : inner->C_GenerateRandom(session, random, length);
}

/* The inner module saves the state of its own operations only. */
static CK_RV softgm_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR length) {
    return operation_any(session) ? CKR_STATE_UNSAVEABLE : inner->C_GetOperationState(session, state, length);
}

static CK_RV softgm_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = operation_check_foreign(session, OPERATION_SIGN, mechanism, key);

    return rv != CKR_OK ? rv : inner->C_SignRecoverInit(session, mechanism, key);
}

static CK_RV softgm_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = operation_check_foreign(session, OPERATION_VERIFY, mechanism, key);

    return rv != CKR_OK ? rv : inner->C_VerifyRecoverInit(session, mechanism, key);
}

/* ---- The shim without SM2: the plain function behind the fault ---------------------------------------------------- */

static CK_RV shim_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG limit,
                              CK_ULONG_PTR count) {
    CK_RV rv = session_check(session);

    return rv != CKR_OK ? rv : inner->C_FindObjects(session, objects, limit, count);
}

static CK_RV shim_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                              CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    CK_RV rv = session_check(session);

    return rv != CKR_OK ? rv : inner->C_GenerateKey(session, mechanism, template, count, key);
}

static CK_RV shim_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    CK_RV rv = session_check(session);

    return rv != CKR_OK ? rv : inner->C_SignInit(session, mechanism, key);
}

/* ---- Loading ------------------------------------------------------------------------------------------------------ */

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);
EXPORT CK_RV C_GetInterfaceList(struct interface *list, CK_ULONG_PTR count);
EXPORT CK_RV C_GetInterface(const CK_UTF8CHAR *name, const CK_VERSION *version, struct interface **found,
                            CK_FLAGS flags);

static void override_sm2(void) {
    functions.C_GetMechanismList = softgm_GetMechanismList;
    functions.C_GetMechanismInfo = softgm_GetMechanismInfo;
    functions.C_CloseSession = softgm_CloseSession;
    functions.C_CloseAllSessions = softgm_CloseAllSessions;
    functions.C_Logout = softgm_Logout;
    functions.C_CreateObject = softgm_CreateObject;
    functions.C_CopyObject = softgm_CopyObject;
    functions.C_DestroyObject = softgm_DestroyObject;
    functions.C_GetAttributeValue = softgm_GetAttributeValue;
    functions.C_SetAttributeValue = softgm_SetAttributeValue;
    functions.C_FindObjectsInit = softgm_FindObjectsInit;
    functions.C_FindObjects = softgm_FindObjects;
    functions.C_FindObjectsFinal = softgm_FindObjectsFinal;
    functions.C_GenerateKey = softgm_GenerateKey;
    functions.C_GenerateKeyPair = softgm_GenerateKeyPair;
    functions.C_WrapKey = softgm_WrapKey;
    functions.C_UnwrapKey = softgm_UnwrapKey;
    functions.C_DeriveKey = softgm_DeriveKey;
    functions.C_GetOperationState = softgm_GetOperationState;
    functions.C_SignRecoverInit = softgm_SignRecoverInit;
    functions.C_VerifyRecoverInit = softgm_VerifyRecoverInit;
    functions.C_SignInit = softgm_SignInit;
    functions.C_Sign = softgm_Sign;
    functions.C_SignUpdate = softgm_SignUpdate;
    functions.C_SignFinal = softgm_SignFinal;
    functions.C_VerifyInit = softgm_VerifyInit;
    functions.C_Verify = softgm_Verify;
    functions.C_VerifyUpdate = softgm_VerifyUpdate;
    functions.C_VerifyFinal = softgm_VerifyFinal;
    functions.C_EncryptInit = softgm_EncryptInit;
    functions.C_Encrypt = softgm_Encrypt;
    functions.C_EncryptUpdate = softgm_EncryptUpdate;
    functions.C_EncryptFinal = softgm_EncryptFinal;
    functions.C_DecryptInit = softgm_DecryptInit;
    functions.C_Decrypt = softgm_Decrypt;
    functions.C_DecryptUpdate = softgm_DecryptUpdate;
    functions.C_DecryptFinal = softgm_DecryptFinal;
    functions.C_DigestInit = softgm_DigestInit;
    functions.C_Digest = softgm_Digest;
    functions.C_DigestUpdate = softgm_DigestUpdate;
    functions.C_DigestKey = softgm_DigestKey;
    functions.C_DigestFinal = softgm_DigestFinal;
}

static void *open_inner(void) {
    const char *configured = getenv("SOFTGM_INNER");
    void *library = NULL;

    if (configured != NULL && configured[0] != '\0')
        return dlopen(configured, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library == NULL && USUAL_PLACES[i] != NULL; i++)
        library = dlopen(USUAL_PLACES[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

static void load(void) {
    const char *sm2 = getenv("SOFTGM_SM2");
    void *library = open_inner();
    CK_C_GetFunctionList get_function_list;

    if (library == NULL)
        return;
    /* POSIX gives a function through void *; ISO C has no cast for it. */
    *(void **)&get_function_list = dlsym(library, "C_GetFunctionList");
    if (get_function_list == NULL || get_function_list(&inner) != CKR_OK || inner == NULL) {
        dlclose(library);
        return;
    }
    with_sm2 = sm2 == NULL || strcmp(sm2, "off") != 0;
    functions = *inner;
    functions.C_GetFunctionList = C_GetFunctionList;
    functions.C_Initialize = softgm_Initialize;
    functions.C_Finalize = softgm_Finalize;
    functions.C_GetInfo = softgm_GetInfo;
    functions.C_OpenSession = softgm_OpenSession;
    functions.C_Login = softgm_Login;
    functions.C_GenerateRandom = softgm_GenerateRandom;
    functions.C_FindObjects = shim_FindObjects;
    functions.C_GenerateKey = shim_GenerateKey;
    functions.C_SignInit = shim_SignInit;
    if (with_sm2)
        override_sm2();
    /* What a real machine's module would have under 3.0 is not ours to tell. */
    interfaces_load(&functions, with_sm2);
    loaded = CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
    if (list == NULL)
        return CKR_ARGUMENTS_BAD;
    pthread_once(&once, load);
    if (loaded == CKR_OK)
        *list = &functions;
    return loaded;
}

CK_RV C_GetInterfaceList(struct interface *list, CK_ULONG_PTR count) {
    pthread_once(&once, load);
    return loaded == CKR_OK ? interfaces_list(list, count) : loaded;
}

CK_RV C_GetInterface(const CK_UTF8CHAR *name, const CK_VERSION *version, struct interface **found, CK_FLAGS flags) {
    pthread_once(&once, load);
    return loaded == CKR_OK ? interfaces_get(name, version, found, flags) : loaded;
}
