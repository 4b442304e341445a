/*
 * libsdf: a cryptographic device of GM/T 0018-2012 in software. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * It behaves as makers' libraries do: what device is opened is said by a file, not by an argument; keys are known by
 * an index, made by a console (console.c) and not by the interface; a session may use a private key after it has given
 * the key's password; public keys are read without one. Nothing protects a key from whoever may read the files and
 * guess the password.
 *
 * LIBSDF_CONFIG names the file when SDF_OpenDevice is called. It has lines "name = …" (up to 63 characters), "keys = …"
 * (folder of the key files) and "secret = …" (protects the key encryption keys). Faults are injected by the file named
 * like the device in the folder that LIBSDF_FAULTS names; see softgm/faults.h.
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libsdf.h"
#include "softgm/faults.h"

#define LONGEST_LINE 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static struct device *devices;
static struct session *sessions;

/* The value of a line "key = value", or NULL. */
static char *value_of(char *line, const char *key) {
    size_t length = strlen(key);
    char *value;

    if (strncmp(line, key, length) != 0)
        return NULL;
    value = line + length + strspn(line + length, " \t");
    if (*value != '=')
        return NULL;
    value++;
    value += strspn(value, " \t");
    value[strcspn(value, "\r\n")] = '\0';
    return value;
}

static int configure(struct device *device) {
    const char *path = getenv("LIBSDF_CONFIG");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[LONGEST_LINE];
    char *value;
    int fits = 1;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if ((value = value_of(line, "name")) != NULL)
            fits &= snprintf(device->name, sizeof device->name, "%s", value) < (int)sizeof device->name;
        if ((value = value_of(line, "keys")) != NULL)
            fits &= snprintf(device->folder, sizeof device->folder, "%s", value) < (int)sizeof device->folder;
        if ((value = value_of(line, "secret")) != NULL && strlen(value) <= sizeof device->secret) {
            device->secret_length = strlen(value);
            memcpy(device->secret, value, device->secret_length);
        }
    }
    OPENSSL_cleanse(line, sizeof line);
    fclose(file);
    return fits && device->name[0] != '\0' && device->folder[0] != '\0';
}

int SDF_OpenDevice(void **handle) {
    struct device *device;
    unsigned long code;

    if (handle == NULL)
        return SDR_OUTARGERR;
    device = calloc(1, sizeof *device);
    if (device == NULL)
        return SDR_NOBUFFER;
    if (!configure(device))
        goto refuse;
    pthread_mutex_lock(&lock);
    if (devices == NULL)
        fault_start("LIBSDF_FAULTS");
    if (!sm2_start()) {
        pthread_mutex_unlock(&lock);
        goto refuse;
    }
    device->next = devices;
    devices = device;
    pthread_mutex_unlock(&lock);
    if (fault_of_name(device->name, &code) != FAULT_NONE) {
        SDF_CloseDevice(device);
        return SDR_OPENDEVICE;
    }
    *handle = device;
    return SDR_OK;
refuse:
    OPENSSL_clear_free(device, sizeof *device);
    return SDR_OPENDEVICE;
}

/* Where the device is in the list; call with the lock held. */
static struct device **find_device(const void *handle) {
    struct device **at = &devices;

    while (*at != NULL && *at != handle)
        at = &(*at)->next;
    return at;
}

int SDF_CloseDevice(void *handle) {
    struct device **at;
    struct device *device;
    int answer = SDR_INARGERR;

    pthread_mutex_lock(&lock);
    at = find_device(handle);
    device = *at;
    if (device != NULL && device->sessions > 0)
        answer = SDR_STEPERR;
    else if (device != NULL) {
        *at = device->next;
        OPENSSL_cleanse(device, sizeof *device);
        free(device);
        answer = SDR_OK;
        if (devices == NULL)
            fault_stop();
    }
    pthread_mutex_unlock(&lock);
    return answer;
}

int SDF_OpenSession(void *handle, void **session_handle) {
    struct session *session;
    struct device *device;
    unsigned long code = SDR_UNKNOWERR;
    char name[sizeof device->name];

    if (session_handle == NULL)
        return SDR_OUTARGERR;
    pthread_mutex_lock(&lock);
    device = *find_device(handle);
    if (device != NULL) {
        device->sessions++;
        memcpy(name, device->name, sizeof name);
    }
    pthread_mutex_unlock(&lock);
    if (device == NULL)
        return SDR_INARGERR;
    session = calloc(1, sizeof *session);
    if (session == NULL || fault_of_name(name, &code) != FAULT_NONE) {
        free(session);
        pthread_mutex_lock(&lock);
        device->sessions--;
        pthread_mutex_unlock(&lock);
        return (int)code;
    }
    session->device = device;
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_lock(&lock);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&lock);
    *session_handle = session;
    return SDR_OK;
}

static void free_right(struct right *right) {
    EVP_PKEY_free(right->rsa);
    OPENSSL_cleanse(right, sizeof *right);
    free(right);
}

