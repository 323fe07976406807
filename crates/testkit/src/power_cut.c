/* A disk whose power may fail. Preloaded into a process, it keeps beside each of its database files what a disk would
 * hold after a power cut: HEADWAY_DISK/<file> what was flushed, HEADWAY_DISK/<file>.pending, in order, what was written
 * since. A flush carries the one over into the other, unless HEADWAY_DISK_LIES. Files outside HEADWAY_DATA are none of its business, nor is
 * SQLite's shared memory, which no power cut survives. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct record { uint64_t kind, offset, length; }; /* kind 0: that many bytes follow; kind 1: cut off at the offset */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

/* The file's place on the disk, if the path is one of the database's. */
static int place(const char *path, char *disk, const char *suffix) {
    const char *data = getenv("HEADWAY_DATA"), *to = getenv("HEADWAY_DISK");
    if (!data || !to) return 0;
    size_t length = strlen(data);
    if (strncmp(path, data, length) || path[length] != '/') return 0;
    const char *name = path + length + 1;
    size_t end = strlen(name);
    if (strchr(name, '/') || !strstr(name, ".db") || (end > 4 && !strcmp(name + end - 4, "-shm"))) return 0;
    return snprintf(disk, PATH_MAX, "%s/%s%s", to, name, suffix) < PATH_MAX;
}

static int place_of(int fd, char *disk, const char *suffix) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return place(path, disk, suffix);
}

static void all(int fd, const void *bytes, size_t length) {
    while (length) {
        ssize_t done = REAL(write)(fd, bytes, length);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        length -= done;
    }
}

static void note(int fd, uint64_t kind, off_t offset, const void *bytes, size_t length) {
    char pending[PATH_MAX];
    if (!place_of(fd, pending, ".pending")) return;
    struct record record = {kind, offset, length};
    pthread_mutex_lock(&lock);
    int to = open(pending, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (to < 0) abort();
    all(to, &record, sizeof record);
    all(to, bytes, length);
    close(to);
    pthread_mutex_unlock(&lock);
}

/* Carries what is pending over to the disk; 0 if the file is none of ours. */
static int flush(int fd) {
    char pending[PATH_MAX], disk[PATH_MAX];
    if (!place_of(fd, pending, ".pending") || !place_of(fd, disk, "")) return 0;
    if (getenv("HEADWAY_DISK_LIES")) return 1;
    pthread_mutex_lock(&lock);
    int to = open(disk, O_WRONLY | O_CREAT, 0644);
    int from = open(pending, O_RDONLY);
    struct record record;
    while (from >= 0 && read(from, &record, sizeof record) == sizeof record) {
        char *bytes = malloc(record.length + 1);
        if (read(from, bytes, record.length) != (ssize_t)record.length) abort();
        if (record.kind == 1) {
            if (REAL(ftruncate)(to, record.offset)) abort();
        } else if (REAL(pwrite)(to, bytes, record.length, record.offset) != (ssize_t)record.length) {
            abort();
        }
        free(bytes);
    }
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    REAL(unlink)(pending);
    pthread_mutex_unlock(&lock);
    return 1;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    ssize_t done = REAL(pwrite)(fd, bytes, length, offset);
    if (done > 0) note(fd, 0, offset, bytes, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return pwrite(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    char disk[PATH_MAX];
    off_t offset = place_of(fd, disk, "") ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t done = REAL(write)(fd, bytes, length);
    if (done > 0 && offset >= 0) note(fd, 0, offset, bytes, done);
    return done;
}

int ftruncate(int fd, off_t length) {
    int failed = REAL(ftruncate)(fd, length);
    if (!failed) note(fd, 1, length, "", 0);
    return failed;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int fsync(int fd) { return flush(fd) ? 0 : REAL(fsync)(fd); }

int fdatasync(int fd) { return flush(fd) ? 0 : REAL(fdatasync)(fd); }

int unlink(const char *path) {
    char disk[PATH_MAX];
    for (const char **suffix = (const char *[]){"", ".pending", NULL}; *suffix; suffix++)
        if (place(path, disk, *suffix)) REAL(unlink)(disk);
    return REAL(unlink)(path);
}
