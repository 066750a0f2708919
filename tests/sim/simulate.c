/* Deterministic simulation: the daemon's own feed, engine, ledger, outbox and courier, one to five of them, in
 *simulated time against a model database, a faulty network and faulty receivers. What a run leaves behind goes to the
 *one checker (history.h). A seed is a run.
 *
 *	simulate --config FILE --config FILE [--from SEED] [--seeds N | --minutes N] [--jobs N] [--first] [--trace]
 *
 * Of the two configurations the first is in force to begin with; amid some runs the other one takes its turn.
 *
 * Exit status 0: all runs were right; 1: some were not, the seeds are printed; 2: usage. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "member.h"
#include "people.h"
#include "slated/log.h"

enum { MEMBERS = 5 };

/* How long a lease lasts at least. */
#define LEASE (12 * US_PER_S)
/* From the end of the faults on all has to come right within so long. */
#define PATIENCE (40 * US_PER_MIN)
/* The longest target and the whole ladder after it. */
#define CALM (7 * US_PER_MIN)

/* What goes on in a run. */
struct trial {
	struct world *world;
	struct database *database;
	struct history *history;
	struct wire *wire;
	struct receivers *receivers;
	struct people *people;
	struct config *const *configs; /* the first is in force to begin with, and the others take their turns */
	struct member *members[MEMBERS];
	unsigned n_members;
	unsigned in_force;
	struct happening fault;
	struct happening standby;
	struct happening weather;
	struct happening revival[MEMBERS];
	struct instant whole_at; /* by the database's clock: all shards were worked on, and all was written */
	struct instant replicated_at;
	struct instant away_from, away_to; /* the last absence */
	bool whole;
	bool calm; /* faults are over: somebody always runs */
};

static const char *const names[MEMBERS] = {"one", "two", "three", "four", "five"};

struct options {
	const char *configs[CONFIGS];
	unsigned n_configs;
	uint64_t from;
	uint64_t seeds;
	int64_t minutes;
	unsigned jobs;
	bool trace;
	bool first; /* one that is wrong is enough */
};

/* Faults -------------------------------------------------------------------------------------------------------------
 */

static struct member *
some_member(struct trial *trial)
{
	return trial->members[world_below(trial->world, trial->n_members)];
}

static void
on_revival(void *arg)
{
	struct member *member = arg;
	if (!member_runs(member))
		member_start(member);
}

static void
revive_later(struct trial *trial, struct member *member)
{
	for (unsigned i = 0; i < trial->n_members; i++)
		if (trial->members[i] == member)
			world_set(trial->world, &trial->revival[i], world_about(trial->world, 1000, 40 * US_PER_S),
			          on_revival, member);
}

static void
end_member(struct trial *trial)
{
	struct member *member = some_member(trial);
	if (!member_runs(member))
		return;
	if (world_chance(trial->world, 600000))
		member_kill(member);
	else
		member_stop(member);
	revive_later(trial, member);
}

/* How long something is away: a moment, longer than a lease lasts, or an hour. */
static int64_t
absence(struct trial *trial)
{
	struct world *world = trial->world;
	if (world_chance(world, 50000))
		return world_between(world, 10, 60) * US_PER_MIN;
	return world_chance(world, 500000) ? world_about(world, 1000, 40 * US_PER_S)
	                                   : world_between(world, US_PER_S, US_PER_MIN);
}

static void
part_member(struct trial *trial)
{
	struct member *member = some_member(trial);
	int64_t length = absence(trial);
	if (!member_runs(member))
		return;
	world_trace(trial->world, "%s is parted for %" PRId64 " s", member_name(member), length / US_PER_S);
	member_part(member, world_now(trial->world) + length);
}

static void
lose_sessions(struct trial *trial)
{
	people_lose_all(trial->people);
	wire_cut_all(trial->wire);
	if (world_chance(trial->world, 500000))
		wire_shut(trial->wire, world_now(trial->world) + absence(trial));
}

static void
restart_server(struct trial *trial)
{
	world_trace(trial->world, "the server restarts");
	database_restart(trial->database);
	lose_sessions(trial);
}

static void
replicate(struct trial *trial)
{
	database_replicate(trial->database);
	trial->replicated_at = database_clock(trial->database);
}

static void
fail_over(struct trial *trial)
{
	bool synchronous = world_chance(trial->world, 400000);
	world_trace(trial->world, "fail-over, %s", synchronous ? "nothing is lost" : "the last commits are lost");
	if (synchronous)
		replicate(trial);
	database_fail_over(trial->database, trial->history);
	/* What has been done since is to be done again. */
	trial->whole = false;
	trial->whole_at = instant_min(trial->whole_at, trial->replicated_at);
	lose_sessions(trial);
}

