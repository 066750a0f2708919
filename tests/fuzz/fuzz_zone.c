/* Bytes that may be a TZif file: whatever is taken for one must have an answer everywhere, and answers that agree. */
#include "slated/zone.h"

#include "fuzz.h"

#include <stdlib.h>

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
check_at(const struct zone *zone, struct instant at)
{
	int32_t offset = zone_offset(zone, at);
	struct wall wall = zone_wall(zone, at);
	struct instant first = zone_instant(zone, wall, ZONE_FIRST);
	struct instant second = zone_instant(zone, wall, ZONE_SECOND);
	struct instant next = zone_next_change(zone, at);

	demand(offset > -90000 && offset < 93600);
	demand(instant_before(at, next) || instant_equal(at, INSTANT_NEVER));
	demand(first.us <= second.us);
	/* Closer to the ends than two days the walls themselves are held. */
	if (at.us > INT64_MIN / 1000 * 999 && at.us < INT64_MAX / 1000 * 999) {
		demand(wall.us == at.us + offset * US_PER_S);
		demand(first.us <= at.us && at.us <= second.us);
	}
}

/* The changes from `at` on. */
static void
check_from(const struct zone *zone, struct instant at)
{
	for (int i = 0; i < 200; i++) {
		check_at(zone, at);
		struct instant next = zone_next_change(zone, at);
		if (instant_equal(next, INSTANT_NEVER))
			return;
		struct instant before = {next.us - 1};
		demand(zone_offset(zone, before) == zone_offset(zone, at));
		demand(zone_offset(zone, before) != zone_offset(zone, next));
		check_at(zone, before);
		at = next;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The ends of the range, years 0 and 10000, the last decades, and rounds of the Gregorian calendar later. */
	static const int64_t seconds[] = {-9223372036854, -62167219200, -2208988800, 0,
	                                  1577836800,     2145916800,   14767747200, 1000000000000,
	                                  253402300800,   9223372036854};
	struct zone *zone;

	if (zone_new_tzif("fuzzed", data, size, &zone) < 0)
		return 0;
	check_from(zone, (struct instant){INT64_MIN});
	check_at(zone, INSTANT_NEVER);
	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
		check_from(zone, (struct instant){seconds[i] * US_PER_S});
	zone_free(zone);
	return 0;
}
