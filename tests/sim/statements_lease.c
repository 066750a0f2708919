/* What service_life.c and service_beat.c ask for: leases, the word of an instance, its configuration. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "statements.h"

void
db_end_lease(struct database *database, unsigned shard)
{
	struct db_lease *lease = &database->data.leases[shard];
	struct instant now = {world_now(database->world)};
	if (lease->owner != NULL && database->history != NULL)
		history_add_lease(database->history, shard, lease->owner, lease->since, now);
	lease->since = now;
}

static void
set_lease(struct database *database, unsigned shard, const char *owner, const char *nonce, int64_t lasts)
{
	struct db_lease *lease = &database->data.leases[shard];
	struct instant now = database_clock(database);
	if (!db_same(lease->owner, owner))
		db_end_lease(database, shard);
	lease->owner = owner;
	lease->nonce = nonce;
	lease->expires_at = (struct instant){now.us + lasts};
}

static unsigned
fair_share(const struct database *database, const char *holder, int64_t lasts)
{
	unsigned others = 0, before = 0;
	struct instant now = database_clock(database);
	DB_EACH (const struct db_instance, instance, &database->data, DB_INSTANCES) {
		if (instance->name == holder || instance->stopped || instance->seen_at.us <= now.us - lasts)
			continue;
		others++;
		before += strcmp(instance->name, holder) < 0;
	}
	return SHARDS / (others + 1) + (before < SHARDS % (others + 1));
}

static const char *
share_lease(struct database *database, const char *holder, const char *run, int64_t lasts)
{
	char list[SHARDS * 4 + 3] = "{";
	unsigned fair = fair_share(database, holder, lasts), n = 0;
	size_t len = 1;
	bool mine[SHARDS] = {false};
	struct instant now = database_clock(database);
	for (unsigned i = 0; i < SHARDS; i++) {
		if (database->data.leases[i].owner != holder)
			continue;
		if (n < fair)
			mine[i] = ++n > 0;
		else
			set_lease(database, i, NULL, NULL, 0);
	}
	for (unsigned i = 0; i < SHARDS && n < fair; i++) {
		const struct db_lease *lease = &database->data.leases[i];
		if (lease->owner != holder && (lease->owner == NULL || instant_before(lease->expires_at, now)))
			mine[i] = ++n > 0;
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		if (!mine[i])
			continue;
		set_lease(database, i, holder, run, lasts);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%u", len > 1 ? "," : "", i);
	}
	list[len++] = '}';
	return world_keep(database->world, list, len);
}

struct db_answer
statement_beat(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = db_keep(database, params[0]), *run = db_keep(database, params[1]);
	int64_t lasts = strtoll(params[2], NULL, 10) * US_PER_S;
	struct db_instance *self = NULL;
	const char *mine = NULL;
	char numbers[4][16];
	unsigned had = 0;
	bool renew = db_same(params[13], "renew");
	(void)session;
	(void)text;
	DB_EACH (struct db_instance, instance, &database->data, DB_INSTANCES)
		if (instance->name == name)
			self = instance;
	for (unsigned i = 0; i < SHARDS; i++)
		had += database->data.leases[i].owner == name;
	(void)snprintf(numbers[3], sizeof(numbers[3]), "%u", had);
	if (db_same(params[13], "share"))
		mine = share_lease(database, name, run, lasts);
	if (renew) {
		unsigned held = 0, free_ones = 0;
		struct instant now = database_clock(database);
		for (unsigned i = 0; i < SHARDS; i++) {
			const struct db_lease *lease = &database->data.leases[i];
			if (lease->nonce == run) {
				held++;
				set_lease(database, i, name, run, lasts);
			}
			free_ones += lease->owner == NULL || instant_before(lease->expires_at, now);
		}
		(void)snprintf(numbers[0], sizeof(numbers[0]), "%u", held);
		(void)snprintf(numbers[1], sizeof(numbers[1]), "%u", fair_share(database, name, lasts));
		(void)snprintf(numbers[2], sizeof(numbers[2]), "%u", free_ones);
	}
	if (self == NULL)
		self = db_add(&database->data.tables[DB_INSTANCES]);
	*self = (struct db_instance){name, database_clock(database), false};
	database->data.next_xid++;
	db_answer_add(&answer, result_of_texts((const char *[]){mine, renew ? numbers[0] : NULL,
	                                                        renew ? numbers[1] : NULL, renew ? numbers[2] : NULL,
	                                                        mine == NULL ? NULL : numbers[3], NULL},
	                                       6));
	return answer;
}

struct db_answer
statement_leave(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = db_keep(database, params[0]), *run = db_keep(database, params[1]);
	(void)session;
	(void)text;
	DB_EACH (struct db_instance, instance, &database->data, DB_INSTANCES)
		if (instance->name == name)
			*instance = (struct db_instance){name, database_clock(database), db_same(params[2], "t")};
	DB_EACH (struct db_delivery, delivery, &database->data, DB_DELIVERIES)
		if (delivery->claimed_by == name)
			delivery->claimed_by = delivery->claim = NULL;
	for (unsigned i = 0; i < SHARDS; i++)
		if (database->data.leases[i].nonce == run)
			set_lease(database, i, NULL, NULL, 0);
	database->data.next_xid++;
	answer.leaving = true;
	db_answer_add(&answer, result_of_texts((const char *[]){""}, 1));
	return answer;
}

/* Both configurations have all severities. */
struct db_answer
statement_severities(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	(void)database;
	(void)session;
	(void)text;
	(void)params;
	db_answer_add(&answer, result_new(3));
	return answer;
}

struct db_answer
statement_configuration(struct database *database, struct db_session *session, const char *text,
                        const char *const *params)
{
	bool known = false;
	(void)session;
	(void)text;
	DB_EACH (const struct db_configuration, c, &database->data, DB_CONFIGURATIONS)
		known |= db_same(c->digest, params[0]);
	if (!known)
		*(struct db_configuration *)db_add(&database->data.tables[DB_CONFIGURATIONS]) =
		    (struct db_configuration){db_keep(database, params[0]), db_keep(database, params[1])};
	return db_answer_of(PGRES_COMMAND_OK);
}
