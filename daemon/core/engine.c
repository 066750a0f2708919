/* Events, timers and what they do to a ticket. model.md sections 4 to 10. */
#include "engine_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const event_names[EVENT_COUNT] = {
    [EVENT_OPENED] = "opened",     [EVENT_REPLY] = "reply",     [EVENT_STATUS] = "status",
    [EVENT_SEVERITY] = "severity", [EVENT_CHANGED] = "changed", [EVENT_DISPUTE] = "dispute",
    [EVENT_ASSESSED] = "assessed", [EVENT_ACK] = "ack",         [EVENT_MERGED] = "merged",
};
const char *const actor_names[ACTOR_COUNT] = {"agent", "customer", "system"};
const char *const milestone_names[MILESTONE_COUNT] = {
    [MILESTONE_STARTED] = "started",
    [MILESTONE_PAUSED] = "paused",
    [MILESTONE_RESUMED] = "resumed",
    [MILESTONE_RETARGETED] = "retargeted",
    [MILESTONE_AT_RISK] = "at_risk",
    [MILESTONE_BREACHED] = "breached",
    [MILESTONE_MET] = "met",
    [MILESTONE_WITHDRAWN] = "withdrawn",
    [MILESTONE_ESCALATED] = "escalated",
};

static bool
policies_ask_status(const struct policy_set *set)
{
	for (size_t i = 0; i < set->n_policies; i++) {
		const struct match *match = &set->policies[i].match;

		for (size_t j = 0; j < match->n_conditions; j++)
			if (match->conditions[j].kind == CONDITION_STATUS)
				return true;
	}
	return false;
}

int
engine_new(const struct policy_set *set, const struct engine_sink *sink, struct engine **ret)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	if (engine == NULL)
		return -ENOMEM;
	int r = atoms_new(&engine->atoms);
	if (r < 0) {
		free(engine);
		return r;
	}
	engine_configure(engine, set);
	engine->sink = *sink;
	engine->catch_start = INSTANT_NEVER;
	*ret = engine;
	return 0;
}

void
engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	atoms_free(engine->atoms);
	free(engine);
}

const struct policy_set *
engine_policies(const struct engine *engine)
{
	return engine->set;
}

struct atoms *
engine_atoms(const struct engine *engine)
{
	return engine->atoms;
}

void
engine_configure(struct engine *engine, const struct policy_set *set)
{
	engine->set = set;
	engine->asks_status = policies_ask_status(set);
}

int
engine_rematch(struct engine *engine, struct ticket *ticket)
{
	struct facts facts;
	struct custom_attribute *custom = NULL;
	if (ticket->n_custom > 0 && (custom = calloc(ticket->n_custom, sizeof(*custom))) == NULL)
		return -ENOMEM;
	ticket_facts(engine, ticket, custom, &facts);
	ticket->policy = policy_set_choose(engine->set, &facts, ticket->opened_at);
	free(custom);
	return 0;
}

void
engine_match_anew(struct engine *engine, struct ticket *ticket)
{
	int r = engine_rematch(engine, ticket);
	if (r < 0)
		engine->error = r;
}

void
engine_emit(struct engine *engine, struct ticket *ticket, const struct clock *clock, struct milestone milestone)
{
	milestone.metric = METRIC_COUNT;
	milestone.by_timer = !engine->in_event;
	if (clock != NULL) {
		milestone.metric = (enum metric)clock->metric;
		milestone.cycle = clock->cycle;
	}
	if (clock != NULL && milestone.kind != MILESTONE_ESCALATED) {
		milestone.policy = clock->policy->name;
		milestone.calendar = calendar_name(clock->target->calendar);
		milestone.severity = engine->set->severities[ticket->severity].name;
	}
	engine->sink.milestone(engine->sink.arg, ticket, &milestone);
}

void
engine_call_rules(struct engine *engine, enum rule_on on)
{
	assert(engine->calls != NULL && engine->calls->n < METRIC_COUNT);
	engine->calls->on[engine->calls->n++] = on;
}

/* The ticket's active clocks by metric, NULL where it has none. */
struct active {
	struct clock *of[METRIC_COUNT];
};

static struct active
active_clocks(const struct ticket *ticket)
{
	struct active active = {0};
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		if (clock_is_active(clock))
			active.of[clock->metric] = clock;
	return active;
}

