/* Preloaded into a program whose clock is to differ from the host's: adds the microseconds that stand in the file
 * SLATED_SKEW, as a 64-bit number that the test changes while the program runs, to the time of day. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t
skew(void)
{
	static const volatile int64_t *shared;
	if (shared == NULL) {
		const char *path = getenv("SLATED_SKEW");
		int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0);
		if (fd >= 0)
			(void)close(fd);
		if (map == MAP_FAILED)
			return 0;
		shared = map;
	}
	return *shared;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(clock, ts);
	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t us = ts->tv_nsec / 1000 + skew() % 1000000;
		ts->tv_sec += skew() / 1000000 + (us < 0 ? -1 : us / 1000000);
		ts->tv_nsec = (us < 0 ? us + 1000000 : us % 1000000) * 1000;
	}
	return r;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;
	(void)zone;
	int r = clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
	return r;
}

time_t
time(time_t *ret)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret != NULL)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
