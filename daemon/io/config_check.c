/* Keys and types of every setting against the table, and what may have been meant. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"

/* Longer words are not compared: no setting or name comes near. */
#define WORD_MAX 64

/* Edit distance with swaps of neighbours (Damerau 1964; optimal string alignment), three rows at a time. */
static size_t
word_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

void
suggestion_offer(struct suggestion *suggestion, const char *word)
{
	size_t distance = word_distance(suggestion->given, word);

	if (suggestion->best != NULL && distance >= suggestion->distance)
		return;
	/* Past a third of its letters a word is another word. */
	if (distance > 1 && distance > strlen(word) / 3)
		return;
	suggestion->best = word;
	suggestion->distance = distance;
}

const char *
suggestion_text(const struct suggestion *suggestion, char text[static 128])
{
	if (suggestion->best == NULL)
		return "";
	snprintf(text, 128, ", did you mean \"%s\"?", suggestion->best);
	return text;
}

static bool
setting_is_text(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
	case CONFIG_TYPE_BOOL:
		return true;
	default:
		return false;
	}
}

static bool
setting_is_int(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_INT || config_setting_type(setting) == CONFIG_TYPE_INT64;
}

/* One or several; reports the elements that are wrong. */
static void
check_texts(struct loader *loader, const config_setting_t *setting, const struct config_row *row, bool strings_only)
{
	if (config_setting_is_array(setting) || config_setting_is_list(setting)) {
		for (int i = 0; i < config_setting_length(setting); i++) {
			const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);

			if (strings_only ? config_setting_type(element) != CONFIG_TYPE_STRING
			                 : !setting_is_text(element))
				loader_problem(loader, element, NULL, "must be a string, \"...\"");
		}
	} else if (strings_only ? config_setting_type(setting) != CONFIG_TYPE_STRING : !setting_is_text(setting)) {
		loader_problem(loader, setting, NULL, "must be %s", config_type_texts[row->type]);
	}
}

static void
check_groups(struct loader *loader, const config_setting_t *list, enum config_scope scope)
{
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *element = config_setting_get_elem(list, (unsigned)i);

		if (config_setting_is_group(element))
			loader_check_group(loader, element, scope);
		else
			loader_problem(loader, element, NULL, "must be a group, { ... }");
	}
}

/* "()" and "[]" both stand for an empty list of groups. */
static bool
setting_is_list(const config_setting_t *setting)
{
	return config_setting_is_list(setting) ||
	       (config_setting_is_array(setting) && config_setting_length(setting) == 0);
}

static void
check_named(struct loader *loader, const config_setting_t *group, const struct config_row *row)
{
	static const struct config_row value = {.type = TYPE_VALUE};

	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);

		if (row->type == TYPE_NAMED_LISTS && setting_is_list(member))
			check_groups(loader, member, row->child);
		else if (row->type == TYPE_NAMED_LISTS)
			loader_problem(loader, member, NULL, "must be %s", config_type_texts[TYPE_GROUPS]);
		else if (config_setting_is_group(member))
			loader_check_group(loader, member, row->child);
		else if (row->type == TYPE_NAMED_VALUES)
			check_texts(loader, member, &value, false);
		else
			loader_problem(loader, member, NULL, "must be a group, { ... }");
	}
}

static void
check_setting(struct loader *loader, const config_setting_t *setting, const struct config_row *row)
{
	bool right = true;

	switch (row->type) {
	case TYPE_STRING:
		right = config_setting_type(setting) == CONFIG_TYPE_STRING;
		break;
	case TYPE_INT:
		right = setting_is_int(setting);
		break;
	case TYPE_BOOL:
		right = config_setting_type(setting) == CONFIG_TYPE_BOOL;
		break;
	case TYPE_TEXT_VALUE:
		right = setting_is_text(setting);
		break;
	case TYPE_STRINGS:
	case TYPE_TEXT_VALUES:
		check_texts(loader, setting, row, row->type == TYPE_STRINGS);
		break;
	case TYPE_VALUE:
		if (config_setting_is_group(setting))
			loader_check_group(loader, setting, row->child);
		else
			check_texts(loader, setting, row, false);
		break;
	case TYPE_GROUP:
		right = config_setting_is_group(setting);
		if (right)
			loader_check_group(loader, setting, row->child);
		break;
	case TYPE_GROUPS:
		right = setting_is_list(setting);
		if (right)
			check_groups(loader, setting, row->child);
		break;
	case TYPE_NAMED_VALUES:
	case TYPE_NAMED_GROUPS:
	case TYPE_NAMED_LISTS:
		right = config_setting_is_group(setting);
		if (right)
			check_named(loader, setting, row);
		break;
	case TYPE_COUNT:
		break;
	}
	if (!right)
		loader_problem(loader, setting, NULL, "must be %s", config_type_texts[row->type]);
}

/* More names than these are no help in a message. */
#define NAMES_MAX 20

/* Where no name is near: all that there are. */
static void
tell_unknown(struct loader *loader, const config_setting_t *setting, enum config_scope scope)
{
	struct text names = {0};
	size_t n = 0;

	for (size_t i = 0; i < config_n_rows; i++) {
		if (config_rows[i].scope != scope)
			continue;
		text_add_format(&names, "%s%s", n++ > 0 ? ", " : "", config_rows[i].name);
	}
	if (names.failed)
		loader->error = -ENOMEM;
	else
		loader_problem(loader, setting, NULL, "unknown setting; %s%s",
		               n <= NAMES_MAX ? "there are " : "\"slatectl settings\" lists those that there are",
		               n <= NAMES_MAX ? names.data : "");
	free(names.data);
}

void
loader_check_group(struct loader *loader, const config_setting_t *group, enum config_scope scope)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct config_row *row = config_row(scope, setting->name);

		if (row != NULL) {
			check_setting(loader, setting, row);
			continue;
		}
		struct suggestion suggestion = {.given = setting->name};
		char nearest[128];
		for (size_t j = 0; j < config_n_rows; j++)
			if (config_rows[j].scope == scope)
				suggestion_offer(&suggestion, config_rows[j].name);
		if (suggestion.best != NULL)
			loader_problem(loader, setting, NULL, "unknown setting%s",
			               suggestion_text(&suggestion, nearest));
		else
			tell_unknown(loader, setting, scope);
	}
}
