/* slatectl assess: an agent's word on a ticket's severity, which sets it or confirms it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "command.h"
#include "slated/config.h"
#include "slated/policy.h"
#include "ticket_find.h"
#include "ticket_rows.h"
#include "view.h"

struct assess {
	struct change_options options;
	const char *source;
	const char *name;
	const char *wanted;
	const char *reason;
	struct db db;
	char id[TICKET_ID_SIZE];
};

static void
tell_severities(const struct policy_set *policies, const char *wanted)
{
	fprintf(stderr, "slatectl: the configuration has no severity \"%s\"; it has", wanted);
	for (size_t i = 0; i < policies->n_severities; i++) {
		const struct severity *severity = &policies->severities[i];
		fprintf(stderr, "%s %s", i > 0 ? "," : "", severity->name);
		for (size_t k = 0; k < severity->n_aliases; k++)
			fprintf(stderr, "%s%s%s", k == 0 ? " (" : ", ", severity->aliases[k],
			        k + 1 == severity->n_aliases ? ")" : "");
	}
	fputs("\n", stderr);
}

static int
run(const struct assess *assess, const char *sql, const char *second, const char *reason)
{
	const char *const values[] = {assess->id, second, reason};
	PGresult *done = db_query(&assess->db, "assessing", sql, 3, values);
	if (done == NULL)
		return -EIO;
	bool taken = PQresultStatus(done) == PGRES_COMMAND_OK || result_bool(done, 0, 0);
	PQclear(done);
	if (!taken)
		fprintf(stderr, "slatectl: ticket %s is closed: its severity stays\n", assess->name);
	return taken ? 0 : -EINVAL;
}

/* The event of a change is by "agent", so that who it was goes into the reason. */
static int
change(const struct assess *assess, const char *former, const char *severity)
{
	struct text reason = {0};
	text_add_format(&reason, "%s (%s)", assess->reason, change_by(&assess->options));
	if (reason.failed) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	int r = run(assess, "SELECT sla.assess($1::bigint, $2, $3)", severity, reason.data);
	if (r == 0)
		change_say("ticket %s: severity %s, was %s", assess->name, severity,
		           former != NULL ? former : "not set");
	free(reason.data);
	return r;
}

static int
confirm(const struct assess *assess, const char *severity)
{
	int r = run(assess, "INSERT INTO sla.assessment (ticket_id, by, reason) VALUES ($1, $2, $3)",
	            change_by(&assess->options), assess->reason);
	if (r == 0)
		change_say("ticket %s: severity stays %s", assess->name, severity);
	return r;
}

static int
give_word(const struct assess *assess, const struct policy_set *policies)
{
	int index = policy_set_severity(policies, assess->wanted);
	if (index < 0) {
		tell_severities(policies, assess->wanted);
		return -EINVAL;
	}
	const char *const values[] = {assess->id};
	PGresult *rows =
	    db_query(&assess->db, "the ticket", "SELECT severity, status FROM sla.ticket WHERE id = $1", 1, values);
	if (rows == NULL)
		return -EIO;
	const char *former = result_text(rows, 0, 0), *severity = policies->severities[index].name;
	int r;
	if (strcmp(result_text(rows, 0, 1), "closed") == 0) {
		fprintf(stderr, "slatectl: ticket %s is closed: its severity stays\n", assess->name);
		r = -EINVAL;
	} else if (former != NULL && policy_set_severity(policies, former) == index) {
		r = confirm(assess, severity);
	} else {
		r = change(assess, former, severity);
	}
	PQclear(rows);
	return r;
}

static int
run_assess(void *options)
{
	struct assess *assess = options;
	struct config *config = NULL;
	if (change_open(&assess->options, "sla_daemon", &assess->db) < 0)
		return EXIT_PROBLEM;
	int r = change_configuration(&assess->options, &assess->db, &config);
	if (r == 0)
		r = ticket_find(&assess->db, assess->name, assess->source, assess->id);
	if (r == 0)
		r = give_word(assess, config->policies);
	config_free(config);
	db_close(&assess->db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"reason", "TEXT", "why; kept with the ticket and shown in alerts", VALUE_NAME, offsetof(struct assess, reason),
     .needed = true},
    CHANGE_BY(offsetof(struct assess, options), "whose word it is; yours, where it is left out"),
    TICKET_SOURCE(offsetof(struct assess, source)),
    CHANGE_CONFIG(offsetof(struct assess, options)),
    CHANGE_CONNINFO(offsetof(struct assess, options)),
    TICKET_NAME(offsetof(struct assess, name)),
    {NULL, "SEVERITY", NULL, VALUE_TEXT, offsetof(struct assess, wanted), .needed = true},
    {0},
};

const struct command command_assess = {
    .name = "assess",
    .help = "give an agent's word on a ticket's severity",
    .about = "Gives an agent's word on a ticket's severity, as after a dispute: sets it, or says that it "
             "stays.\n" TICKET_ABOUT "SEVERITY is a name or an alias of the configuration.\n",
    .rows = rows,
    .size = sizeof(struct assess),
    .run = run_assess,
};
