/* The configurations that are known, and what a load brings but for the events: former ones of them, tickets' states,
 * their clocks and ladders. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"
#include "slated/log.h"
#include "slated/rows.h"

/* As many tickets are left out at most; more, and something else is wrong. */
#define LEFT_OUT_MAX 100

int
work_know_config(struct service *service, struct config *config)
{
	struct known_config *known = calloc(1, sizeof(*known));
	if (known == NULL)
		return -ENOMEM;
	*known = (struct known_config){config, service->configs};
	service->configs = known;
	service->config = config;
	return 0;
}

static const struct policy_set *
find_set(void *arg, const char *digest)
{
	const struct service *service = arg;
	for (const struct known_config *k = service->configs; k != NULL; k = k->next)
		if (strcmp(k->config->digest, digest) == 0)
			return k->config->policies;
	return NULL;
}

/* Former configurations that open clocks refer to. */
bool
work_load_configuration(void *arg, const char *digest, const char *source)
{
	struct service *service = arg;
	struct config_problems problems = {0};
	if (find_set(service, digest) != NULL)
		return true;
	struct known_config *known = calloc(1, sizeof(*known));
	if (known == NULL)
		return false;
	int r = config_load_text(source, strlen(source), service_now(service), &problems, &known->config);
	if (r < 0) {
		config_problems_print(&problems, stderr);
		service_problem(service, "a former configuration, which open clocks need, cannot be read", digest);
		free(known);
	} else {
		known->next = service->configs->next;
		service->configs->next = known;
	}
	config_problems_clear(&problems);
	return r == 0;
}

/* What is wrong with one ticket must not keep the others waiting: nothing is done for it until its rows are mended and
 * read anew. Where so many are wrong that the cause is hardly the rows, nothing is loaded. Whether to go on. */
static bool
leave_out(struct service *service, struct live_ticket *live, const char *what, const char *problem)
{
	char text[REFUSAL_SIZE + 100];
	(void)snprintf(text, sizeof(text), "ticket %" PRId64 ": %s: %s; mend it, and restart slated", live->id, what,
	               problem);
	service_problem(service, "a ticket is left out, as a row of it cannot be read", text);
	ticket_clear(&live->ticket);
	live->ticket = (struct ticket){.id = (uint64_t)live->id};
	live->left_out = true;
	if (++service->n_left_out <= LEFT_OUT_MAX)
		return true;
	service_problem(service, "too many tickets would be left out", "nothing is loaded");
	return false;
}

bool
work_load_state(void *arg, const struct pg_value *values)
{
	struct service *service = arg;
	char problem[REFUSAL_SIZE];
	int64_t id, applied_seq = 0;
	char *ladder = NULL;
	if (pg_read_int64(values[0], &id) < 0)
		return false;
	struct live_ticket *live = live_add(&service->live, id);
	if (live == NULL)
		return false;
	int r = row_read_state(service->reader, values, service->engine, &live->ticket, &applied_seq, &ladder, problem);
	if (r == 0 && (applied_seq < 0 || applied_seq > LIVE_SEQ_MAX)) {
		free(ladder);
		r = refuse(-EBADMSG, problem, "applied_seq %" PRId64 " is no number of an event", applied_seq);
	} else if (r == 0 && ladder != NULL) {
		r = live_keep_ladder(&service->live, live, ladder);
	}
	if (r == -EBADMSG)
		return leave_out(service, live, "sla.ticket_state", problem);
	if (r < 0) {
		service_problem(service, "a ticket's state could not be read",
		                r == -ENOMEM ? "out of memory" : problem);
		return false;
	}
	live->applied_seq = applied_seq;
	return engine_rematch(service->engine, &live->ticket) == 0;
}

bool
work_load_clock(void *arg, const struct pg_value *values)
{
	struct service *service = arg;
	char problem[REFUSAL_SIZE];
	int64_t id;
	if (row_clock_ticket(values, &id) < 0)
		return false;
	struct live_ticket *live = live_find(&service->live, id);
	if (live == NULL || live->left_out)
		return true;
	int r = row_read_clock(service->reader, values, find_set, service, &live->ticket, problem);
	if (r == -EBADMSG)
		return leave_out(service, live, "sla.clock", problem);
	if (r < 0)
		service_problem(service, "a clock could not be read", r == -ENOMEM ? "out of memory" : problem);
	return r == 0;
}

bool
work_load_ladders(void *arg)
{
	struct service *service = arg;
	struct live_walk walk = live_begin(&service->live);
	struct live_ticket *live;
	char problem[REFUSAL_SIZE];
	char *ladder;
	unsigned lost = 0;
	while ((ladder = live_take_ladder(&service->live, &live)) != NULL) {
		int r = 0;
		if (!live->left_out)
			r = row_restore_ladder(ladder, engine_policies(service->engine), find_set, service,
			                       &live->ticket, &lost, problem);
		free(ladder);
		if (r == -EBADMSG) {
			if (!leave_out(service, live, "sla.ticket_state", problem))
				return false;
		} else if (r < 0) {
			service_problem(service, "ladder steps could not be read", "out of memory");
			return false;
		}
	}
	while ((live = live_next(&walk)) != NULL) {
		if (live->left_out)
			continue;
		ticket_prune(&live->ticket);
		work_plan(service, live);
	}
	if (lost > 0)
		log_warning("ladder steps were dropped: the configuration no longer has them",
		            log_number("steps", lost));
	return true;
}