/* doc/guarantees.md does not promise the order then. */
static void
loosen_alerts(struct trial *trial)
{
	DB_EACH (const struct db_delivery, d, database_data(trial->database), DB_DELIVERIES)
		if (d->claimed_by != NULL)
			history_loosen_alert(trial->history, d->key);
}

static void
step_clock(struct trial *trial)
{
	bool back = world_chance(trial->world, 500000);
	int64_t by = world_between(trial->world, 1000, back ? 3 * US_PER_S : 20 * US_PER_MIN);
	if (world_chance(trial->world, 500000)) {
		member_set_clock(some_member(trial), back ? -by : by);
		return;
	}
	world_trace(trial->world, "the database's clock steps by %" PRId64 " us", back ? -by : by);
	if (!back && by >= LEASE && trial->n_members > 1)
		loosen_alerts(trial);
	database_step_clock(trial->database, back ? -by : by);
	trial->whole = false; /* what lies between came at once, before anybody has looked at the clock */
}

static void
on_fault(void *arg)
{
	static void (*const faults[])(struct trial *) = {end_member,  end_member,     end_member, part_member,
	                                                 part_member, restart_server, fail_over,  step_clock};
	struct trial *trial = arg;
	faults[world_below(trial->world, sizeof(faults) / sizeof(faults[0]))](trial);
	world_set(trial->world, &trial->fault, world_between(trial->world, 10000, 40 * US_PER_S), on_fault, trial);
}

static void
on_standby(void *arg)
{
	struct trial *trial = arg;
	replicate(trial);
	world_set(trial->world, &trial->standby, world_between(trial->world, 10000, 3 * US_PER_S), on_standby, trial);
}

/* Each stretch has faults of its own, and some have none. */
static void
on_weather(void *arg)
{
	struct trial *trial = arg;
	struct world *world = trial->world;
	struct wire_faults wire = {0};
	struct receiver_faults receivers = {0};
	unsigned *const rates[] = {&wire.cut_before, &wire.cut_after, &wire.late, &wire.mute, &wire.slow};
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (world_chance(world, 400000))
			*rates[i] = (unsigned)world_about(world, 300, 100000);
	wire.deaf = world_chance(world, 300000) ? 1000000 : 20000;
	receivers.refused = world_chance(world, 500000) ? (unsigned)world_between(world, 1000, 900000) : 0;
	receivers.silent = world_chance(world, 500000) ? (unsigned)world_between(world, 1000, 300000) : 0;
	receivers.slow = world_chance(world, 500000) ? (unsigned)world_between(world, 1000, 500000) : 0;
	wire_set_faults(trial->wire, &wire);
	receivers_set_faults(trial->receivers, &receivers);
	world_set(world, &trial->weather, world_between(world, US_PER_S, 40 * US_PER_S), on_weather, trial);
}

/* Everything works from now on. */
static void
calm_down(struct trial *trial)
{
	struct world *world = trial->world;
	world_trace(world, "faults are over");
	people_stop(trial->people);
	world_unset(world, &trial->fault);
	world_unset(world, &trial->standby);
	world_unset(world, &trial->weather);
	wire_set_faults(trial->wire, &(struct wire_faults){0});
	receivers_set_faults(trial->receivers, &(struct receiver_faults){0});
	wire_shut(trial->wire, 0);
	for (unsigned i = 0; i < trial->n_members; i++)
		if (member_runs(trial->members[i]))
			member_part(trial->members[i], 0);
	trial->calm = true;
}

/* Runs ---------------------------------------------------------------------------------------------------------------
 */

static bool
all_served(const struct trial *trial)
{
	const struct db_lease *leases = database_data(trial->database)->leases;
	for (unsigned shard = 0; shard < SHARDS; shard++) {
		const char *nonce = leases[shard].nonce;
		bool served = shard > 0 && nonce == leases[shard - 1].nonce; /* as that one is */
		for (unsigned i = 0; i < trial->n_members && !served && nonce != NULL; i++)
			served = member_serves(trial->members[i], nonce);
		if (!served)
			return false;
	}
	return true;
}

/* One that begins within the last one goes on with it. */
static void
note_absence(struct trial *trial, struct instant from, struct instant to)
{
	bool goes_on = !instant_before(from, trial->away_from) && !instant_before(trial->away_to, from);
	trial->away_from = goes_on ? trial->away_from : from;
	trial->away_to = to;
	history_add_absence(trial->history, trial->away_from, to);
}

