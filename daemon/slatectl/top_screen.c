/* The header with the database, the daemon and the counts; then the list or a ticket; at the bottom the keys. */
#include "top_screen.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "slated/shards.h"
#include "slated/text.h"
#include "status.h"
#include "top.h"
#include "top_term.h"

enum {
	LINE_DAEMON = 1,
	LINE_COUNTS = 2,
	LINE_ARRANGED = 3,
	LINE_TITLES = 5,
	LINE_ROWS = 6,
	LINE_TICKET = 2,
};

#define LEFT_WIDTH 13U /* "47h59m59s ago" */

enum {
	PAIR_RED = 1,
	PAIR_GREEN,
	PAIR_YELLOW,
	PAIR_BLUE,
};

int
top_screen_begin(struct top *top)
{
	if (!top_term_is_known() || newterm(NULL, stdout, stdin) == NULL)
		return -ENOTTY;
	(void)cbreak();
	(void)noecho();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)set_escdelay(25);
	(void)curs_set(0);
	if (top->view.colors && has_colors() && start_color() == OK && use_default_colors() == OK) {
		(void)init_pair(PAIR_RED, COLOR_RED, -1);
		(void)init_pair(PAIR_GREEN, COLOR_GREEN, -1);
		(void)init_pair(PAIR_YELLOW, COLOR_YELLOW, -1);
		(void)init_pair(PAIR_BLUE, COLOR_BLUE, -1);
	} else {
		top->view.colors = false;
	}
	return 0;
}

void
top_screen_end(void)
{
	(void)endwin();
	delscreen(set_term(NULL));
}

/* Text --------------------------------------------------------------------------------------------------------------
 */

/* Where the next text of a line goes. */
struct pen {
	const struct view *view;
	int y;
	unsigned x;
};

/* Where there are no colours, what is red stands out all the same. */
static attr_t
color_attr(const struct view *view, const char *color)
{
	static const struct {
		const char *color;
		short pair;
	} pairs[] = {
	    {VIEW_RED, PAIR_RED}, {VIEW_GREEN, PAIR_GREEN}, {VIEW_YELLOW, PAIR_YELLOW}, {VIEW_BLUE, PAIR_BLUE}};
	if (color == NULL)
		return A_NORMAL;
	if (!view->colors)
		return strcmp(color, VIEW_RED) == 0 ? A_BOLD : A_NORMAL;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(pairs[i].color, color) == 0)
			return COLOR_PAIR(pairs[i].pair);
	return A_NORMAL;
}

/* Writes at most `width` columns; whoever has no UTF-8 sees a question mark for each other character. The columns. */
static unsigned
pen_write(struct pen *pen, attr_t attr, const char *text, unsigned width)
{
	unsigned right = pen->x + width < (unsigned)COLS ? pen->x + width : (unsigned)COLS;
	unsigned begin = pen->x;
	(void)attrset(attr);
	while (*text != '\0') {
		size_t n = text_utf8(text, strlen(text));
		bool known = n == 1 || (n > 1 && pen->view->utf8);
		unsigned columns = known ? view_width(text, n) : 1;
		if (pen->x + columns > right)
			break;
		(void)mvaddnstr(pen->y, (int)pen->x, known ? text : "?", known ? (int)n : 1);
		pen->x += columns;
		text += n > 0 ? n : 1;
	}
	(void)attrset(A_NORMAL);
	return pen->x - begin;
}

static void __attribute__((format(printf, 3, 4))) pen_add(struct pen *pen, attr_t attr, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	(void)pen_write(pen, attr, text, (unsigned)COLS);
}

/* A text of others, made one line. */
static void
pen_add_foreign(struct pen *pen, attr_t attr, const char *text)
{
	char line[256];
	(void)snprintf(line, sizeof(line), "%s", text);
	(void)text_clean(line, strlen(line));
	(void)pen_write(pen, attr, line, (unsigned)COLS);
}

