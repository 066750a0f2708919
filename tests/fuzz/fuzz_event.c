/* Lines that may be events: what is read goes through an engine with a policy of its own, so that a ticket's whole life
 * is played by whatever the lines say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event_members.h"
#include "fuzz.h"
#include "slated/engine.h"
#include "slated/event_json.h"
#include "slated/policy.h"
#include "slated/render.h"

/* Milestones of one ticket come in the order of their instants. */
struct heard {
	struct text text;
	struct instant last;
};

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *m)
{
	struct heard *heard = arg;
	struct text *out = &heard->text;
	(void)ticket;
	demand(m->at.us >= heard->last.us && m->kind < MILESTONE_COUNT);
	heard->last = m->at;
	out->len = 0;
	render_milestone(out, "T", m);
	demand(!out->failed && out->data[0] == '{' && out->data[out->len - 1] == '}');
}

/* One severity, one policy of two targets; static, since every run needs the same. */
static struct policy_set *
make_policies(void)
{
	static char half[] = "50%";
	static char high[] = "high";
	static char name[] = "p";
	static struct level level = {.text = half, .percent = 50};
	static struct severity severity = {.name = high};
	static struct target targets[2];
	static struct policy policy;
	static struct policy_set *set;
	if (set != NULL)
		return set;
	demand(policy_set_new(&set) == 0);
	for (unsigned i = 0; i < 2; i++)
		targets[i] = (struct target){
		    .metric = i == 0 ? METRIC_FIRST_RESPONSE : METRIC_RESOLUTION,
		    .severities = SEVERITY_ALL,
		    .allowance = {.elapsed = {US_PER_H}},
		    .calendar = set->always,
		    .levels = &level,
		    .n_levels = 1,
		    .pause_on = 1U << STATUS_PENDING,
		    .under = i == 0,
		};
	policy = (struct policy){
	    .name = name,
	    .effective_from = {INT64_MIN},
	    .effective_until = INSTANT_NEVER,
	    .targets = targets,
	    .n_targets = 2,
	};
	set->severities = &severity;
	set->n_severities = 1;
	set->policies = &policy;
	set->n_policies = 1;
	set->levels->texts[0] = level.text;
	set->levels->n = 1;
	return set;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
demand_same(const struct members *a, const struct members *b)
{
	demand(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		demand(a->at[i].kind == b->at[i].kind && a->at[i].key_len == b->at[i].key_len);
		demand(same_text(a->at[i].key, b->at[i].key) && same_text(a->at[i].text, b->at[i].text));
	}
}

/* What our own reader takes, jansson reads alike. */
static void
compare_readers(const char *text, size_t len)
{
	char problem[REFUSAL_SIZE] = "";
	struct event_members plain = {0}, any = {0};
	int r = event_members_read_plain(&plain, text, len);
	demand(r == 0 || r == -ENOTSUP);
	if (r == 0) {
		demand(event_members_read_any(&any, text, len, problem) == 0);
		demand_same(&plain.top, &any.top);
		demand_same(&plain.attributes, &any.attributes);
	}
	event_members_clear(&plain);
	event_members_clear(&any);
}

static void
play(struct engine *engine, struct ticket *ticket, struct event_line *line, const char *text, size_t len)
{
	char problem[REFUSAL_SIZE] = "";
	const char *name;
	struct ticket_event event;
	bool late;
	compare_readers(text, len);
	int r = event_line_parse(line, text, len, &name, &event, problem);
	demand(r == 0 || (r == -EINVAL && problem[0] != '\0'));
	if (r < 0)
		return;
	problem[0] = '\0';
	r = engine_apply(engine, ticket, &event, &late, problem);
	demand(r == 0 || (r == -EINVAL && problem[0] != '\0'));
	ticket_prune(ticket);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard heard = {.last = {INT64_MIN}};
	struct ticket ticket = {0};
	struct engine *engine;
	struct event_line *line;
	const struct engine_sink sink = {.milestone = on_milestone, .arg = &heard};
	demand(engine_new(make_policies(), &sink, &engine) == 0);
	demand(event_line_new(&line) == 0);
	for (const char *p = (const char *)data, *end = p + size; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline == NULL ? end : newline) - p);
		play(engine, &ticket, line, p, len);
		p += len + 1;
	}
	event_line_free(line);
	ticket_clear(&ticket);
	engine_free(engine);
	free(heard.text.data);
	return 0;
}
