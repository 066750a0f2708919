/* Reads the files of a configuration, has every part checked, and keeps the source text.
 *
 * The source text is, for each file in the order read:
 *
 *     @file config 123 slated.conf LF, the 123 bytes, LF
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_load.h"
#include "slated/lint.h"

/* A configuration of this size is a mistake. */
#define FILE_SIZE_MAX (16U << 20)
/* Most files fit into this. */
#define FILE_ROOM 16384U

/* Appends what the file holds, up to a byte more than `max`. 0 or negative errno; *text is the caller's either way. */
static int
file_append(FILE *file, size_t max, char **text, size_t *len)
{
	size_t room = 0;

	do {
		room = room == 0 ? FILE_ROOM : 2 * room;
		char *longer = realloc(*text, room + 1);
		if (longer == NULL)
			return -ENOMEM;
		*text = longer;
		*len += fread(*text + *len, 1, room - *len, file);
		if (ferror(file) != 0)
			return -EIO;
	} while (*len == room && *len <= max);
	return *len > max ? -EFBIG : 0;
}

int
file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	char *text = NULL;
	size_t len = 0;
	int r = 0;

	if (file == NULL)
		return -errno;
	if (fstat(fileno(file), &status) < 0)
		r = -EIO;
	else if (S_ISDIR(status.st_mode))
		r = -EISDIR;
	else
		r = file_append(file, max, &text, &len);
	(void)fclose(file); /* only read */
	if (r < 0) {
		free(text);
		return r;
	}
	text[len] = '\0';
	char *shrunk = realloc(text, len + 1);
	if (shrunk != NULL)
		text = shrunk;
	*ret = text;
	*ret_len = len;
	return 0;
}

/* Takes the texts, which may be NULL when memory is out. */
static struct source *
source_add(struct loader *loader, char *name, char *display, char *text, size_t len, bool feed)
{
	struct source **sources = loader_grow(loader, loader->sources, loader->n_sources, sizeof *sources);
	struct source *source = calloc(1, sizeof *source);

	if (sources != NULL)
		loader->sources = sources;
	if (sources == NULL || source == NULL || name == NULL || display == NULL || text == NULL) {
		loader->error = -ENOMEM;
		free(source);
		free(name);
		free(display);
		free(text);
		return NULL;
	}
	*source = (struct source){
	    .name = name, .display = display, .text = text, .len = len, .index = loader->n_sources, .feed = feed};
	config_init(&source->lib);
	sources[loader->n_sources++] = source;
	return source;
}

static void
source_free(struct source *source)
{
	config_destroy(&source->lib);
	free(source->name);
	free(source->display);
	free(source->text);
	free(source);
}

/* A path as one of `folder`'s: unchanged when it is absolute, else behind the folder and its slash. */
static char *
path_join(struct loader *loader, const char *folder, size_t folder_len, const char *path)
{
	if (*path == '/')
		folder_len = 0;
	return loader_printf(loader, "%.*s%s", (int)folder_len, folder, path);
}

/* How much of a path is its folder, with the slash. */
static size_t
folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

char *
loader_path(struct loader *loader, const config_setting_t *setting, const char *path)
{
	const char *name = setting_source(setting)->name;

	return path_join(loader, name, folder_length(name), path);
}

char *
loader_open_path(struct loader *loader, const char *name)
{
	const char *main_path = loader->main_path != NULL ? loader->main_path : "";

	return path_join(loader, main_path, folder_length(main_path), name);
}

/* The line of the first byte that is NUL or no UTF-8 (RFC 3629, without the finer points of its table), or 0. */
static unsigned
text_bad_line(const char *text, size_t len)
{
	unsigned line = 1;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t follow = c < 0x80                ? 0
		                : c >= 0xc2 && c < 0xe0 ? 1
		                : (c & 0xf0) == 0xe0    ? 2
		                : c >= 0xf0 && c < 0xf5 ? 3
		                                        : 9;

		if (c == '\0' || follow == 9 || follow > len - i - 1)
			return line;
		line += c == '\n';
		for (; follow > 0; follow--)
			if (((unsigned char)text[++i] & 0xc0) != 0x80)
				return line;
	}
	return 0;
}

static const char *
errno_text(int r)
{
	return r == -EFBIG ? "is larger than 16 MiB" : strerror(-r);
}

const struct source *
loader_feed(struct loader *loader, const config_setting_t *setting)
{
	char *name = loader_path(loader, setting, config_setting_get_string(setting));
	char *text = NULL;
	size_t len = 0;

	if (name == NULL)
		return NULL;
	for (size_t i = 0; i < loader->n_sources; i++)
		if (loader->sources[i]->feed && strcmp(loader->sources[i]->name, name) == 0) {
			free(name);
			return loader->sources[i];
		}
	int r = -ENOENT;
	if (loader->main_path != NULL) {
		char *path = loader_open_path(loader, name);
		r = path != NULL ? file_read(path, FILE_SIZE_MAX, &text, &len) : -ENOMEM;
		free(path);
	}
	if (r < 0) {
		if (r == -ENOMEM)
			loader->error = r;
		else
			loader_problem(loader, setting, NULL, "\"%s\": %s", name, errno_text(r));
		free(name);
		return NULL;
	}
	struct source *source = source_add(loader, name, loader_strdup(loader, name), text, len, true);
	unsigned bad = source != NULL ? text_bad_line(text, len) : 0;
	if (bad > 0)
		loader_problem_at(loader, source, bad, "is not UTF-8 text");
	return bad > 0 ? NULL : source;
}

/* libconfig would open the files that such a line names: conf.d/ is there for that. */
static unsigned
include_line(const char *text)
{
	unsigned line = 1;

	for (const char *at = text; at != NULL && *at != '\0'; line++) {
		if (strncmp(at + strspn(at, " \t\r\f\v"), "@include", 8) == 0)
			return line;
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	return 0;
}

static void
source_parse(struct loader *loader, struct source *source)
{
	unsigned bad = text_bad_line(source->text, source->len);
	unsigned include = bad == 0 ? include_line(source->text) : 0;

	if (bad > 0) {
		loader_problem_at(loader, source, bad, "is not UTF-8 text");
	} else if (include > 0) {
		loader_problem_at(loader, source, include, "@include is not supported: put the file into conf.d/");
	} else if (config_read_string(&source->lib, source->text) != CONFIG_TRUE) {
		const char *text = config_error_text(&source->lib);
		loader_problem_at(loader, source, (unsigned)config_error_line(&source->lib), "%s",
		                  text != NULL ? text : "syntax error");
	} else {
		config_setting_t *root = config_root_setting(&source->lib);
		config_setting_set_hook(root, source);
		source->parsed = true;
		loader_check_group(loader, root, SCOPE_ROOT);
	}
}

/* Reads one file as `name`; a file that cannot be read is a problem of its own. */
static void
source_read(struct loader *loader, const char *path, const char *name, const char *display)
{
	char *text = NULL;
	size_t len = 0;
	int r = file_read(path, FILE_SIZE_MAX, &text, &len);

	if (r == -ENOMEM) {
		loader->error = r;
		return;
	}
	if (r < 0)
		text = loader_strdup(loader, "");
	struct source *source =
	    source_add(loader, loader_strdup(loader, name), loader_strdup(loader, display), text, len, false);
	if (source == NULL)
		return;
	if (r < 0)
		loader_problem_at(loader, source, 0, "%s", errno_text(r));
	else
		source_parse(loader, source);
}

static int
entry_is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static void
sources_read(struct loader *loader)
{
	size_t folder_len = folder_length(loader->main_path);
	struct dirent **entries = NULL;
	char *folder;
	int n = 0;

	source_read(loader, loader->main_path, loader->main_path + folder_len, loader->main_path);
	folder = loader_open_path(loader, "conf.d");
	if (folder != NULL)
		n = scandir(folder, &entries, entry_is_conf, alphasort);
	if (n < 0 && errno == ENOMEM)
		loader->error = -ENOMEM;
	else if (n < 0 && errno != ENOENT && errno != ENOTDIR && loader->n_sources > 0)
		loader_problem_at(loader, loader->sources[0], 0, "conf.d: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		char *name = loader_printf(loader, "conf.d/%s", entries[i]->d_name);
		char *path = name != NULL ? loader_open_path(loader, name) : NULL;

		if (path != NULL)
			source_read(loader, path, name, name);
		free(path);
		free(name);
		free(entries[i]);
	}
	free(entries);
	free(folder);
}

/* Cuts one file off the stored text. False where it is malformed. */
static bool
stored_take(struct loader *loader, const char **at, const char *end)
{
	char kind[8], name[4096];
	size_t len;
	int header = 0;
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	if (newline == NULL || newline - *at >= (ptrdiff_t)sizeof name)
		return false;
	char *line = strndup(*at, (size_t)(newline - *at));
	if (line == NULL) {
		loader->error = -ENOMEM;
		return true;
	}
	int fields = sscanf(line, "@file %7[a-z] %zu %4095[^\n]%n", kind, &len, name, &header);
	bool right = fields == 3 && (strcmp(kind, "config") == 0 || strcmp(kind, "feed") == 0) &&
	             len < (size_t)(end - newline - 1) && newline[1 + len] == '\n';
	free(line);
	if (!right)
		return false;

	char *text = malloc(len + 1);
	if (text == NULL) {
		loader->error = -ENOMEM;
		return true;
	}
	memcpy(text, newline + 1, len);
	text[len] = '\0';
	(void)source_add(loader, loader_strdup(loader, name), loader_strdup(loader, name), text, len,
	                 strcmp(kind, "feed") == 0); /* fails only by loader->error */
	*at = newline + 1 + len + 1;
	return true;
}

static void
sources_read_stored(struct loader *loader, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	while (at < end && loader->error == 0)
		if (!stored_take(loader, &at, end)) {
			struct source *source = source_add(loader, loader_strdup(loader, "stored configuration"),
			                                   loader_strdup(loader, "stored configuration"),
			                                   loader_strdup(loader, ""), 0, false);
			if (source != NULL)
				loader_problem_at(loader, source, 0, "malformed at byte %td", at - text);
			break;
		}
	for (size_t i = 0; i < loader->n_sources; i++) {
		struct source *source = loader->sources[i];

		if (!source->feed)
			source_parse(loader, source);
		else if (text_bad_line(source->text, source->len) > 0)
			loader_problem_at(loader, source, text_bad_line(source->text, source->len),
			                  "is not UTF-8 text");
	}
}

static int
source_keep(struct loader *loader)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t len = 0;
	unsigned digest_len = 0;
	FILE *stream = open_memstream(&loader->config->source, &len);

	if (stream == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < loader->n_sources; i++) {
		const struct source *source = loader->sources[i];

		fprintf(stream, "@file %s %zu %s\n", source->feed ? "feed" : "config", source->len, source->name);
		fwrite(source->text, 1, source->len, stream);
		fputc('\n', stream);
	}
	bool failed = ferror(stream) != 0;
	if (fclose(stream) != 0 || failed ||
	    EVP_Digest(loader->config->source, len, digest, &digest_len, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (unsigned i = 0; i < digest_len; i++)
		snprintf(loader->config->digest + (size_t)2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int
problem_order(const void *a, const void *b)
{
	const struct config_problem *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->setting, y->setting);
}

static void
problems_sort(struct config_problems *problems)
{
	if (problems->n > 0)
		qsort(problems->items, problems->n, sizeof *problems->items, problem_order);
}

/* Checks and builds what the sources say. */
static int
loader_finish(struct loader *loader, struct config **ret)
{
	struct config_problems *problems = loader->problems;
	int r;

	loader->config = calloc(1, sizeof *loader->config);
	r = loader->config != NULL ? policy_set_new(&loader->config->policies) : -ENOMEM;
	if (r == 0) {
		loader->set = loader->config->policies;
		loader_tzdata(loader);
		loader_severities(loader);
		loader_calendars(loader);
		loader_service(loader);
		loader_adapters(loader);
		loader_channels(loader);
		loader_ladders(loader);
		loader_policies(loader);
		loader_rules(loader);
		r = loader->error;
	}
	if (r == 0 && problems->n > 0) {
		problems_sort(problems);
		r = -EINVAL;
	}
	if (r == 0 && loader->lint != NULL) {
		loader->problems = &loader->lint->findings;
		loader_lint(loader);
		problems_sort(loader->problems);
		r = loader->error;
	}
	if (r == 0)
		r = source_keep(loader);
	if (r == 0)
		*ret = loader->config;
	else
		config_free(loader->config);

	for (size_t i = 0; i < loader->n_sources; i++)
		source_free(loader->sources[i]);
	free(loader->sources);
	free(loader->calendars.items);
	free(loader->ladders.items);
	free(loader->channels.items);
	free(loader->policies.items);
	free(loader->rules.items);
	free(loader->adapters.items);
	return r;
}

int
config_load(const char *path, struct instant now, unsigned flags, struct config_problems *problems, struct config **ret)
{
	struct loader loader = {.now = now, .flags = flags, .main_path = path, .problems = problems};

	sources_read(&loader);
	return loader_finish(&loader, ret);
}

int
config_lint(const char *path, struct instant now, struct config_problems *problems, struct lint *ret)
{
	struct lint lint = {0};
	struct loader loader = {
	    .now = now, .flags = CONFIG_NO_SECRETS, .main_path = path, .problems = problems, .lint = &lint};

	sources_read(&loader);
	int r = loader_finish(&loader, &lint.config);
	if (r < 0)
		lint_clear(&lint);
	else
		*ret = lint;
	return r;
}

int
config_load_text(const char *source, size_t len, struct instant now, struct config_problems *problems,
                 struct config **ret)
{
	struct loader loader = {.now = now, .flags = CONFIG_NO_SECRETS, .problems = problems};

	sources_read_stored(&loader, source, len);
	return loader_finish(&loader, ret);
}
