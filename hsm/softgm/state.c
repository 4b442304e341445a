/* Running operations and the cache of private values. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. */
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#include "sm4.h"
#include "softgm.h"

#define BUCKETS 256U

struct cached_secret {
    CK_SLOT_ID slot;
    CK_OBJECT_HANDLE object;
    struct sm2_secret secret;
    struct cached_secret *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t carriers = PTHREAD_RWLOCK_INITIALIZER;
static struct operation *operations[BUCKETS];
static struct cached_secret *secrets[BUCKETS];

void carrier_begin(void) {
    pthread_rwlock_wrlock(&carriers);
}

void look_begin(void) {
    pthread_rwlock_rdlock(&carriers);
}

void look_end(void) {
    pthread_rwlock_unlock(&carriers);
}

void carrier_end(void) {
    pthread_rwlock_unlock(&carriers);
}

struct operation *operation_new(CK_SESSION_HANDLE session, enum operation_kind kind, CK_MECHANISM_TYPE mechanism) {
    struct operation *operation = OPENSSL_zalloc(sizeof *operation);

    if (operation != NULL) {
        operation->session = session;
        operation->kind = kind;
        operation->mechanism = mechanism;
    }
    return operation;
}

void operation_free(struct operation *operation) {
    if (operation == NULL)
        return;
    EVP_MD_CTX_free(operation->hash);
    EVP_MAC_CTX_free(operation->mac);
    sm4_free(operation->sm4);
    OPENSSL_free(operation->found);
    OPENSSL_clear_free(operation, sizeof *operation);
}

/* The link that points to the operation, or to NULL at the end of its chain. Call with the lock held. */
static struct operation **operation_link(CK_SESSION_HANDLE session, enum operation_kind kind) {
    struct operation **link = &operations[session % BUCKETS];

    while (*link != NULL && ((*link)->session != session || (*link)->kind != kind))
        link = &(*link)->next;
    return link;
}

int operation_exists(CK_SESSION_HANDLE session, enum operation_kind kind) {
    int exists;

    pthread_mutex_lock(&lock);
    exists = *operation_link(session, kind) != NULL;
    pthread_mutex_unlock(&lock);
    return exists;
}

int operation_any(CK_SESSION_HANDLE session) {
    int any = 0;

    for (int kind = 0; kind < OPERATION_FIND; kind++)
        any |= operation_exists(session, (enum operation_kind)kind);
    return any;
}

CK_RV operation_check_foreign(CK_SESSION_HANDLE session, enum operation_kind kind, const CK_MECHANISM *mechanism,
                              CK_OBJECT_HANDLE key) {
    return operation_exists(session, kind) ? CKR_OPERATION_ACTIVE : object_refuse_ours(session, mechanism, key);
}

struct operation *operation_take(CK_SESSION_HANDLE session, enum operation_kind kind) {
    struct operation **link;
    struct operation *operation;

    pthread_mutex_lock(&lock);
    link = operation_link(session, kind);
    operation = *link;
    if (operation != NULL)
        *link = operation->next;
    pthread_mutex_unlock(&lock);
    return operation;
}

void operation_put(struct operation *operation) {
    struct operation **bucket = &operations[operation->session % BUCKETS];

    pthread_mutex_lock(&lock);
    operation->next = *bucket;
    *bucket = operation;
    pthread_mutex_unlock(&lock);
}

int secret_find(CK_OBJECT_HANDLE object, struct sm2_secret *secret) {
    const struct cached_secret *cached;

    pthread_mutex_lock(&lock);
    for (cached = secrets[object % BUCKETS]; cached != NULL; cached = cached->next)
        if (cached->object == object) {
            *secret = cached->secret;
            break;
        }
    pthread_mutex_unlock(&lock);
    return cached != NULL;
}

void secret_store(CK_SLOT_ID slot, CK_OBJECT_HANDLE object, const struct sm2_secret *secret) {
    struct cached_secret *entry = OPENSSL_zalloc(sizeof *entry);
    const struct cached_secret *other;

    if (entry == NULL)
        return; /* only slower */
    entry->slot = slot;
    entry->object = object;
    entry->secret = *secret;
    pthread_mutex_lock(&lock);
    for (other = secrets[object % BUCKETS]; other != NULL && other->object != object; other = other->next)
        continue;
    if (other == NULL) {
        entry->next = secrets[object % BUCKETS];
        secrets[object % BUCKETS] = entry;
    }
    pthread_mutex_unlock(&lock);
    if (other != NULL)
        OPENSSL_clear_free(entry, sizeof *entry);
}

/* Drops the secrets of an object, or of a slot, or all where both are NULL. */
static void forget_secrets(const CK_OBJECT_HANDLE *object, const CK_SLOT_ID *slot) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct cached_secret **link = &secrets[i];

        while (*link != NULL) {
            struct cached_secret *entry = *link;

            if ((object == NULL || entry->object == *object) && (slot == NULL || entry->slot == *slot)) {
                *link = entry->next;
                OPENSSL_clear_free(entry, sizeof *entry);
            } else {
                link = &entry->next;
            }
        }
    }
    pthread_mutex_unlock(&lock);
}

void secret_forget(CK_OBJECT_HANDLE object) {
    forget_secrets(&object, NULL);
}

void state_forget_slot(CK_SLOT_ID slot) {
    forget_secrets(NULL, &slot);
}

void state_forget_closed(void) {
    struct operation *closed = NULL;
    CK_SESSION_INFO info;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct operation **link = &operations[i];

        while (*link != NULL) {
            struct operation *operation = *link;

            if (inner->C_GetSessionInfo(operation->session, &info) == CKR_SESSION_HANDLE_INVALID) {
                *link = operation->next;
                operation->next = closed;
                closed = operation;
            } else {
                link = &operation->next;
            }
        }
    }
    pthread_mutex_unlock(&lock);
    while (closed != NULL) {
        struct operation *operation = closed;

        closed = operation->next;
        operation_free(operation);
    }
}

/* Session objects die with their session, and nothing tells which they were: all secrets are read again. */
void state_forget_session(CK_SESSION_HANDLE session) {
    for (int kind = 0; kind < OPERATION_KINDS; kind++)
        operation_free(operation_take(session, (enum operation_kind)kind));
    forget_secrets(NULL, NULL);
}

void state_forget_all(void) {
    forget_secrets(NULL, NULL);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        while (operations[i] != NULL) {
            struct operation *operation = operations[i];

            operations[i] = operation->next;
            operation_free(operation);
        }
    pthread_mutex_unlock(&lock);
}