int SDF_CloseSession(void *handle) {
    struct session **at = &sessions;
    struct session *session;

    pthread_mutex_lock(&lock);
    while (*at != NULL && *at != handle)
        at = &(*at)->next;
    session = *at;
    if (session == NULL) {
        pthread_mutex_unlock(&lock);
        return SDR_INARGERR;
    }
    *at = session->next;
    while (session->users > 0)
        pthread_cond_wait(&left, &lock);
    session->device->sessions--;
    pthread_mutex_unlock(&lock);
    while (session->rights != NULL) {
        struct right *right = session->rights;

        session->rights = right->next;
        free_right(right);
    }
    session_forget_keys(session);
    EVP_MD_CTX_free(session->hash);
    pthread_mutex_destroy(&session->lock);
    free(session);
    return SDR_OK;
}

int session_enter(void *handle, struct session **entered) {
    struct session *session;
    unsigned long code;

    pthread_mutex_lock(&lock);
    for (session = sessions; session != NULL && session != handle;)
        session = session->next;
    if (session != NULL)
        session->users++;
    pthread_mutex_unlock(&lock);
    if (session == NULL)
        return SDR_INARGERR;
    /* Without the session's lock: a call that hangs keeps no other waiting. */
    switch (fault_of_name(session->device->name, &code)) {
    case FAULT_NONE:
        pthread_mutex_lock(&session->lock);
        *entered = session;
        return SDR_OK;
    case FAULT_CODE:
        break;
    default:
        code = SDR_UNKNOWERR;
    }
    pthread_mutex_lock(&lock);
    session->users--;
    pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
    return (int)code;
}

int session_leave(struct session *session, int answer) {
    pthread_mutex_unlock(&session->lock);
    pthread_mutex_lock(&lock);
    session->users--;
    pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
    return answer;
}

struct right *session_right(struct session *session, unsigned int index) {
    struct right *right = session->rights;

    while (right != NULL && right->index != index)
        right = right->next;
    return right;
}

int SDF_GetDeviceInfo(void *handle, DEVICEINFO *info) {
    struct session *session;
    int answer;

    if (info == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    memset(info, 0, sizeof *info);
    memcpy(info->IssuerName, "libsdf, tests and demonstration only", 36);
    memcpy(info->DeviceName, session->device->name, strnlen(session->device->name, sizeof info->DeviceName));
    memcpy(info->DeviceSerial, "2026010100100001", sizeof info->DeviceSerial);
    info->DeviceVersion = 1;
    info->StandardVersion = 1;
    info->AsymAlgAbility[0] = SGD_SM2 | SGD_SM2_1 | SGD_SM2_3 | SGD_RSA;
    info->AsymAlgAbility[1] = 256 | RSAref_MAX_BITS;
    info->SymAlgAbility = SGD_SM4_ECB | SGD_SM4_CBC | SGD_SM4_MAC;
    info->HashAlgAbility = SGD_SM3;
    return session_leave(session, SDR_OK);
}

int SDF_GenerateRandom(void *handle, unsigned int length, unsigned char *random) {
    struct session *session;
    int answer;

    if (random == NULL || length > INT32_MAX)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    return session_leave(session, RAND_bytes(random, (int)length) == 1 ? SDR_OK : SDR_RANDERR);
}

int SDF_GetPrivateKeyAccessRight(void *handle, unsigned int index, unsigned char *password, unsigned int length) {
    struct session *session;
    struct right *right;
    int ecc, rsa, answer;

    if (password == NULL || length > LONGEST_PASSWORD)
        return SDR_INARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    right = calloc(1, sizeof *right);
    if (right == NULL)
        return session_leave(session, SDR_NOBUFFER);
    right->index = index;
    ecc = ecc_unlock(session->device, right, password, length);
    rsa = rsa_unlock(session->device, right, password, length);
    if ((ecc != SDR_OK && ecc != SDR_KEYNOTEXIST) || (rsa != SDR_OK && rsa != SDR_KEYNOTEXIST) ||
        (ecc == SDR_KEYNOTEXIST && rsa == SDR_KEYNOTEXIST)) {
        free_right(right);
        return session_leave(session, ecc != SDR_OK && ecc != SDR_KEYNOTEXIST ? ecc : rsa);
    }
    right->next = session->rights;
    session->rights = right;
    return session_leave(session, SDR_OK);
}

int SDF_ReleasePrivateKeyAccessRight(void *handle, unsigned int index) {
    struct session *session;
    struct right **at;
    int found = 0;
    int answer;

    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    for (at = &session->rights; *at != NULL;) {
        struct right *right = *at;

        if (right->index != index) {
            at = &right->next;
            continue;
        }
        *at = right->next;
        free_right(right);
        found = 1;
    }
    return session_leave(session, found ? SDR_OK : SDR_PARDENY);
}