static void
meet_metric(struct engine *engine, struct ticket *ticket, const struct active *active, enum metric metric,
            struct instant at)
{
	if (active->of[metric] != NULL)
		clock_meet(engine, ticket, active->of[metric], at);
}

/* Timers ----------------------------------------------------------------------------------------------------------- */

/* Fires levels and breaches due by `now`, metric by metric; of `under` targets only where `under_only`. Rules that this
 * calls move clocks and end them, but start none. */
static void
fire_deadlines(struct engine *engine, struct ticket *ticket, struct instant now, bool under_only)
{
	struct rule_calls *outer = engine->calls;
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next) {
		if (clock->next_at.us > now.us || !clock_is_active(clock) || (under_only && !clock->target->under))
			continue;
		struct rule_calls calls = {0};
		struct instant at = clock->next_at;
		engine->calls = &calls;
		clock_fire(engine, ticket, clock, at);
		engine->calls = outer;
		reassess_apply_calls(engine, ticket, &calls, at);
	}
}

/* Handles everything due at `at`, the earliest instant at which anything is: deadlines, then ladder steps. */
static void
fire_instant(struct engine *engine, struct ticket *ticket, struct instant at)
{
	while (ticket_next_deadline(ticket).us <= at.us)
		fire_deadlines(engine, ticket, at, false);
	ladder_fire(engine, ticket, at);
	ticket->last_at = instant_max(ticket->last_at, at);
}

/* Handles everything due by `now`. After an absence all deadlines come before the ladder steps, so that of a clock's
 * alerts only the gravest is left to set steps going. */
static void
fire_until(struct engine *engine, struct ticket *ticket, struct instant now)
{
	struct instant at;
	if (engine->absence) {
		engine->catch_start = ticket_next(ticket);
		while ((at = ticket_next_deadline(ticket)).us <= now.us && engine->error == 0) {
			fire_deadlines(engine, ticket, at, false);
			ticket->last_at = instant_max(ticket->last_at, at);
		}
		engine->catch_start = INSTANT_NEVER;
	}
	while ((at = ticket_next(ticket)).us <= now.us && engine->error == 0)
		fire_instant(engine, ticket, at);
}

int
engine_advance(struct engine *engine, struct ticket *ticket, struct instant now)
{
	engine->error = 0;
	engine->too_deep = false;
	fire_until(engine, ticket, now);
	return engine->error;
}

void
engine_set_absence(struct engine *engine, bool absence)
{
	engine->absence = absence;
}

/* Events ----------------------------------------------------------------------------------------------------------- */

static int
refuse_severity(const struct engine *engine, const char *severity, char refusal[static REFUSAL_SIZE])
{
	char known[REFUSAL_SIZE] = "";
	size_t n = 0;
	for (size_t i = 0; i < engine->set->n_severities && n + 2 < sizeof(known); i++) {
		int w =
		    snprintf(known + n, sizeof(known) - n, "%s%s", i > 0 ? ", " : "", engine->set->severities[i].name);
		n += w > 0 ? (size_t)w : 0;
	}
	if (severity == NULL)
		return refuse(-EINVAL, refusal, "severity is missing; the configuration knows %.80s", known);
	return refuse(-EINVAL, refusal, "severity \"%.40s\" is unknown; the configuration knows %.80s", severity,
	              known);
}

static void
set_attribute(struct engine *engine, atom *slot, const char *value, bool *ret_changed)
{
	atom a;
	if (atoms_intern(engine->atoms, value, value == NULL ? 0 : strlen(value), &a) < 0)
		engine->error = -ENOMEM;
	else if (*slot != a) {
		*slot = a;
		*ret_changed = true;
	}
}

static void
set_custom(struct engine *engine, struct ticket *ticket, const char *key, const char *value, bool *ret_changed)
{
	uint32_t i = 0;
	while (i < ticket->n_custom && strcmp(atoms_text(engine->atoms, ticket->custom[i].key), key) != 0)
		i++;
	if (value == NULL) {
		if (i == ticket->n_custom)
			return;
		ticket->custom[i] = ticket->custom[--ticket->n_custom];
		*ret_changed = true;
		return;
	}
	if (i == ticket->n_custom) {
		struct custom_fact *custom = realloc(ticket->custom, (i + 1) * sizeof(custom[0]));
		if (custom == NULL || atoms_intern(engine->atoms, key, strlen(key), &custom[i].key) < 0) {
			ticket->custom = custom != NULL ? custom : ticket->custom;
			engine->error = -ENOMEM;
			return;
		}
		custom[i].value = 0;
		ticket->custom = custom;
		ticket->n_custom++;
	}
	set_attribute(engine, &ticket->custom[i].value, value, ret_changed);
}

