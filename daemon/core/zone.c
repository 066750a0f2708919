/* Time zones from TZif bytes (RFC 9636), flattened into one ascending table of changes of offset:
 *
 *      offset[0] | offset[1] |  ...  | offset[n]
 *   ------------at[0]-------at[1]--at[n-1]----------->  at[]: microseconds, offset[]: seconds east of UTC
 *
 * at[] ascends strictly and neighbouring offsets differ. The rule of the footer is written out from the last transition
 * until the Gregorian calendar has come round (400 years are 146097 days, whole weeks): from `cycle` on everything
 * repeats with that period, so that a later instant is looked up where it falls in the first round. */
#include "slated/zone.h"

#include "tz_rule.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CYCLE_YEARS 400
#define CYCLE_US    (146097 * US_PER_DAY)

/* Bounds of an offset in a file (RFC 9636 section 3.2), exclusive; no two offsets are further apart than two days. */
#define OFFSET_MIN    (-25 * 3600)
#define OFFSET_MAX    (26 * 3600)
#define OFFSET_MARGIN (2 * US_PER_DAY)

/* Transitions beyond are out of reach; inside, an instant can be moved by the margin without overflow. */
#define REACH_S  INT64_C(9223000000000)
#define REACH_US (REACH_S * US_PER_S)

struct zone {
	char *name;
	size_t n;
	int64_t *at;
	int32_t *offset;
	int64_t cycle;    /* INT64_MAX where nothing repeats */
	bool always_rule; /* the rule holds before `cycle` too */
};

static int
zone_new(const char *name, size_t max_transitions, struct zone **ret)
{
	struct zone *zone = calloc(1, sizeof *zone);

	if (zone == NULL)
		return -ENOMEM;
	zone->name = strdup(name);
	zone->at = malloc((max_transitions + 1) * sizeof *zone->at);
	zone->offset = calloc(max_transitions + 1, sizeof *zone->offset);
	zone->cycle = INT64_MAX;
	if (zone->name == NULL || zone->at == NULL || zone->offset == NULL) {
		zone_free(zone);
		return -ENOMEM;
	}
	*ret = zone;
	return 0;
}

void
zone_free(struct zone *zone)
{
	if (zone == NULL)
		return;
	free(zone->name);
	free(zone->at);
	free(zone->offset);
	free(zone);
}

const char *
zone_name(const struct zone *zone)
{
	return zone->name;
}

/* From `second` on the offset is `offset`. Seconds come in ascending order, a repeated one overrides. */
static void
zone_append(struct zone *zone, int64_t second, int32_t offset)
{
	if (second > REACH_S)
		return;
	if (second < -REACH_S) {
		zone->offset[0] = offset;
		return;
	}
	int64_t us = second * US_PER_S;
	if (zone->n > 0 && zone->at[zone->n - 1] == us)
		zone->n--;
	assert(zone->n == 0 || zone->at[zone->n - 1] < us);
	if (zone->offset[zone->n] == offset)
		return;
	zone->at[zone->n++] = us;
	zone->offset[zone->n] = offset;
}

/* Years of the rule that are written out: two before the last transition (a span may reach over it), two after it
 * until it cycles, one cycle, and some for what looks ahead from the cycle's end. */
#define RULE_YEARS_BEFORE   2
#define RULE_YEARS_TO_CYCLE 2
#define RULE_YEARS_AFTER    4
#define RULE_YEARS          (RULE_YEARS_BEFORE + RULE_YEARS_TO_CYCLE + CYCLE_YEARS + RULE_YEARS_AFTER)

/* Writes out the spans of daylight-saving time after the second `last`, at which the offset is decided too. A span that
 * ends in or after the next one's beginning is one with it: so a rule can say that it lasts all year (RFC 9636 section
 * 3.3.1), and then no end is ever written. */
