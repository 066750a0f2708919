/* What database.c and statements.c share. */
#ifndef SLATED_SIM_DATABASE_INTERNAL_H
#define SLATED_SIM_DATABASE_INTERNAL_H

#include "database.h"

/* A configuration that has come into force since the beginning. */
struct db_configured {
	struct instant at;
	const struct policy_set *set;
	bool migrates;
};

struct database {
	struct world *world;
	struct db_data data;
	struct db_data standby;
	struct history *history;
	struct db_configured configured[4];
	unsigned n_configured;
	int64_t clock_off;
	int64_t hinted_at;
	unsigned epoch;
	unsigned timeline;
	void (*hint)(void *arg, const char *payload);
	void *hint_arg;
};

void db_remove(struct db_list *list, size_t i);
void db_data_copy(const struct db_data *from, struct db_data *to);
bool db_is_open(const struct db_data *data, uint64_t xid);
/* By its key, which is kept; NULL: there is none. */
const struct db_delivery *db_find_delivery(const struct db_data *data, enum db_table table, const char *key);
/* The lease's present holder has it no longer than until now: tells the history. */
void db_end_lease(struct database *database, unsigned shard);

#endif
