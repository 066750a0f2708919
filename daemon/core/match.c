/* Whether a ticket's facts fit a `match`: globs, version order, conditions. model.md section 4. */
#include <assert.h>
#include <string.h>

#include "slated/policy.h"

bool
glob_match(const char *pattern, const char *text)
{
	/* A later `*` makes every earlier one final, so it is enough to return to the last. */
	const char *star = NULL;
	const char *star_text = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			star_text = text;
		} else if (*pattern == *text || *pattern == '?' || glob_lower(*pattern) == glob_lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++star_text;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* A piece of a version: bytes that are not NUL-terminated. */
struct span {
	const char *at;
	size_t len;
};

static bool
span_is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return true;
}

static int
span_compare_text(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.at, b.at, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Numbers of any length, by value, and before words; words by their bytes. Semantic Versioning 2.0.0, section 11.4. */
static int
span_compare(struct span a, struct span b)
{
	bool a_number = span_is_number(a), b_number = span_is_number(b);

	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (!a_number)
		return span_compare_text(a, b);
	while (a.len > 0 && *a.at == '0')
		a.at++, a.len--;
	while (b.len > 0 && *b.at == '0')
		b.at++, b.len--;
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.at, b.at, a.len);
}

/* Cuts the part up to the next dot off `rest`; the empty span once nothing is left. */
static struct span
span_take_part(struct span *rest)
{
	const char *dot = memchr(rest->at, '.', rest->len);
	struct span part = {rest->at, dot != NULL ? (size_t)(dot - rest->at) : rest->len};
	size_t taken = part.len + (dot != NULL);

	rest->at += taken;
	rest->len -= taken;
	return part;
}

static int
parts_compare(struct span a, struct span b, bool missing_is_zero)
{
	while (a.len > 0 || b.len > 0) {
		if (!missing_is_zero && (a.len == 0 || b.len == 0))
			return a.len == 0 ? -1 : 1;
		struct span a_part = span_take_part(&a), b_part = span_take_part(&b);
		int order = span_compare(a_part, b_part);
		if (order != 0)
			return order;
	}
	return 0;
}

/* Splits "v1.2-rc.1+build" into "1.2" and "rc.1"; build metadata does not order versions. */
static void
version_split(const char *text, struct span *ret_core, struct span *ret_suffix)
{
	if (glob_lower(*text) == 'v')
		text++;
	size_t len = strcspn(text, "+");
	const char *dash = memchr(text, '-', len);

	*ret_core = (struct span){text, dash != NULL ? (size_t)(dash - text) : len};
	*ret_suffix = dash != NULL ? (struct span){dash + 1, len - (size_t)(dash + 1 - text)} : (struct span){text, 0};
}

int
version_compare(const char *a, const char *b)
{
	struct span a_core, a_suffix, b_core, b_suffix;

	version_split(a, &a_core, &a_suffix);
	version_split(b, &b_core, &b_suffix);
	int order = parts_compare(a_core, b_core, true);
	if (order != 0)
		return order;
	if ((a_suffix.len == 0) != (b_suffix.len == 0))
		return a_suffix.len == 0 ? 1 : -1;
	return parts_compare(a_suffix, b_suffix, false);
}

static bool
severity_fits(const struct severity *severity, const char *pattern)
{
	if (glob_match(pattern, severity->name))
		return true;
	for (size_t i = 0; i < severity->n_aliases; i++)
		if (glob_match(pattern, severity->aliases[i]))
			return true;
	return false;
}

/* `severity` is not NULL where the value is one, to be compared by all its names. */
static bool
any_fits(char *const *patterns, size_t n, const char *text, const struct severity *severity)
{
	for (size_t i = 0; i < n; i++)
		if (severity != NULL ? severity_fits(severity, patterns[i]) : glob_match(patterns[i], text))
			return true;
	return false;
}

static const char *
condition_text(const struct condition *condition, const struct facts *facts)
{
	switch (condition->kind) {
	case CONDITION_ATTRIBUTE:
		return facts->attributes[condition->attribute];
	case CONDITION_STATUS:
		return status_names[facts->status];
	case CONDITION_CUSTOM:
		for (size_t i = 0; i < facts->n_custom; i++)
			if (strcmp(facts->custom[i].key, condition->key) == 0)
				return facts->custom[i].value;
		return NULL;
	case CONDITION_SEVERITY:
		break;
	}
	return NULL;
}

bool
condition_holds(const struct policy_set *set, const struct condition *condition, const struct facts *facts)
{
	const struct severity *severity = NULL;
	const char *text;

	if (condition->kind == CONDITION_SEVERITY) {
		assert(facts->severity < set->n_severities);
		severity = &set->severities[facts->severity];
		text = severity->name;
	} else {
		text = condition_text(condition, facts);
	}
	if (condition->present >= 0 && (condition->present == 1) != (text != NULL))
		return false;
	if (text == NULL)
		return condition->n_any_of == 0 && condition->at_least == NULL && condition->at_most == NULL;
	if (condition->n_any_of > 0 && !any_fits(condition->any_of, condition->n_any_of, text, severity))
		return false;
	if (any_fits(condition->none_of, condition->n_none_of, text, severity))
		return false;
	if (condition->at_least != NULL && version_compare(text, condition->at_least) < 0)
		return false;
	return condition->at_most == NULL || version_compare(text, condition->at_most) <= 0;
}

bool
match_holds(const struct policy_set *set, const struct match *match, const struct facts *facts)
{
	for (size_t i = 0; i < match->n_conditions; i++)
		if (!condition_holds(set, &match->conditions[i], facts))
			return false;
	return true;
}
