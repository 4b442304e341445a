/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See faults.h. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"

#define LONGEST_DELAY_MS 60000UL
#define HANG_POLL_MS 10UL
#define TEXT_LIMIT 64U

/* A fault file at one moment. */
struct fault {
    char path[PATH_MAX];
    char text[TEXT_LIMIT];
    dev_t device;
    ino_t inode;
    struct timespec changed;
};

/* How often a token was called since its fault file changed. */
struct counter {
    struct fault last;
    unsigned long calls;
    struct counter *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *directory;
static struct counter *counters;
/* Whether there are faults at all, and a number that grows when they end: read without the lock. */
static atomic_int active;
static atomic_ulong run;

void fault_start(const char *variable) {
    const char *configured = getenv(variable);

    fault_stop();
    if (configured == NULL || configured[0] == '\0')
        return;
    pthread_mutex_lock(&lock);
    directory = strdup(configured);
    active = directory != NULL;
    pthread_mutex_unlock(&lock);
}

void fault_stop(void) {
    pthread_mutex_lock(&lock);
    active = 0;
    run++;
    free(directory);
    directory = NULL;
    while (counters != NULL) {
        struct counter *counter = counters;

        counters = counter->next;
        free(counter);
    }
    pthread_mutex_unlock(&lock);
}

static void wait_ms(unsigned long ms) {
    struct timespec pause;

    if (ms > LONGEST_DELAY_MS)
        ms = LONGEST_DELAY_MS;
    pause.tv_sec = (time_t)(ms / 1000);
    pause.tv_nsec = (long)(ms % 1000) * 1000000L;
    nanosleep(&pause, NULL);
}

/* Path of the fault file of this name; 0 where it cannot have one. */
static int find_path(const char *name, char path[PATH_MAX]) {
    int written = -1;

    /* A name is data of the token: it must not lead out of the directory. */
    if (name[0] == '\0' || strchr(name, '/') != NULL || name[0] == '.')
        return 0;
    pthread_mutex_lock(&lock);
    if (directory != NULL)
        written = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    pthread_mutex_unlock(&lock);
    return written > 0 && written < PATH_MAX;
}

/* Reads the file at fault->path; 0 where there is none, or nothing in it. */
static int read_fault(struct fault *fault) {
    int file = open(fault->path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    ssize_t got;

    if (file < 0)
        return 0;
    got = fstat(file, &status) == 0 ? read(file, fault->text, sizeof fault->text - 1) : -1;
    close(file);
    if (got <= 0)
        return 0;
    fault->text[got] = '\0';
    fault->text[strcspn(fault->text, "\r\n")] = '\0';
    fault->device = status.st_dev;
    fault->inode = status.st_ino;
    fault->changed = status.st_mtim;
    return fault->text[0] != '\0';
}

static int is_same(const struct fault *one, const struct fault *other) {
    return strcmp(one->text, other->text) == 0 && one->device == other->device && one->inode == other->inode &&
           one->changed.tv_sec == other->changed.tv_sec && one->changed.tv_nsec == other->changed.tv_nsec;
}

/* The number of this call, from 1. */
static unsigned long count_call(const struct fault *fault) {
    struct counter *counter;
    unsigned long calls = 1;

    pthread_mutex_lock(&lock);
    for (counter = counters; counter != NULL && strcmp(counter->last.path, fault->path) != 0;)
        counter = counter->next;
    if (counter == NULL && (counter = calloc(1, sizeof *counter)) != NULL) {
        counter->last = *fault;
        counter->next = counters;
        counters = counter;
    }
    if (counter != NULL) {
        if (!is_same(&counter->last, fault)) {
            counter->last = *fault;
            counter->calls = 0;
        }
        calls = ++counter->calls;
    }
    pthread_mutex_unlock(&lock);
    return calls;
}

/* Splits " after N" or " every N" off the text, and tells whether this call is one of those; -1 for anything else. */
static int is_due(struct fault *fault) {
    char *condition = strstr(fault->text, " after ");
    int after = condition != NULL;
    unsigned long limit, call;
    char *end;

    if (condition == NULL)
        condition = strstr(fault->text, " every ");
    if (condition == NULL)
        return 1;
    limit = strtoul(condition + 7, &end, 10);
    if (end == condition + 7 || *end != '\0' || (!after && limit == 0))
        return -1;
    call = count_call(fault);
    *condition = '\0';
    return after ? call > limit : call % limit == 0;
}

/* Waits while the file stays as it is; 0 when the module was finalised meanwhile. */
static int hang(const struct fault *fault, unsigned long this_run) {
    struct fault now = *fault;

    do {
        wait_ms(HANG_POLL_MS);
    } while (run == this_run && read_fault(&now) && is_same(&now, fault));
    return run == this_run;
}

static int is_delay(const struct fault *fault) {
    return strncmp(fault->text, "delay ", 6) == 0;
}

static void crash(void) {
    /* No core: the memory may hold private values. */
    prctl(PR_SET_DUMPABLE, 0);
    abort();
}

int fault_is_active(void) {
    return active;
}

enum fault_outcome fault_of_name(const char *name, unsigned long *code) {
    struct fault fault, whole;
    unsigned long this_run = run;
    unsigned long number;
    char *end;
    int due;

    if (!active || !find_path(name, fault.path))
        return FAULT_NONE;
    while (read_fault(&fault)) {
        whole = fault;
        due = is_due(&fault);
        if (due == 0)
            return FAULT_NONE;
        if (due > 0 && strcmp(fault.text, "crash") == 0)
            crash();
        if (due > 0 && strcmp(fault.text, "hang") == 0) {
            if (!hang(&whole, this_run))
                return FAULT_ENDED;
            continue;
        }
        number = strtoul(fault.text + 6 * is_delay(&fault), &end, is_delay(&fault) ? 10 : 16);
        if (due > 0 && is_delay(&fault) && *end == '\0') {
            wait_ms(number);
            return FAULT_NONE;
        }
        if (due < 0 || strncmp(fault.text, "0x", 2) != 0 || *end != '\0')
            return FAULT_UNREADABLE;
        *code = number;
        return number == 0 ? FAULT_NONE : FAULT_CODE;
    }
    return FAULT_NONE;
}
