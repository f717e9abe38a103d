/* A disk that can be watched and that fails on command: loaded before the C library (LD_PRELOAD) by the children of `disk.rs`.
 *
 * SHIM_FOLDER   files beneath it are watched, all others are left alone
 * SHIM_LOG      every write, sync, truncation and removal beneath it, in the order in which they took effect
 * SHIM_EIO      the sync of this number (from 1) fails with EIO and writes nothing out
 * SHIM_ENOSPC   from the write of this number on, so many (SHIM_ENOSPC_TIMES) fail with ENOSPC
 * SHIM_LIES     syncs succeed and are not written down: a disk that lies
 *
 * A record of the log is one line (`W file offset length`, `S file`, `T file size`, `U file`, `F file`), then the bytes of a write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *lies;
static int journal = -2;
static long eio, enospc, times, syncs, writes;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void begin(void) {
    if (journal != -2) return;
    folder = getenv("SHIM_FOLDER");
    lies = getenv("SHIM_LIES");
    eio = number("SHIM_EIO");
    enospc = number("SHIM_ENOSPC");
    times = number("SHIM_ENOSPC_TIMES");
    const char *name = getenv("SHIM_LOG");
    journal = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

/* The file's name beneath the folder, or nothing. The index of the log lives in shared memory and is made anew after a crash. */
static const char *watched(int fd, char *path) {
    char link[64];
    if (!folder) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, 4095);
    if (length <= 0) return NULL;
    path[length] = 0;
    size_t root = strlen(folder);
    if (strncmp(path, folder, root)) return NULL;
    /* The folder itself: its sync is that of the names. */
    if (!path[root]) return ".";
    if (path[root] != '/') return NULL;
    const char *name = path + root + 1;
    size_t end = strlen(name);
    return end > 4 && !strcmp(name + end - 4, "-shm") ? NULL : name;
}

static void put(const void *bytes, size_t length) {
    const char *from = bytes;
    while (journal >= 0 && length > 0) {
        long done = syscall(SYS_write, journal, from, length);
        if (done <= 0) _exit(99);
        from += done;
        length -= (size_t)done;
    }
}

static void note(const char *format, ...) {
    char line[4400];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    put(line, (size_t)length);
}

static int is_store(const char *name) { return strncmp(name, "store.db", 8) == 0; }

static int is_full(const char *name) {
    if (!is_store(name)) return 0;
    writes++;
    return enospc && writes >= enospc && writes < enospc + times;
}

static ssize_t put_at(int fd, const void *bytes, size_t length, off_t at) {
    char path[4096];
    pthread_mutex_lock(&lock);
    begin();
    const char *name = watched(fd, path);
    ssize_t done;
    if (name && is_full(name)) {
        errno = ENOSPC;
        done = -1;
    } else {
        done = syscall(SYS_pwrite64, fd, bytes, length, at);
        if (name && done > 0) {
            note("W %s %lld %zd\n", name, (long long)at, done);
            put(bytes, (size_t)done);
        }
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return put_at(fd, bytes, length, at); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return put_at(fd, bytes, length, at); }

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[4096];
    pthread_mutex_lock(&lock);
    begin();
    const char *name = watched(fd, path);
    off_t at = name ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
    ssize_t done;
    if (name && is_full(name)) {
        errno = ENOSPC;
        done = -1;
    } else {
        done = syscall(SYS_write, fd, bytes, length);
        if (name && done > 0) {
            note("W %s %lld %zd\n", name, (long long)at, done);
            put(bytes, (size_t)done);
        }
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

static int sync_of(int fd, long call) {
    char path[4096];
    pthread_mutex_lock(&lock);
    begin();
    const char *name = watched(fd, path);
    int done = 0;
    if (name && is_store(name) && ++syncs == eio) {
        note("F %s\n", name);
        errno = EIO;
        done = -1;
    } else {
        /* Nobody pulls the plug of this machine: what counts as written out stands in the log. */
        done = name ? 0 : (int)syscall(call, fd);
        if (name && !lies) note("S %s\n", name);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int fsync(int fd) { return sync_of(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_of(fd, SYS_fdatasync); }

static int cut(int fd, off_t size) {
    char path[4096];
    pthread_mutex_lock(&lock);
    begin();
    const char *name = watched(fd, path);
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (name && !done) note("T %s %lld\n", name, (long long)size);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

int unlink(const char *file) {
    pthread_mutex_lock(&lock);
    begin();
    int done = (int)syscall(SYS_unlinkat, AT_FDCWD, file, 0);
    int kept = errno;
    size_t root = folder ? strlen(folder) : 0;
    if (!done && folder && !strncmp(file, folder, root) && file[root] == '/') note("U %s\n", file + root + 1);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}
