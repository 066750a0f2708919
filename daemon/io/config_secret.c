/* Secrets: systemd's credentials, and files that others cannot read. None stands in the configuration itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_secret.h"

#define SECRET_SIZE_MAX 65536

static bool
secret_is_wanted(const struct loader *loader, const config_setting_t *group)
{
	if ((loader->flags & CONFIG_NO_SECRETS) == 0)
		return true;
	return (loader->flags & CONFIG_DATABASE_SECRET) != 0 && strcmp(group->name, "database") == 0;
}

/* Where a credential lies (systemd.exec(5), LoadCredential=); NULL after a problem. */
static char *
credential_path(struct loader *loader, const config_setting_t *group, const char *key)
{
	const char *name = loader_required(loader, group, key);
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (name == NULL)
		return NULL;
	if (strchr(name, '/') != NULL || *name == '.') {
		loader_problem(loader, group, key, "\"%s\" is not the name of a credential", name);
		return NULL;
	}
	if (!secret_is_wanted(loader, group))
		return NULL;
	if (folder == NULL) {
		loader_problem(
		    loader, group, key,
		    "there are no credentials: $CREDENTIALS_DIRECTORY is not set (LoadCredential= of systemd "
		    "sets it)");
		return NULL;
	}
	return loader_printf(loader, "%s/%s", folder, name);
}

/* Where a secret file lies, once nobody else can read it; NULL after a problem. */
static char *
secret_file_path(struct loader *loader, const config_setting_t *group, const char *key)
{
	const char *name = loader_required(loader, group, key);
	struct stat status;

	if (name == NULL || !secret_is_wanted(loader, group))
		return NULL;
	char *relative = loader_path(loader, group, name);
	char *path = relative != NULL ? loader_open_path(loader, relative) : NULL;
	free(relative);
	if (path == NULL)
		return NULL;
	if (stat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		loader_problem(loader, group, key, "\"%s\" can be read by others (mode %04o): make it 0600", name,
		               (unsigned)status.st_mode & 07777);
		free(path);
		return NULL;
	}
	return path;
}

static char *
secret_read(struct loader *loader, const config_setting_t *group, const char *key, const char *path)
{
	char *text = NULL;
	size_t len;

	int r = file_read(path, SECRET_SIZE_MAX, &text, &len);
	if (r == -ENOMEM) {
		loader->error = r;
		return NULL;
	}
	if (r < 0) {
		loader_problem(loader, group, key, "\"%s\": %s", setting_string(group, key), strerror(-r));
		return NULL;
	}
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		text[--len] = '\0';
	if (len > 0 && memchr(text, '\0', len) == NULL)
		return text;
	loader_problem(loader, group, key, "\"%s\" %s", setting_string(group, key),
	               len == 0 ? "is empty" : "has a NUL byte in it");
	explicit_bzero(text, len);
	free(text);
	return NULL;
}

char *
loader_secret(struct loader *loader, const config_setting_t *group, const char *credential_key, const char *file_key)
{
	bool credential = setting_member(group, credential_key) != NULL;
	bool file = setting_member(group, file_key) != NULL;
	const char *key = credential ? credential_key : file_key;

	if (credential && file)
		loader_problem(loader, group, file_key, "cannot stand beside %s", credential_key);
	if (!credential && !file)
		return NULL;
	char *path = credential ? credential_path(loader, group, key) : secret_file_path(loader, group, key);
	if (path == NULL)
		return NULL;
	char *secret = secret_read(loader, group, key, path);
	free(path);
	return secret;
}

/* Standard Webhooks: a secret is text, or "whsec_" and base64. */
static bool
signing_secret_is_right(const char *secret)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (strncmp(secret, "whsec_", 6) != 0)
		return true;
	size_t digits = strspn(secret + 6, base64);
	size_t padding = strspn(secret + 6 + digits, "=");
	return digits > 0 && padding <= 2 && (digits + padding) % 4 == 0 && secret[6 + digits + padding] == '\0';
}

char **
loader_signing_secrets(struct loader *loader, const config_setting_t *group, size_t *ret_n)
{
	char *text = loader_secret(loader, group, "secret_credential", "secret_file");
	const char *key = setting_member(group, "secret_credential") != NULL ? "secret_credential" : "secret_file";
	char **secrets = NULL;
	char *rest = NULL;
	size_t n = 0;

	if (text == NULL)
		return NULL;
	size_t len = strlen(text);
	for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
		if (!signing_secret_is_right(line)) {
			loader_problem(loader, group, key, "secret %zu: what follows whsec_ is not base64", n + 1);
			break;
		}
		char **longer = loader_grow(loader, secrets, n, sizeof *longer);
		if (longer == NULL)
			break;
		secrets = longer;
		secrets[n] = loader_strdup(loader, line);
		n += secrets[n] != NULL;
	}
	explicit_bzero(text, len);
	free(text);
	*ret_n = n;
	return secrets;
}

char *
loader_secret_url(struct loader *loader, const config_setting_t *group)
{
	char *url = loader_secret(loader, group, "url_credential", "url_file");

	if (url == NULL || url_is(url, "http"))
		return url;
	/* The text itself is a secret. */
	loader_problem(loader, group, setting_member(group, "url_credential") != NULL ? "url_credential" : "url_file",
	               "does not hold an http:// or https:// address");
	explicit_bzero(url, strlen(url));
	free(url);
	return NULL;
}

char *
loader_either_url(struct loader *loader, const config_setting_t *group)
{
	if (setting_member(group, "url") == NULL)
		return loader_secret_url(loader, group);
	if (setting_member(group, "url_credential") != NULL)
		loader_problem(loader, group, "url_credential", "cannot stand beside url");
	if (setting_member(group, "url_file") != NULL)
		loader_problem(loader, group, "url_file", "cannot stand beside url");
	return loader_url(loader, group, "url", "http");
}
