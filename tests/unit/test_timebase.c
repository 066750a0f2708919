/* The database's clock as bounds on a base: `now` is never ahead of the server. */
#include <criterion/criterion.h>

#include "slated/timebase.h"

Test(timebase, samples)
{
	static const struct {
		const char *name;
		int64_t sent, received, server; /* microseconds */
		int64_t correction, base;
	} rows[] = {
	    {"the first sample gives the least base", 1000, 1400, 501300, 0, 499900},
	    {"a shorter round trip raises it", 2000, 2100, 502090, 90, 499990},
	    {"a longer one says nothing new", 3000, 9000, 505000, 0, 499990},
	    {"the server's clock was set back", 10000, 10100, 410050, -100040, 399950},
	    {"and forth by a minute", 20000, 20100, 60420100, 60000050, 60400000},
	    {"an answer within the bounds leaves it", 30000, 30100, 60430050, 0, 60400000},
	};
	struct timebase timebase = {0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct duration correction =
		    timebase_sample(&timebase, rows[i].sent, rows[i].received, (struct instant){rows[i].server});
		cr_expect_eq(correction.us, rows[i].correction, "%s: corrected by %lld", rows[i].name,
		             (long long)correction.us);
		cr_expect_eq(timebase.base_us, rows[i].base, "%s: base %lld", rows[i].name,
		             (long long)timebase.base_us);
		struct instant now = timebase_at(&timebase, rows[i].received);
		cr_expect_leq(now.us, rows[i].server + (rows[i].received - rows[i].sent), "%s: ahead of the server",
		              rows[i].name);
	}
}
