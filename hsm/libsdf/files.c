/* Files of the user in the device. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libsdf.h"

#define LONGEST_NAME 128U
#define LARGEST_FILE (1024U * 1024U)

/* Names are any bytes, so that in the folder they are hexadecimal. */
static int find_path(const struct session *session, const unsigned char *name, unsigned int length,
                     char path[PATH_BYTES]) {
    int at = snprintf(path, PATH_BYTES, "%s/file-", session->device->folder);

    if (at < 0 || (size_t)at + 2 * (size_t)length >= PATH_BYTES)
        return 0;
    for (unsigned int i = 0; i < length; i++)
        at += snprintf(path + at, PATH_BYTES - (size_t)at, "%02x", name[i]);
    return 1;
}

static int enter(void *handle, const unsigned char *name, unsigned int length, struct session **session,
                 char path[PATH_BYTES]) {
    int answer;

    if (name == NULL || length == 0 || length > LONGEST_NAME)
        return SDR_INARGERR;
    if ((answer = session_enter(handle, session)) != SDR_OK)
        return answer;
    return find_path(*session, name, length, path) ? SDR_OK : session_leave(*session, SDR_INARGERR);
}

int SDF_CreateFile(void *handle, unsigned char *name, unsigned int name_length, unsigned int size) {
    struct session *session;
    char path[PATH_BYTES];
    int answer, file;

    if (size > LARGEST_FILE)
        return SDR_FILESIZEERR;
    if ((answer = enter(handle, name, name_length, &session, path)) != SDR_OK)
        return answer;
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return session_leave(session, errno == EEXIST ? SDR_FILEEXISTS : SDR_FILEWERR);
    if (ftruncate(file, (off_t)size) != 0) {
        unlink(path);
        answer = SDR_NOBUFFER;
    }
    close(file);
    return session_leave(session, answer);
}

/* Opens the file; SDR_FILEOFSERR when it ends before offset, SDR_FILESIZEERR when it ends before offset + length. */
static int open_part(const char *path, int flags, unsigned int offset, unsigned int length, int *file) {
    struct stat status;

    *file = open(path, flags | O_CLOEXEC);
    if (*file < 0)
        return SDR_FILENOEXIST;
    if (fstat(*file, &status) == 0 && (off_t)offset <= status.st_size) {
        if ((off_t)length <= status.st_size - (off_t)offset)
            return SDR_OK;
        close(*file);
        return SDR_FILESIZEERR;
    }
    close(*file);
    return SDR_FILEOFSERR;
}

int SDF_ReadFile(void *handle, unsigned char *name, unsigned int name_length, unsigned int offset,
                 unsigned int *length, unsigned char *buffer) {
    struct session *session;
    char path[PATH_BYTES];
    int answer, file;

    if (length == NULL || buffer == NULL)
        return SDR_OUTARGERR;
    if ((answer = enter(handle, name, name_length, &session, path)) != SDR_OK)
        return answer;
    answer = open_part(path, O_RDONLY, offset, *length, &file);
    if (answer == SDR_OK) {
        if (pread(file, buffer, *length, (off_t)offset) != (ssize_t)*length)
            answer = SDR_UNKNOWERR;
        close(file);
    }
    return session_leave(session, answer);
}

int SDF_WriteFile(void *handle, unsigned char *name, unsigned int name_length, unsigned int offset,
                  unsigned int length, unsigned char *buffer) {
    struct session *session;
    char path[PATH_BYTES];
    int answer, file;

    if (buffer == NULL)
        return SDR_INARGERR;
    if ((answer = enter(handle, name, name_length, &session, path)) != SDR_OK)
        return answer;
    answer = open_part(path, O_WRONLY, offset, length, &file);
    if (answer == SDR_OK) {
        if (pwrite(file, buffer, length, (off_t)offset) != (ssize_t)length)
            answer = SDR_FILEWERR;
        close(file);
    }
    return session_leave(session, answer);
}

int SDF_DeleteFile(void *handle, unsigned char *name, unsigned int name_length) {
    struct session *session;
    char path[PATH_BYTES];
    int answer;

    if ((answer = enter(handle, name, name_length, &session, path)) != SDR_OK)
        return answer;
    return session_leave(session, unlink(path) == 0 ? SDR_OK : SDR_FILENOEXIST);
}