/* A cell of exactly `width` columns, with a sign where something is missing. */
static void
pen_cell(struct pen *pen, attr_t attr, const char *text, unsigned width, bool right)
{
	char line[256];
	(void)snprintf(line, sizeof(line), "%s", text != NULL ? text : "");
	(void)text_clean(line, strlen(line));
	unsigned natural = view_width(line, strlen(line)), end = pen->x + width;
	if (natural > width) {
		(void)pen_write(pen, attr, line, width - 1);
		(void)pen_write(pen, attr, pen->view->utf8 ? "\u2026" : "+", 1);
	} else {
		if (right)
			pen_add(pen, attr, "%*s", (int)(width - natural), "");
		(void)pen_write(pen, attr, line, width);
	}
	if (end > pen->x)
		pen_add(pen, attr, "%*s", (int)(end - pen->x), "");
}

/* To the second where that is soon: "29m12s", "5h03m12s", "3m05s ago", "8d21h"; "1h30m left" of a paused clock. */
static void
describe_left(const struct view *view, const struct clock_row *clock, char text[static VIEW_TEXT_SIZE])
{
	struct duration left = instant_since(clock->due_at, view->now);
	int64_t s = llabs(left.us) / US_PER_S;
	const char *ago = left.us < 0 ? " ago" : "";
	if (clock_row_is(clock, "paused") || instant_equal(clock->due_at, INSTANT_NEVER))
		clock_show_left(view, clock, text);
	else if (s < 60)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "s%s", s, ago);
	else if (s < 3600)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "m%02" PRId64 "s%s", s / 60, s % 60, ago);
	else if (s < 48 * 3600)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "h%02" PRId64 "m%02" PRId64 "s%s", s / 3600,
		               s / 60 % 60, s % 60, ago);
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%" PRId64 "d%02" PRId64 "h%s", s / 86400, s / 3600 % 24, ago);
}

/* Header ------------------------------------------------------------------------------------------------------------
 */

static void
draw_title(const struct top *top)
{
	const PGconn *connection = top->report.db.connection;
	struct pen pen = {.view = &top->view};
	char now[VIEW_TEXT_SIZE];
	const char *host = PQhost(connection);
	view_instant(top->view.now, now);
	pen_add(&pen, A_BOLD, "slated");
	pen_add(&pen, A_NORMAL, "  database ");
	pen_add_foreign(&pen, A_NORMAL, PQdb(connection));
	if (host != NULL && *host != '\0') {
		pen_add(&pen, A_NORMAL, " on ");
		pen_add_foreign(&pen, A_NORMAL, host);
	}
	unsigned width = (unsigned)strlen(now);
	if (pen.x + 2 + width > (unsigned)COLS)
		return;
	pen.x = (unsigned)COLS - width;
	pen_add(&pen, A_NORMAL, "%s", now);
}

static void
draw_problem(const struct top *top, const char *problem, struct instant since)
{
	struct pen pen = {.view = &top->view, .y = LINE_DAEMON};
	char length[VIEW_TEXT_SIZE];
	attr_t red = color_attr(&top->view, VIEW_RED) | A_BOLD;
	view_length(instant_since(top->now, since), length);
	pen_add(&pen, red, "no news for %s: ", length);
	pen_add_foreign(&pen, red, problem);
	pen_add(&pen, A_NORMAL, "; it is tried again");
}

/* The daemon that holds most; how many others are alive is said. */
static bool
choose_instance(const struct top *top, struct instance *ret, int *ret_others)
{
	const PGresult *rows = top_link_part(top->link, TOP_INSTANCES);
	int alive = 0;
	bool found = false;
	for (int row = 0; row < PQntuples(rows); row++) {
		struct instance instance;
		status_read_instance(rows, row, top->view.now, &instance);
		alive += instance.alive ? 1 : 0;
		if (found &&
		    (instance.alive < ret->alive || (instance.alive == ret->alive && instance.shards <= ret->shards)))
			continue;
		*ret = instance;
		found = true;
	}
	*ret_others = found && ret->alive ? alive - 1 : 0;
	return found;
}

