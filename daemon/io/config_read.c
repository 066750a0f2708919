/* Problems with their places, and readers of single settings. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"

void
config_problems_print(const struct config_problems *problems, FILE *out)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_problem *problem = &problems->items[i];

		fputs(problem->file, out);
		if (problem->line > 0)
			fprintf(out, ":%u", problem->line);
		if (*problem->setting != '\0')
			fprintf(out, ": %s", problem->setting);
		fprintf(out, ": %s", problem->message);
		if (problem->check != NULL)
			fprintf(out, " [%s]", problem->check);
		fputc('\n', out);
	}
}

void
config_problems_clear(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		free(problems->items[i].file);
		free(problems->items[i].setting);
		free(problems->items[i].message);
		free(problems->items[i].witness);
	}
	free(problems->items);
	*problems = (struct config_problems){0};
}

/* Takes `setting` and `message`, which may be NULL when memory is out. */
static void
problem_add(struct loader *loader, const struct source *source, unsigned line, char *setting, char *message)
{
	struct config_problem problem = {
	    .file = loader_strdup(loader, source->display),
	    .line = line,
	    .setting = setting,
	    .message = message,
	    .source = source->index,
	};
	struct config_problem *items =
	    loader_grow(loader, loader->problems->items, loader->problems->n, sizeof problem);

	if (items != NULL)
		loader->problems->items = items;
	if (items == NULL || problem.file == NULL || setting == NULL || message == NULL) {
		free(problem.file);
		free(setting);
		free(message);
		return;
	}
	items[loader->problems->n++] = problem;
}

const struct source *
setting_source(const config_setting_t *setting)
{
	while (setting->parent != NULL)
		setting = setting->parent;
	return setting->hook;
}

/* "policies[2].targets[0].within" */
static char *
setting_path(struct loader *loader, const config_setting_t *setting, const char *key)
{
	char *path = loader_strdup(loader, key != NULL ? key : "");

	for (const config_setting_t *s = setting; path != NULL && s->parent != NULL; s = s->parent) {
		const char *dot = *path != '\0' && *path != '[' ? "." : "";
		char *longer = s->name != NULL ? loader_printf(loader, "%s%s%s", s->name, dot, path)
		                               : loader_printf(loader, "[%d]%s%s", config_setting_index(s), dot, path);
		free(path);
		path = longer;
	}
	return path;
}

void
loader_problem(struct loader *loader, const config_setting_t *setting, const char *key, const char *format, ...)
{
	const config_setting_t *member = key != NULL ? config_setting_get_member(setting, key) : NULL;
	char *message = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0) {
		message = NULL;
		loader->error = -ENOMEM;
	}
	va_end(args);
	problem_add(loader, setting_source(setting), config_setting_source_line(member != NULL ? member : setting),
	            setting_path(loader, setting, key), message);
}

void
loader_finding(struct loader *loader, const char *check, const config_setting_t *setting, const char *key,
               struct text *text)
{
	const config_setting_t *member = key != NULL ? config_setting_get_member(setting, key) : NULL;
	size_t before = loader->problems->n;

	if (text->failed)
		loader->error = -ENOMEM;
	problem_add(loader, setting_source(setting), config_setting_source_line(member != NULL ? member : setting),
	            setting_path(loader, setting, key), text->failed ? NULL : loader_strdup(loader, text->data));
	text_empty(text);
	if (loader->problems->n > before)
		loader->problems->items[before].check = check;
}

void
loader_problem_at(struct loader *loader, const struct source *source, unsigned line, const char *format, ...)
{
	char *message = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0) {
		message = NULL;
		loader->error = -ENOMEM;
	}
	va_end(args);
	problem_add(loader, source, line, loader_strdup(loader, ""), message);
}

char *
loader_strdup(struct loader *loader, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		loader->error = -ENOMEM;
	return copy;
}

char *
loader_printf(struct loader *loader, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		loader->error = -ENOMEM;
	}
	va_end(args);
	return text;
}

void *
loader_grow(struct loader *loader, void *items, size_t n, size_t size)
{
	void *grown = reallocarray(items, n + 1, size);

	if (grown == NULL)
		loader->error = -ENOMEM;
	else
		memset((char *)grown + n * size, 0, size);
	return grown;
}

config_setting_t *
setting_member(const config_setting_t *group, const char *key)
{
	return config_setting_is_group(group) ? config_setting_get_member(group, key) : NULL;
}

const char *
setting_string(const config_setting_t *group, const char *key)
{
	const config_setting_t *member = setting_member(group, key);

	return member != NULL ? config_setting_get_string(member) : NULL;
}

int
strings_count(const config_setting_t *setting)
{
	if (setting == NULL || config_setting_is_group(setting))
		return 0;
	return config_setting_is_aggregate(setting) ? config_setting_length(setting) : 1;
}

config_setting_t *
strings_at(config_setting_t *setting, int i)
{
	return config_setting_is_aggregate(setting) ? config_setting_get_elem(setting, (unsigned)i) : setting;
}

