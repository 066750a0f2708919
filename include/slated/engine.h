/* The engine: (configuration, events in order, now) -> clocks, milestones, ladder steps, next instant. model.md is what
 * it computes. It reads no clock, no file, no socket; drivers (the simulator, the daemon, the tests) feed it. */
#ifndef SLATED_ENGINE_H
#define SLATED_ENGINE_H

#include "slated/refusal.h"
#include "slated/ticket.h"

enum event_kind {
	EVENT_OPENED,
	EVENT_REPLY,
	EVENT_STATUS,
	EVENT_SEVERITY,
	EVENT_CHANGED,
	EVENT_DISPUTE,
	EVENT_ASSESSED,
	EVENT_ACK,
	EVENT_MERGED,
	EVENT_COUNT,
};

enum actor {
	ACTOR_AGENT,
	ACTOR_CUSTOMER,
	ACTOR_SYSTEM,
	ACTOR_COUNT,
};

enum milestone_kind {
	MILESTONE_STARTED,
	MILESTONE_PAUSED,
	MILESTONE_RESUMED,
	MILESTONE_RETARGETED,
	MILESTONE_AT_RISK,
	MILESTONE_BREACHED,
	MILESTONE_MET,
	MILESTONE_WITHDRAWN,
	MILESTONE_ESCALATED,
	MILESTONE_COUNT,
};

extern const char *const event_names[EVENT_COUNT];
extern const char *const actor_names[ACTOR_COUNT];
extern const char *const milestone_names[MILESTONE_COUNT];

/* One event of model.md section 10. Texts are borrowed for the call. */
struct ticket_event {
	struct instant at;
	enum event_kind kind;
	enum actor by;        /* reply, severity, dispute, assessed */
	bool is_public;       /* reply */
	bool requests;        /* reply: its text holds the token, see event_text_requests() */
	enum status status;   /* opened, status */
	const char *severity; /* opened, severity: a name or an alias */
	struct duration hold; /* ack: its `for`, or 0 */
	unsigned set; /* opened, changed: bit i = attribute i is named in `attributes` (NULL there: taken away) */
	const char *attributes[ATTRIBUTE_COUNT];
	const struct custom_attribute *custom; /* opened, changed: value NULL = taken away */
	size_t n_custom;
	bool clear_custom; /* changed: all custom attributes go before `custom` comes */
};

/* One line of the ledger, model.md section 7. Texts are borrowed for the call. */
struct milestone {
	struct instant at;
	struct instant due_at; /* INSTANT_NEVER: none */
	enum milestone_kind kind;
	enum metric metric; /* METRIC_COUNT: none */
	uint32_t cycle;
	const char *level;
	const char *policy;
	const char *calendar;
	const char *severity;
	struct duration late_by; /* 0: not late */
	const char *reason;
	bool by_reassessment;
	bool by_timer; /* not called for by an event: must not be recorded before `at` */
	const char *escalation;
	uint32_t step;
	uint32_t repeat;
	const char *trigger;
	char *const *notify;
	size_t n_notify;
	const struct ladder *ladder; /* MILESTONE_ESCALATED */
	bool always;                 /* its step: a silence does not hold it back */
};

/* A severity that a rule has set, or a hook that a rule asks for. */
struct reassessment {
	struct instant at;
	const struct rule *rule;
	enum rule_on on; /* what called it */
	unsigned from;
	unsigned to; /* the same as `from` where the rule asks a hook */
};

/* Where the engine's effects go. All are called in the order of the happenings. */
struct engine_sink {
	void (*milestone)(void *arg, struct ticket *ticket, const struct milestone *milestone);
	void (*reassessed)(void *arg, struct ticket *ticket, const struct reassessment *reassessment);
	/* What a support lead should hear of, but stops nothing; one sentence. */
	void (*problem)(void *arg, struct ticket *ticket, const char *text);
	void *arg;
};

struct engine;

/* `set` is borrowed until engine_configure() names another and no clock refers to it. 0 or -ENOMEM. */
int engine_new(const struct policy_set *set, const struct engine_sink *sink, struct engine **ret)
    __attribute__((warn_unused_result));
void engine_free(struct engine *engine);

const struct policy_set *engine_policies(const struct engine *engine);
struct atoms *engine_atoms(const struct engine *engine);

/* Puts a new configuration in force for what starts or changes from now on; running clocks keep the target they have
 * (`keep`). Each ticket must be passed through engine_rematch() before its next event. */
void engine_configure(struct engine *engine, const struct policy_set *set);

/* Finds the policy that matches the ticket's facts now. 0 or -ENOMEM. */
int engine_rematch(struct engine *engine, struct ticket *ticket);

/* Puts the ticket's running and paused clocks on the present configuration at once (`migrate`), as a change of severity
 * does: at `now`, or at the ticket's last instant where that is later. An event that is older than the move is late. 0
 * or -ENOMEM. */
int engine_migrate(struct engine *engine, struct ticket *ticket, struct instant now)
    __attribute__((warn_unused_result));

/* Handles the ticket's timers that are due before the event, then the event. A zeroed ticket with its id awaits its
 * `opened`. An event older than the ticket's last is applied at the last one's instant (*ret_late).
 * 0; -EINVAL where the event is refused, with the reason in `refusal` and nothing changed but timers; -ENOMEM. */
int engine_apply(struct engine *engine, struct ticket *ticket, const struct ticket_event *event, bool *ret_late,
                 char refusal[static REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* A ticket whose `opened` was refused for its severity is not lost: the driver may have its facts kept from the refused
 * event and those that follow. 0 or -ENOMEM. */
int engine_hold(struct engine *engine, struct ticket *ticket, const struct ticket_event *event);

/* Opens a ticket that is held as of its true opening, once a `severity` event names one that the configuration knows.
 * Results as for engine_apply(). */
int engine_open_held(struct engine *engine, struct ticket *ticket, const struct ticket_event *event,
                     char refusal[static REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* Handles all timers of the ticket due at or before `now`. 0 or -ENOMEM. */
int engine_advance(struct engine *engine, struct ticket *ticket, struct instant now)
    __attribute__((warn_unused_result));

/* While the driver catches up after an absence: every milestone is written, but of each clock only the gravest of those
 * that have come is a trigger. model.md section 8. */
void engine_set_absence(struct engine *engine, bool absence);

/* Whether a customer's reply asks for escalation: the token #escalate, case-blind, not followed by a letter, digit, "_"
 * or "-", not in a quoted line. model.md section 8. */
bool event_text_requests(const char *text, size_t len);

/* The ticket's facts as policies see them; `custom` needs room for ticket->n_custom entries. */
void ticket_facts(const struct engine *engine, const struct ticket *ticket, struct custom_attribute *custom,
                  struct facts *ret);

#endif