static void
draw_instance(struct pen *pen, const struct instance *i)
{
	char text[VIEW_TEXT_SIZE];
	attr_t yellow = color_attr(pen->view, VIEW_YELLOW);
	if (!i->alive) {
		view_relative(pen->view, strcmp(i->state, "stopped") == 0 ? i->stopped_at : i->seen_at, text);
		pen_add(pen, color_attr(pen->view, VIEW_RED) | A_BOLD, "%s %s", i->state, text);
		pen_add(pen, A_NORMAL, ": nobody watches the deadlines");
		return;
	}
	pen_add(pen, i->shards == SHARDS ? color_attr(pen->view, VIEW_GREEN) : yellow, "holds %" PRId64 " of %d shards",
	        i->shards, SHARDS);
	view_length(i->lag, text);
	if (i->lag.us < US_PER_MIN)
		(void)snprintf(text, sizeof(text), "%.3f s", (double)i->lag.us / (double)US_PER_S);
	pen_add(pen, i->lag.us >= US_PER_S ? yellow : A_NORMAL, "  lag %s", text);
	if (i->poll_only)
		pen_add(pen, yellow, "  poll-only");
	if (instant_equal(i->next_at, INSTANT_NEVER)) {
		pen_add(pen, A_NORMAL, "  nothing is due");
	} else {
		view_relative(pen->view, i->next_at, text);
		pen_add(pen, A_NORMAL, "  next %s", text);
	}
}

static void
draw_daemon(const struct top *top)
{
	struct pen pen = {.view = &top->view, .y = LINE_DAEMON};
	struct instance instance = {0};
	int others;
	if (!choose_instance(top, &instance, &others)) {
		pen_add(&pen, color_attr(&top->view, VIEW_RED) | A_BOLD, "no daemon has ever run on this database");
		return;
	}
	pen_add(&pen, A_NORMAL, "daemon   ");
	pen_add_foreign(&pen, A_BOLD, instance.name);
	pen_add(&pen, A_NORMAL, "  ");
	draw_instance(&pen, &instance);
	if (others > 0)
		pen_add(&pen, A_NORMAL, "  %d other%s alive", others, others == 1 ? "" : "s");
}

static void
pen_add_count(struct pen *pen, const char *color, int64_t n, const char *what)
{
	attr_t attr = n > 0 && color != NULL ? color_attr(pen->view, color) | A_BOLD : A_NORMAL;
	pen_add(pen, attr, "%" PRId64 " %s", n, what);
}

static void
draw_counts(const struct top *top)
{
	const PGresult *totals = top_link_part(top->link, TOP_TOTALS);
	struct pen pen = {.view = &top->view, .y = LINE_COUNTS};
	int64_t running = result_number(totals, 0, TOTAL_RUNNING), at_risk = result_number(totals, 0, TOTAL_AT_RISK);
	int64_t overdue = result_number(totals, 0, TOTAL_OVERDUE), pending = result_number(totals, 0, TOTAL_PENDING);
	pen_add(&pen, A_NORMAL, "clocks   ");
	pen_add_count(&pen, VIEW_RED, result_number(totals, 0, TOTAL_BREACHED), "breached");
	if (overdue > 0) {
		pen_add(&pen, A_NORMAL, ", ");
		pen_add_count(&pen, VIEW_RED, overdue, "overdue");
	}
	pen_add(&pen, A_NORMAL, ", ");
	pen_add_count(&pen, VIEW_YELLOW, at_risk, "at risk");
	pen_add(&pen, A_NORMAL, ", %" PRId64 " running, %" PRId64 " paused   deliveries   %" PRId64 " waiting, ",
	        running - at_risk, result_number(totals, 0, TOTAL_PAUSED), pending);
	pen_add_count(&pen, VIEW_YELLOW, result_number(totals, 0, TOTAL_DEAD), "given up");
}

static void
draw_arranged(const struct top *top)
{
	const struct top_rows *rows = &top->rows;
	struct pen pen = {.view = &top->view, .y = LINE_ARRANGED};
	pen_add(&pen, A_NORMAL, "sorted   by %s", top_sort_names[rows->sort]);
	if (rows->filter[0] != '\0') {
		pen_add(&pen, A_NORMAL, "   filter ");
		pen_add_foreign(&pen, A_BOLD, rows->filter);
		pen_add(&pen, A_NORMAL, "   %zu of %zu fit", rows->n_shown, rows->n_all);
	}
	if (rows->rough)
		pen_add(&pen, A_NORMAL, "   ~ estimated: no such calendar in the configuration");
}

static void
draw_header(const struct top *top)
{
	struct instant since;
	const char *problem = top_link_problem(top->link, &since);
	draw_title(top);
	if (problem != NULL)
		draw_problem(top, problem, since);
	else if (!top->shows_ticket)
		draw_daemon(top);
	if (top->shows_ticket)
		return;
	draw_counts(top);
	draw_arranged(top);
}

