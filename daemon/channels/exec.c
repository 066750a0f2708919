/* exec: runs a program for each delivery, the event's JSON on its standard input. Its environment: PATH, LANG,
 * SLATED_DELIVERY (the key), SLATED_TICKET (the external id) and SLATED_KIND. */
#include "slated/channel.h"
#include "slated/child.h"
#include "slated/envelope.h"
#include "slated/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much of a failed program's output is kept: its end, where programs say why. */
#define OUTPUT_MAX  4096
#define TIMEOUT_US  (10 * US_PER_S)
#define N_VARIABLES 5

struct exec {
	struct channel channel;
	struct child_runner *children;
	char *instance;
	struct duration timeout;
	char **argv;
};

struct exec_attempt {
	struct channel_attempt attempt;
	struct child *child;
	struct duration timeout;
};

static void
texts_free(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

static char **
texts_copy(const char *const *texts)
{
	size_t n = 0;
	while (texts[n])
		n++;
	char **copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(texts[i]);
		if (!copy[i]) {
			texts_free(copy);
			return NULL;
		}
	}
	return copy;
}

static void
exec_close(struct channel *channel)
{
	struct exec *exec = (struct exec *)channel;
	texts_free(exec->argv);
	free(exec->instance);
	free(exec);
}

static int
exec_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->command || !settings->command[0] || settings->command[0][0] != '/' || settings->timeout.us < 0)
		return -EINVAL;
	struct exec *exec = calloc(1, sizeof(*exec));
	if (!exec)
		return -ENOMEM;
	exec->children = context->children;
	exec->timeout.us = settings->timeout.us > 0 ? settings->timeout.us : TIMEOUT_US;
	exec->instance = strdup(context->instance);
	exec->argv = texts_copy(settings->command);
	if (!exec->instance || !exec->argv) {
		exec_close(&exec->channel);
		return -ENOMEM;
	}
	*ret = &exec->channel;
	return 0;
}

/* How the program failed, and what it wrote last. */
static void
error_format(const struct exec_attempt *attempt, const struct child_result *result, char text[static OUTPUT_MAX + 64])
{
	int n;
	if (result->timed_out)
		n = snprintf(text, 64, "timed out after %.3g s", (double)attempt->timeout.us / (double)US_PER_S);
	else if (result->signal)
		n = snprintf(text, 64, "killed by signal %d", result->signal);
	else
		n = snprintf(text, 64, "exit status %d", result->exit_status);
	size_t len = (size_t)n;
	if (result->n_output > 0) {
		memcpy(text + len, ": ", 2);
		memcpy(text + len + 2, result->output, result->n_output);
		len += 2 + result->n_output;
	}
	(void)text_clean(text, len);
}

static void
on_done(void *arg, const struct child_result *result)
{
	struct exec_attempt *attempt = arg;
	char error[OUTPUT_MAX + 64];
	struct channel_result told = {.outcome = OUTCOME_RETRY};
	if (!result->timed_out && !result->signal)
		told.outcome = retry_of_exit_status(result->exit_status);
	if (told.outcome != OUTCOME_DELIVERED) {
		error_format(attempt, result, error);
		told.error = error;
	}
	attempt->attempt.done(attempt->attempt.arg, &told);
	free(attempt);
}

/* The environment of one run, or NULL. */
static char **
environment_new(const struct delivery *delivery)
{
	const struct {
		const char *name, *value;
	} variables[N_VARIABLES] = {
	    {"PATH", "/usr/bin:/bin"},          {"LANG", "C.UTF-8"},
	    {"SLATED_DELIVERY", delivery->key}, {"SLATED_TICKET", delivery->external_id ? delivery->external_id : ""},
	    {"SLATED_KIND", delivery->kind},
	};
	char **environment = calloc(N_VARIABLES + 1, sizeof(*environment));
	for (size_t i = 0; environment && i < N_VARIABLES; i++) {
		if (asprintf(&environment[i], "%s=%s", variables[i].name, variables[i].value) < 0) {
			environment[i] = NULL;
			texts_free(environment);
			return NULL;
		}
	}
	return environment;
}

static int
exec_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct exec *exec = (struct exec *)channel;
	char *input;
	size_t n_input;
	int r = envelope_format(delivery, exec->instance, &input, &n_input);
	if (r < 0)
		return r;
	char **environment = environment_new(delivery);
	struct exec_attempt *attempt = calloc(1, sizeof(*attempt));
	r = environment && attempt ? 0 : -ENOMEM;
	if (r == 0) {
		const struct child_spec spec = {
		    .argv = (const char *const *)exec->argv,
		    .environment = (const char *const *)environment,
		    .input = input,
		    .n_input = n_input,
		    .output_max = OUTPUT_MAX,
		    .timeout = exec->timeout,
		};
		attempt->timeout = exec->timeout;
		r = child_start(exec->children, &spec, on_done, attempt, &attempt->child);
	}
	texts_free(environment);
	free(input);
	if (r < 0) {
		free(attempt);
		return r;
	}
	*ret = &attempt->attempt;
	return 0;
}

static void
exec_cancel(struct channel_attempt *attempt)
{
	struct exec_attempt *exec = (struct exec_attempt *)attempt;
	child_cancel(exec->child);
	free(exec);
}

const struct channel_ops exec_ops = {
    .type = CHANNEL_EXEC,
    .retry = &retry_default,
    .digest_max = 100,
    .open = exec_open,
    .close = exec_close,
    .send = exec_send,
    .cancel = exec_cancel,
};