static void
zone_append_daylight(struct zone *zone, const struct tz_rule *rule, int64_t last, int year, int64_t initial)
{
	bool decided = false;
	int64_t from = 0;
	int64_t to = 0;

	for (int i = 0; i <= RULE_YEARS; i++, year++) {
		int64_t start = tz_rule_second(&rule->start, year, rule->standard);
		int64_t end = tz_rule_second(&rule->end, year, rule->daylight);
		/* South of the equator it ends in the next year; times of a week can move it by one more. */
		for (int later = year + 1; end <= start; later++)
			end = tz_rule_second(&rule->end, later, rule->daylight);
		if (i > 0 && start <= to) {
			to = to > end ? to : end;
			continue;
		}
		if (i > 0 && to > last) {
			if (!decided)
				zone_append(zone, initial, from <= last ? rule->daylight : rule->standard);
			decided = true;
			if (from > last)
				zone_append(zone, from, rule->daylight);
			zone_append(zone, to, rule->standard);
		}
		from = start;
		to = end;
	}
	if (!decided)
		zone_append(zone, initial, rule->daylight);
}

/* `last` is the last transition in seconds, or NULL where there is none and the rule holds at all times. */
static void
zone_append_rule(struct zone *zone, const struct tz_rule *rule, const int64_t *last)
{
	/* Without a transition any years do. */
	int64_t from = last != NULL ? *last : 0;
	int64_t initial = last != NULL ? *last : INT64_MIN;
	struct date first = {0};
	int year, month, day;

	/* The table has to end inside the reach, some thousand years before which nobody asks. */
	if (from > REACH_S - 2 * CYCLE_US / US_PER_S)
		return;
	if (from < -REACH_S)
		from = -REACH_S;
	if (!rule->has_daylight) {
		zone_append(zone, initial, rule->standard);
		return;
	}
	date_to_civil(date_of_wall((struct wall){from * US_PER_S}), &year, &month, &day);
	size_t n_before = zone->n;
	zone_append_daylight(zone, rule, from, year - RULE_YEARS_BEFORE, initial);
	if (zone->n > n_before + 1) {
		int r = date_from_civil(year + RULE_YEARS_TO_CYCLE, 1, 1, &first);
		assert(r == 0);
		zone->cycle = date_begin(first).us;
		zone->always_rule = last == NULL;
	}
}

/* The blocks of a file. */

struct bytes {
	const unsigned char *at;
	size_t left;
};

static const unsigned char *
bytes_take(struct bytes *bytes, uint64_t n)
{
	const unsigned char *taken = bytes->at;

	if (n > bytes->left)
		return NULL;
	bytes->at += n;
	bytes->left -= n;
	return taken;
}

