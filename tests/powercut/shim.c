/* Loaded before libc's own functions: notes what a process does to the files of one directory, in order and with the
 * bytes, so that a power cut at any moment of it can be replayed.
 *
 * TRACE_DIR is the directory, TRACE_LOG the file that the notes go to. A write and its note are made under one lock, so
 * that their order is the order of the writes; a sync is noted when it begins and when it ends, because only what was
 * written before it began is on the disk when it ended.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPENED = 1, WRITTEN, TRUNCATED, SYNC_BEGUN, SYNC_ENDED, UNLINKED, UNKNOWN };

struct note {
    uint32_t kind, fd;
    int64_t number; /* offset, length, sync or flag */
    uint64_t size;  /* of the bytes that follow */
};

#define MOST_FDS 4096
static char watched_fds[MOST_FDS];
static char directory[PATH_MAX];
static size_t directory_length;
static int log_fd = -1;
static int64_t syncs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real_of(#name))

static void *real_of(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

static void put(const void *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = syscall(SYS_write, log_fd, bytes, size);
        if (done < 0)
            abort();
        bytes = (const char *)bytes + done;
        size -= (size_t)done;
    }
}

static void note(int kind, int fd, int64_t number, const void *bytes, size_t size) {
    struct note head = {(uint32_t)kind, (uint32_t)fd, number, size};
    put(&head, sizeof head);
    put(bytes, size);
}

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("TRACE_LOG"), *where = getenv("TRACE_DIR");
    if (log == NULL || where == NULL || strlen(where) >= sizeof directory)
        return;
    strcpy(directory, where);
    directory_length = strlen(where);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
}

static int is_watched_path(const char *path) {
    return log_fd >= 0 && strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == 0);
}

static int is_watched(int fd) { return log_fd >= 0 && fd >= 0 && fd < MOST_FDS && watched_fds[fd]; }

static int opened(int fd, const char *path, int is_new) {
    int error = errno;
    if (fd >= MOST_FDS)
        abort();
    if (fd >= 0) {
        pthread_mutex_lock(&lock);
        watched_fds[fd] = (char)is_watched_path(path);
        if (watched_fds[fd])
            note(OPENED, fd, is_new, path, strlen(path));
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return fd;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        int is_new = (flags & O_CREAT) && is_watched_path(path) && access(path, F_OK) != 0;                            \
        return opened(REAL(name)(path, flags, mode), path, is_new);                                                    \
    }

#define OPENAT(name)                                                                                                   \
    int name(int at, const char *path, int flags, ...) {                                                               \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        int is_new = (flags & O_CREAT) && is_watched_path(path) && access(path, F_OK) != 0;                            \
        return opened(REAL(name)(at, path, flags, mode), path, is_new);                                                \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (is_watched(fd))
        watched_fds[fd] = 0;
    return REAL(close)(fd);
}

/* The statement that does it, under the lock if the file is a watched one; then the note. */
#define NOTED(fd, call, noting)                                                                                        \
    do {                                                                                                               \
        if (!is_watched(fd))                                                                                           \
            return call;                                                                                               \
        pthread_mutex_lock(&lock);                                                                                     \
        __typeof__(call) done = call;                                                                                  \
        int error = errno;                                                                                             \
        if (done >= 0)                                                                                                 \
            noting;                                                                                                    \
        pthread_mutex_unlock(&lock);                                                                                   \
        errno = error;                                                                                                 \
        return done;                                                                                                   \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
    NOTED(fd, REAL(write)(fd, bytes, size),
          note(WRITTEN, fd, lseek(fd, 0, SEEK_CUR) - done, bytes, (size_t)done));
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    NOTED(fd, REAL(pwrite)(fd, bytes, size, at), note(WRITTEN, fd, at, bytes, (size_t)done));
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    NOTED(fd, REAL(pwrite64)(fd, bytes, size, at), note(WRITTEN, fd, at, bytes, (size_t)done));
}

int ftruncate(int fd, off_t size) { NOTED(fd, REAL(ftruncate)(fd, size), note(TRUNCATED, fd, size, "", 0)); }

int ftruncate64(int fd, off64_t size) { NOTED(fd, REAL(ftruncate64)(fd, size), note(TRUNCATED, fd, size, "", 0)); }

/* What the simulation has no model of: that it was called is noted, and the simulation refuses the trace. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    NOTED(fd, REAL(writev)(fd, parts, count), note(UNKNOWN, fd, 0, "writev", 6));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    NOTED(fd, REAL(pwritev)(fd, parts, count, at), note(UNKNOWN, fd, 0, "pwritev", 7));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    NOTED(fd, REAL(pwritev64)(fd, parts, count, at), note(UNKNOWN, fd, 0, "pwritev64", 9));
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    NOTED(fd, REAL(fallocate)(fd, mode, at, size), note(UNKNOWN, fd, 0, "fallocate", 9));
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    NOTED(fd, REAL(fallocate64)(fd, mode, at, size), note(UNKNOWN, fd, 0, "fallocate64", 11));
}

int posix_fallocate(int fd, off_t at, off_t size) {
    NOTED(fd, REAL(posix_fallocate)(fd, at, size), note(UNKNOWN, fd, 0, "posix_fallocate", 15));
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    NOTED(fd, REAL(posix_fallocate64)(fd, at, size), note(UNKNOWN, fd, 0, "posix_fallocate64", 17));
}

int unlink(const char *path) {
    if (!is_watched_path(path))
        return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int done = REAL(unlink)(path), error = errno;
    if (done == 0)
        note(UNLINKED, 0, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int rename(const char *from, const char *to) {
    int done = REAL(rename)(from, to), error = errno;
    if (done == 0 && (is_watched_path(from) || is_watched_path(to))) {
        pthread_mutex_lock(&lock);
        note(UNKNOWN, 0, 0, "rename", 6);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return done;
}

static int synced(int fd, int (*sync_it)(int)) {
    if (!is_watched(fd))
        return sync_it(fd);
    pthread_mutex_lock(&lock);
    int64_t number = ++syncs;
    note(SYNC_BEGUN, fd, number, "", 0);
    pthread_mutex_unlock(&lock);
    int done = sync_it(fd), error = errno;
    if (done == 0) {
        pthread_mutex_lock(&lock);
        note(SYNC_ENDED, fd, number, "", 0);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return done;
}

/* Whoever ends the process waits for a write that another thread is at: it happened and is noted, or neither. */
void _exit(int status) {
    pthread_mutex_lock(&lock);
    for (;;)
        syscall(SYS_exit_group, status);
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }
