/* How things stand, as slatectl status and slatectl top show it. */
#ifndef SLATED_SLATECTL_STATUS_H
#define SLATED_SLATECTL_STATUS_H

#include "slated/result.h"

/* One row of counts. */
extern const char status_totals_sql[];

enum status_total {
	TOTAL_RUNNING,
	TOTAL_AT_RISK,
	TOTAL_OVERDUE,
	TOTAL_PAUSED,
	TOTAL_BREACHED,
	TOTAL_PENDING,
	TOTAL_RETRYING,
	TOTAL_DEAD,
	TOTAL_REASSESSMENTS,
	TOTAL_COUNT,
};

/* One row a daemon. */
extern const char status_instances_sql[];

/* Texts belong to the rows. */
struct instance {
	const char *name;
	const char *version;
	const char *configuration;
	const char *last_error;
	const char *state; /* connected, stopped, silent */
	int64_t pid;
	int64_t tickets;
	int64_t refused;
	int64_t shards; /* by its leases */
	struct instant started_at;
	struct instant seen_at;
	struct instant stopped_at;
	struct instant next_at;
	struct instant last_error_at;
	struct duration lag;
	bool poll_only;
	bool alive;
};

void status_read_instance(const PGresult *rows, int row, struct instant now, struct instance *ret);

#endif
