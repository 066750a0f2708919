/* slatectl completion: what the shells and the manual have of the table of commands. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

enum completion_form {
	COMPLETION_BASH,
	COMPLETION_ZSH,
	COMPLETION_MDOC,
	COMPLETION_COUNT,
};

static const char *const form_names[COMPLETION_COUNT] = {"bash", "zsh", "mdoc"};

struct completion {
	enum completion_form form;
};

static void
print_choices(const struct command_row *row)
{
	for (size_t i = 0; i < row->n_choices; i++)
		printf("%s%s", i > 0 ? " " : "", row->choices[i]);
}

/* bash ------------------------------------------------------------------------------------------------------------- */

/* What may follow one option, or where `row` is an argument stand by itself. Nothing is said of what we cannot know. */
static void
print_bash_value(const struct command_row *row)
{
	if (row->n_choices > 0) {
		printf("words=\"");
		print_choices(row);
		printf("\" ;;\n");
	} else if (row->value == VALUE_FILE) {
		printf("compopt -o default && return ;;\n");
	} else {
		printf("return ;;\n");
	}
}

static void
print_bash_command(const struct command *command)
{
	const struct command_row *argument = NULL;

	printf("\t%s)\n\t\tcase $prev in\n", command->name);
	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++) {
		if (row->name == NULL && argument == NULL)
			argument = row;
		if (row->name != NULL && row->word != NULL) {
			printf("\t\t--%s) ", row->name);
			print_bash_value(row);
		}
	}
	printf("\t\t*)\n\t\t\tcase $cur in\n\t\t\t-*) words=\"");
	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++)
		if (row->name != NULL)
			printf("--%s ", row->name);
	printf("--help\" ;;\n");
	if (argument != NULL) {
		printf("\t\t\t*) ");
		print_bash_value(argument);
	}
	printf("\t\t\tesac\n\t\t\t;;\n\t\tesac\n\t\t;;\n");
}

