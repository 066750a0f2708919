#include "command.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "slated/policy.h"
#include "slated/text.h"

#define ROWS_MAX    32
#define USAGE_WIDTH 110U

/* What getopt_long() gives for the first row; `help` is no row. */
#define OPTION_FIRST 256
#define OPTION_HELP  1

bool
command_row_is_last(const struct command_row *row)
{
	return row->name == NULL && row->word == NULL;
}

unsigned
command_forms(const struct command *command)
{
	unsigned all = FORM_FIRST;
	unsigned n = 0;

	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++)
		all |= row->forms;
	for (; all != 0; all >>= 1)
		n++;
	return n;
}

bool
command_row_in_form(const struct command_row *row, unsigned form)
{
	return row->forms == FORM_ALL || (row->forms >> form & 1) != 0;
}

/* Usage ------------------------------------------------------------------------------------------------------------ */

static void
describe_row(const struct command_row *row, char *text, size_t room)
{
	(void)snprintf(text, room, "%s%s%s%s%s%s%s", row->needed ? "" : "[", row->name != NULL ? "--" : "",
	               row->name != NULL ? row->name : "", row->name != NULL && row->word != NULL ? " " : "",
	               row->word != NULL ? row->word : "", row->value == VALUE_LIST ? " ..." : "",
	               row->needed ? "" : "]");
}

int
command_row_rank(const struct command_row *row)
{
	return row->name == NULL ? 2 : row->needed ? 0 : 1;
}

static void
print_form(const struct command *command, unsigned form, FILE *out)
{
	char text[80];
	unsigned indent = (unsigned)fprintf(out, "%s slatectl %s", form == 0 ? "usage:" : "      ", command->name);
	unsigned column = indent;

	for (int rank = 0; rank < COMMAND_RANKS; rank++)
		for (const struct command_row *row = command->rows; !command_row_is_last(row); row++) {
			if (command_row_rank(row) != rank || !command_row_in_form(row, form))
				continue;
			describe_row(row, text, sizeof(text));
			if (column + 1 + strlen(text) > USAGE_WIDTH) {
				fprintf(out, "\n%*s", (int)indent, "");
				column = indent;
			}
			column += (unsigned)fprintf(out, " %s", text);
		}
	fputc('\n', out);
}

static void
print_forms(const struct command *command, FILE *out)
{
	for (unsigned form = 0; form < command_forms(command); form++)
		print_form(command, form, out);
}

int
command_usage(const struct command *command)
{
	print_forms(command, stderr);
	fprintf(stderr, "slatectl %s --help tells more\n", command->name);
	return EXIT_USAGE;
}

/* Prints `text` from column `indent` on, broken between words. */
static void
print_words(const char *text, unsigned indent, FILE *out)
{
	unsigned column = indent;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		if (column > indent && column + 1 + n > USAGE_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, n, out);
		column += (unsigned)n;
		text += n + (text[n] == ' ');
	}
	fputc('\n', out);
}

static int
label_row(const struct command_row *row, char *text, size_t room)
{
	return snprintf(text, room, "--%s%s%s", row->name, row->word != NULL ? " " : "",
	                row->word != NULL ? row->word : "");
}

void
command_help(const struct command *command, FILE *out)
{
	char text[80];
	int width = 0;

	print_forms(command, out);
	fprintf(out, "\n%s", command->about);
	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++) {
		int n = row->help != NULL ? label_row(row, text, sizeof(text)) : 0;
		width = n > width ? n : width;
	}
	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++)
		if (row->help != NULL) {
			(void)label_row(row, text, sizeof(text));
			fprintf(out, "  %-*s  ", width, text);
			print_words(row->help, (unsigned)width + 4, out);
		}
	if (command->more != NULL)
		fputs(command->more, out);
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

struct reading {
	const struct command *command;
	char *options;
	bool given[ROWS_MAX];
	size_t room; /* for each list */
};

static bool
read_instant(const char *option, const char *text, struct instant *ret)
{
	if (instant_parse(text, strlen(text), ret) == 0)
		return true;
	fprintf(stderr, "slatectl: %s: \"%s\" is no RFC 3339 instant such as 2026-03-02T09:00:00Z\n", option, text);
	return false;
}

static bool
read_duration(const char *option, const char *text, struct duration *ret)
{
	struct period period;

	if (period_parse(text, &period) == 0 && period.business_days == 0) {
		*ret = period.elapsed;
		return true;
	}
	fprintf(stderr, "slatectl: %s \"%s\": a length of time such as 45m, 2h or 1d12h\n", option, text);
	return false;
}

static bool
check_count(const char *option, const char *text)
{
	if (*text != '0' && *text != '\0' && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text))
		return true;
	fprintf(stderr, "slatectl: %s \"%s\": a number from 1 on\n", option, text);
	return false;
}

bool
command_since(const char *option, const char *text, struct instant now, struct instant *ret)
{
	struct period period;

	if (period_parse(text, &period) == 0 && period.business_days == 0) {
		*ret = (struct instant){now.us - period.elapsed.us};
		return true;
	}
	if (instant_parse(text, strlen(text), ret) == 0)
		return true;
	fprintf(
	    stderr,
	    "slatectl: %s \"%s\": an RFC 3339 instant such as 2026-03-02T09:00:00Z, or a length of time such as 2h\n",
	    option, text);
	return false;
}

static bool
check_text(const char *option, const char *text, bool may_be_empty)
{
	size_t len = strlen(text);

	if (len == 0 && !may_be_empty) {
		fprintf(stderr, "slatectl: %s: a text is needed\n", option);
		return false;
	}
	for (size_t at = 0, n; at < len; at += n) {
		n = text_utf8(text + at, len - at);
		if (n == 0) {
			fprintf(stderr, "slatectl: %s: not UTF-8\n", option);
			return false;
		}
	}
	return true;
}

/* The place of `text` among the choices, or a negative number after a message. */
static int
find_choice(const struct command_row *row, const char *option, const char *text)
{
	int index = name_index(row->choices, row->n_choices, text);

	if (index >= 0)
		return index;
	fprintf(stderr, "slatectl: %s \"%s\": one of", option, text);
	for (size_t i = 0; i < row->n_choices; i++)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", row->choices[i]);
	fputc('\n', stderr);
	return index;
}

static bool
add_to_list(const struct reading *reading, struct command_list *list, const char *text)
{
	if (list->items == NULL)
		list->items = calloc(reading->room, sizeof(*list->items));
	if (list->items == NULL) {
		perror("slatectl");
		return false;
	}
	list->items[list->n++] = text;
	return true;
}

/* Whether `text` is a value of that kind; says so if not. */
static bool
check_value(const struct command_row *row, const char *option, const char *text)
{
	struct instant instant;

	switch (row->value) {
	case VALUE_TEXT:
	case VALUE_NAME:
	case VALUE_LIST:
		return check_text(option, text, row->value != VALUE_NAME);
	case VALUE_COUNT:
		return check_count(option, text);
	case VALUE_SINCE:
		return command_since(option, text, command_now(), &instant);
	case VALUE_CHOICE:
		return find_choice(row, option, text) >= 0;
	default:
		return true;
	}
}

/* False after a message. */
static bool
take_value(struct reading *reading, const struct command_row *row, const char *text)
{
	char *at = reading->options + row->at;
	char option[40];
	int index;

	(void)snprintf(option, sizeof(option), "%s%s", row->name != NULL ? "--" : "",
	               row->name != NULL ? row->name : row->word);
	reading->given[row - reading->command->rows] = true;
	if (!check_value(row, option, text))
		return false;
	switch (row->value) {
	case VALUE_FLAG:
		*(bool *)at = true;
		return true;
	case VALUE_DURATION:
		return read_duration(option, text, (struct duration *)at);
	case VALUE_INSTANT:
		return read_instant(option, text, (struct instant *)at);
	case VALUE_INDEX:
		index = find_choice(row, option, text);
		if (index >= 0)
			*(int *)at = index;
		return index >= 0;
	case VALUE_LIST:
		return add_to_list(reading, (struct command_list *)at, text);
	default:
		*(const char **)at = text;
		return true;
	}
}

