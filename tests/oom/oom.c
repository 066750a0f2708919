/* The linker's --wrap (tests.mk names the functions) leads the calls of slated's own objects here, and no others: it
 * replaces undefined symbols of what is linked in, and the libraries are shared. So a library is as it always is, which
 * matters for those that cannot bear it:
 * - libconfig 1.5: of the first 399 allocations of its own for tests/config/good/full.conf, each failing alone, 279 end
 *   in a crash and 3 in exit() by the scanner that flex has made;
 * - libical 3.0.16: of as many for tests/config/good/holidays.ics, 206 end in a crash; make_segment() of icalparser.c
 *   writes into whatever it is given;
 * - jansson and libevent: oom_json.c and oom_event.c tell of them, and have the calls fail instead;
 * - libpq and OpenSSL answer properly, but what they allocate is theirs to test.
 *
 * A definition of malloc() in the program would do for gcc and clang, too, but not beside AddressSanitizer, which has
 * its own: --wrap works with it, since what is wrapped is the call and not the function. */
#include "oom.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const oom_mode_names[OOM_MODES] = {"once", "lasting"};

static struct {
	long left; /* allocations until the one that fails; 0 = none is to */
	enum oom_mode mode;
	bool failed;
	void *blocks; /* a tree of addresses (tsearch(3), whose nodes come from the C library's own malloc()) */
	size_t n_blocks;
} oom;

void
oom_begin(long nth, enum oom_mode mode)
{
	oom.left = nth;
	oom.mode = mode;
	oom.failed = false;
}

bool
oom_end(void)
{
	oom.left = 0;
	return oom.failed;
}

size_t
oom_blocks(void)
{
	return oom.n_blocks;
}

void
oom_demand_at(bool holds, const char *text, const char *what, long nth, const char *file, int line)
{
	oom.left = 0;
	if (holds)
		return;
	(void)fprintf(stderr, "%s:%d: %s: allocation %ld fails (%s): not %s\n", file, line, what, nth,
	              oom_mode_names[oom.mode], text);
	abort();
}

bool
oom_fails(void)
{
	if (oom.left == 0 || (oom.left > 1 && --oom.left >= 1))
		return false;
	if (oom.mode == OOM_ONCE)
		oom.left = 0;
	oom.failed = true;
	errno = ENOMEM;
	return true;
}

static int
compare(const void *a, const void *b)
{
	return a < b ? -1 : a > b;
}

static void *
keep(void *block)
{
	if (block != NULL && tsearch(block, &oom.blocks, compare) != NULL)
		oom.n_blocks++;
	return block;
}

/* What was not allocated here, such as libpq's, is not known. */
static void
forget(const void *block)
{
	if (block != NULL && tdelete(block, &oom.blocks, compare) != NULL)
		oom.n_blocks--;
}

/* What the linker makes of the two names of a wrapped function. */
#define WRAPPED(type, name, ...)                                                                                       \
	type __real_##name(__VA_ARGS__);                                                                               \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t n, size_t size);
WRAPPED(void *, realloc, void *block, size_t size);
WRAPPED(void *, reallocarray, void *block, size_t n, size_t size);
WRAPPED(void *, aligned_alloc, size_t alignment, size_t size);
WRAPPED(char *, strdup, const char *text);
WRAPPED(char *, strndup, const char *text, size_t n);
WRAPPED(void, free, void *block);
WRAPPED(FILE *, fopen, const char *path, const char *mode);
WRAPPED(FILE *, open_memstream, char **text, size_t *len);
WRAPPED(int, scandir, const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
        int (*order)(const struct dirent **, const struct dirent **));
WRAPPED(int, vasprintf, char **ret, const char *format, va_list args);
int __wrap_asprintf(char **ret, const char *format, ...);
/* With _FORTIFY_SOURCE, as distributions build. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list args);
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...);

void *
__wrap_malloc(size_t size)
{
	return oom_fails() ? NULL : keep(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return oom_fails() ? NULL : keep(__real_calloc(n, size));
}

/* The old block stays where it fails. One of no size is freed, as the C library has it. */
static void *
moved(void *old, void *moved_to, bool empty)
{
	if (moved_to != NULL || empty)
		forget(old);
	return keep(moved_to);
}

void *
__wrap_realloc(void *block, size_t size)
{
	return oom_fails() ? NULL : moved(block, __real_realloc(block, size), size == 0);
}

void *
__wrap_reallocarray(void *block, size_t n, size_t size)
{
	return oom_fails() ? NULL : moved(block, __real_reallocarray(block, n, size), n == 0 || size == 0);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return oom_fails() ? NULL : keep(__real_aligned_alloc(alignment, size));
}

char *
__wrap_strdup(const char *text)
{
	return oom_fails() ? NULL : keep(__real_strdup(text));
}

char *
__wrap_strndup(const char *text, size_t n)
{
	return oom_fails() ? NULL : keep(__real_strndup(text, n));
}

void
__wrap_free(void *block)
{
	forget(block);
	__real_free(block);
}

FILE *
__wrap_fopen(const char *path, const char *mode)
{
	return oom_fails() ? NULL : __real_fopen(path, mode);
}

FILE *
__wrap_open_memstream(char **text, size_t *len)
{
	return oom_fails() ? NULL : __real_open_memstream(text, len);
}

int
__wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
               int (*order)(const struct dirent **, const struct dirent **))
{
	return oom_fails() ? -1 : __real_scandir(path, entries, filter, order);
}

/* What *ret holds after a failure is undefined (asprintf(3)): here, nothing that could be freed. */
int
__wrap_vasprintf(char **ret, const char *format, va_list args)
{
	static char undefined;
	int n = -1;
	*ret = &undefined;
	if (!oom_fails())
		n = __real_vasprintf(ret, format, args);
	if (n >= 0)
		(void)keep(*ret);
	return n;
}

int
__wrap_asprintf(char **ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = __wrap_vasprintf(ret, format, args);
	va_end(args);
	return n;
}

int
__wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list args)
{
	(void)flag;
	return __wrap_vasprintf(ret, format, args);
}

int
__wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
	va_list args;
	(void)flag;
	va_start(args, format);
	int n = __wrap_vasprintf(ret, format, args);
	va_end(args);
	return n;
}
