/* slatectl settings: the table of all settings, as text, as a commented sample file, and for slated.conf(5). */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "config_table.h"
#include "slated/channel_settings.h"

#define SAMPLE_WIDTH 100

static bool
row_is_group(const struct config_row *row)
{
	return row->example == NULL;
}

static void
text_print(void)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		const char *scope = config_scope_texts[row->scope];

		printf("%s%s%s\n", scope, *scope != '\0' ? "." : "", row->name);
		printf("    %s\n", row->help);
		if (row->initial != NULL)
			printf("    Default: %s\n", row->initial);
		if (!row->reloadable)
			puts("    A change needs a restart.");
	}
}

static void
indent_print(int depth)
{
	printf("# %*s", depth * 4, "");
}

/* A comment, broken at blanks. */
static void
help_print(const char *help, int depth)
{
	int room = SAMPLE_WIDTH - depth * 4;

	while (*help != '\0') {
		int len = (int)strlen(help);

		if (len > room) {
			len = room;
			while (len > 1 && help[len] != ' ')
				len--;
		}
		indent_print(depth);
		printf("# %.*s\n", len, help);
		help += len;
		help += strspn(help, " ");
	}
}

static void
sample_print(enum config_scope scope, int depth)
{
	static const struct {
		const char *open;
		const char *close;
	} brackets[TYPE_COUNT] = {
	    [TYPE_GROUP] = {"{", "};"},
	    [TYPE_GROUPS] = {"( {", "} );"},
	    [TYPE_NAMED_GROUPS] = {"{ NAME = {", "}; };"},
	    [TYPE_NAMED_LISTS] = {"{ NAME = ( {", "} ); };"},
	};

	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];

		if (row->scope != scope)
			continue;
		if (depth == 0)
			putchar('\n');
		help_print(row->help, depth);
		indent_print(depth);
		if (row_is_group(row) && (row->child != SCOPE_MATCH || scope == SCOPE_POLICY)) {
			printf("%s = %s\n", row->name, brackets[row->type].open);
			sample_print(row->child, depth + 1);
			indent_print(depth);
			puts(brackets[row->type].close);
		} else if (row_is_group(row)) {
			printf("%s = { category = \"billing\"; };\n", row->name);
		} else {
			printf("%s = %s;\n", row->name, row->example);
		}
	}
}

/* A roff line may not begin with a dot or a quote, and knows the backslash as its own. A sentence begins a line. */
static void
roff_print(const char *text)
{
	bool begins = true;

	for (; *text != '\0'; text++) {
		if (begins && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		begins = strncmp(text, ". ", 2) == 0 || strncmp(text, "; ", 2) == 0;
		if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
		if (begins) {
			putchar('\n');
			text++;
		}
	}
	putchar('\n');
}

/* The types of channel that have it, where it is not all. */
static void
mdoc_channels_print(unsigned channels)
{
	const unsigned every = (1U << CHANNEL_TYPE_COUNT) - 1;
	const char *before = "For the type";

	if (channels == 0 || channels == every)
		return;
	if ((channels & (channels - 1)) != 0)
		before = "For the types";
	for (unsigned type = 0; type < CHANNEL_TYPE_COUNT; type++) {
		unsigned rest = channels >> type;

		if ((rest & 1) == 0)
			continue;
		printf("%s %s", before, channel_type_names[type]);
		rest >>= 1;
		before = (rest & (rest - 1)) == 0 ? " and" : ",";
	}
	puts(".");
}

/* One word to the macro, which would take quotes and brackets for its own. */
static void
mdoc_example_print(const struct config_row *row)
{
	printf(".Dl %s\\ =\\ ", row->name);
	for (const char *c = row->example; *c != '\0'; c++) {
		if (*c == '"')
			fputs("\\(dq", stdout);
		else if (*c == '\\')
			fputs("\\e", stdout);
		else if (*c == ' ')
			fputs("\\ ", stdout);
		else
			putchar(*c);
	}
	puts(";");
}

static void
mdoc_row_print(const struct config_row *row)
{
	printf(".It Ic %s\n", row->name);
	roff_print(row->help);
	mdoc_channels_print(row->channels);
	if (!row->reloadable)
		puts("A change needs a restart.");
	if (row->initial != NULL) {
		fputs("Default: ", stdout);
		roff_print(row->initial);
	}
	if (row->example != NULL)
		mdoc_example_print(row);
}

static void
mdoc_print(void)
{
	for (int scope = 0; scope < SCOPE_COUNT; scope++) {
		printf(".Ss %s\n", scope == SCOPE_ROOT ? "The file" : config_scope_texts[scope]);
		puts(".Bl -tag -width Ds");
		for (size_t i = 0; i < config_n_rows; i++)
			if (config_rows[i].scope == (enum config_scope)scope)
				mdoc_row_print(&config_rows[i]);
		puts(".El");
	}
}

struct settings {
	bool sample;
	bool mdoc;
};

static int
run_settings(void *options)
{
	const struct settings *settings = options;

	if (settings->sample) {
		puts("# slated.conf: every setting with an example, all of them commented out.\n"
		     "# Made by \"slatectl settings --sample\"; slated.conf(5) tells more. Files in conf.d/ beside "
		     "this\n"
		     "# one are read after it. \"slatectl check FILE\" says what is wrong.");
		sample_print(SCOPE_ROOT, 0);
	} else if (settings->mdoc) {
		mdoc_print();
	} else {
		text_print();
	}
	return 0;
}

static const struct command_row rows[] = {
    {"sample", NULL, "as a sample file, all of them commented out", VALUE_FLAG, offsetof(struct settings, sample),
     .forms = FORM_FIRST},
    {"mdoc", NULL, "as the part of slated.conf(5) that lists them", VALUE_FLAG, offsetof(struct settings, mdoc),
     .forms = FORM_SECOND, .needed = true},
    {0},
};

const struct command command_settings = {
    .name = "settings",
    .help = "list every setting, as text, sample file or manual page",
    .about = "Lists every setting that a configuration may have, with its meaning and default.\n",
    .rows = rows,
    .size = sizeof(struct settings),
    .run = run_settings,
};
