#include "member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../daemon/io/service_internal.h"
#include "programs.h"
#include "slated/hook.h"

#define QUIET (3 * US_PER_S)

struct receiver {
	struct channel channel;
	struct receivers *receivers;
};

struct receivers {
	struct world *world;
	struct database *database;
	struct history *history;
	struct receiver_faults faults;
	struct receiver each[RECEIVERS];
};

/* An attempt, and what has arrived of it: that may come when the attempt has been cut short. */
struct attempt {
	struct channel_attempt attempt; /* first: what send() hands out */
	struct receivers *receivers;
	const char *channel;
	const char *key;
	struct happening arrival;
	struct happening end;
	enum outcome outcome;
	bool cancelled;
};

struct member {
	struct world *world;
	struct wire *wire;
	struct receivers *receivers;
	struct config *const *configs;
	struct config *config; /* that in force */
	const char *name;
	bool pooled;
	struct loop *loop;
	struct service *service; /* NULL: it does not run */
};

/* Receivers ----------------------------------------------------------------------------------------------------------
 */

static void
attempt_let_go(struct attempt *attempt)
{
	if (attempt->arrival.place == 0 && attempt->end.place == 0)
		free(attempt);
}

static void
on_arrival(void *arg)
{
	struct attempt *attempt = arg;
	struct receivers *receivers = attempt->receivers;
	world_trace(receivers->world, "%s received %s", attempt->channel, attempt->key);
	history_add_receipt(receivers->history, attempt->channel, attempt->key, database_clock(receivers->database));
	attempt_let_go(attempt);
}

static void
on_end(void *arg)
{
	struct attempt *attempt = arg;
	const struct channel_result result = {.outcome = attempt->outcome,
	                                      .error = attempt->outcome == OUTCOME_DELIVERED ? NULL : "no"};
	attempt->attempt.done(attempt->attempt.arg, &result);
	attempt_let_go(attempt);
}

static int
receiver_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct receivers *receivers = ((struct receiver *)channel)->receivers;
	struct world *world = receivers->world;
	struct attempt *attempt = world_must(calloc(1, sizeof(*attempt)));
	bool slow = world_chance(world, receivers->faults.slow);
	bool refused = world_chance(world, receivers->faults.refused);
	bool silent = world_chance(world, receivers->faults.silent);
	int64_t there = world_about(world, 200, slow ? 3 * US_PER_S : 5000);
	int64_t back = world_about(world, 200, slow || silent ? 8 * US_PER_S : 5000);
	attempt->receivers = receivers;
	attempt->channel = channel->name;
	attempt->key = world_keep(world, delivery->key, strlen(delivery->key));
	attempt->outcome = refused || silent ? OUTCOME_RETRY : OUTCOME_DELIVERED;
	world_set(world, &attempt->end, there + back, on_end, attempt);
	if (!refused)
		world_set(world, &attempt->arrival, there, on_arrival, attempt);
	*ret = &attempt->attempt;
	return 0;
}

/* What is on its way has arrived by then, or never does: a receiver that handles a request after its connection was
 * closed cannot be kept from doing so after what follows. */
static void
receiver_cancel(struct channel_attempt *of)
{
	struct attempt *attempt = (struct attempt *)of;
	struct world *world = attempt->receivers->world;
	bool arrives = attempt->arrival.place != 0 && world_chance(world, 500000);
	world_unset(world, &attempt->end);
	world_unset(world, &attempt->arrival);
	if (arrives)
		on_arrival(attempt);
	else
		attempt_let_go(attempt);
}

static const struct channel_ops receiver_ops = {
    .type = CHANNEL_WEBHOOK,
    .retry = &retry_default,
    .send = receiver_send,
    .cancel = receiver_cancel,
};

struct receivers *
receivers_new(struct world *world, struct database *database, struct history *history)
{
	static char names[RECEIVERS][6] = {"chat", "pager"};
	struct receivers *receivers = world_must(calloc(1, sizeof(*receivers)));
	receivers->world = world;
	receivers->database = database;
	receivers->history = history;
	for (unsigned i = 0; i < RECEIVERS; i++)
		receivers->each[i] = (struct receiver){{.ops = &receiver_ops, .name = names[i]}, receivers};
	receivers->each[1].channel.rate = (struct rate){1, {US_PER_S / 2}};
	return receivers;
}

void
receivers_free(struct receivers *receivers)
{
	free(receivers);
}

void
receivers_set_faults(struct receivers *receivers, const struct receiver_faults *faults)
{
	receivers->faults = *faults;
}

/* What a process has besides -----------------------------------------------------------------------------------------
 */

/* Receivers keep nothing that would have to be restored. */
void
service_restore_channel(void *service, const struct delivery *delivery)
{
	(void)service;
	(void)delivery;
}

/* No service manager listens, and nobody waits for a heartbeat. */
void
service_note(struct service *service, enum heartbeat_link link)
{
	(void)service;
	(void)link;
}

void
service_notify_loaded(struct service *service)
{
	(void)service;
}

/* The daemon ---------------------------------------------------------------------------------------------------------
 */

struct member *
member_new(struct world *world, struct wire *wire, struct receivers *receivers,
           struct config *const configs[static CONFIGS], const char *name, bool pooled)
{
	struct member *member = world_must(calloc(1, sizeof(*member)));
	*member = (struct member){world, wire, receivers, configs, configs[0], name, pooled, sim_loop_new(world), NULL};
	return member;
}

