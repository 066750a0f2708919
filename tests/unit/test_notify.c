/* When the watchdog is fed. The rest of service_notify.c is tested by tests/system/notify.py. */
#include <criterion/criterion.h>

#include "service_internal.h"

Test(notify, watchdog)
{
	static const struct {
		const char *name;
		bool live;
		int64_t read_at, written_at, now; /* seconds */
		bool expect;
	} rows[] = {
	    {"just live", true, 100, 100, 100, true},
	    {"a query may take until its deadline", true, 100, 129, 130, true},
	    {"no answer to polls", true, 100, 145, 146, false},
	    {"no answer to what is written", true, 145, 100, 146, false},
	    {"on the way, or no connection", false, 100, 100, 10000, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct notify notify = {
		    .read_at = rows[i].read_at * US_PER_S,
		    .written_at = rows[i].written_at * US_PER_S,
		};
		cr_expect_eq(notify_is_working(&notify, rows[i].live, rows[i].now * US_PER_S), rows[i].expect, "%s",
		             rows[i].name);
	}
}
