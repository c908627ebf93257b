/* Preloaded into the pcscd of the tests, so that it needs no rights and disturbs nobody:
 *  - vpcd 3.3 binds 0.0.0.0: every TCP bind becomes loopback only;
 *  - everything under /run/pcscd (socket, pid file) moves to $PCSCD_RUN, so that several daemons can run side by side;
 *  - the 400 ms between two looks for a card become 20 ms, so that the tests are quick.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define RUN "/run/pcscd"
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static const char *moved(const char *path, char *room, size_t size)
{
    const char *run = getenv("PCSCD_RUN");
    const char *rest = strncmp(path, "/var" RUN, 4 + strlen(RUN)) == 0 ? path + 4 : path;
    if (run == NULL || strncmp(rest, RUN, strlen(RUN)) != 0)
        return path;
    snprintf(room, size, "%s%s", run, rest + strlen(RUN));
    return room;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(bind);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in local = *(const struct sockaddr_in *)address;
        local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return real(fd, (struct sockaddr *)&local, sizeof local);
    }
    if (address->sa_family == AF_UNIX) {
        struct sockaddr_un local = { .sun_family = AF_UNIX };
        char room[sizeof local.sun_path];
        snprintf(local.sun_path, sizeof local.sun_path, "%s",
                 moved(((const struct sockaddr_un *)address)->sun_path, room, sizeof room));
        return real(fd, (struct sockaddr *)&local, sizeof local);
    }
    return real(fd, address, length);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    REAL(nanosleep);
    struct timespec poll = { .tv_nsec = 20 * 1000 * 1000 };
    return real(wanted->tv_sec == 0 && wanted->tv_nsec == 400 * 1000 * 1000 ? &poll : wanted, left);
}

#define MOVED(path) char room[512]; path = moved(path, room, sizeof room)

int chmod(const char *path, mode_t mode) { REAL(chmod); MOVED(path); return real(path, mode); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); MOVED(path); return real(path, mode); }
int remove(const char *path) { REAL(remove); MOVED(path); return real(path); }
int stat(const char *path, struct stat *about) { REAL(stat); MOVED(path); return real(path, about); }
int lstat(const char *path, struct stat *about) { REAL(lstat); MOVED(path); return real(path, about); }
FILE *fopen(const char *path, const char *mode) { REAL(fopen); MOVED(path); return real(path, mode); }

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    MOVED(path);
    return real(path, flags, mode);
}