/* List --------------------------------------------------------------------------------------------------------------
 */

size_t
top_screen_page(const struct top *top)
{
	int above = top->shows_ticket ? LINE_TICKET : LINE_ROWS;
	return LINES > above + 2 ? (size_t)(LINES - above - 1) : 1;
}

static void
fit_columns(const struct top *top, struct table_fit *fit)
{
	fit->n = COLUMN_COUNT;
	for (int column = 0; column < COLUMN_COUNT; column++)
		fit->widths[column] = top->rows.widths[column];
	fit->widths[COLUMN_LEFT] = LEFT_WIDTH;
	table_fit_make(list_columns, (unsigned)COLS, fit);
}

static void
draw_titles(const struct top *top, const struct table_fit *fit)
{
	struct pen pen = {.view = &top->view, .y = LINE_TITLES};
	for (int column = 0; column < COLUMN_COUNT; column++) {
		if (fit->hidden[column])
			continue;
		if (pen.x > 0)
			pen_add(&pen, A_NORMAL, " ");
		pen_cell(&pen, A_BOLD, list_columns[column].name, fit->widths[column],
		         (list_columns[column].flags & TABLE_RIGHT) != 0);
	}
}

/* The selected row is one bar of one colour, but for the bar of the time used. */
static attr_t
row_attr(const struct top *top, size_t index, attr_t attr)
{
	if (index != top->rows.selected)
		return attr;
	return A_REVERSE | (attr & A_BOLD);
}

static void
draw_row(const struct top *top, const struct table_fit *fit, size_t index, int y)
{
	const struct top_rows *rows = &top->rows;
	struct pen pen = {.view = &top->view, .y = y};
	attr_t base = row_attr(top, index, A_NORMAL);
	struct clock_row clock;
	char text[VIEW_TEXT_SIZE];
	/* The clock as it is now, not as it was when it was read. */
	clock_row_read(rows->result, rows->shown[index]->row, CLOCK_LIST_CLOCK, top->report.policies, top->view.now,
	               &clock);
	for (enum list_column column = 0; column < COLUMN_COUNT; column++) {
		if (fit->hidden[column])
			continue;
		const char *cell = text;
		if (column == COLUMN_LEFT)
			describe_left(&top->view, &clock, text);
		else
			cell = list_cell(&top->view, rows->result, rows->shown[index]->row, &clock, column, text);
		if (pen.x > 0)
			pen_add(&pen, base, " ");
		attr_t attr = color_attr(&top->view, list_cell_color(&clock, column));
		pen_cell(&pen, column == COLUMN_BAR ? attr : row_attr(top, index, attr), cell, fit->widths[column],
		         (list_columns[column].flags & TABLE_RIGHT) != 0);
	}
	if (pen.x < (unsigned)COLS)
		pen_add(&pen, base, "%*s", COLS - (int)pen.x, "");
}

static void
draw_list(struct top *top)
{
	const struct top_rows *rows = &top->rows;
	struct table_fit fit = {0};
	size_t page = top_screen_page(top);
	if (rows->n_shown == 0) {
		struct pen pen = {.view = &top->view, .y = LINE_TITLES};
		pen_add(&pen, A_NORMAL, rows->n_all == 0 ? "No clock is open." : "No open clock fits the filter.");
		return;
	}
	if (top->first + page > rows->n_shown)
		top->first = rows->n_shown > page ? rows->n_shown - page : 0;
	if (rows->selected < top->first)
		top->first = rows->selected;
	if (rows->selected >= top->first + page)
		top->first = rows->selected - page + 1;
	fit_columns(top, &fit);
	draw_titles(top, &fit);
	for (size_t i = 0; i < page && top->first + i < rows->n_shown; i++)
		draw_row(top, &fit, top->first + i, LINE_ROWS + (int)i);
}

/* Ticket ------------------------------------------------------------------------------------------------------------
 */