/* Where a shard is not worked on, or events wait, what comes may be caught up with later. */
static void
look(struct trial *trial)
{
	struct instant now = database_clock(trial->database);
	unsigned n_running = 0;
	for (unsigned i = 0; i < trial->n_members; i++) {
		member_look(trial->members[i]);
		n_running += member_runs(trial->members[i]);
	}
	if (trial->calm && n_running == 0)
		member_start(trial->members[0]);
	if (!all_served(trial) || !database_is_applied(trial->database)) {
		trial->whole = false;
		return;
	}
	if (!trial->whole)
		note_absence(trial, instant_plus(instant_min(trial->whole_at, now), (struct duration){-US_PER_S}),
		             instant_plus(instant_max(trial->whole_at, now), (struct duration){US_PER_S}));
	trial->whole = true;
	trial->whole_at = now;
}

static void
go_on(struct trial *trial, int64_t length)
{
	int64_t until = world_now(trial->world) + length;
	do
		look(trial);
	while (world_step(trial->world, until));
}

/* Nothing is on its way or due soon, so that the model knows which event and which timer comes under which
 * configuration. */
static bool
is_quiet(struct trial *trial)
{
	bool quiet;
	look(trial);
	quiet = trial->whole;
	for (unsigned i = 0; i < trial->n_members && quiet; i++)
		quiet = member_is_quiet(trial->members[i], database_clock(trial->database));
	return quiet;
}

/* All daemons go by the other configuration from now on, some by a reload, some from their next start. */
static void
change_configuration(struct trial *trial)
{
	struct world *world = trial->world;
	people_stop(trial->people);
	restart_server(trial);
	for (unsigned n = 0; !is_quiet(trial) && n < 600; n++)
		go_on(trial, US_PER_S);
	if (is_quiet(trial)) {
		trial->in_force = (trial->in_force + 1) % CONFIGS;
		replicate(trial);
		const struct config *config = trial->configs[trial->in_force];
		database_configure(trial->database, config->policies, config->migrate);
		for (unsigned i = 0; i < trial->n_members; i++) {
			struct member *member = trial->members[i];
			if (member_runs(member) && world_chance(world, 500000)) {
				member_kill(member);
				revive_later(trial, member);
			}
			member_configure(member, trial->in_force);
		}
	}
	people_go_on(trial->people);
}

static bool
is_settled(const struct trial *trial)
{
	if (!database_is_settled(trial->database))
		return false;
	DB_EACH (const struct db_clock, clock, database_data(trial->database), DB_CLOCKS)
		if (strcmp(clock->texts[3], "running") == 0)
			return false;
	return trial->whole;
}

static void
trial_begin(struct trial *trial, struct config *const configs[static CONFIGS], uint64_t seed, FILE *trace)
{
	*trial = (struct trial){.world = world_new(seed, trace), .configs = configs};
	struct world *world = trial->world;
	bool migrate = world_chance(world, 400000);
	for (unsigned i = 0; i < CONFIGS; i++)
		configs[i]->migrate = migrate;
	trial->history = history_new(configs[0]->policies);
	trial->database = database_new(world);
	trial->whole_at = database_clock(trial->database);
	database_set_history(trial->database, trial->history);
	trial->wire = wire_new(world, trial->database);
	trial->receivers = receivers_new(world, trial->database, trial->history);
	trial->people = people_new(world, trial->database, 3 + (unsigned)world_below(world, 15));
	trial->n_members = 1 + (unsigned)world_below(world, 2) * (unsigned)world_below(world, MEMBERS);
	for (unsigned i = 0; i < trial->n_members; i++) {
		trial->members[i] =
		    member_new(world, trial->wire, trial->receivers, configs, names[i], world_chance(world, 200000));
		if (i == 0)
			member_start(trial->members[i]);
		else
			revive_later(trial, trial->members[i]);
	}
	if (world_chance(world, 900000))
		world_set(world, &trial->fault, world_between(world, 10000, US_PER_MIN), on_fault, trial);
	on_standby(trial);
	if (world_chance(world, 800000))
		on_weather(trial);
}

static void
trial_end(struct trial *trial)
{
	for (unsigned i = 0; i < trial->n_members; i++)
		member_free(trial->members[i]);
	people_free(trial->people);
	receivers_free(trial->receivers);
	wire_free(trial->wire);
	history_free(trial->history);
	database_free(trial->database);
	world_free(trial->world);
}