/* Takes over the facts that the event names. Returns whether any differs. */
static bool
set_facts(struct engine *engine, struct ticket *ticket, const struct ticket_event *event)
{
	bool changed = false;
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		if ((event->set >> i & 1) != 0)
			set_attribute(engine, &ticket->attributes[i], event->attributes[i], &changed);
	if (event->clear_custom && ticket->n_custom > 0) {
		ticket->n_custom = 0;
		changed = true;
	}
	for (size_t i = 0; i < event->n_custom; i++)
		set_custom(engine, ticket, event->custom[i].key, event->custom[i].value, &changed);
	ticket->dirty |= changed;
	return changed;
}

static int
apply_opened(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
             char refusal[static REFUSAL_SIZE])
{
	int severity = event->severity == NULL ? -1 : policy_set_severity(engine->set, event->severity);
	if (severity < 0)
		return refuse_severity(engine, event->severity, refusal);
	ticket->opened = true;
	ticket->opened_at = at;
	ticket->status = event->status;
	ticket->severity = (uint8_t)severity;
	ticket->ack_at = ticket->hold_at = ticket->hold_until = INSTANT_UNSET;
	ticket->dirty = true;
	(void)set_facts(engine, ticket, event); /* all are new */
	engine_match_anew(engine, ticket);
	engine->opening = true;
	reassess_apply_rules(engine, ticket, RULE_OPENED, at);
	engine->opening = false;
	if (ticket->status < STATUS_SOLVED) {
		clock_start(engine, ticket, METRIC_FIRST_RESPONSE, at, (struct carry){0});
		clock_start(engine, ticket, METRIC_RESOLUTION, at, (struct carry){0});
	}
	return 0;
}

static int
apply_reply(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
            char refusal[static REFUSAL_SIZE])
{
	(void)refusal; /* a reply cannot be wrong */
	if (!event->is_public || event->by == ACTOR_SYSTEM)
		return 0;
	bool solved = ticket->status >= STATUS_SOLVED;
	const struct active active = active_clocks(ticket);
	if (event->by == ACTOR_AGENT) {
		meet_metric(engine, ticket, &active, METRIC_FIRST_RESPONSE, at);
		meet_metric(engine, ticket, &active, METRIC_NEXT_RESPONSE, at);
		meet_metric(engine, ticket, &active, METRIC_UPDATE, at);
		if (!solved)
			clock_start(engine, ticket, METRIC_UPDATE, at, (struct carry){0});
		return 0;
	}
	if (!solved && active.of[METRIC_FIRST_RESPONSE] == NULL && active.of[METRIC_NEXT_RESPONSE] == NULL)
		clock_start(engine, ticket, METRIC_NEXT_RESPONSE, at, (struct carry){0});
	if (event->requests)
		ladder_trigger_ticket(engine, ticket, TRIGGER_REQUESTED, ++ticket->requested, at);
	return 0;
}

/* What reaching `solved` or `closed` does to one active clock. */
static void
stop_clock(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant at)
{
	if (clock->metric == METRIC_RESOLUTION)
		clock_meet(engine, ticket, clock, at);
	else if (clock->metric == METRIC_ASSESSMENT && ticket->status == STATUS_SOLVED)
		clock_pause_or_resume(engine, ticket, clock, at);
	else
		clock_withdraw(engine, ticket, clock, at, status_names[ticket->status]);
}

static void
reopen_resolution(struct engine *engine, struct ticket *ticket, struct instant at)
{
	const struct target *target =
	    ticket->policy == NULL ? NULL : policy_target(ticket->policy, METRIC_RESOLUTION, ticket->severity);
	const struct clock *former = ticket_clock(ticket, METRIC_RESOLUTION);
	struct carry carry = {0};
	if (target == NULL || target->reopen == REOPEN_NONE)
		return;
	if (former != NULL && target->reopen == REOPEN_RESUME)
		carry = (struct carry){former->consumed, !instant_equal(former->breached_at, INSTANT_NEVER)};
	clock_start(engine, ticket, METRIC_RESOLUTION, at, carry);
}

