#include <criterion/criterion.h>
#include <stdio.h>

#include "slated/atom.h"
#include "slated/policy.h"

Test(atom, texts_are_kept_once)
{
	struct atoms *atoms;
	atom a, b, none;
	char text[16];

	cr_assert_eq(atoms_new(&atoms), 0);
	cr_assert_eq(atoms_intern(atoms, NULL, 0, &none), 0);
	cr_assert_eq(none, 0);
	cr_assert_null(atoms_text(atoms, 0));
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(text, sizeof text, "t%d", i);
		cr_assert_eq(atoms_intern(atoms, text, (size_t)len, &a), 0);
		cr_assert_eq(a, (atom)i + 1);
	}
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(text, sizeof text, "t%d", i);
		cr_assert_eq(atoms_intern(atoms, text, (size_t)len, &b), 0);
		cr_assert_eq(b, (atom)i + 1);
		cr_assert_str_eq(atoms_text(atoms, b), text);
	}
	/* Only `len` bytes count, and an empty text is a text. */
	cr_assert_eq(atoms_intern(atoms, "t12xyz", 3, &a), 0);
	cr_assert_eq(a, 13);
	cr_assert_eq(atoms_intern(atoms, "", 0, &a), 0);
	cr_assert_eq(a, 5001);
	cr_assert_str_eq(atoms_text(atoms, a), "");
	atoms_free(atoms);
	atoms_free(NULL);
}

Test(policy, globs)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool expect;
	} rows[] = {
	    {"gold", "gold", true},
	    {"gold", "GOLD", true},
	    {"GOLD", "gold", true},
	    {"gold", "golden", false},
	    {"golden", "gold", false},
	    {"enterprise-*", "enterprise-gold", true},
	    {"enterprise-*", "enterprise-", true},
	    {"enterprise-*", "enterprise", false},
	    {"*", "", true},
	    {"", "", true},
	    {"", "a", false},
	    {"?", "", false},
	    {"?", "a", true},
	    {"g?ld", "gold", true},
	    {"g?ld", "gld", false},
	    {"*a*b", "xaxbxb", true},
	    {"*a*b", "xaxbxc", false},
	    {"**a", "ba", true},
	    {"a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	    {"[a]", "a", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(glob_match(rows[i].pattern, rows[i].text), rows[i].expect, "\"%s\" on \"%s\"",
		             rows[i].pattern, rows[i].text);
}

