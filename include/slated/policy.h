/* What a configuration says: severities, calendars, policies with their targets, ladders and reassessment rules, and
 * which policy and target a ticket's facts choose. model.md sections 3, 4, 8 and 9. Plain data: `io/config` fills it
 * in, the engine reads it. */
#ifndef SLATED_POLICY_H
#define SLATED_POLICY_H

#include "slated/calendar.h"
#include "slated/instant.h"

enum metric {
	METRIC_FIRST_RESPONSE,
	METRIC_NEXT_RESPONSE,
	METRIC_UPDATE,
	METRIC_RESOLUTION,
	METRIC_ASSESSMENT,
	METRIC_COUNT,
};

enum status {
	STATUS_OPEN,
	STATUS_PENDING,
	STATUS_ON_HOLD,
	STATUS_SOLVED,
	STATUS_CLOSED,
	STATUS_COUNT,
};

/* What a policy can match besides severity, status and `attributes.<key>`. */
enum attribute {
	ATTRIBUTE_ORG,
	ATTRIBUTE_PLAN,
	ATTRIBUTE_CHANNEL,
	ATTRIBUTE_CATEGORY,
	ATTRIBUTE_PRODUCT,
	ATTRIBUTE_ENVIRONMENT,
	ATTRIBUTE_VERSION,
	ATTRIBUTE_ASSIGNEE,
	ATTRIBUTE_TEAM,
	ATTRIBUTE_COUNT,
};

enum reopen {
	REOPEN_RESUME,
	REOPEN_RESTART,
	REOPEN_NONE,
	REOPEN_COUNT,
};

enum on_change {
	ON_CHANGE_PIN,
	ON_CHANGE_FOLLOW,
	ON_CHANGE_BETTER_OF,
	ON_CHANGE_COUNT,
};

/* What sets a ladder's step going. */
enum step_on {
	STEP_AT_RISK,
	STEP_BREACHED,
	STEP_REQUESTED,
	STEP_REASSESSED,
	STEP_ON_COUNT,
};

enum step_until {
	UNTIL_ACKNOWLEDGED,
	UNTIL_ENDED,
	UNTIL_COUNT,
};

/* What becomes of a firing outside the step's hours. */
enum off_hours {
	OFF_HOURS_FIRE,
	OFF_HOURS_DEFER,
	OFF_HOURS_SKIP,
	OFF_HOURS_OTHER, /* another channel is notified */
	OFF_HOURS_COUNT,
};

/* What a reassessment rule is tried on; a set of bits. */
enum rule_on {
	RULE_OPENED,
	RULE_SEVERITY_CHANGED,
	RULE_AT_RISK,
	RULE_BREACHED,
	RULE_DISPUTE,
	RULE_ON_COUNT,
};

/* Names as the configuration, the database and the output write them; index = the enum above. */
extern const char *const metric_names[METRIC_COUNT];
extern const char *const status_names[STATUS_COUNT];
extern const char *const attribute_names[ATTRIBUTE_COUNT];
extern const char *const reopen_names[REOPEN_COUNT];
extern const char *const on_change_names[ON_CHANGE_COUNT];
extern const char *const step_on_names[STEP_ON_COUNT];
extern const char *const step_until_names[UNTIL_COUNT];
/* OFF_HOURS_FIRE and OFF_HOURS_OTHER have NULL. */
extern const char *const off_hours_names[OFF_HOURS_COUNT];
extern const char *const rule_on_names[RULE_ON_COUNT];
/* Indexed by enum business_day; BUSINESS_DAY_NONE has NULL. */
extern const char *const business_day_names[BUSINESS_DAY_END_OF_DAY + 1];

/* The index of `name` in `names`, or -1. Exact spelling. Entries may be NULL. */
int name_index(const char *const *names, int n, const char *name);

/* At most so many severities (a target names them in a bit set) and distinct level texts in a configuration. */
#define SEVERITY_MAX 32
#define LEVEL_MAX    64
#define SEVERITY_ALL UINT32_MAX

struct severity {
	char *name;
	char **aliases;
	size_t n_aliases;
};

/* One condition of a `match`: all that are set must hold. */
struct condition {
	enum { CONDITION_ATTRIBUTE, CONDITION_SEVERITY, CONDITION_STATUS, CONDITION_CUSTOM } kind;
	enum attribute attribute; /* CONDITION_ATTRIBUTE */
	char *key;                /* CONDITION_CUSTOM: the key below `attributes` */
	char **any_of;            /* glob patterns; n = 0: not asked */
	size_t n_any_of;
	char **none_of; /* `not` */
	size_t n_none_of;
	char *at_least; /* version order; NULL: not asked */
	char *at_most;
	int present; /* 1, 0, or -1: not asked */
};

struct match {
	struct condition *conditions;
	size_t n_conditions;
};

/* An at-risk level. */
struct level {
	char *text;           /* as written */
	uint8_t id;           /* the same text has the same id throughout a configuration, < LEVEL_MAX */
	uint8_t percent;      /* of the budget consumed, or 0: */
	struct duration left; /* of open time left */
};

struct step {
	enum step_on on;
	char *level; /* NULL = every level */
	struct duration after;
	struct calendar *after_calendar;
	char **notify;
	size_t n_notify;
	struct duration repeat_every; /* 0 = fires once */
	uint32_t repeat_max;          /* repeats after the first firing; 0 = until stopped */
	enum step_until until;
	enum off_hours off_hours;
	char *off_hours_notify; /* OFF_HOURS_OTHER: a channel or role */
	struct calendar *hours; /* of off_hours; NULL = those of the clock's target */
	bool always;            /* no silence holds it back */
};

