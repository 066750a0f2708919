/* What becomes of reassessments: daemon/io/hook.c asks and answers hooks, daemon/io/outbox.c writes severities. */
#include <stdio.h>
#include <stdlib.h>

#include "statements.h"

static bool
is_named(struct database *database, const char *severity, const char *names)
{
	size_t n;
	bool named = false;
	const char **items = values_split(database->world, names, &n);
	for (size_t i = 0; i < n && !named; i++)
		named = db_same(items[i], severity);
	free(items);
	return named;
}

struct db_answer
statement_hooks(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	size_t n_known;
	long limit = strtol(params[1], NULL, 10);
	const char **known = values_split(database->world, params[0], &n_known);
	PGresult *result = result_new(4);
	(void)session;
	(void)text;
	DB_EACH (const struct db_reassessment, r, &database->data, DB_REASSESSMENTS) {
		char id[24], ticket[24];
		bool in_hand = false;
		(void)snprintf(id, sizeof(id), "%lld", (long long)r->id);
		(void)snprintf(ticket, sizeof(ticket), "%lld", (long long)r->ticket);
		for (size_t i = 0; i < n_known; i++)
			in_hand |= db_same(known[i], id);
		if (!r->hook || r->severity != NULL || r->outcome != NULL || in_hand ||
		    !db_is_of(params[2], r->ticket) || limit-- <= 0)
			continue;
		struct row row;
		row_clear(&row);
		row_add_text(&row, id);
		row_add_text(&row, ticket);
		row_add_text(&row, r->rule);
		row_add_text(&row, "{}");
		result_add(result, &row);
	}
	free(known);
	db_answer_add(&answer, result);
	return answer;
}

/* sla.answer_hook(): an answer that came already stands. */
struct db_answer
statement_answer(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	const char *severity = db_keep(database, params[1]);
	(void)session;
	(void)text;
	DB_EACH (struct db_reassessment, r, &database->data, DB_REASSESSMENTS) {
		if (r->id != strtoll(params[0], NULL, 10) || r->outcome != NULL || r->severity != NULL)
			continue;
		r->severity = severity;
		if (params[3] != NULL)
			r->outcome = "failed";
		else if (severity == NULL || is_named(database, severity, r->former_names))
			r->outcome = "unchanged";
	}
	database->data.next_xid++;
	return db_answer_of(PGRES_TUPLES_OK);
}

/* sla.is_overtaken() */
static bool
is_overtaken(const struct db_data *data, const struct db_reassessment *r)
{
	DB_EACH (const struct db_event, event, data, DB_EVENTS)
		if (event->ticket == r->ticket && event->event.kind == EVENT_SEVERITY &&
		    event->event.by != ACTOR_SYSTEM && (event->seq > r->seq || instant_before(r->at, event->event.at)))
			return true;
	DB_EACH (const struct db_reassessment, later, data, DB_REASSESSMENTS)
		if (r->hook && later->ticket == r->ticket && later->id > r->id && !later->hook &&
		    (later->outcome == NULL || db_same(later->outcome, "applied")))
			return true;
	return false;
}

/* What waits for one ticket, each as an event. */
static void
reassess_ticket(struct database *database, struct db_ticket *ticket, uint64_t xid)
{
	DB_EACH (struct db_reassessment, r, &database->data, DB_REASSESSMENTS) {
		if (r->ticket != ticket->id || r->outcome != NULL || r->severity == NULL)
			continue;
		bool applies = is_named(database, ticket->severity, r->former_names) && !ticket->final &&
		               !is_overtaken(&database->data, r);
		r->outcome = applies ? "applied" : "overtaken";
		world_trace(database->world, "ticket %lld: the reassessment to %s is %s", (long long)r->ticket,
		            r->severity, r->outcome);
		if (!applies)
			continue;
		/* A hook sets it only now. */
		const struct ticket_event event = {.kind = EVENT_SEVERITY,
		                                   .by = ACTOR_SYSTEM,
		                                   .severity = r->severity,
		                                   .at = r->hook ? database_clock(database) : r->at};
		database_add_event(database, ticket, &event, xid);
		const struct db_list *events = &database->data.tables[DB_EVENTS];
		((struct db_event *)events->items)[events->n - 1].by_rule = !r->hook;
	}
}

/* Tickets that one call writes to: few, so that there are often more. */
enum { REASSESSED_AT_ONCE = 2 };

/* sla.apply_reassessments(): a ticket that a writer has locked waits. */
struct db_answer
statement_reassess(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	unsigned room = REASSESSED_AT_ONCE;
	uint64_t xid = database_begin(database);
	(void)session;
	(void)text;
	(void)params;
	DB_EACH (const struct db_reassessment, r, &database->data, DB_REASSESSMENTS) {
		struct db_ticket *ticket =
		    r->outcome == NULL && r->severity != NULL ? database_lock(database, r->ticket, xid) : NULL;
		if (ticket == NULL)
			continue;
		reassess_ticket(database, ticket, xid);
		if (--room == 0)
			break;
	}
	database_commit(database, xid);
	db_answer_add(&answer, result_of_texts((const char *[]){room == 0 ? "1" : "0"}, 1));
	return answer;
}
