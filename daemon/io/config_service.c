/* What belongs to the service: database, instance, HTTP server, outbox, heartbeat and links. And what all the settings
 * hold is given back. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_secret.h"
#include "slated/text.h"

/* Two renewals of the lease, which prove that the ledger can be written where nothing else is. */
#define HEARTBEAT_MIN_US (10 * US_PER_S)
/* What a socket's address has room for, with a NUL behind it. */
#define PATH_LENGTH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

bool
url_is(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(url, scheme, len) != 0)
		return false;
	url += len;
	if (*url == 's' || *url == 'S')
		url++;
	return strncmp(url, "://", 3) == 0 && url[3] != '\0' && url[3] != '/' && strpbrk(url, " \t\r\n") == NULL;
}

char *
loader_url(struct loader *loader, const config_setting_t *group, const char *key, const char *scheme)
{
	const char *text = setting_string(group, key);

	if (text == NULL)
		return NULL;
	if (url_is(text, scheme))
		return loader_strdup(loader, text);
	loader_problem(loader, group, key, "\"%s\" is not an address that begins with %s:// or %ss://", text, scheme,
	               scheme);
	return NULL;
}

char **
loader_command(struct loader *loader, config_setting_t *setting)
{
	size_t n;
	char **command = loader_texts(loader, setting, &n);

	if (command == NULL)
		return NULL;
	if (n == 0 || *command[0] == '\0') {
		loader_problem(loader, setting, NULL, "names no program");
		return command;
	}
	char *name = loader_path(loader, setting, command[0]);
	char *path = name != NULL ? loader_open_path(loader, name) : NULL;
	free(name);
	if (path != NULL) {
		free(command[0]);
		command[0] = path;
	}
	return command;
}

/* Groups that several files may share; each setting of theirs is given once. The group of the file that has `key`, or
 * NULL. */
static config_setting_t *
service_group(struct loader *loader, const char *group, const char *key)
{
	config_setting_t *found = NULL;

	for (size_t i = 0; i < loader->n_sources; i++) {
		if (!loader->sources[i]->parsed)
			continue;
		config_setting_t *here = setting_member(config_root_setting(&loader->sources[i]->lib), group);
		if (here == NULL || setting_member(here, key) == NULL)
			continue;
		if (found == NULL)
			found = here;
		else
			loader_problem(loader, here, key, "is already given at %s:%u", setting_source(found)->display,
			               config_setting_source_line(setting_member(found, key)));
	}
	return found;
}

/* The same where either of two settings says it. */
static config_setting_t *
service_group_either(struct loader *loader, const char *group, const char *key, const char *other)
{
	config_setting_t *found = service_group(loader, group, key);
	config_setting_t *found_other = service_group(loader, group, other);

	if (found != NULL && found_other != NULL && found != found_other)
		loader_problem(loader, found_other, other, "cannot stand beside %s at %s:%u", key,
		               setting_source(found)->display, config_setting_source_line(found));
	return found != NULL ? found : found_other;
}

/* A password in the text would be stored with the configuration. */
static bool
conninfo_has_password(const char *conninfo)
{
	const char *at = conninfo, *scheme = strstr(conninfo, "://");

	if (scheme != NULL &&
	    (strncmp(conninfo, "postgres://", 11) == 0 || strncmp(conninfo, "postgresql://", 13) == 0)) {
		const char *user = scheme + 3;
		size_t len = strcspn(user, "/?");
		const char *host = memrchr(user, '@', len);
		if (host != NULL && memchr(user, ':', (size_t)(host - user)) != NULL)
			return true;
	}
	while ((at = strstr(at, "password")) != NULL) {
		bool begins = at == conninfo || strchr(" \t\n?&", at[-1]) != NULL;
		at += strlen("password");
		if (begins && at[strspn(at, " \t\n")] == '=')
			return true;
	}
	return false;
}

char *
loader_conninfo(struct loader *loader, const config_setting_t *group)
{
	const char *conninfo = setting_string(group, "conninfo");

	if (conninfo == NULL)
		return NULL;
	if (conninfo_has_password(conninfo))
		loader_problem(loader, group, "conninfo",
		               "holds a password: use password_credential or password_file instead");
	return loader_strdup(loader, conninfo);
}

static void
database_timeout_load(struct loader *loader)
{
	struct config *config = loader->config;
	const config_setting_t *group = service_group(loader, "database", "timeout");

	config->database_timeout = DATABASE_TIMEOUT_MAX;
	if (group != NULL && loader_duration(loader, group, "timeout", NULL, &config->database_timeout) &&
	    (config->database_timeout.us < US_PER_S || config->database_timeout.us > DATABASE_TIMEOUT_MAX.us))
		loader_problem(loader, group, "timeout", "is not within 1s and 30s");
}

static void
database_load(struct loader *loader)
{
	struct config *config = loader->config;
	const config_setting_t *group = service_group(loader, "database", "conninfo");

	if (group != NULL && loader_required(loader, group, "conninfo") != NULL)
		config->conninfo = loader_conninfo(loader, group);
	group = service_group_either(loader, "database", "password_credential", "password_file");
	if (group != NULL)
		config->password = loader_secret(loader, group, "password_credential", "password_file");
	database_timeout_load(loader);
}

static void
instance_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "instance", "name");
	const config_setting_t *reload = service_group(loader, "instance", "reload");
	static const char *const words[] = {"keep", "migrate"};
	char host[HOST_NAME_MAX + 1] = "";

	if (reload != NULL)
		loader->config->migrate = loader_word(loader, setting_member(reload, "reload"), words, 2) == 1;
	if (group != NULL) {
		const char *name = loader_required(loader, group, "name");
		loader->config->instance = loader_strdup(loader, name != NULL ? name : "");
		return;
	}
	if (gethostname(host, sizeof host - 1) < 0 || *host == '\0')
		strcpy(host, "localhost");
	loader->config->instance = loader_strdup(loader, host);
}

static bool
address_is_path(const char *text)
{
	return strncmp(text, "unix:/", strlen("unix:/")) == 0;
}

/* "127.0.0.1:9464", "[::1]:9464", "unix:/run/slated/http.sock" */
static bool
address_is_right(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;

	if (address_is_path(text))
		return strlen(text) - strlen("unix:") <= PATH_LENGTH_MAX;
	if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9')
		return false;
	if (*text == '[' ? colon[-1] != ']' : memchr(text, ':', (size_t)(colon - text)) != NULL)
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	return *end == '\0' && port <= 65535;
}

/* Whether only this host can reach it. A name but "localhost" could be any address. */
static bool
host_is_loopback(const char *text, size_t len)
{
	struct in_addr v4;
	char host[64];

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

static bool
address_is_loopback(const char *text)
{
	return address_is_path(text) || host_is_loopback(text, (size_t)(strrchr(text, ':') - text));
}

bool
url_is_loopback(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, "/?#");
	const char *port = memrchr(host, ':', len);

	if (port != NULL && host[len - 1] != ']')
		len = (size_t)(port - host);
	return host_is_loopback(host, len);
}

static void
http_load(struct loader *loader)
{
	struct config *config = loader->config;
	config_setting_t *token = service_group_either(loader, "http", "token_credential", "token_file");
	config_setting_t *group = service_group(loader, "http", "listen");
	config_setting_t *list = group != NULL ? setting_member(group, "listen") : NULL;

	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		const char *text = config_setting_get_string(element);

		if (text != NULL && !address_is_right(text))
			loader_problem(loader, element, NULL,
			               "\"%s\" is not of the form \"127.0.0.1:9464\", \"[::1]:9464\" or "
			               "\"unix:/PATH\" (%zu characters at most)",
			               text, PATH_LENGTH_MAX);
		else if (text != NULL && token == NULL && !address_is_loopback(text))
			loader_problem(loader, element, NULL,
			               "\"%s\" can be reached from other hosts: give http a token_credential or a "
			               "token_file, or listen on 127.0.0.1 or [::1]",
			               text);
	}
	if (list != NULL && strings_count(list) > 0)
		config->listen = loader_texts(loader, list, &config->n_listen);
	if (token != NULL)
		config->token = loader_secret(loader, token, "token_credential", "token_file");
}