/* 0, or how many things were wrong. */
static unsigned
simulate(struct config *const configs[static CONFIGS], uint64_t seed, FILE *trace)
{
	struct trial trial;
	trial_begin(&trial, configs, seed, trace);
	struct world *world = trial.world;
	for (uint64_t changes = world_below(world, 3); changes > 0; changes--) {
		go_on(&trial, world_between(world, US_PER_S, 3 * US_PER_MIN));
		change_configuration(&trial);
	}
	go_on(&trial, world_between(world, US_PER_MIN, 6 * US_PER_MIN));
	calm_down(&trial);
	int64_t calm_at = world_now(world);
	go_on(&trial, CALM);
	while (!is_settled(&trial) && world_now(world) - calm_at < PATIENCE)
		go_on(&trial, US_PER_MIN);
	unsigned n = 0;
	char *report = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&report, &len);
	if (out == NULL)
		abort();
	if (!is_settled(&trial)) {
		n++;
		for (unsigned i = 0; i < trial.n_members; i++)
			member_describe(trial.members[i]);
		(void)fprintf(out, "it never settles: something is not applied, not sent or not written\n");
	}
	database_tell(trial.database, trial.history);
	n += database_check_severities(trial.database, out);
	n += history_check(trial.history, database_clock(trial.database), out);
	(void)fclose(out);
	if (n > 0)
		(void)printf("seed %" PRIu64 ": %u wrong\n%s", seed, n, report);
	free(report);
	trial_end(&trial);
	return n;
}

static struct config *
read_config(const char *path)
{
	struct config_problems problems = {0};
	struct config *config = NULL;
	int r =
	    config_load(path, (struct instant){INT64_C(1800000000) * US_PER_S}, CONFIG_NO_SECRETS, &problems, &config);
	if (r < 0)
		config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	return config;
}

/* Every jobs-th seed from the given one on. Returns how many runs were wrong, 255 at most. */
static int
simulate_all(const struct options *options, unsigned job)
{
	struct config *configs[CONFIGS] = {0};
	uint64_t runs = 0, wrong = 0;
	time_t end = time(NULL) + options->minutes * 60;
	for (unsigned i = 0; i < CONFIGS; i++)
		if ((configs[i] = read_config(options->configs[i])) == NULL)
			return 255;
	for (uint64_t n = job; options->minutes > 0 ? time(NULL) < end : n < options->seeds; n += options->jobs) {
		wrong += simulate(configs, options->from + n, options->trace ? stderr : NULL) > 0;
		runs++;
		(void)fflush(stdout);
		if (wrong >= (options->first ? 1 : 50))
			break;
	}
	(void)printf("job %u: %" PRIu64 " runs from seed %" PRIu64 " on, %" PRIu64 " wrong\n", job, runs,
	             options->from + job, wrong);
	(void)fflush(stdout);
	for (unsigned i = 0; i < CONFIGS; i++)
		config_free(configs[i]);
	return wrong > 254 ? 254 : (int)wrong;
}

static int
simulate_in_jobs(const struct options *options)
{
	int status, result = EXIT_SUCCESS;
	if (options->jobs == 1)
		return simulate_all(options, 0) > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	for (unsigned job = 0; job < options->jobs; job++) {
		pid_t pid = fork();
		if (pid < 0)
			return EXIT_FAILURE;
		if (pid == 0)
			exit(simulate_all(options, job));
	}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			result = EXIT_FAILURE;
	return result;
}

int
main(int argc, char **argv)
{
	static const struct option words[] = {
	    {"config", required_argument, NULL, 'c'}, {"from", required_argument, NULL, 'f'},
	    {"seeds", required_argument, NULL, 's'},  {"minutes", required_argument, NULL, 'm'},
	    {"jobs", required_argument, NULL, 'j'},   {"trace", no_argument, NULL, 't'},
	    {"first", no_argument, NULL, '1'},        {NULL, 0, NULL, 0}};
	struct options options = {.from = 1, .seeds = 1, .jobs = 1};
	for (int c; (c = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		if (c == 'c' && options.n_configs < CONFIGS)
			options.configs[options.n_configs++] = optarg;
		else if (c == 'f')
			options.from = strtoull(optarg, NULL, 10);
		else if (c == 's')
			options.seeds = strtoull(optarg, NULL, 10);
		else if (c == 'm')
			options.minutes = strtoll(optarg, NULL, 10);
		else if (c == 'j')
			options.jobs = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			options.trace = true;
		else if (c == '1')
			options.first = true;
		else
			return 2;
	}
	if (options.n_configs != CONFIGS)
		return 2;
	if (options.jobs == 0)
		options.jobs = 1;
	log_set_level(options.trace ? LOG_LEVEL_INFO : (enum log_level)(LOG_LEVEL_ERROR - 1));
	return simulate_in_jobs(&options);
}
