/* Adapters: the ticket systems that tickets are taken over from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_secret.h"

/* PostgreSQL's names have 63 bytes, and "slated_" stands before this one. */
#define NAME_LENGTH_MAX 40

const char *const adapter_kind_names[ADAPTER_KIND_COUNT] = {
    [ADAPTER_GENERIC] = "generic",   [ADAPTER_REQUEST_TRACKER] = "request-tracker",
    [ADAPTER_REDMINE] = "redmine",   [ADAPTER_ZAMMAD] = "zammad",
    [ADAPTER_CHATWOOT] = "chatwoot",
};

/* Settings of a kind: those that it needs, and those that no other has. */
static const struct {
	const char *name;
	bool needed;
} generic_settings[] = {
    {"ticket_table", true},  {"ticket_key", true},      {"opened_at", true},    {"updated_at", false},
    {"external_id", false},  {"message_table", false},  {"message_key", false}, {"message_ticket", false},
    {"message_at", false},   {"message_author", false}, {"author_map", false},  {"message_public", false},
    {"message_body", false}, {"status", true},
};
#define N_GENERIC (sizeof generic_settings / sizeof *generic_settings)

static const char *const message_settings[] = {"message_key", "message_ticket", "message_at", "message_author"};

static const char *const statuses[] = {"open", "pending", "on_hold", "solved", "closed"};
static const char *const authors[] = {"agent", "customer", "system"};

const struct adapter_value *
adapter_value(const struct adapter_settings *adapter, const char *key)
{
	for (size_t i = 0; i < adapter->n_values; i++)
		if (strcmp(adapter->values[i].key, key) == 0)
			return &adapter->values[i];
	return NULL;
}

/* "stalled, waiting = pending" */
static void
rule_check(struct loader *loader, const config_setting_t *setting, const char *const *words, int n)
{
	const char *text = config_setting_get_string(setting);
	const char *equals = text != NULL ? strrchr(text, '=') : NULL;

	if (text == NULL)
		return; /* it has been reported */
	const char *word = equals != NULL ? equals + 1 + strspn(equals + 1, " ") : "";
	if (equals == NULL || equals == text || *word == '\0')
		loader_problem(loader, setting, NULL, "\"%s\" is not of the form \"theirs, theirs = ours\"", text);
	else if (words != NULL && name_index(words, n, word) < 0)
		loader_problem(loader, setting, NULL, "\"%s\" maps to none of %s, %s, %s%s", text, words[0], words[1],
		               words[2], n == 5 ? ", solved and closed" : "");
	else if (words == NULL && policy_set_severity(loader->set, word) < 0)
		loader_problem(loader, setting, NULL, "\"%s\": there is no severity \"%s\"", text, word);
}

static void
map_check(struct loader *loader, const config_setting_t *group, const char *key, const char *const *words, int n)
{
	config_setting_t *map = setting_member(group, key);

	for (int i = 0; i < strings_count(map); i++)
		rule_check(loader, strings_at(map, i), words, n);
}

static void
name_check(struct loader *loader, const config_setting_t *group)
{
	size_t len = strlen(group->name);

	if (len > NAME_LENGTH_MAX || strspn(group->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		loader_problem(loader, group, NULL,
		               "\"%s\" is no name for an adapter: lower-case letters, digits and _, %d at most",
		               group->name, NAME_LENGTH_MAX);
}

static void
kind_check(struct loader *loader, const config_setting_t *group, enum adapter_kind kind)
{
	for (size_t i = 0; i < N_GENERIC; i++) {
		const config_setting_t *setting = setting_member(group, generic_settings[i].name);

		if (kind == ADAPTER_GENERIC && generic_settings[i].needed)
			(void)loader_required(loader, group, generic_settings[i].name);
		if (kind != ADAPTER_GENERIC && setting != NULL)
			loader_problem(loader, setting, NULL, "is no setting of kind \"%s\"", adapter_kind_names[kind]);
	}
	if (kind != ADAPTER_GENERIC || setting_member(group, "message_table") == NULL)
		return;
	for (size_t i = 0; i < sizeof message_settings / sizeof *message_settings; i++)
		(void)loader_required(loader, group, message_settings[i]);
}

/* Everything as texts, for slatectl attach to make SQL of. */
static void
values_load(struct loader *loader, const config_setting_t *group, struct adapter_settings *adapter)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct config_row *row = config_row(SCOPE_ADAPTER, setting->name);
		struct adapter_value *values = loader_grow(loader, adapter->values, adapter->n_values, sizeof *values);

		if (values == NULL)
			return;
		adapter->values = values;
		if (row == NULL)
			continue; /* it has been reported */
		struct adapter_value *value = &values[adapter->n_values++];
		value->key = row->name;
		value->texts = loader_texts(loader, setting, &value->n);
	}
}

static void
times_load(struct loader *loader, const config_setting_t *group, struct adapter_settings *adapter)
{
	const char *settle = adapter->kind == ADAPTER_REQUEST_TRACKER ? "2s" : NULL;

	if (loader_duration(loader, group, "settle", settle, &adapter->settle) && adapter->settle.us > 30 * US_PER_S)
		loader_problem(loader, group, "settle", "is longer than 30s: deadlines would be blind for as long");
	if (loader_duration(loader, group, "sweep", config_row(SCOPE_ADAPTER, "sweep")->initial, &adapter->sweep) &&
	    adapter->sweep.us < US_PER_S)
		loader_problem(loader, group, "sweep", "is shorter than 1s");
}

static void
adapter_load(struct loader *loader, config_setting_t *group)
{
	struct config *config = loader->config;

	if (!config_setting_is_group(group))
		return;
	const config_setting_t *kind = setting_member(group, "kind");
	name_check(loader, group);
	if (!names_add(loader, &loader->adapters, group, NULL, group->name, "adapter"))
		return;
	if (kind == NULL)
		loader_problem(loader, group, "kind", "is missing");
	int word = kind != NULL ? loader_word(loader, kind, adapter_kind_names, ADAPTER_KIND_COUNT) : -1;
	if (word < 0)
		return;
	struct adapter_settings *adapters = loader_grow(loader, config->adapters, config->n_adapters, sizeof *adapters);
	if (adapters == NULL)
		return;
	config->adapters = adapters;
	struct adapter_settings *adapter = &adapters[config->n_adapters++];
	adapter->name = loader_strdup(loader, group->name);
	adapter->kind = (enum adapter_kind)word;
	adapter->conninfo = loader_conninfo(loader, group);
	adapter->password = loader_secret(loader, group, "password_credential", "password_file");
	times_load(loader, group, adapter);
	kind_check(loader, group, adapter->kind);
	map_check(loader, group, "status_map", statuses, 5);
	map_check(loader, group, "author_map", authors, 3);
	map_check(loader, group, "severity_map", NULL, 0);
	values_load(loader, group, adapter);
}

void
loader_adapters(struct loader *loader)
{
	loader_each(loader, "adapters", adapter_load);
}

void
adapters_clear(struct config *config)
{
	for (size_t i = 0; i < config->n_adapters; i++) {
		struct adapter_settings *adapter = &config->adapters[i];

		for (size_t j = 0; j < adapter->n_values; j++) {
			for (size_t k = 0; k < adapter->values[j].n; k++)
				free(adapter->values[j].texts[k]);
			free(adapter->values[j].texts);
		}
		if (adapter->password != NULL)
			explicit_bzero(adapter->password, strlen(adapter->password));
		free(adapter->password);
		free(adapter->conninfo);
		free(adapter->name);
		free(adapter->values);
	}
	free(config->adapters);
}
