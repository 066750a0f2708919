/* Example tickets: tables of policies with the ticket that gets the last of them, and random policies beside brute
 * force over a small domain of tickets. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seed.h"
#include "slated/config.h"
#include "slated/policy.h"
#include "slated/render.h"
#include "slated/witness.h"

#define NOW ((struct instant){INT64_C(1772409600) * US_PER_S}) /* 2026-03-02 */

/* `policies` stands in "policies = ( ... );", each entry without its name and targets. */
static struct config *
config_of(const char *policies)
{
	struct config_problems problems = {0};
	struct text text = {0}, source = {0};
	struct config *ret = NULL;

	text_add_string(&text, "severities = ( { name = \"high\"; }, { name = \"low\"; } );\npolicies = (\n");
	text_add_string(&text, policies);
	text_add_string(&text, "\n);\n");
	text_add_format(&source, "@file config %zu test.conf\n", text.len);
	text_add_string(&source, text.data);
	text_add_string(&source, "\n");
	int r = config_load_text(source.data, source.len, NOW, &problems, &ret);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	free(source.data);
	free(text.data);
	cr_assert(r == 0, "the configuration is wrong: %s", policies);
	return ret;
}

#define POLICY(name, match) "{ name = \"" name "\"; targets = (); match = { " match " }; }"

/* Tables ----------------------------------------------------------------------------------------------------------- */

static const char *
result_name(int r)
{
	return r == -ENOENT ? "none" : r == -EAGAIN ? "given up" : r < 0 ? "error" : "found";
}

/* The ticket that witness_find() names for the policy, or how else it ended. */
static char *
describe_find(const struct policy_set *set, const struct policy *policy, const struct witness_limits *limits)
{
	struct text text = {0};
	struct witness witness;
	struct witness_space *space;

	cr_assert_eq(witness_space_new(set, NOW, &space), 0);
	int r = witness_find(space, policy, limits, &witness);
	if (r == 0) {
		witness_describe(set, &witness, &text);
		free(witness.custom);
	} else {
		text_add_string(&text, result_name(r));
	}
	witness_space_free(space);
	cr_assert_not(text.failed);
	return text.data;
}

static const struct witness_limits all_tickets = {.severities = SEVERITY_ALL};