/* 0, or a number as main() gives it where there is nothing more to do; *ret_help where that is for help. */
static int
read_named(struct reading *reading, int argc, char **argv, bool *ret_help)
{
	const struct command_row *rows = reading->command->rows;
	struct option known[ROWS_MAX + 2];
	size_t n = 0;
	int option;

	for (int i = 0; !command_row_is_last(&rows[i]); i++) {
		assert(i < ROWS_MAX);
		if (rows[i].name != NULL)
			known[n++] =
			    (struct option){rows[i].name, rows[i].word != NULL ? required_argument : no_argument, NULL,
			                    OPTION_FIRST + i};
	}
	known[n++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	known[n] = (struct option){0};
	optind = 0; /* main() may have read options of its own */
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == OPTION_HELP) {
			*ret_help = true;
			return 0;
		}
		if (option < OPTION_FIRST)
			return command_usage(reading->command);
		if (!take_value(reading, &rows[option - OPTION_FIRST], optarg != NULL ? optarg : ""))
			return EXIT_USAGE;
	}
	return 0;
}

static int
read_unnamed(struct reading *reading, char **arguments)
{
	const struct command_row *row = reading->command->rows;

	for (; *arguments != NULL; arguments++) {
		while (!command_row_is_last(row) && row->name != NULL)
			row++;
		if (command_row_is_last(row)) {
			fprintf(stderr, "slatectl %s: unexpected argument \"%s\"\n", reading->command->name,
			        *arguments);
			return command_usage(reading->command);
		}
		if (!take_value(reading, row, *arguments))
			return EXIT_USAGE;
		if (row->value != VALUE_LIST)
			row++;
	}
	return 0;
}

/* NULL: the form has all that it needs. */
static const struct command_row *
missing_row(const struct reading *reading, unsigned form)
{
	const struct command_row *rows = reading->command->rows;

	for (size_t i = 0; !command_row_is_last(&rows[i]); i++)
		if (rows[i].needed && command_row_in_form(&rows[i], form) && !reading->given[i])
			return &rows[i];
	return NULL;
}

static bool
all_in_form(const struct reading *reading, unsigned form)
{
	const struct command_row *rows = reading->command->rows;

	for (size_t i = 0; !command_row_is_last(&rows[i]); i++)
		if (reading->given[i] && !command_row_in_form(&rows[i], form))
			return false;
	return true;
}

/* What was given is to be one form. Where it might be only one, what that lacks is named. */
static int
check_forms(const struct reading *reading)
{
	const struct command_row *missing = NULL;
	unsigned possible = 0;

	for (unsigned form = 0; form < command_forms(reading->command); form++) {
		if (!all_in_form(reading, form))
			continue;
		possible++;
		missing = missing_row(reading, form);
		if (missing == NULL)
			return 0;
	}
	if (possible == 1)
		fprintf(stderr, "slatectl %s: %s%s is needed\n", reading->command->name,
		        missing->name != NULL ? "--" : "", missing->name != NULL ? missing->name : missing->word);
	return command_usage(reading->command);
}

static void
reading_clear(struct reading *reading)
{
	for (const struct command_row *row = reading->command->rows; !command_row_is_last(row); row++)
		if (row->value == VALUE_LIST)
			free(((struct command_list *)(reading->options + row->at))->items);
	free(reading->options);
}

int
command_run(const struct command *command, int argc, char **argv)
{
	struct reading reading = {.command = command, .room = (size_t)argc};
	bool help = false;

	reading.options = calloc(1, command->size);
	if (reading.options == NULL) {
		perror("slatectl");
		return EXIT_PROBLEM;
	}
	if (command->initial != NULL)
		memcpy(reading.options, command->initial, command->size);
	int status = read_named(&reading, argc, argv, &help);
	if (status == 0 && !help)
		status = read_unnamed(&reading, argv + optind);
	if (status == 0 && !help)
		status = check_forms(&reading);
	if (help)
		command_help(command, stdout);
	else if (status == 0)
		status = command->run(reading.options);
	reading_clear(&reading);
	return status;
}
