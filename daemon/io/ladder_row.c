/* A ticket's ladder steps in hand and its hold, as the text of sla.ticket_state.ladder and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/jsonr.h"
#include "slated/render.h"
#include "slated/rows.h"

void
row_write_ladder(struct text *text, const struct ticket *ticket, row_digest_of *digest_of, void *arg)
{
	char number[200];
	bool holds = ticket->hold_at.us != INT64_MIN;
	if (ticket->runs == NULL && !holds)
		return;
	(void)snprintf(number, sizeof(number), "{\"hold\": [%lld, %lld], \"steps\": [",
	               holds ? (long long)ticket->hold_at.us : 0, holds ? (long long)ticket->hold_until.us : 0);
	text_add_string(text, number);
	for (const struct run *run = ticket->runs; run != NULL; run = run->next) {
		text_add_string(text, run == ticket->runs ? "[" : ", [");
		text_add_json(text, run->clock == NULL ? NULL : metric_names[run->clock->metric]);
		(void)snprintf(number, sizeof(number), ", %u, %u, %u, %u, %lld, %lld, ", run->kind, run->number,
		               run->repeat, run->step, (long long)run->trigger_at.us, (long long)run->next_at.us);
		text_add_string(text, number);
		text_add_json(text, run->ladder->name);
		text_add_string(text, ", ");
		text_add_json(text, run->level);
		if (run->clock == NULL || run->set != run->clock->set) {
			text_add_string(text, ", ");
			text_add_json(text, digest_of(arg, run->set));
		}
		text_add_string(text, "]");
	}
	text_add_string(text, "]}");
}

/* The configuration's own copy of a level's text, or NULL. */
static const char *
find_level(const struct policy_set *set, const char *level)
{
	for (size_t i = 0; level != NULL && i < set->levels->n; i++)
		if (strcmp(set->levels->texts[i], level) == 0)
			return set->levels->texts[i];
	return NULL;
}

/* What is needed to put a ticket's steps back. */
struct ladder_reader {
	const struct policy_set *set;
	row_find_set *find_set;
	void *arg;
	struct ticket *ticket;
	unsigned *lost;
	char *problem;
};

/* The configuration of a step, or NULL. */
static const struct policy_set *
find_step_set(const struct ladder_reader *reader, const json_t *step, const struct clock *clock)
{
	const char *digest = json_string_value(json_array_get(step, 9));
	if (digest != NULL)
		return reader->find_set(reader->arg, digest);
	return clock != NULL ? clock->set : reader->set;
}

static int
restore_step(const struct ladder_reader *reader, json_t *step)
{
	json_t *metric_or_null;
	json_t *level_or_null;
	const char *name;
	int kind;
	int number;
	int repeat;
	int index;
	json_int_t trigger_at;
	json_int_t next_at;
	/* Unpacking knows optional members of objects only, so what may be null is taken as it is; and so is the last.
	 */
	if (json_unpack(step, "[oiiiiIIso]", &metric_or_null, &kind, &number, &repeat, &index, &trigger_at, &next_at,
	                &name, &level_or_null) != 0)
		return refuse(-EBADMSG, reader->problem, "ladder: a step has another form");
	const char *metric = json_string_value(metric_or_null);
	const char *level = json_string_value(level_or_null);
	int m = metric == NULL ? -1 : name_index(metric_names, METRIC_COUNT, metric);
	struct clock *clock = m < 0 ? NULL : ticket_clock(reader->ticket, (enum metric)m);
	const struct policy_set *set = find_step_set(reader, step, clock);
	const struct ladder *ladder = set == NULL ? NULL : policy_set_ladder(set, name);
	const char *known = set == NULL ? NULL : find_level(set, level);
	if (ladder == NULL || index < 0 || (size_t)index >= ladder->n_steps || (metric != NULL && clock == NULL) ||
	    (level != NULL && known == NULL)) {
		++*reader->lost;
		return 0;
	}
	struct run *run = calloc(1, sizeof(*run));
	if (run == NULL)
		return -ENOMEM;
	*run = (struct run){
	    .clock = clock,
	    .set = set,
	    .ladder = ladder,
	    .level = known,
	    .trigger_at = {trigger_at},
	    .next_at = {next_at},
	    .number = (uint32_t)number,
	    .repeat = (uint32_t)repeat,
	    .step = (uint16_t)index,
	    .kind = (uint8_t)kind,
	};
	struct run **tail = &reader->ticket->runs;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = run;
	return 0;
}

int
row_restore_ladder(const char *ladder, const struct policy_set *set, row_find_set *find_set, void *arg,
                   struct ticket *ticket, unsigned *ret_lost, char problem[static REFUSAL_SIZE])
{
	const struct ladder_reader reader = {set, find_set, arg, ticket, ret_lost, problem};
	json_int_t hold_at;
	json_int_t hold_until;
	json_t *steps;
	json_t *json = NULL;
	int r = jsonr_read(ladder, strlen(ladder), 0, &json);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || json_unpack(json, "{s:[II], s:o}", "hold", &hold_at, &hold_until, "steps", &steps) != 0) {
		json_decref(json);
		return refuse(-EBADMSG, problem, "ladder: not in the daemon's form");
	}
	if (hold_at > 0) {
		ticket->hold_at = (struct instant){hold_at};
		ticket->hold_until = (struct instant){hold_until};
	}
	for (size_t i = 0; r == 0 && i < json_array_size(steps); i++)
		r = restore_step(&reader, json_array_get(steps, i));
	json_decref(json);
	return r;
}