/* A big-endian number of `width` (4 or 8) bytes. */
static int64_t
read_number(const unsigned char *at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value = value << 8 | at[i];
	return width == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

struct tzif {
	char version;
	size_t time_width;
	uint32_t n_ut, n_std, n_leap, n_times, n_types, n_chars;
	const unsigned char *times, *indices, *types, *chars, *leaps, *std, *ut;
};

/* Reads a header and takes the block that follows it, without a look at what is in that. */
static bool
tzif_take(struct bytes *bytes, size_t time_width, struct tzif *ret)
{
	const unsigned char *header = bytes_take(bytes, 44);

	if (header == NULL || memcmp(header, "TZif", 4) != 0)
		return false;
	struct tzif tzif = {.version = (char)header[4], .time_width = time_width};
	uint32_t *counts[] = {&tzif.n_ut, &tzif.n_std, &tzif.n_leap, &tzif.n_times, &tzif.n_types, &tzif.n_chars};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		*counts[i] = (uint32_t)read_number(header + 20 + 4 * i, 4);
	tzif.times = bytes_take(bytes, (uint64_t)tzif.n_times * time_width);
	tzif.indices = bytes_take(bytes, tzif.n_times);
	tzif.types = bytes_take(bytes, (uint64_t)tzif.n_types * 6);
	tzif.chars = bytes_take(bytes, tzif.n_chars);
	tzif.leaps = bytes_take(bytes, (uint64_t)tzif.n_leap * (time_width + 4));
	tzif.std = bytes_take(bytes, tzif.n_std);
	tzif.ut = bytes_take(bytes, tzif.n_ut);
	if (!tzif.times || !tzif.indices || !tzif.types || !tzif.chars || !tzif.leaps || !tzif.std || !tzif.ut)
		return false;
	*ret = tzif;
	return true;
}

/* RFC 9636 section 3.2. Files with leap seconds count other instants than ours. */
static bool
tzif_valid(const struct tzif *tzif)
{
	if (tzif->n_types == 0 || tzif->n_chars == 0 || tzif->chars[tzif->n_chars - 1] != '\0' || tzif->n_leap != 0)
		return false;
	if ((tzif->n_std != 0 && tzif->n_std != tzif->n_types) || (tzif->n_ut != 0 && tzif->n_ut != tzif->n_types))
		return false;
	for (size_t i = 0; i < tzif->n_types; i++) {
		const unsigned char *type = tzif->types + i * 6;
		int64_t offset = read_number(type, 4);
		if (offset <= OFFSET_MIN || offset >= OFFSET_MAX || type[4] > 1 || type[5] >= tzif->n_chars)
			return false;
	}
	for (size_t i = 0; i < tzif->n_std; i++) {
		if (tzif->std[i] > 1)
			return false;
	}
	for (size_t i = 0; i < tzif->n_ut; i++) {
		if (tzif->ut[i] > 1 || (tzif->ut[i] == 1 && (tzif->n_std == 0 || tzif->std[i] == 0)))
			return false;
	}
	for (size_t i = 0; i < tzif->n_times; i++) {
		const unsigned char *time = tzif->times + i * tzif->time_width;
		if (tzif->indices[i] >= tzif->n_types)
			return false;
		if (i > 0 &&
		    read_number(time - tzif->time_width, tzif->time_width) >= read_number(time, tzif->time_width))
			return false;
	}
	return true;
}

/* The footer: a newline, the rule (may be empty), a newline, and nothing after it. */
static bool
footer_parse(const struct bytes *bytes, struct tz_rule *ret, bool *ret_has_rule)
{
	if (bytes->left < 2 || bytes->at[0] != '\n' || bytes->at[bytes->left - 1] != '\n')
		return false;
	const char *from = (const char *)bytes->at + 1;
	const char *to = (const char *)bytes->at + bytes->left - 1;
	bool has_rule = from != to;
	if (has_rule && !tz_rule_parse(from, to, ret))
		return false;
	*ret_has_rule = has_rule;
	return true;
}

int
zone_new_tzif(const char *name, const void *data, size_t n_bytes, struct zone **ret)
{
	struct bytes bytes = {data, n_bytes};
	struct tzif tzif;
	struct tz_rule rule;
	struct zone *zone;
	bool has_rule = false;

	if (!tzif_take(&bytes, 4, &tzif))
		return -EINVAL;
	if (tzif.version >= '2' && tzif.version <= '4') {
		char version = tzif.version;
		if (!tzif_take(&bytes, 8, &tzif) || tzif.version != version || !footer_parse(&bytes, &rule, &has_rule))
			return -EINVAL;
	} else if (tzif.version != '\0' || bytes.left != 0) {
		return -EINVAL;
	}
	if (!tzif_valid(&tzif))
		return -EINVAL;

	int r = zone_new(name, tzif.n_times + (has_rule ? 2 * RULE_YEARS + 2 : 0), &zone);
	if (r < 0)
		return r;
	int64_t last = 0;
	zone->offset[0] = (int32_t)read_number(tzif.types, 4);
	for (size_t i = 0; i < tzif.n_times; i++) {
		last = read_number(tzif.times + i * tzif.time_width, tzif.time_width);
		zone_append(zone, last, (int32_t)read_number(tzif.types + tzif.indices[i] * 6, 4));
	}
	if (has_rule)
		zone_append_rule(zone, &rule, tzif.n_times > 0 ? &last : NULL);
	*ret = zone;
	return 0;
}

/* One or two digits; -1 where there are none. */
static int
read_digits(const char **text)
{
	int value = -1;

	for (int i = 0; i < 2 && **text >= '0' && **text <= '9'; i++, ++*text)
		value = (i == 0 ? 0 : value * 10) + (**text - '0');
	return value;
}

int
zone_new_fixed(const char *name, struct zone **ret)
{
	int32_t offset = 0;
	struct zone *zone;

	if (strncmp(name, "UTC", 3) != 0)
		return -EINVAL;
	const char *text = name + 3;
	if (*text != '\0') {
		bool west = *text == '-';
		if (!west && *text != '+')
			return -EINVAL;
		text++;
		int hours = read_digits(&text);
		int minutes = 0;
		if (*text == ':') {
			const char *digits = ++text;
			minutes = read_digits(&text);
			if (text - digits != 2)
				return -EINVAL;
		}
		if (hours < 0 || hours > 23 || minutes > 59 || *text != '\0')
			return -EINVAL;
		offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	}
	int r = zone_new(name, 0, &zone);
	if (r < 0)
		return r;
	zone->offset[0] = offset;
	*ret = zone;
	return 0;
}

/* Moves `t` by whole cycles to where the table has it, at or after `cycle` + `margin`; *ret_shift is what was taken
 * from it, modulo 2^64. */
static int64_t
zone_reduce(const struct zone *zone, int64_t t, int64_t margin, uint64_t *ret_shift)
{
	uint64_t cycles = 0;

	if (zone->cycle != INT64_MAX) {
		int64_t from = zone->cycle + margin;
		if (t >= from)
			cycles = ((uint64_t)t - (uint64_t)from) / CYCLE_US;
		else if (zone->always_rule)
			cycles = -(((uint64_t)from - (uint64_t)t + CYCLE_US - 1) / CYCLE_US);
	}
	*ret_shift = cycles * CYCLE_US;
	return (int64_t)((uint64_t)t - *ret_shift);
}

/* How many changes there have been at `t`, so the index of the offset then. */
static size_t
zone_index(const struct zone *zone, int64_t t)
{
	size_t low = 0;

	/* Without branches, which would be wrong half of the time. */
	for (size_t left = zone->n; left > 0;) {
		size_t half = (left + 1) / 2;
		low += zone->at[low + half - 1] <= t ? half : 0;
		left -= half;
	}
	return low;
}

int32_t
zone_offset(const struct zone *zone, struct instant at)
{
	uint64_t shift;
	int64_t t = zone_reduce(zone, at.us, 0, &shift);

	return zone->offset[zone_index(zone, t)];
}

struct wall
zone_wall(const struct zone *zone, struct instant at)
{
	struct duration offset = {zone_offset(zone, at) * US_PER_S};

	return (struct wall){instant_plus(at, offset).us};
}

/* Piece i of the table, from at[i - 1] to at[i], shows the walls from at[i - 1] + offset[i] to at[i] + offset[i].
 * First: the first piece that ends after the wall; where that begins after it too, the wall lies in the gap between.
 * Second: the same from the other end. Pieces two days away cannot show it. */
struct instant
zone_instant(const struct zone *zone, struct wall wall, enum zone_fold fold)
{
	uint64_t shift;
	int64_t clamped = wall.us < -REACH_US ? -REACH_US : wall.us > REACH_US ? REACH_US : wall.us;
	int64_t w = zone_reduce(zone, clamped, OFFSET_MARGIN, &shift);
	int64_t t;
	size_t i;

	if (fold == ZONE_FIRST) {
		i = zone_index(zone, w - OFFSET_MARGIN);
		while (i < zone->n && w >= zone->at[i] + zone->offset[i] * US_PER_S)
			i++;
		t = w - zone->offset[i] * US_PER_S;
		if (i > 0 && t < zone->at[i - 1])
			t = zone->at[i - 1];
	} else {
		i = zone_index(zone, w + OFFSET_MARGIN);
		while (i > 0 && w < zone->at[i - 1] + zone->offset[i] * US_PER_S)
			i--;
		t = w - zone->offset[i] * US_PER_S;
		if (i < zone->n && t > zone->at[i])
			t = zone->at[i];
	}
	return (struct instant){(int64_t)((uint64_t)t + shift)};
}

struct instant
zone_next_change(const struct zone *zone, struct instant after)
{
	uint64_t shift;
	int64_t t = zone_reduce(zone, after.us, 0, &shift);
	size_t i = zone_index(zone, t);

	if (i == zone->n)
		return INSTANT_NEVER;
	struct instant next = {(int64_t)((uint64_t)zone->at[i] + shift)};
	/* Past the end of the range. */
	return next.us > after.us ? next : INSTANT_NEVER;
}