/* The attributes after an escape sequence that sets some, "\033[...m"; ret_len is its length, 0 where it is none. */
static attr_t
read_attr(const struct view *view, const char *text, attr_t attr, size_t *ret_len)
{
	static const char *const colors[] = {[1] = VIEW_RED, VIEW_GREEN, VIEW_YELLOW, VIEW_BLUE};
	char *end;
	*ret_len = 0;
	if (strncmp(text, "\033[", 2) != 0)
		return attr;
	long code = strtol(text + 2, &end, 10);
	if (*end != 'm')
		return attr;
	*ret_len = (size_t)(end - text) + 1;
	if (code == 0)
		return A_NORMAL;
	if (code == 1)
		return attr | A_BOLD;
	if (code == 2)
		return attr | A_DIM;
	return code > 30 && code <= 34 ? attr | color_attr(view, colors[code - 30]) : attr;
}

static void
draw_ticket_line(struct pen *pen, const char *line, size_t len, attr_t *attr)
{
	char part[256];
	size_t at = 0, n;
	while (at < len) {
		*attr = read_attr(pen->view, line + at, *attr, &n);
		if (n > 0) {
			at += n;
			continue;
		}
		while (at + n < len && line[at + n] != '\033' && n < sizeof(part) - 4)
			n++;
		while (n > 0 && at + n < len && (line[at + n] & 0xc0) == 0x80) /* not inside a character */
			n--;
		if (n == 0 && at < len && line[at] == '\033')
			n = 1; /* a sequence that is none of ours stays visible without its escape */
		(void)snprintf(part, sizeof(part), "%.*s", line[at] == '\033' ? 0 : (int)n, line + at);
		(void)pen_write(pen, *attr, part, (unsigned)COLS);
		at += n;
	}
}

static void
draw_ticket(struct top *top)
{
	const char *text = top->ticket.output.len > 0 ? top->ticket.output.data : "";
	size_t page = top_screen_page(top), n = 0;
	attr_t attr = A_NORMAL;
	for (const char *c = text; *c != '\0'; c++)
		n += *c == '\n';
	if (top->line + page > n)
		top->line = n > page ? n - page : 0;
	for (size_t i = 0; *text != '\0' && i < top->line + page; i++) {
		size_t len = strcspn(text, "\n");
		struct pen pen = {.view = &top->view, .y = LINE_TICKET + (int)(i - top->line)};
		if (i >= top->line)
			draw_ticket_line(&pen, text, len, &attr);
		text += len + (text[len] == '\n');
	}
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void
draw_keys(struct pen *pen, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i += 2) {
		pen_add(pen, A_REVERSE, " %s ", keys[i]);
		pen_add(pen, A_NORMAL, " %s  ", keys[i + 1]);
	}
}

static void
draw_bottom(const struct top *top)
{
	static const char *const list_keys[] = {"Enter", "ticket", "a", "acknowledge", "/", "filter",
	                                        "s",     "sort",   "r", "refresh",     "q", "quit"};
	static const char *const ticket_keys[] = {"q", "back", "a", "acknowledge", "r", "refresh"};
	struct pen pen = {.view = &top->view, .y = LINES - 1};
	(void)curs_set(top->prompt == TOP_PROMPT_FILTER ? 1 : 0);
	if (top->prompt == TOP_PROMPT_FILTER) {
		pen_add(&pen, A_BOLD, "filter: ");
		(void)pen_write(&pen, A_NORMAL, top->rows.filter, (unsigned)COLS);
		(void)move(pen.y, (int)pen.x);
	} else if (top->prompt == TOP_PROMPT_ACK) {
		pen_add(&pen, A_BOLD, "Stop the escalation of ticket ");
		pen_add_foreign(&pen, A_BOLD, top->chosen.external != NULL ? top->chosen.external : top->chosen.id);
		pen_add(&pen, A_BOLD, "? y/n");
	} else if (top->message[0] != '\0') {
		pen_add_foreign(&pen, A_BOLD, top->message);
	} else if (top->shows_ticket) {
		draw_keys(&pen, ticket_keys, sizeof(ticket_keys) / sizeof(ticket_keys[0]));
	} else {
		draw_keys(&pen, list_keys, sizeof(list_keys) / sizeof(list_keys[0]));
	}
}

void
top_screen_draw(struct top *top)
{
	(void)erase();
	draw_header(top);
	if (top->shows_ticket)
		draw_ticket(top);
	else
		draw_list(top);
	draw_bottom(top);
	(void)refresh();
}
