/* The database as slatectl top reads it: again and again, and without waiting for it. */
#ifndef SLATED_SLATECTL_TOP_LINK_H
#define SLATED_SLATECTL_TOP_LINK_H

#include <poll.h>

#include "db.h"

/* What is read, in this order. */
enum top_part {
	TOP_NOW,
	TOP_INSTANCES,
	TOP_TOTALS,
	TOP_CLOCKS,
	TOP_PARTS,
};

struct top_link;

/* Instants here are the monotonic clock's. `db` is open, with a snapshot, which ends; it must outlive the link and is
 * used by nobody else. 0 or -ENOMEM. */
int top_link_new(const struct db *db, struct top_link **ret) __attribute__((warn_unused_result));
void top_link_free(struct top_link *link);

/* What to wait for. Its descriptor is negative where there is nothing but time. */
struct pollfd top_link_pollfd(const struct top_link *link);
struct instant top_link_next(const struct top_link *link);

/* Goes on as far as it gets; `ready` where poll() found the descriptor so. True where there is something new to show.
 */
bool top_link_work(struct top_link *link, struct instant now, bool ready);

/* Reads again at once. */
void top_link_hurry(struct top_link *link);

/* What was read last as a whole; NULL before that. */
const PGresult *top_link_part(const struct top_link *link, enum top_part part);

/* The database's clock. */
struct instant top_link_database_now(const struct top_link *link, struct instant now);

/* Why nothing is read, one line, and since when nothing has been; NULL: all is well. */
const char *top_link_problem(const struct top_link *link, struct instant *ret_since);

#endif
