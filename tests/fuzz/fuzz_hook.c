/* What a hook may answer, as a program and over HTTP: any bytes become one answer for the database, of a severity of
 * the configuration or of a failure, in clean text. The program, the request and the connection are stood in for. */
#include <errno.h>
#include <stdio.h>

#include "fuzz.h"
#include "input.h"
#include "slated/child.h"
#include "slated/hook.h"
#include "slated/http_client.h"
#include "slated/log.h"
#include "slated/pg.h"
#include "slated/policy.h"
#include "slated/text.h"

/* What the hooks have asked for. */
static struct {
	child_done *child;
	http_done *http;
	void *arg;
	pg_result *result;
	void *result_arg;
	int n_params;
	int answers;
} asked;

int
child_start(struct child_runner *runner, const struct child_spec *spec, child_done *done, void *arg, struct child **ret)
{
	static char child;
	(void)runner;
	demand(strcmp(spec->argv[0], "/bin/judge") == 0);
	asked.child = done;
	asked.arg = arg;
	*ret = (struct child *)&child;
	return 0;
}

void
child_cancel(struct child *child)
{
	(void)child;
}

int
http_client_send(struct http_client *client, const struct http_request *request, http_done *done, void *arg,
                 struct http_transfer **ret)
{
	static char transfer;
	(void)client;
	demand(strcmp(request->method, "POST") == 0);
	asked.http = done;
	asked.arg = arg;
	*ret = (struct http_transfer *)&transfer;
	return 0;
}

void
http_client_cancel(struct http_transfer *transfer)
{
	(void)transfer;
}

static void
check_clean(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);
	char *copy = text == NULL ? NULL : strdup(text);
	if (text == NULL)
		return;
	demand(copy != NULL && len > 0);
	demand(text_clean(copy, len) == len && strcmp(copy, text) == 0);
	free(copy);
}

int
pg_send(struct pg *pg, const struct pg_query *query)
{
	(void)pg;
	asked.result = query->result;
	asked.result_arg = query->arg;
	asked.n_params = query->n_params;
	if (query->n_params != 4)
		return 0;
	/* An answer: the row's id, severity, reason, failure. */
	const char *severity = query->params[1], *reason = query->params[2], *failure = query->params[3];
	asked.answers++;
	demand(strcmp(query->params[0], "7") == 0);
	demand(failure == NULL || (severity == NULL && reason == NULL && strlen(failure) < 512));
	demand(severity == NULL || strcmp(severity, "high") == 0 || strcmp(severity, "low") == 0);
	demand(reason == NULL || (severity != NULL && strlen(reason) <= 1000));
	check_clean(reason);
	check_clean(failure);
	return 0;
}

static bool
drop_line(enum log_level level, const char *message, const struct log_field *fields)
{
	char line[LOG_LINE_SIZE];
	demand(log_format(line, level, false, message, fields) <= LOG_LINE_SIZE);
	return true;
}

static const struct policy_set *
policies(void *arg)
{
	static char high[] = "high", low[] = "low", alias[] = "S1", judge[] = "judge", endpoint[] = "endpoint";
	static char program[] = "/bin/judge", url[] = "http://127.0.0.1/";
	static char *aliases[] = {alias}, *argv[] = {program, NULL};
	static struct severity severities[] = {{high, aliases, 1}, {low, NULL, 0}};
	static struct rule rules[] = {
	    {.name = judge, .kind = RULE_HOOK, .hook = argv, .timeout = {US_PER_S}},
	    {.name = endpoint, .kind = RULE_HOOK_URL, .hook_url = url, .timeout = {US_PER_S}},
	};
	static struct policy_set set = {.severities = severities, .n_severities = 2, .rules = rules, .n_rules = 2};
	(void)arg;
	return &set;
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static void
on_problem(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	abort(); /* no query fails here */
}

static void
on_end(void *arg, const char *rule, bool answered)
{
	(void)arg;
	(void)rule;
	(void)answered;
}

/* Answers the query that was sent last with one row of these texts, or with none. */
static void
give_row(const char *const *values, int n)
{
	static char name[] = "c";
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[4] = {{.name = name}, {.name = name}, {.name = name}, {.name = name}};
	demand(result != NULL && PQsetResultAttrs(result, n, columns));
	for (int i = 0; values != NULL && i < n; i++) {
		char *copy = strdup(values[i]);
		demand(copy != NULL && PQsetvalue(result, 0, i, copy, (int)strlen(copy)));
		free(copy);
	}
	asked.result(asked.result_arg, result);
	PQclear(result);
	asked.result(asked.result_arg, NULL);
}

/* The input goes where the program's output or the response's body would; a body always has a NUL behind it. */
static void
give_answer(unsigned how, const char *output, size_t n)
{
	if (asked.child != NULL)
		asked.child(asked.arg, &(struct child_result){
		                           .exit_status = how & 2 ? 3 : 0,
		                           .timed_out = (how & 12) == 12,
		                           .output = output,
		                           .n_output = n,
		                       });
	else
		asked.http(asked.arg, &(struct http_answer){
		                          .error_text = "",
		                          .status = how & 2 ? 500 : 200,
		                          .body = output,
		                          .n_body = n,
		                          .cut = (how & 12) == 12,
		                      });
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hooks_callbacks callbacks = {policies, on_ready, on_problem, on_end, NULL};
	struct hooks *hooks;
	struct input input = {data, size};
	unsigned how = input_byte(&input);
	char *output = malloc(input.left + 1);
	struct pg *pg = (struct pg *)&input; /* never looked into */
	demand(output != NULL);
	if (input.left > 0)
		memcpy(output, input.data, input.left);
	output[input.left] = '\0';
	memset(&asked, 0, sizeof(asked));
	log_set_sink(drop_line);
	demand(hooks_new(NULL, NULL, &callbacks, &hooks) == 0);
	hooks_open(hooks);
	demand(hooks_step(hooks, pg, "{7}"));
	give_row((const char *[]){"7", "4711", how & 1 ? "endpoint" : "judge", "{}"}, 4);
	give_answer(how, output, input.left);
	demand(hooks_step(hooks, pg, "{7}") && asked.answers == 1);
	give_row((const char *[]){""}, 1);
	demand(hooks_step(hooks, pg, "{7}") && asked.n_params == 3); /* the slot is free again */
	hooks_free(hooks);
	free(output);
	return 0;
}