static int
apply_status(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
             char refusal[static REFUSAL_SIZE])
{
	enum status former = (enum status)ticket->status;
	(void)refusal; /* every status may follow every other but closed */
	if (event->status == former)
		return 0;
	ticket->status = event->status;
	ticket->dirty = true;
	if (engine->asks_status)
		engine_match_anew(engine, ticket);
	const struct active active = active_clocks(ticket);
	for (unsigned metric = 0; metric < METRIC_COUNT; metric++) {
		struct clock *clock = active.of[metric];
		if (clock != NULL && event->status >= STATUS_SOLVED)
			stop_clock(engine, ticket, clock, at);
		else if (clock != NULL)
			clock_pause_or_resume(engine, ticket, clock, at);
		if (metric == METRIC_RESOLUTION && former == STATUS_SOLVED && event->status < STATUS_SOLVED)
			reopen_resolution(engine, ticket, at);
	}
	if (event->status == STATUS_CLOSED)
		ladder_drop_all(ticket);
	return 0;
}

static int
apply_severity(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
               char refusal[static REFUSAL_SIZE])
{
	int severity = event->severity == NULL ? -1 : policy_set_severity(engine->set, event->severity);
	if (severity < 0)
		return refuse_severity(engine, event->severity, refusal);
	reassess_set_severity(engine, ticket, (unsigned)severity, event->by, at);
	return 0;
}

static int
apply_changed(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
              char refusal[static REFUSAL_SIZE])
{
	const struct policy *former = ticket->policy;
	(void)refusal; /* any attribute may have any value */
	if (!set_facts(engine, ticket, event))
		return 0;
	engine_match_anew(engine, ticket);
	if (ticket->policy == former)
		return 0;
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next) {
		enum on_change mode = clock->policy->on_change;
		if (!clock_is_active(clock) || clock->policy == ticket->policy || mode == ON_CHANGE_PIN)
			continue;
		if (mode == ON_CHANGE_FOLLOW || clock_is_better_on(clock, ticket, engine->set, ticket->policy, at))
			clock_retarget(engine, ticket, clock, engine->set, ticket->policy, at, false);
	}
	return 0;
}

static int
apply_dispute(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
              char refusal[static REFUSAL_SIZE])
{
	(void)event;
	(void)refusal; /* a dispute cannot be wrong */
	if (active_clocks(ticket).of[METRIC_ASSESSMENT] == NULL)
		clock_start(engine, ticket, METRIC_ASSESSMENT, at, (struct carry){0});
	reassess_apply_rules(engine, ticket, RULE_DISPUTE, at);
	return 0;
}

static int
apply_assessed(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
               char refusal[static REFUSAL_SIZE])
{
	(void)event;
	(void)refusal; /* an assessment without a dispute changes nothing */
	const struct active active = active_clocks(ticket);
	meet_metric(engine, ticket, &active, METRIC_ASSESSMENT, at);
	return 0;
}

static int
apply_ack(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
          char refusal[static REFUSAL_SIZE])
{
	(void)engine;
	(void)refusal; /* anybody may acknowledge at any time */
	ladder_acknowledge(ticket, at, event->hold);
	return 0;
}

static int
apply_merged(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, struct instant at,
             char refusal[static REFUSAL_SIZE])
{
	(void)event;
	(void)refusal; /* refused before where the ticket was merged already */
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		if (clock_is_active(clock))
			clock_withdraw(engine, ticket, clock, at, "merged");
	ladder_drop_all(ticket);
	ticket->merged = true;
	ticket->dirty = true;
	return 0;
}

