/* Loaded before libc: the wall clock of a process and the kernel's word about it are what a file says, while
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME stay the real ones. The file, mapped: offset in ns, synchronised (0, 1). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct moved { int64_t offset_ns; int64_t synchronised; };
static volatile struct moved *moved;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("MOVED_CLOCK");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof(struct moved), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        moved = at;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *value)
{
    int answer = (int)syscall(SYS_clock_gettime, clock, value);
    if (answer == 0 && moved && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = value->tv_sec * 1000000000LL + value->tv_nsec + moved->offset_ns;
        value->tv_sec = ns / 1000000000LL;
        value->tv_nsec = ns % 1000000000LL;
    }
    return answer;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    value->tv_sec = now.tv_sec;
    value->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *value)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (value)
        *value = now.tv_sec;
    return now.tv_sec;
}

int adjtimex(struct timex *value)
{
    memset(value, 0, sizeof *value);
    value->status = moved && moved->synchronised ? STA_PLL : STA_UNSYNC;
    return moved && moved->synchronised ? TIME_OK : TIME_ERROR;
}

static const char *named(const char *path)
{
    const char *boot = getenv("MOVED_BOOT");
    return boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return (int)syscall(SYS_openat, AT_FDCWD, named(path), flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    return (int)syscall(SYS_openat, AT_FDCWD, named(path), flags, mode);
}
