/* The HTTP server with the API and the inbound routes, on the loopback interface, for fuzz targets: a desk of its own
 * stands in for the database. */
#ifndef SLATED_TESTS_FUZZ_HTTP_RIG_H
#define SLATED_TESTS_FUZZ_HTTP_RIG_H

#include <stdbool.h>
#include <stddef.h>

#define RIG_TOKEN "a-token-of-sixteen"
#define RIG_PAGER "a-secret-of-a-pager"

/* What becomes of an order: a bit set. */
enum rig_answer {
	RIG_FAILS = 3,    /* 0: it is done; 1, 2, 3: it fails with 503, 400, 500 */
	RIG_LATER = 4,    /* not from within desk_put() */
	RIG_GONE = 8,     /* with RIG_LATER: the client has gone by then */
	RIG_NOTHING = 16, /* there are no rows, or the outcome is that there is no such thing */
	RIG_WHOLE = 32,   /* the request is well-formed: wait for its answer */
};

struct rig_reply {
	char *text; /* what came back, ends with NUL; until the next rig_talk() */
	size_t len;
	bool closed;     /* by the server */
	unsigned orders; /* what the desk was asked for */
	const char
	    *asked; /* their statements' beginnings and their parameters, line by line; until the next rig_talk() */
};

/* Sends the bytes over a connection of their own and waits until the server has nothing more to say. */
void rig_talk(const void *data, size_t size, unsigned answer, struct rig_reply *ret);

#endif
