/*
 * Fault injection: one machine of three goes down, slows down, comes back. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * Where SOFTGM_FAULTS names a directory when the module starts, a file there that is named like a token's label says
 * what happens at each call that opens, logs in, makes, moves or uses a key in that token: "0x30" answers this CK_RV,
 * "delay 50" waits 50 ms first. No file, no fault. Read at each call, so a test switches faults by writing files.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "softgm.h"

#define LONGEST_DELAY_MS 60000UL

static char *directory;

void fault_start(void) {
    const char *configured = getenv("SOFTGM_FAULTS");

    fault_stop();
    if (configured != NULL && configured[0] != '\0')
        directory = strdup(configured);
}

void fault_stop(void) {
    free(directory);
    directory = NULL;
}

static void wait_ms(unsigned long ms) {
    struct timespec pause;

    if (ms > LONGEST_DELAY_MS)
        ms = LONGEST_DELAY_MS;
    pause.tv_sec = (time_t)(ms / 1000);
    pause.tv_nsec = (long)(ms % 1000) * 1000000L;
    nanosleep(&pause, NULL);
}

CK_RV fault_of_slot(CK_SLOT_ID slot) {
    CK_TOKEN_INFO token;
    char path[PATH_MAX];
    char text[64];
    int length = (int)sizeof token.label;
    ssize_t got;
    int file;

    if (directory == NULL || inner->C_GetTokenInfo(slot, &token) != CKR_OK)
        return CKR_OK;
    while (length > 0 && token.label[length - 1] == ' ')
        length--;
    /* A label is data of the token: it must not lead out of the directory. */
    if (length == 0 || memchr(token.label, '/', (size_t)length) != NULL || token.label[0] == '.')
        return CKR_OK;
    if (snprintf(path, sizeof path, "%s/%.*s", directory, length, (const char *)token.label) >= (int)sizeof path)
        return CKR_OK;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return CKR_OK;
    got = read(file, text, sizeof text - 1);
    close(file);
    if (got <= 0)
        return CKR_OK;
    text[got] = '\0';
    if (strncmp(text, "delay ", 6) == 0) {
        wait_ms(strtoul(text + 6, NULL, 10));
        return CKR_OK;
    }
    return (CK_RV)strtoul(text, NULL, 16);
}

CK_RV fault_of_session(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info;

    if (directory == NULL || inner->C_GetSessionInfo(session, &info) != CKR_OK)
        return CKR_OK;
    return fault_of_slot(info.slotID);
}