char *
loader_value_text(struct loader *loader, const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		return loader_strdup(loader, config_setting_get_string(setting));
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return loader_printf(loader, "%lld", config_setting_get_int64(setting));
	case CONFIG_TYPE_BOOL:
		return loader_strdup(loader, config_setting_get_bool(setting) ? "true" : "false");
	default:
		return NULL;
	}
}

char **
loader_texts(struct loader *loader, config_setting_t *setting, size_t *ret_n)
{
	int count = strings_count(setting);
	char **texts = calloc((size_t)count + 1, sizeof *texts);
	size_t n = 0;

	if (texts == NULL) {
		loader->error = -ENOMEM;
		*ret_n = 0;
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		texts[n] = loader_value_text(loader, strings_at(setting, i));
		if (texts[n] != NULL)
			n++;
	}
	*ret_n = n;
	return texts;
}

const char *
loader_required(struct loader *loader, const config_setting_t *group, const char *key)
{
	const config_setting_t *member = setting_member(group, key);

	if (member == NULL) {
		loader_problem(loader, group, key, "is missing");
		return NULL;
	}
	const char *text = config_setting_get_string(member);
	if (text != NULL && *text == '\0') {
		loader_problem(loader, group, key, "must not be empty");
		return NULL;
	}
	return text;
}

/* "pin, follow or better_of" */
static char *
words_list(struct loader *loader, const char *const *words, int n)
{
	char *list = loader_strdup(loader, "");
	int left = 0;

	for (int i = 0; i < n; i++)
		left += words[i] != NULL;
	for (int i = 0; i < n && list != NULL; i++) {
		if (words[i] == NULL)
			continue;
		const char *glue = *list == '\0' ? "" : left == 1 ? " or " : ", ";
		char *longer = loader_printf(loader, "%s%s%s", list, glue, words[i]);
		free(list);
		list = longer;
		left--;
	}
	return list;
}

int
loader_word(struct loader *loader, const config_setting_t *setting, const char *const *words, int n)
{
	const char *text = config_setting_get_string(setting);

	if (text == NULL)
		return -1;
	int i = name_index(words, n, text);
	if (i >= 0)
		return i;

	struct suggestion suggestion = {.given = text};
	char nearest[128];
	for (int j = 0; j < n; j++)
		if (words[j] != NULL)
			suggestion_offer(&suggestion, words[j]);
	char *list = words_list(loader, words, n);
	if (list != NULL)
		loader_problem(loader, setting, NULL, "\"%s\" is not one of %s%s", text, list,
		               suggestion_text(&suggestion, nearest));
	free(list);
	return -1;
}

bool
loader_duration(struct loader *loader, const config_setting_t *group, const char *key, const char *initial,
                struct duration *ret)
{
	const config_setting_t *member = setting_member(group, key);
	const char *text = member != NULL ? config_setting_get_string(member) : initial;
	struct period period;

	if (text == NULL) {
		ret->us = 0;
		return member == NULL;
	}
	int r = period_parse(text, &period);
	if (r == -ERANGE) {
		loader_problem(loader, group, key, "\"%s\" is over a hundred years", text);
	} else if (r < 0) {
		loader_problem(loader, group, key, "\"%s\" is not a duration such as \"1h30m\" or \"45s\"", text);
	} else if (period.business_days > 0) {
		loader_problem(loader, group, key, "\"%s\": business days count only in within and under", text);
	} else {
		*ret = period.elapsed;
		return true;
	}
	return false;
}

bool
loader_int(struct loader *loader, const config_setting_t *group, const char *key, long long min, long long max,
           long long *ret)
{
	const config_setting_t *member = setting_member(group, key);

	if (member == NULL ||
	    (config_setting_type(member) != CONFIG_TYPE_INT && config_setting_type(member) != CONFIG_TYPE_INT64))
		return false;
	long long value = config_setting_get_int64(member);
	if (value < min || value > max) {
		loader_problem(loader, group, key, "%lld is not between %lld and %lld", value, min, max);
		return false;
	}
	*ret = value;
	return true;
}

bool
names_add(struct loader *loader, struct names *names, config_setting_t *setting, const char *key, const char *name,
          const char *what)
{
	const config_setting_t *first = names_find(names, name);

	if (first != NULL) {
		loader_problem(loader, setting, key, "%s \"%s\" is already defined at %s:%u", what, name,
		               setting_source(first)->display, config_setting_source_line(first));
		return false;
	}
	void *items = loader_grow(loader, names->items, names->n, sizeof *names->items);
	if (items == NULL)
		return false;
	names->items = items;
	names->items[names->n].name = name;
	names->items[names->n++].setting = setting;
	return true;
}

config_setting_t *
names_find(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i].name, name) == 0)
			return names->items[i].setting;
	return NULL;
}

void
loader_each(struct loader *loader, const char *key, void (*each)(struct loader *, config_setting_t *))
{
	for (size_t i = 0; i < loader->n_sources; i++) {
		struct source *source = loader->sources[i];

		if (!source->parsed)
			continue;
		config_setting_t *all = setting_member(config_root_setting(&source->lib), key);
		if (all == NULL || !config_setting_is_aggregate(all))
			continue;
		for (int j = 0; j < config_setting_length(all); j++)
			each(loader, config_setting_get_elem(all, (unsigned)j));
	}
}
