/* Bytes that may be a COPY stream in binary format: the first byte says which of the three kinds of rows follow. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "slated/rows.h"

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *m)
{
	(void)arg;
	(void)ticket;
	(void)m;
	abort(); /* reading rows makes no milestones */
}

static struct policy_set *
make_policies(void)
{
	static char high[] = "high";
	static char name[] = "p";
	static struct severity severity = {.name = high};
	static struct target target;
	static struct policy policy;
	static struct policy_set *set;
	if (set != NULL)
		return set;
	demand(policy_set_new(&set) == 0);
	target = (struct target){
	    .metric = METRIC_RESOLUTION,
	    .severities = SEVERITY_ALL,
	    .allowance = {.elapsed = {US_PER_H}},
	    .calendar = set->always,
	};
	policy = (struct policy){
	    .name = name,
	    .effective_from = {INT64_MIN},
	    .effective_until = INSTANT_NEVER,
	    .targets = &target,
	    .n_targets = 1,
	};
	set->severities = &severity;
	set->n_severities = 1;
	set->policies = &policy;
	set->n_policies = 1;
	return set;
}

static const struct policy_set *
find_set(void *arg, const char *digest)
{
	return strcmp(digest, "d") == 0 ? arg : NULL;
}

static void
read_state(struct row_reader *reader, struct engine *engine, const struct pg_value *values)
{
	struct ticket ticket = {0};
	char problem[REFUSAL_SIZE];
	char *ladder = NULL;
	int64_t seq;
	unsigned lost = 0;
	int r = row_read_state(reader, values, engine, &ticket, &seq, &ladder, problem);
	demand(r == 0 || problem[0] != '\0');
	if (r == 0 && ladder != NULL)
		r = row_restore_ladder(ladder, make_policies(), find_set, make_policies(), &ticket, &lost, problem);
	demand(r == 0 || problem[0] != '\0');
	free(ladder);
	ticket_clear(&ticket);
}

static void
read_row(struct row_reader *reader, struct engine *engine, unsigned kind, const struct pg_value *values)
{
	struct event_row row;
	struct ticket ticket = {0};
	char problem[REFUSAL_SIZE];
	if (kind == 0) {
		read_state(reader, engine, values);
		return;
	}
	int r = kind == 1 ? row_read_clock(reader, values, find_set, make_policies(), &ticket, problem)
	                  : row_read_event(reader, values, &row, problem);
	demand(r == 0 || problem[0] != '\0');
	ticket_clear(&ticket);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t columns[] = {STATE_COLUMN_COUNT, CLOCK_COLUMN_COUNT, EVENT_COLUMN_COUNT};
	struct pg_value values[EVENT_COLUMN_COUNT];
	struct row_reader *reader;
	struct engine *engine;
	const struct engine_sink sink = {.milestone = on_milestone};
	if (size == 0)
		return 0;
	unsigned kind = data[0] % 3;
	const char *p = (const char *)data + 1;
	size_t left = size - 1;
	int taken = pg_copy_header(p, left);
	if (taken < 0)
		return 0;
	demand(engine_new(make_policies(), &sink, &engine) == 0);
	demand(row_reader_new(&reader) == 0);
	do {
		demand((size_t)taken <= left);
		p += taken;
		left -= (size_t)taken;
		taken = pg_copy_tuple(p, left, values, columns[kind]);
		if (taken > 0)
			read_row(reader, engine, kind, values);
	} while (taken > 0);
	row_reader_free(reader);
	engine_free(engine);
	return 0;
}