struct ladder {
	char *name;
	struct step *steps;
	size_t n_steps;
};

struct target {
	enum metric metric;
	uint32_t severities; /* bit i = severity i; SEVERITY_ALL when none was named */
	bool under;          /* met only before due, not at it */
	char *text;          /* the allowance as written, "2h" or "3bd" */
	struct period allowance;
	enum business_day business_day;
	struct calendar *calendar;
	struct level *levels;
	size_t n_levels;
	uint8_t pause_on; /* bit i = status i */
	enum reopen reopen;
	const struct ladder *escalation; /* the target's own, or NULL */
};

struct policy {
	char *name;
	struct match match;
	struct instant effective_from;  /* INT64_MIN when not given */
	struct instant effective_until; /* INSTANT_NEVER when not given */
	enum on_change on_change;
	int rank;
	const struct ladder *escalation; /* or NULL */
	struct target *targets;
	size_t n_targets;
};

struct rule {
	char *name;
	unsigned on; /* bit set of enum rule_on */
	struct match match;
	enum { RULE_SET, RULE_GRAVER, RULE_LIGHTER, RULE_HOOK, RULE_HOOK_URL } kind;
	unsigned severity; /* RULE_SET: index */
	char **hook;       /* RULE_HOOK: argv, NULL-terminated */
	char *hook_url;    /* RULE_HOOK_URL */
	struct duration timeout;
	char *reason;
};

static inline bool
rule_has_hook(const struct rule *rule)
{
	return rule->kind == RULE_HOOK || rule->kind == RULE_HOOK_URL;
}

/* Distinct level texts by id: those of the configuration first, then what clocks of others have fired and brought
 * along. */
struct level_names {
	char *texts[LEVEL_MAX];
	size_t n;
};

/* One configuration, as far as the model goes. Calendars are searched, so a policy set belongs to one thread. */
struct policy_set {
	struct severity *severities; /* most severe first */
	size_t n_severities;
	struct zone **zones;
	size_t n_zones;
	struct calendar *always;
	struct calendar **calendars; /* in order of definition, after their members */
	size_t n_calendars;
	struct level_names *levels;
	struct ladder *ladders;
	size_t n_ladders;
	struct policy *policies;
	size_t n_policies;
	struct rule *rules;
	size_t n_rules;
};

/* An empty set with `always` in it. 0 or -ENOMEM. */
int policy_set_new(struct policy_set **ret) __attribute__((warn_unused_result));

/* Frees the set and all it holds, half-built too. Takes NULL. */
void policy_set_free(struct policy_set *set);

/* "always" or the name of a calendar of the set; NULL where there is none. */
struct calendar *policy_set_calendar(const struct policy_set *set, const char *name);

/* The ladder or policy of that name, or NULL. */
const struct ladder *policy_set_ladder(const struct policy_set *set, const char *name);
const struct policy *policy_set_policy(const struct policy_set *set, const char *name);

/* The id of a level's text, which need not end in a NUL; one that is new to the set gets the next. -ENOSPC where there
 * is none left, or -ENOMEM. */
int policy_set_level(const struct policy_set *set, const char *text, size_t len);

/* The index of a severity by name or alias, case-blind, or -1. */
int policy_set_severity(const struct policy_set *set, const char *name);

/* What a ticket is, as far as a match can ask. Texts are NULL where the ticket lacks them. */
struct custom_attribute {
	const char *key;
	const char *value;
};

struct facts {
	const char *attributes[ATTRIBUTE_COUNT];
	const struct custom_attribute *custom;
	size_t n_custom;
	unsigned severity;
	enum status status;
};

/* Whether the facts fit one condition. */
bool condition_holds(const struct policy_set *set, const struct condition *condition, const struct facts *facts);

/* Whether every condition holds. */
bool match_holds(const struct policy_set *set, const struct match *match, const struct facts *facts);

/* Whether a ticket opened then can get the policy. */
bool policy_is_in_effect(const struct policy *policy, struct instant opened_at);

/* The first policy in file order that matches and is in effect at `opened_at`, or NULL. */
const struct policy *policy_set_choose(const struct policy_set *set, const struct facts *facts,
                                       struct instant opened_at);

/* The policy's first target for that metric and severity, or NULL. */
const struct target *policy_target(const struct policy *policy, enum metric metric, unsigned severity);

/* The ladder of a clock with that target: the target's own, else its policy's, else NULL. */
const struct ladder *policy_ladder(const struct policy *policy, const struct target *target);

/* When a clock of that target that starts at `start` and never pauses is due; INSTANT_NEVER where that is over ten
 * years away. */
struct instant target_due(const struct target *target, struct instant start);

/* Open time that `level` leaves consumed when it fires, or a negative one where it does not lie inside `budget`. */
struct duration level_point(const struct level *level, struct duration budget);

/* A letter as globs compare it: ASCII's capitals are small. */
static inline char
glob_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Case-blind (ASCII) glob with `*` and `?`. */
bool glob_match(const char *pattern, const char *text);

/* < 0, 0 or > 0 as version `a` is older than, equal to or newer than `b`: a leading "v" is ignored, parts between dots
 * compare as numbers, missing parts count as 0, and a suffix after "-" makes a version older (Semantic Versioning
 * 2.0.0, section 11) . */
int version_compare(const char *a, const char *b);

#endif
