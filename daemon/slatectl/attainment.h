/* slatectl report: what was promised and kept in a month, from the views of schema sla. */
#ifndef SLATED_SLATECTL_ATTAINMENT_H
#define SLATED_SLATECTL_ATTAINMENT_H

#include "db.h"
#include "view.h"

enum attainment_format {
	ATTAINMENT_TEXT,
	ATTAINMENT_CSV,
	ATTAINMENT_JSON,
	ATTAINMENT_HTML,
	ATTAINMENT_FORMATS,
};

/* What is asked; each is one table. */
enum attainment_table {
	ATTAINMENT_PROMISES, /* the finest: by policy, plan, severity, metric and week */
	ATTAINMENT_TIMES,
	ATTAINMENT_BREACHES,
	ATTAINMENT_CSV_TABLES, /* so far for CSV, too */
	ATTAINMENT_WEEKS = ATTAINMENT_CSV_TABLES,
	ATTAINMENT_SUMS, /* by policy, severity and metric */
	ATTAINMENT_TABLES,
};

/* Columns of ATTAINMENT_WEEKS and ATTAINMENT_SUMS; the counts are the last three of PROMISES and SUMS, too. */
enum { WEEK_MONDAY, WEEK_IN_TIME, WEEK_MISSED, WEEK_WITHDRAWN };
enum { SUM_POLICY, SUM_SEVERITY, SUM_METRIC, SUM_IN_TIME, SUM_MISSED, SUM_WITHDRAWN };
enum { TIME_METRIC, TIME_SEVERITY, TIME_CALENDAR, TIME_N, TIME_MEDIAN, TIME_P90, TIME_P95, TIME_LONGEST };
enum {
	BREACH_TICKET,
	BREACH_NAME,
	BREACH_ORG,
	BREACH_PLAN,
	BREACH_SEVERITY,
	BREACH_METRIC,
	BREACH_CYCLE,
	BREACH_POLICY,
	BREACH_DUE,
	BREACH_AT,
	BREACH_STATE,
	BREACH_ENDED,
	BREACH_LATE_BY,
	BREACH_BY_REASSESSMENT,
	BREACH_FOR_CUSTOMER,
	BREACH_FOR_THIRD_PARTY,
	BREACH_SEVERITIES,
	BREACH_AGENT_WORDS,
	BREACH_AGENT_NOTES,
	BREACH_ALERTS,
	BREACH_ACKNOWLEDGED,
	BREACH_EVENTS_KEPT, /* else the log of events was trimmed, and nothing is known of what went on */
	BREACH_COLUMNS,
};

struct attainment {
	struct view view;
	const char *timezone;
	const char *org; /* as asked for, or NULL */
	const char *plan;
	const char *policy;
	char month[8];       /* "2026-10" */
	char month_name[32]; /* "October 2026" */
	char made[48];       /* when, in the time zone */
	struct instant from;
	struct instant until;
	int64_t in_time;
	int64_t missed;
	int64_t withdrawn;
	PGresult *tables[ATTAINMENT_TABLES];
};

#define ATTAINMENT_SHARE_SIZE 16

/* "98.4%", rounded down: only what is all is 100%. "-" where there is nothing. */
void attainment_share(int64_t in_time, int64_t missed, char text[static ATTAINMENT_SHARE_SIZE]);

/* What went on until the breach in row `row`, in one sentence. */
void attainment_add_cause(struct text *text, const PGresult *breaches, int row);

/* "4711 (ACME)", "#12" */
void attainment_add_ticket(struct text *text, const PGresult *breaches, int row);

/* Each writes the whole to standard output. 0, or a negative errno after a message. */
int attainment_write_text(const struct attainment *report) __attribute__((warn_unused_result));
int attainment_write_json(const struct attainment *report) __attribute__((warn_unused_result));
int attainment_write_html(const struct attainment *report) __attribute__((warn_unused_result));

#endif