Test(witness, the_last_policy_gets)
{
	static const struct {
		const char *policies;
		const char *expect;
	} rows[] = {
	    {POLICY("p", ""), "severity high"},
	    {POLICY("p", "plan = \"gold\";"), "plan \"gold\", severity high"},
	    {POLICY("a", "plan = \"*\";") "," POLICY("p", "plan = \"gold\";"), "none"},
	    {POLICY("a", "plan = \"*\";") "," POLICY("p", ""), "severity high"},
	    {POLICY("a", "plan = \"gold\";") "," POLICY("p", "plan = \"GOLD\";"), "none"},
	    {POLICY("a", "plan = \"gold\";") "," POLICY("p", "plan = [ \"gold\", \"silver\" ];"),
	     "plan \"silver\", severity high"},
	    {POLICY("a", "plan = \"gold-*\";") "," POLICY("p", "plan = \"g*\";"), "plan \"g-1\", severity high"},
	    {POLICY("a", "plan = \"gold\";") "," POLICY("p", "plan = \"gold*\";"), "plan \"gold-1\", severity high"},
	    {POLICY("a", "severity = \"high\";") "," POLICY("p", ""), "severity low"},
	    {POLICY("a", "severity = \"high\";") "," POLICY("b", "severity = \"low\";") "," POLICY("p", ""), "none"},
	    {POLICY("a", "plan = \"gold\"; severity = \"high\";") "," POLICY("p", "plan = \"gold\";"),
	     "plan \"gold\", severity low"},
	    {POLICY("a", "plan = { present = true; };") "," POLICY("p", "plan = { not = \"gold\"; };"),
	     "severity high"},
	    {POLICY("a", "plan = { not = \"gold\"; };") "," POLICY("p", ""), "plan \"gold\", severity high"},
	    {POLICY("a", "plan = { not = \"*x\"; };") "," POLICY("p", "plan = \"a*\";"), "plan \"ax\", severity high"},
	    /* All of these at once take a text with the pieces of each in it. */
	    {POLICY("a", "plan = { not = \"*x*\"; };") "," POLICY("b", "plan = { not = \"*y*\"; };") "," POLICY(
	         "p", "plan = \"a*\";"),
	     "plan \"axy\", severity high"},
	    {POLICY("a", "plan = { not = \"?b\"; };") "," POLICY("p", "plan = \"a?\";"), "plan \"ab\", severity high"},
	    {POLICY("a", "version = { at_least = \"2\"; };") "," POLICY("p", "version = { present = true; };"),
	     "version \"2-0\", severity high"},
	    {POLICY("a", "version = { at_least = \"2\"; };") "," POLICY(
	         "b", "version = { at_most = \"1\"; };") "," POLICY("p", "version = { present = true; };"),
	     "version \"2-0\", severity high"},
	    {POLICY("a", "attributes = { region = \"eu\"; };") "," POLICY("p", "attributes = { region = \"e*\"; };"),
	     "attributes.region \"e-1\", severity high"},
	    {POLICY("a", "status = [ \"open\", \"on_hold\" ];") "," POLICY("p", ""), "status pending, severity high"},
	    {"{ name = \"a\"; targets = (); effective_until = \"2027-01-01T00:00:00Z\"; }," POLICY("p", ""),
	     "severity high, opened 2027-01-01T00:00:00Z"},
	    {"{ name = \"a\"; targets = (); effective_until = \"2026-01-01T00:00:00Z\"; }," POLICY("p", ""),
	     "severity high"},
	    {"{ name = \"p\"; targets = (); effective_until = \"2026-01-01T00:00:00Z\"; }", "none"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *config = config_of(rows[i].policies);
		const struct policy_set *set = config->policies;
		char *found = describe_find(set, &set->policies[set->n_policies - 1], &all_tickets);

		cr_expect_str_eq(found, rows[i].expect, "%s\ngives: %s\nnot:   %s", rows[i].policies, found,
		                 rows[i].expect);
		free(found);
		config_free(config);
	}
}

Test(witness, tickets_that_no_policy_matches)
{
	static const struct {
		const char *policies;
		const char *expect;
	} rows[] = {
	    {POLICY("a", "plan = \"gold\";"), "plan \"other\", severity high"},
	    {POLICY("a", "plan = { present = true; };"), "severity high"},
	    {POLICY("a", "severity = \"high\";"), "severity low"},
	    {POLICY("a", "plan = \"*\";") "," POLICY("b", "plan = { present = false; };"), "none"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *config = config_of(rows[i].policies);
		char *found = describe_find(config->policies, NULL, &all_tickets);

		cr_expect_str_eq(found, rows[i].expect, "%s\ngives: %s\nnot:   %s", rows[i].policies, found,
		                 rows[i].expect);
		free(found);
		config_free(config);
	}
}

Test(witness, limits)
{
	struct config *config = config_of(POLICY("a", "plan = \"gold\"; severity = \"high\";") "," POLICY(
	    "b", "plan = \"silver*\";") "," POLICY("c", ""));
	const struct policy_set *set = config->policies;
	const char *plan, *named;
	struct witness_space *space;
	struct text plans = {0};

	cr_assert_eq(witness_space_new(set, NOW, &space), 0);
	for (size_t i = 0; witness_plan(space, i, &plan, &named); i++) {
		struct witness witness;
		text_add_format(&plans, "%s as %s:", named != NULL ? named : "none", plan);
		for (size_t j = 0; j < set->n_policies; j++)
			for (unsigned k = 0; k < set->n_severities; k++) {
				const struct witness_limits limits = {plan, UINT32_C(1) << k};
				if (witness_find(space, &set->policies[j], &limits, &witness) < 0)
					continue;
				cr_expect_str_eq(witness.facts.attributes[ATTRIBUTE_PLAN], plan);
				cr_expect_eq(witness.facts.severity, k);
				text_add_format(&plans, " %s %s", set->severities[k].name, set->policies[j].name);
				free(witness.custom);
			}
		text_add_string(&plans, "\n");
	}
	cr_expect_str_eq(plans.data, "gold as gold: high a low c\nsilver* as silver-1: high b low b\n"
	                             "none as ~: high c low c\n");
	free(plans.data);
	witness_space_free(space);
	config_free(config);
}

/* Random policies beside brute force ------------------------------------------------------------------------------- */

static unsigned
below(uint64_t *state, unsigned n)
{
	return (unsigned)(random_next(state) % n);
}

static void
add_pattern(struct text *text, uint64_t *state)
{
	unsigned len = 1 + below(state, 3);

	text_add_string(text, "\"");
	for (unsigned i = 0; i < len; i++)
		text_add(text, &"aabb**?"[below(state, 7)], 1);
	text_add_string(text, "\"");
}

static void
add_patterns(struct text *text, uint64_t *state)
{
	text_add_string(text, "[ ");
	add_pattern(text, state);
	if (below(state, 3) == 0) {
		text_add_string(text, ", ");
		add_pattern(text, state);
	}
	text_add_string(text, " ]");
}

static void
add_condition(struct text *text, uint64_t *state, const char *attribute)
{
	text_add_format(text, " %s = ", attribute);
	switch (below(state, 6)) {
	case 0:
		text_add_format(text, "{ present = %s; }", below(state, 2) != 0 ? "true" : "false");
		break;
	case 1:
	case 2:
		text_add_string(text, "{ not = ");
		add_patterns(text, state);
		text_add_string(text, "; }");
		break;
	default:
		add_patterns(text, state);
		break;
	}
	text_add_string(text, ";");
}

static void
add_policy(struct text *text, uint64_t *state, unsigned number)
{
	static const char *const versions[] = {
	    "{ at_least = \"2\"; }",
	    "{ at_most = \"2\"; }",
	    "{ at_least = \"1.5\"; at_most = \"3\"; }",
	    "{ present = true; }",
	    "\"2.*\"",
	};
	static const char *const severities[] = {"\"high\"", "\"low\"", "{ not = \"high\"; }"};

	text_add_format(text, "%s{ name = \"p%u\"; targets = ();", number > 0 ? ",\n" : "", number);
	if (below(state, 8) == 0)
		text_add_format(text, " effective_%s = \"2027-01-01T00:00:00Z\";",
		                below(state, 2) != 0 ? "from" : "until");
	text_add_string(text, " match = {");
	if (below(state, 4) != 0)
		add_condition(text, state, "plan");
	if (below(state, 3) == 0)
		add_condition(text, state, "channel");
	if (below(state, 6) == 0)
		text_add_format(text, " version = %s;", versions[below(state, 5)]);
	if (below(state, 5) == 0)
		text_add_format(text, " severity = %s;", severities[below(state, 3)]);
	text_add_string(text, " }; }");
}

/* All texts of up to `longest` characters of "ab~", and none at all. */
struct domain {
	char texts[128][6];
	size_t n;
};

static void
domain_fill(struct domain *domain, size_t longest)
{
	*domain = (struct domain){.n = 1}; /* "" */
	for (size_t i = 0; i < domain->n; i++)
		for (size_t j = 0; j < 3 && strlen(domain->texts[i]) < longest; j++) {
			cr_assert_lt(domain->n, 128);
			snprintf(domain->texts[domain->n++], 6, "%s%c", domain->texts[i], "ab~"[j]);
		}
}

static const struct instant later = {INT64_C(1798761600) * US_PER_S}; /* 2027-01-01 */

/* What brute force finds of each policy, the last being "no policy": bit 0 that a ticket gets it, bit 1 that one
 * matches. */
static void
note_ticket(const struct policy_set *set, const struct facts *facts, struct instant at, unsigned *found)
{
	size_t gets = set->n_policies;

	for (size_t i = 0; i < set->n_policies; i++)
		if (policy_is_in_effect(&set->policies[i], at) && match_holds(set, &set->policies[i].match, facts)) {
			found[i] |= 2;
			gets = gets < i ? gets : i;
		}
	found[gets] |= 1;
}

static void
brute_force(const struct policy_set *set, const struct domain *plans, const struct domain *channels, unsigned *found)
{
	static const char *const versions[] = {NULL, "1", "1.5", "2-0", "2", "2.5", "3", "4"};
	struct facts facts = {0};

	for (size_t i = 0; i <= plans->n; i++)
		for (size_t j = 0; j <= channels->n; j++)
			for (size_t k = 0; k < 8 * 2 * 2; k++) {
				facts.attributes[ATTRIBUTE_PLAN] = i < plans->n ? plans->texts[i] : NULL;
				facts.attributes[ATTRIBUTE_CHANNEL] = j < channels->n ? channels->texts[j] : NULL;
				facts.attributes[ATTRIBUTE_VERSION] = versions[k % 8];
				facts.severity = k / 8 % 2;
				note_ticket(set, &facts, k < 16 ? NOW : later, found);
			}
}

/* A ticket that is named is one; where none is, brute force has none. */
static void
expect_like(const struct policy_set *set, const struct witness_space *space, size_t i, unsigned found, const char *what)
{
	const struct policy *policy = i < set->n_policies ? &set->policies[i] : NULL;
	struct witness witness;

	int r = witness_find(space, policy, &all_tickets, &witness);
	cr_expect(r == 0 || r == -ENOENT, "p%zu of\n%s\nis %s", i, what, result_name(r));
	cr_expect(r == 0 || (found & 1) == 0, "some ticket gets p%zu of\n%s\nand none was found", i, what);
	if (r == 0) {
		struct instant at = instant_equal(witness.opened_at, INSTANT_NEVER) ? NOW : witness.opened_at;
		const struct policy *gets = policy_set_choose(set, &witness.facts, at);
		cr_expect_eq(gets, policy, "the ticket that p%zu is to get gets %s, of\n%s", i,
		             gets != NULL ? gets->name : "none", what);
		free(witness.custom);
	}
	if (policy == NULL)
		return;
	r = witness_match(space, policy, &witness);
	cr_expect(r == 0 || (r == -ENOENT && (found & 2) == 0), "p%zu of\n%s\nmatches some ticket: %s", i, what,
	          result_name(r));
	if (r == 0) {
		cr_expect(match_holds(set, &policy->match, &witness.facts), "p%zu of\n%s\ndoes not match", i, what);
		free(witness.custom);
	}
}

Test(witness, random_policies_beside_brute_force)
{
	const char *cases = getenv("SLATED_TEST_CASES");
	uint64_t state = random_seed();
	struct domain plans, channels;

	domain_fill(&plans, 4);
	domain_fill(&channels, 2);
	for (unsigned n = cases != NULL ? (unsigned)strtoul(cases, NULL, 10) : 150; n > 0; n--) {
		unsigned found[6] = {0}, n_policies = 2 + below(&state, 4);
		struct text text = {0};
		struct witness_space *space;

		for (unsigned i = 0; i < n_policies; i++)
			add_policy(&text, &state, i);
		cr_assert_not(text.failed);
		struct config *config = config_of(text.data);
		cr_assert_eq(witness_space_new(config->policies, NOW, &space), 0);
		brute_force(config->policies, &plans, &channels, found);
		for (size_t i = 0; i <= n_policies; i++)
			expect_like(config->policies, space, i, found[i], text.data);
		witness_space_free(space);
		config_free(config);
		free(text.data);
	}
}