void
member_free(struct member *member)
{
	member_kill(member);
	sim_loop_free(member->loop);
	free(member);
}

const char *
member_name(const struct member *member)
{
	return member->name;
}

bool
member_runs(const struct member *member)
{
	return member->service != NULL;
}

static struct pg *
connect(struct member *member, const struct pg_callbacks *callbacks)
{
	struct pg_callbacks mine = *callbacks;
	mine.arg = member->service;
	return wire_connect(member->wire, member->name, member->pooled, member->config->database_timeout,
	                    &member->service->newest, &mine);
}

void
member_start(struct member *member)
{
	struct service *service = world_must(calloc(1, sizeof(*service)));
	struct channel *channels[RECEIVERS];
	int64_t off = loop_host_clock(member->loop).us - world_now(member->world);
	world_trace(member->world, "%s starts", member->name);
	sim_loop_free(member->loop);
	member->loop = sim_loop_new(member->world);
	sim_loop_set_clock(member->loop, off);
	member->service = service;
	service->loop = member->loop;
	if (work_know_config(service, member->config) < 0)
		abort();
	(void)snprintf(service->instance, sizeof(service->instance), "%s", member->name);
	if (service_metrics_new(service) < 0 || service_life_new(service) < 0)
		abort();
	service->children = programs_new(member->world);
	if (service_hooks_new(service) < 0)
		abort();
	if (world_chance(member->world, 500000))
		ledger_set_share(service->ledger, 1, 1);
	for (unsigned i = 0; i < RECEIVERS; i++)
		channels[i] = &member->receivers->each[i].channel;
	if (courier_set_channels(service->courier, channels, RECEIVERS) < 0)
		abort();
	service->feed_pg = connect(member, &service_feed_callbacks);
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		service->flush_pgs[i] = connect(member, i == 0 ? &service_flush_callbacks : &service_share_callbacks);
	service->outbox_pg = connect(member, &service_outbox_callbacks);
	service_begin_life(service);
}

/* Those that were lent stay; what it had from the database is its own. */
static void
let_configs_go(struct member *member)
{
	for (struct known_config *known, *next = member->service->configs; (known = next) != NULL;) {
		next = known->next;
		bool lent = false;
		for (unsigned i = 0; i < CONFIGS; i++)
			lent |= known->config == member->configs[i];
		if (!lent)
			config_free(known->config);
		free(known);
	}
}

void
member_kill(struct member *member)
{
	struct service *service = member->service;
	if (service == NULL)
		return;
	world_trace(member->world, "%s ends", member->name);
	pg_free(service->outbox_pg);
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		pg_free(service->flush_pgs[i]);
	pg_free(service->feed_pg);
	service_life_free(service);
	hooks_free(service->hooks);
	child_runner_free(service->children);
	service_metrics_free(service);
	let_configs_go(member);
	free(service);
	member->service = NULL;
}

void
member_stop(struct member *member)
{
	world_trace(member->world, "%s is told to stop", member->name);
	service_stop(member->service);
}

void
member_configure(struct member *member, unsigned which)
{
	world_trace(member->world, "%s goes by configuration %u", member->name, which);
	member->config = member->configs[which];
	if (member->service != NULL && work_configure(member->service, member->config) < 0)
		abort();
}

void
member_part(struct member *member, int64_t until)
{
	wire_part(member->service->feed_pg, until);
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		wire_part(member->service->flush_pgs[i], until);
	wire_part(member->service->outbox_pg, until);
}

void
member_set_clock(struct member *member, int64_t off)
{
	sim_loop_set_clock(member->loop, off);
	if (member->service != NULL)
		service_look_anew(member->service);
}

bool
member_serves(const struct member *member, const char *nonce)
{
	const struct service *service = member->service;
	return service != NULL && service->state == SERVICE_LIVE && !service->catching_up && !service->moving &&
	       work_is_done(service) && service->unread_since == 0 && strcmp(service->run, nonce) == 0 &&
	       wire_reaches(service->flush_pgs[0]);
}

bool
member_is_quiet(const struct member *member, struct instant now)
{
	const struct service *service = member->service;
	if (service == NULL)
		return true;
	int64_t off = instant_since(service_now(service), now).us;
	return off > -US_PER_S && off < US_PER_S && instant_since(wheel_next(service->wheel), now).us > QUIET;
}

void
member_describe(const struct member *member)
{
	const struct service *s = member->service;
	if (s == NULL)
		world_trace(member->world, "%s does not run", member->name);
	else
		world_trace(member->world,
		            "%s: state %d, %u shards%s%s%s%s; connections ready %d%d%d, idle %d%d%d; last error: %s",
		            member->name, (int)s->state, s->shards.n, s->catching_up ? ", catching up" : "",
		            s->flushing ? ", flushing" : "", work_is_done(s) ? "" : ", rows in hand",
		            s->stands_by ? ", stands by" : "", pg_is_ready(s->feed_pg), pg_is_ready(s->flush_pgs[0]),
		            pg_is_ready(s->outbox_pg), pg_is_idle(s->feed_pg), pg_is_idle(s->flush_pgs[0]),
		            pg_is_idle(s->outbox_pg), s->last_error);
}

void
member_look(struct member *member)
{
	if (member->service != NULL && sim_loop_has_ended(member->loop))
		member_kill(member);
}
