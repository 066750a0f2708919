#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "slated/text.h"

#define BAR_CELLS 10

const char *const view_color_names[VIEW_COLOR_COUNT] = {"auto", "always", "never"};

/* The names in a database are UTF-8 whatever the locale; without such a locale widths are still those of UTF-8, but
 * nothing of our own needs it. */
static bool
init_locale(void)
{
	(void)setlocale(LC_CTYPE, ""); /* an unknown locale leaves "C" */
	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return true;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return false;
}

void
view_init(struct view *view, enum view_color color, struct instant now)
{
	struct winsize size = {0};
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO) == 1;
	bool plain = (no_color != NULL && *no_color != '\0') || (term != NULL && strcmp(term, "dumb") == 0);
	view->now = now;
	view->utf8 = init_locale();
	view->colors = color == VIEW_COLOR_ALWAYS || (color == VIEW_COLOR_AUTO && terminal && !plain);
	view->width = 0;
	if (terminal)
		view->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	tzset();
}

void
view_length(struct duration length, char text[static VIEW_TEXT_SIZE])
{
	int64_t s = length.us / US_PER_S;
	int64_t m = s / 60, h = m / 60, d = h / 24;
	if (s < 60)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "s", s);
	else if (m < 60)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "m", m);
	else if (h < 48)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "h%02" PRId64 "m", h, m % 60);
	else if (d < 100)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "d%02" PRId64 "h", d, h % 24);
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "d", d);
}

void
view_relative(const struct view *view, struct instant at, char text[static VIEW_TEXT_SIZE])
{
	char length[VIEW_TEXT_SIZE];
	text[0] = '\0';
	if (instant_equal(at, INSTANT_NEVER))
		return;
	struct duration left = instant_since(at, view->now);
	view_length((struct duration){llabs(left.us)}, length);
	if (llabs(left.us) < US_PER_S)
		(void)snprintf(text, VIEW_TEXT_SIZE, "now");
	else if (left.us > 0)
		(void)snprintf(text, VIEW_TEXT_SIZE, "in %.40s", length);
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s ago", length);
}

static struct tm
local_time(struct instant at)
{
	struct tm local = {0};
	time_t seconds = (time_t)(at.us / US_PER_S - (at.us % US_PER_S < 0 ? 1 : 0));
	(void)localtime_r(&seconds, &local); /* fails only for years that do not fit an int */
	return local;
}

void
view_instant(struct instant at, char text[static VIEW_TEXT_SIZE])
{
	text[0] = '\0';
	if (instant_equal(at, INSTANT_NEVER))
		return;
	struct tm local = local_time(at);
	(void)strftime(text, VIEW_TEXT_SIZE, "%Y-%m-%d %H:%M:%S %Z", &local);
}

void
view_short_instant(const struct view *view, struct instant at, char text[static VIEW_TEXT_SIZE])
{
	text[0] = '\0';
	if (instant_equal(at, INSTANT_NEVER))
		return;
	struct tm local = local_time(at), today = local_time(view->now);
	if (local.tm_year != today.tm_year)
		(void)strftime(text, VIEW_TEXT_SIZE, "%Y-%m-%d %H:%M %Z", &local);
	else if (local.tm_yday != today.tm_yday)
		(void)strftime(text, VIEW_TEXT_SIZE, "%a %e %b %H:%M %Z", &local);
	else
		(void)strftime(text, VIEW_TEXT_SIZE, "%H:%M %Z", &local);
}

/* In UTF-8 to an eighth of a cell: U+2588 is a whole one, U+2589 to U+258F seven eighths to one. */
void
view_bar(const struct view *view, double share, char text[static VIEW_TEXT_SIZE])
{
	static const char eighths[][4] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
	double shown = share < 0 ? 0 : share > 1 ? 1 : share;
	int steps = (int)(shown * BAR_CELLS * 8);
	int whole = steps / 8;
	size_t len = 0;
	for (int i = 0; i < BAR_CELLS; i++) {
		const char *cell = view->utf8 ? "\u2591" : ".";
		if (i < whole)
			cell = view->utf8 ? "\u2588" : "#";
		else if (i == whole && view->utf8 && steps % 8 > 0)
			cell = eighths[steps % 8];
		len += (size_t)snprintf(text + len, VIEW_TEXT_SIZE - len, "%s", cell);
	}
}

void
view_share(double share, bool rough, char text[static VIEW_TEXT_SIZE])
{
	if (share >= 10)
		(void)snprintf(text, VIEW_TEXT_SIZE, ">999%%");
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%s%d%%", rough ? "~" : "", share > 0 ? (int)(share * 100) : 0);
}

const char *
view_paint(const struct view *view, const char *color)
{
	return view->colors ? color : "";
}

unsigned
view_width(const char *text, size_t len)
{
	unsigned width = 0;
	mbstate_t state = {0};
	wchar_t c;
	for (size_t i = 0; i < len;) {
		size_t n = mbrtowc(&c, text + i, len - i, &state);
		if (n == 0 || n > len - i)
			return width + (unsigned)(len - i);
		int w = wcwidth(c);
		width += w > 0 ? (unsigned)w : 0;
		i += n;
	}
	return width;
}

/* Prints the words of `text`, on further lines below the first where the terminal ends. */
static void
print_words(const struct view *view, unsigned indent, const char *text)
{
	unsigned column = indent;
	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		unsigned width = view_width(text, n);
		if (column > indent && view->width > 0 && column + 1 + width > view->width) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		fwrite(text, 1, n, stdout);
		column += width;
		text += n;
		text += *text == ' ';
	}
}

void
view_print(const struct view *view, const char *lead, const char *color, struct text *text)
{
	const char *last = strrchr(lead, '\n');
	if (!text->failed && text->len > 0) {
		(void)text_clean(text->data, text->len);
		printf("%s%s", lead, color != NULL ? view_paint(view, color) : "");
		lead = last != NULL ? last + 1 : lead;
		print_words(view, view_width(lead, strlen(lead)), text->data);
		printf("%s\n", color != NULL ? view_paint(view, VIEW_END) : "");
	}
	text->len = 0;
}

int
view_print_json(struct jsonw *json)
{
	text_add(&json->text, "\n", 1);
	if (json->text.failed) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	fwrite(json->text.data, 1, json->text.len, stdout);
	json->text.len = 0;
	json->more = false;
	return 0;
}