static void
outbox_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "outbox", "concurrency");
	long long concurrency = strtoll(config_row(SCOPE_OUTBOX, "concurrency")->initial, NULL, 10);

	if (group != NULL)
		(void)loader_int(loader, group, "concurrency", 1, 1024, &concurrency); /* it has reported */
	loader->config->concurrency = (unsigned)concurrency;
}

/* Which of a ticket's facts a link may hold, in %{...}. */
static bool
link_is_right(const char *text)
{
	static const char *const facts[] = {"id", "source", "external_id", "org"};

	while ((text = strchr(text, '%')) != NULL) {
		bool known = false;
		for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
			size_t len = strlen(facts[i]);
			known |= strncmp(text, "%{", 2) == 0 && strncmp(text + 2, facts[i], len) == 0 &&
			         text[2 + len] == '}';
		}
		bool encoded = strspn(text + 1, "0123456789ABCDEFabcdef") >= 2;
		if (!known && !encoded)
			return false;
		text++;
	}
	return true;
}

static void
links_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "links", "ticket");
	const char *text = group != NULL ? setting_string(group, "ticket") : NULL;

	if (text == NULL)
		return;
	if (!link_is_right(text))
		loader_problem(loader, group, "ticket", "\"%s\": after %% comes {id}, {source}, {external_id} or {org}",
		               text);
	loader->config->ticket_link = loader_url(loader, group, "ticket", "http");
}

static void
heartbeat_load(struct loader *loader)
{
	struct config *config = loader->config;
	config_setting_t *url = service_group(loader, "heartbeat", "url");
	config_setting_t *secret = service_group_either(loader, "heartbeat", "url_credential", "url_file");
	const config_setting_t *every = service_group(loader, "heartbeat", "every");
	const char *initial = config_row(SCOPE_HEARTBEAT, "every")->initial;
	struct period period;

	if (url != NULL || secret != NULL)
		config->heartbeat_url = loader_either_url(loader, url != NULL ? url : secret);
	if (url != NULL && secret != NULL && url != secret)
		loader_problem(loader, secret, NULL, "cannot stand beside url at %s:%u", setting_source(url)->display,
		               config_setting_source_line(url));
	if (period_parse(initial, &period) == 0)
		config->heartbeat_every = period.elapsed;
	if (every != NULL && loader_duration(loader, every, "every", NULL, &config->heartbeat_every) &&
	    config->heartbeat_every.us < HEARTBEAT_MIN_US)
		loader_problem(loader, every, "every",
		               "is shorter than 10s: the daemon itself looks after its lease every 5s");
}

void
loader_service(struct loader *loader)
{
	database_load(loader);
	instance_load(loader);
	http_load(loader);
	outbox_load(loader);
	heartbeat_load(loader);
	links_load(loader);
}

static void
secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
texts_free(char **texts)
{
	for (char **text = texts; text != NULL && *text != NULL; text++)
		free(*text);
	free(texts);
}

/* A channel's settings are const to all but the loader, which made them. */
static void *
own(const void *setting)
{
	return (void *)(uintptr_t)setting;
}

static void
channel_clear(struct channel_settings *channel)
{
	for (size_t i = 0; i < channel->n_secrets; i++)
		secret_free(own(channel->secrets[i]));
	free(own(channel->secrets));
	secret_free(own(channel->routing_key));
	secret_free(own(channel->token));
	free(own(channel->adapter));
	free(own(channel->tag));
	secret_free(own(channel->password));
	secret_free(own(channel->url));
	texts_free(own(channel->command));
	texts_free(own(channel->to));
	free(own(channel->name));
	free(own(channel->fallback));
	free(own(channel->smtp));
	free(own(channel->user));
	free(own(channel->from));
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	policy_set_free(config->policies);
	for (size_t i = 0; i < config->n_channels; i++)
		channel_clear(&config->channels[i]);
	free(config->channels);
	adapters_clear(config);
	texts_free(config->listen);
	secret_free(config->password);
	secret_free(config->token);
	secret_free(config->heartbeat_url);
	free(config->conninfo);
	free(config->ticket_link);
	free(config->instance);
	free(config->source);
	free(config);
}
