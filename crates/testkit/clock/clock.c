/* A clock that is off: preloaded into a server of the tests. The file of WINBACK_TEST_CLOCK says by how many seconds; it
   is read each time, so that the clock can step while the server runs. Monotonic clocks stay as they are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long off(void) {
    const char *path = getenv("WINBACK_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) { return 0; }
    char text[32] = {0};
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    return count > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int answer = (int) syscall(SYS_clock_gettime, clock, now);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) { now->tv_sec += off(); }
    return answer;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void) zone;
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) { return -1; }
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) { return (time_t) -1; }
    if (at) { *at = exact.tv_sec; }
    return exact.tv_sec;
}