static void
print_bash(void)
{
	printf("# Completion of slatectl(1) for bash, made by \"slatectl completion bash\".\n"
	       "_slatectl()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
	       "\tCOMPREPLY=()\n"
	       "\tif ((COMP_CWORD == 1)); then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	for (size_t i = 0; i < n_commands; i++)
		printf("%s ", commands[i]->name);
	printf("--help --version' -- \"$cur\")\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\t# bash takes --option=value apart.\n"
	       "\tif [[ $cur == = ]]; then\n"
	       "\t\tcur=\n"
	       "\telif [[ $prev == = ]]; then\n"
	       "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	       "\tfi\n"
	       "\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < n_commands; i++)
		print_bash_command(commands[i]);
	printf("\tesac\n"
	       "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "}\n"
	       "complete -F _slatectl slatectl\n");
}

/* zsh -------------------------------------------------------------------------------------------------------------- */

/* Inside single quotes; `special` are the characters that _arguments or _describe would read as their own. */
static void
print_zsh_text(const char *text, const char *special)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		else if (strchr(special, *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

static bool
rows_exclude(const struct command_row *a, const struct command_row *b)
{
	return a->forms != FORM_ALL && b->forms != FORM_ALL && (a->forms & b->forms) == 0;
}

static void
print_zsh_value(const struct command_row *row)
{
	printf(":%s:", row->word);
	if (row->n_choices > 0) {
		putchar('(');
		print_choices(row);
		putchar(')');
	} else {
		fputs(row->value == VALUE_FILE ? "_files" : " ", stdout);
	}
}

/* An option is not offered beside itself, nor beside those of other forms. */
static void
print_zsh_option(const struct command *command, const struct command_row *row)
{
	if (row->value == VALUE_LIST) {
		putchar('*');
	} else {
		printf("(--%s", row->name);
		for (const struct command_row *other = command->rows; !command_row_is_last(other); other++)
			if (other->name != NULL && rows_exclude(row, other))
				printf(" --%s", other->name);
		putchar(')');
	}
	printf("--%s%s[", row->name, row->word != NULL ? "=" : "");
	print_zsh_text(row->help, "[]:");
	putchar(']');
	if (row->word != NULL)
		print_zsh_value(row);
}

static void
print_zsh_command(const struct command *command)
{
	printf("\t%s)\n\t\t_arguments \\\n", command->name);
	for (const struct command_row *row = command->rows; !command_row_is_last(row); row++) {
		printf("\t\t\t'");
		if (row->name != NULL) {
			print_zsh_option(command, row);
		} else {
			if (row->value == VALUE_LIST)
				putchar('*');
			print_zsh_value(row);
		}
		printf("' \\\n");
	}
	printf("\t\t\t'(- *)--help[tells of the options]'\n\t\t;;\n");
}

static void
print_zsh(void)
{
	printf("#compdef slatectl\n"
	       "# Completion of slatectl(1) for zsh, made by \"slatectl completion zsh\".\n"
	       "local context state state_descr line\n"
	       "typeset -A opt_args\n"
	       "_arguments -C \\\n"
	       "\t'(- *)--help[lists the commands]' \\\n"
	       "\t'(- *)--version[tells of the release]' \\\n"
	       "\t': :->command' \\\n"
	       "\t'*:: :->arguments' && return\n"
	       "case $state in\n"
	       "command)\n"
	       "\tlocal -a names=(\n");
	for (size_t i = 0; i < n_commands; i++) {
		printf("\t\t'%s:", commands[i]->name);
		print_zsh_text(commands[i]->help, ":");
		printf("'\n");
	}
	printf("\t)\n"
	       "\t_describe command names\n"
	       "\t;;\n"
	       "arguments)\n"
	       "\tcase $words[1] in\n");
	for (size_t i = 0; i < n_commands; i++)
		print_zsh_command(commands[i]);
	printf("\tesac\n"
	       "\t;;\n"
	       "esac\n");
}

/* mdoc ------------------------------------------------------------------------------------------------------------- */

static void
print_mdoc_row(const struct command_row *row)
{
	fputs(row->needed ? "." : ".Op ", stdout);
	if (row->name != NULL)
		printf("Fl -%s", row->name);
	if (row->word != NULL)
		fputs(row->name != NULL ? " Ar " : "Ar ", stdout);
	for (const char *c = row->word != NULL ? row->word : ""; *c != '\0'; c++)
		if (*c == '=')
			fputs(" Ns = Ns Ar ", stdout);
		else
			putchar(tolower((unsigned char)*c));
	puts(row->value == VALUE_LIST ? " ..." : "");
}

/* The options first, as in the usage text. */
static void
print_mdoc(void)
{
	for (size_t i = 0; i < n_commands; i++)
		for (unsigned form = 0; form < command_forms(commands[i]); form++) {
			printf(".Nm\n.Cm %s\n", commands[i]->name);
			for (int rank = 0; rank < COMMAND_RANKS; rank++)
				for (const struct command_row *row = commands[i]->rows; !command_row_is_last(row);
				     row++)
					if (command_row_rank(row) == rank && command_row_in_form(row, form))
						print_mdoc_row(row);
		}
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int
run_completion(void *options)
{
	static void (*const print[COMPLETION_COUNT])(void) = {print_bash, print_zsh, print_mdoc};
	const struct completion *completion = options;

	print[completion->form]();
	return 0;
}

static const struct command_row rows[] = {
    {NULL, "FORM", NULL, VALUE_INDEX, offsetof(struct completion, form), form_names, COMPLETION_COUNT, .needed = true},
    {0},
};

const struct command command_completion = {
    .name = "completion",
    .help = "write what completes command lines in a shell",
    .about = "FORM is bash or zsh, whose completion it writes, or mdoc, for the synopsis of slatectl(1).\n",
    .rows = rows,
    .size = sizeof(struct completion),
    .run = run_completion,
};