Test(policy, versions)
{
	static const struct {
		const char *older;
		const char *newer; /* the same when `equal` */
		bool equal;
	} rows[] = {
	    {"2.9", "2.10", false},
	    {"2", "2.0.0", true},
	    {"v3.5", "3.5", true},
	    {"V3.5", "v3.5.0", true},
	    {"2.1", "2.1.1", false},
	    {"2.09", "2.9", true},
	    {"99999999999999999999", "100000000000000000000", false},
	    {"1.0.0-alpha", "1.0.0-alpha.1", false},
	    {"1.0.0-alpha.1", "1.0.0-alpha.beta", false},
	    {"1.0.0-alpha.beta", "1.0.0-beta", false},
	    {"1.0.0-beta", "1.0.0-beta.2", false},
	    {"1.0.0-beta.2", "1.0.0-beta.11", false},
	    {"1.0.0-beta.11", "1.0.0-rc.1", false},
	    {"1.0.0-rc.1", "1.0.0", false},
	    {"1.0.0+build1", "1.0.0+build2", true},
	    {"1.0", "1.1-rc", false},
	    {"", "0", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int order = version_compare(rows[i].older, rows[i].newer);
		int back = version_compare(rows[i].newer, rows[i].older);
		cr_expect(rows[i].equal ? order == 0 && back == 0 : order < 0 && back > 0, "%s and %s: %d, %d",
		          rows[i].older, rows[i].newer, order, back);
	}
}

static char *critical_aliases[] = {(char[]){"S1"}, (char[]){"Severity 1"}};
static char *high_aliases[] = {(char[]){"S2"}};
static struct severity severities[] = {
    {(char[]){"critical"}, critical_aliases, 2},
    {(char[]){"high"}, high_aliases, 1},
};
static const struct policy_set model = {.severities = severities, .n_severities = 2};

static char *gold[] = {(char[]){"gold"}};
static char *gold_or_any[] = {(char[]){"silver"}, (char[]){"g*"}};
static char *s1[] = {(char[]){"severity 1"}};
static char *pending[] = {(char[]){"pending"}};
static char v2_10[] = "2.10", v3[] = "3";
static char licence[] = "licence";

#define PLAN .kind = CONDITION_ATTRIBUTE, .attribute = ATTRIBUTE_PLAN

Test(policy, conditions)
{
	static const struct custom_attribute custom[] = {{"seats", "5"}, {"licence", "gold"}};
	static const struct {
		struct condition condition;
		const char *plan;
		bool expect;
	} rows[] = {
	    {{PLAN, .any_of = gold, .n_any_of = 1, .present = -1}, "Gold", true},
	    {{PLAN, .any_of = gold, .n_any_of = 1, .present = -1}, "silver", false},
	    {{PLAN, .any_of = gold, .n_any_of = 1, .present = -1}, NULL, false},
	    {{PLAN, .any_of = gold_or_any, .n_any_of = 2, .present = -1}, "grey", true},
	    {{PLAN, .none_of = gold, .n_none_of = 1, .present = -1}, "silver", true},
	    {{PLAN, .none_of = gold, .n_none_of = 1, .present = -1}, "gold", false},
	    {{PLAN, .none_of = gold, .n_none_of = 1, .present = -1}, NULL, true},
	    {{PLAN, .none_of = gold, .n_none_of = 1, .present = 1}, NULL, false},
	    {{PLAN, .present = 1}, "x", true},
	    {{PLAN, .present = 1}, NULL, false},
	    {{PLAN, .present = 0}, "x", false},
	    {{PLAN, .present = 0}, NULL, true},
	    {{PLAN, .at_least = v2_10, .present = -1}, "2.9", false},
	    {{PLAN, .at_least = v2_10, .present = -1}, "2.10", true},
	    {{PLAN, .at_least = v2_10, .present = -1}, NULL, false},
	    {{PLAN, .at_least = v2_10, .at_most = v3, .present = -1}, "3.0", true},
	    {{PLAN, .at_least = v2_10, .at_most = v3, .present = -1}, "3.0.1", false},
	    {{.kind = CONDITION_SEVERITY, .any_of = s1, .n_any_of = 1, .present = -1}, NULL, true},
	    {{.kind = CONDITION_SEVERITY, .none_of = s1, .n_none_of = 1, .present = -1}, NULL, false},
	    {{.kind = CONDITION_STATUS, .any_of = pending, .n_any_of = 1, .present = -1}, NULL, true},
	    {{.kind = CONDITION_CUSTOM, .key = licence, .any_of = gold, .n_any_of = 1, .present = -1}, NULL, true},
	    {{.kind = CONDITION_CUSTOM, .key = v3, .present = 0}, NULL, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct condition condition = rows[i].condition;
		struct match match = {&condition, 1};
		struct facts facts = {.custom = custom, .n_custom = 2, .status = STATUS_PENDING};

		facts.attributes[ATTRIBUTE_PLAN] = rows[i].plan;
		cr_expect_eq(match_holds(&model, &match, &facts), rows[i].expect, "row %zu", i);
	}
}

Test(policy, first_policy_in_effect_is_chosen)
{
	struct condition is_gold = {PLAN, .any_of = gold, .n_any_of = 1, .present = -1};
	struct policy policies[] = {
	    {.name = (char[]){"old"}, .match = {&is_gold, 1}, {INT64_MIN}, {100}},
	    {.name = (char[]){"new"}, .match = {&is_gold, 1}, {100}, {200}},
	    {.name = (char[]){"rest"}, .effective_from = {INT64_MIN}, .effective_until = {300}},
	};
	struct policy_set set = model;
	static const struct {
		const char *plan;
		int64_t opened_at;
		const char *expect;
	} rows[] = {
	    {"gold", 99, "old"},   {"gold", 100, "new"}, {"gold", 199, "new"},
	    {"gold", 200, "rest"}, {"free", 0, "rest"},  {"free", 300, NULL},
	};

	set.policies = policies;
	set.n_policies = 3;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct facts facts = {.attributes[ATTRIBUTE_PLAN] = rows[i].plan};
		const struct policy *policy = policy_set_choose(&set, &facts, (struct instant){rows[i].opened_at});

		if (rows[i].expect == NULL)
			cr_expect_null(policy, "row %zu", i);
		else
			cr_expect_str_eq(policy->name, rows[i].expect, "row %zu", i);
	}
	cr_expect_eq(policy_set_policy(&set, "new"), &policies[1]);
	cr_expect_null(policy_set_policy(&set, "New"));
}

Test(policy, first_fitting_target_counts)
{
	struct ladder loud = {.name = (char[]){"loud"}}, quiet = {.name = (char[]){"quiet"}};
	struct target targets[] = {
	    {.metric = METRIC_RESOLUTION, .severities = 1, .escalation = &quiet},
	    {.metric = METRIC_RESOLUTION, .severities = SEVERITY_ALL},
	    {.metric = METRIC_UPDATE, .severities = 2},
	};
	struct policy policy = {.targets = targets, .n_targets = 3, .escalation = &loud};

	cr_expect_eq(policy_target(&policy, METRIC_RESOLUTION, 0), &targets[0]);
	cr_expect_eq(policy_target(&policy, METRIC_RESOLUTION, 1), &targets[1]);
	cr_expect_eq(policy_target(&policy, METRIC_RESOLUTION, 31), &targets[1]);
	cr_expect_null(policy_target(&policy, METRIC_UPDATE, 0));
	cr_expect_null(policy_target(&policy, METRIC_ASSESSMENT, 0));
	cr_expect_eq(policy_ladder(&policy, &targets[0]), &quiet);
	cr_expect_eq(policy_ladder(&policy, &targets[1]), &loud);
	cr_expect_eq(policy_ladder(&policy, NULL), &loud);
}

Test(policy, severities_by_any_name)
{
	cr_expect_eq(policy_set_severity(&model, "CRITICAL"), 0);
	cr_expect_eq(policy_set_severity(&model, "severity 1"), 0);
	cr_expect_eq(policy_set_severity(&model, "s2"), 1);
	cr_expect_eq(policy_set_severity(&model, "s3"), -1);
}

Test(policy, level_points)
{
	static const struct {
		uint8_t percent;
		int64_t left;
		int64_t budget;
		int64_t expect; /* -1: outside */
	} rows[] = {
	    {75, 0, 400, 300},
	    {33, 0, 100, 33},
	    {33, 0, 10, 3},
	    {99, 0, 199, 197},
	    {50, 0, 1, -1},
	    {1, 0, 99, -1},
	    {99, 0, INT64_C(3153600000000000000), INT64_C(3122064000000000000)},
	    {0, 30, 100, 70},
	    {0, 100, 100, -1},
	    {0, 101, 100, -1},
	    {0, 99, 100, 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct level level = {.percent = rows[i].percent, .left = {rows[i].left}};
		int64_t point = level_point(&level, (struct duration){rows[i].budget}).us;
		cr_expect(rows[i].expect < 0 ? point < 0 : point == rows[i].expect, "row %zu: %lld", i,
		          (long long)point);
	}
}

Test(policy, due)
{
	struct policy_set *set;

	cr_assert_eq(policy_set_new(&set), 0);
	struct target target = {.calendar = set->always, .allowance = {.elapsed = {2 * US_PER_H}}};
	cr_expect_eq(target_due(&target, (struct instant){5}).us, 5 + 2 * US_PER_H);
	target.allowance = (struct period){.business_days = 3};
	target.business_day = BUSINESS_DAY_SAME_TIME;
	cr_expect_eq(target_due(&target, (struct instant){5}).us, 5 + 3 * US_PER_DAY);
	cr_expect_eq(policy_set_calendar(set, "always"), set->always);
	cr_expect_null(policy_set_calendar(set, "support"));
	policy_set_free(set);
}