static int
check_event(const struct ticket *ticket, const struct ticket_event *event, char refusal[static REFUSAL_SIZE])
{
	if (!ticket->opened && event->kind != EVENT_OPENED)
		return refuse(-EINVAL, refusal, "the ticket is unknown: no \"opened\" came before this \"%s\"",
		              event_names[event->kind]);
	if (ticket->opened && event->kind == EVENT_OPENED)
		return refuse(-EINVAL, refusal, "the ticket was opened before");
	if (ticket->merged)
		return refuse(-EINVAL, refusal, "the ticket was merged into another: nothing can follow");
	if (ticket->opened && ticket->status == STATUS_CLOSED && event->kind != EVENT_MERGED)
		return refuse(-EINVAL, refusal, "the ticket is closed: only \"merged\" can follow, not \"%s\"",
		              event_names[event->kind]);
	return 0;
}

int
engine_apply(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, bool *ret_late,
             char refusal[static REFUSAL_SIZE])
{
	static int (*const apply[EVENT_COUNT])(struct engine *, struct ticket *, const struct ticket_event *,
	                                       struct instant, char[static REFUSAL_SIZE]) = {
	    [EVENT_OPENED] = apply_opened,     [EVENT_REPLY] = apply_reply,     [EVENT_STATUS] = apply_status,
	    [EVENT_SEVERITY] = apply_severity, [EVENT_CHANGED] = apply_changed, [EVENT_DISPUTE] = apply_dispute,
	    [EVENT_ASSESSED] = apply_assessed, [EVENT_ACK] = apply_ack,         [EVENT_MERGED] = apply_merged,
	};
	struct rule_calls calls = {0};
	struct instant at = event->at;
	bool late = ticket->opened && instant_before(at, ticket->last_at);
	int r = check_event(ticket, event, refusal);
	if (r < 0)
		return r;
	engine->error = 0;
	engine->too_deep = false;
	if (late)
		at = ticket->last_at;
	if (ticket_next(ticket).us <= at.us) {
		fire_until(engine, ticket, (struct instant){at.us - 1});
		fire_deadlines(engine, ticket, at, true);
	}

	engine->in_event = true;
	engine->calls = &calls;
	r = apply[event->kind](engine, ticket, event, at, refusal);
	engine->calls = NULL;
	if (r == 0) {
		ticket->last_at = at;
		reassess_apply_calls(engine, ticket, &calls, at);
		*ret_late = late;
	}
	engine->in_event = false;
	return engine->error < 0 ? engine->error : r;
}

int
engine_hold(struct engine *engine, struct ticket *ticket, const struct ticket_event *event)
{
	assert(!ticket->opened);
	engine->error = 0;
	if (event->kind == EVENT_OPENED)
		ticket->opened_at = event->at;
	if (event->kind == EVENT_OPENED || event->kind == EVENT_STATUS)
		ticket->status = event->status;
	if (event->kind == EVENT_OPENED || event->kind == EVENT_CHANGED)
		(void)set_facts(engine, ticket, event); /* no clock runs that a change could touch */
	if (event->kind == EVENT_MERGED)
		ticket->merged = true;
	return engine->error;
}

int
engine_open_held(struct engine *engine, struct ticket *ticket, const struct ticket_event *event,
                 char refusal[static REFUSAL_SIZE])
{
	const struct ticket_event opened = {
	    .at = ticket->opened_at,
	    .kind = EVENT_OPENED,
	    .status = (enum status)ticket->status,
	    .severity = event->severity,
	};
	bool late;
	int r = engine_apply(engine, ticket, &opened, &late, refusal);
	if (r == 0)
		ticket->last_at = instant_max(ticket->last_at, event->at);
	return r;
}

/* Moves one clock to the present configuration, at the ticket's last instant where that is later than `now`. */
static void
migrate_clock(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	struct instant at = instant_max(now, ticket->last_at);
	clock_retarget(engine, ticket, clock, engine->set, policy_set_policy(engine->set, clock->policy->name), at,
	               false);
	if (!clock_is_active(clock) || clock->set == engine->set) /* a breached one stays where it is */
		ticket->last_at = at;
}

int
engine_migrate(struct engine *engine, struct ticket *ticket, struct instant now)
{
	struct rule_calls calls = {0};
	engine->error = 0;
	engine->too_deep = false;
	engine->in_event = true;
	engine->calls = &calls;
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		if (clock_is_active(clock) && clock->set != engine->set)
			migrate_clock(engine, ticket, clock, now);
	engine->calls = NULL;
	reassess_apply_calls(engine, ticket, &calls, instant_max(now, ticket->last_at));
	engine->in_event = false;
	return engine->error;
}
