/* Severity reassessment: changes of severity and the rules that make them. model.md sections 6 and 9. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_internal.h"

/* Rules may call each other through the changes that they make, so deep and no deeper. */
#define RULE_DEPTH_MAX 8

/* The policy in which a clock looks for its new target: its own, as the configuration in force has it. */
static const struct policy *
clock_own_policy(const struct engine *engine, const struct clock *clock, const struct policy_set **ret_set)
{
	const struct policy *policy = NULL;
	*ret_set = clock->set;
	if (clock->set != engine->set)
		policy = policy_set_policy(engine->set, clock->policy->name);
	if (policy == NULL)
		return clock->policy;
	*ret_set = engine->set;
	return policy;
}

void
reassess_set_severity(struct engine *engine, struct ticket *ticket, unsigned severity, enum actor by, struct instant at)
{
	struct rule_calls calls = {0};
	struct rule_calls *outer = engine->calls;
	bool changes = severity != ticket->severity;
	ticket->severity = (uint8_t)severity;
	ticket->dirty |= changes;
	engine_match_anew(engine, ticket);
	engine->calls = &calls; /* cppcheck-suppress autoVariables; every way out puts the outer one back */
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next) {
		if (!clock_is_active(clock))
			continue;
		const struct policy_set *set;
		const struct policy *policy = clock_own_policy(engine, clock, &set);
		/* An agent's word on the severity answers a dispute, even where it confirms it. */
		if (clock->metric == METRIC_ASSESSMENT && by == ACTOR_AGENT)
			clock_meet(engine, ticket, clock, at);
		else if (changes)
			clock_retarget(engine, ticket, clock, set, policy, at, true);
	}
	if (!changes) {
		engine->calls = outer;
		return;
	}
	if (by == ACTOR_SYSTEM && !engine->opening)
		ladder_trigger_ticket(engine, ticket, TRIGGER_REASSESSED, ++ticket->reassessed, at);
	engine->calls = outer;
	reassess_apply_rules(engine, ticket, RULE_SEVERITY_CHANGED, at);
	reassess_apply_calls(engine, ticket, &calls, at);
}

static unsigned
rule_severity(const struct engine *engine, const struct ticket *ticket, const struct rule *rule)
{
	switch (rule->kind) {
	case RULE_SET:
		return rule->severity;
	case RULE_GRAVER:
		return ticket->severity == 0 ? 0 : ticket->severity - 1U;
	case RULE_LIGHTER:
		return ticket->severity + 1U < engine->set->n_severities ? ticket->severity + 1U : ticket->severity;
	default:
		return ticket->severity;
	}
}

static void
rule_report_depth(struct engine *engine, struct ticket *ticket, const struct rule *rule)
{
	char text[256];
	(void)snprintf(text, sizeof(text),
	               "reassessment \"%s\" was not applied: rules have called each other %d deep; "
	               "make their matches exclude each other",
	               rule->name, RULE_DEPTH_MAX);
	if (engine->sink.problem != NULL)
		engine->sink.problem(engine->sink.arg, ticket, text);
}

static void
rule_apply(struct engine *engine, struct ticket *ticket, const struct rule *rule, enum rule_on on, struct instant at)
{
	struct reassessment r = {at, rule, on, ticket->severity, rule_severity(engine, ticket, rule)};
	bool hook = rule_has_hook(rule);
	if (r.to == r.from && !hook)
		return;
	if (engine->depth > RULE_DEPTH_MAX) {
		rule_report_depth(engine, ticket, rule);
		engine->too_deep = true;
		return;
	}
	if (engine->sink.reassessed != NULL)
		engine->sink.reassessed(engine->sink.arg, ticket, &r);
	if (hook)
		return;
	ladder_catch_up(engine, ticket, at);
	engine->depth++;
	reassess_set_severity(engine, ticket, r.to, ACTOR_SYSTEM, at);
	engine->depth--;
}

static bool
rule_matches(struct engine *engine, const struct ticket *ticket, const struct rule *rule)
{
	struct facts facts;
	struct custom_attribute *custom = NULL;
	if (ticket->n_custom > 0 && (custom = calloc(ticket->n_custom, sizeof(*custom))) == NULL) {
		engine->error = -ENOMEM;
		return false;
	}
	ticket_facts(engine, ticket, custom, &facts);
	bool holds = match_holds(engine->set, &rule->match, &facts);
	free(custom);
	return holds;
}

void
reassess_apply_rules(struct engine *engine, struct ticket *ticket, enum rule_on on, struct instant at)
{
	for (size_t i = 0; i < engine->set->n_rules && !engine->too_deep; i++) {
		const struct rule *rule = &engine->set->rules[i];
		if ((rule->on >> on & 1) != 0 && rule_matches(engine, ticket, rule))
			rule_apply(engine, ticket, rule, on, at);
	}
}

void
reassess_apply_calls(struct engine *engine, struct ticket *ticket, const struct rule_calls *calls, struct instant at)
{
	for (unsigned i = 0; i < calls->n; i++)
		reassess_apply_rules(engine, ticket, calls->on[i], at);
}
