/* slatectl top: the open clocks on a full screen, live. */
#include "top.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top_screen.h"

#define ARGUMENTS_MAX 16

/* A way out that leaves the terminal as it was: the loop looks at it after each wait, and only there do they come in.
 */
static volatile sig_atomic_t ending_signal;

static const int ending_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

static void
on_signal(int number)
{
	ending_signal = number;
}

static sigset_t
catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t mask, former;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGWINCH);
	for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++) {
		(void)sigaction(ending_signals[i], &action, NULL);
		(void)sigaddset(&mask, ending_signals[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &mask, &former);
	return former;
}

/* Where a signal ended the loop, it ends the program, too. */
static void
end_by_signal(void)
{
	sigset_t mask;
	if (ending_signal == 0)
		return;
	(void)signal(ending_signal, SIG_DFL);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, ending_signal);
	(void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
	(void)raise(ending_signal);
}

/* Time ------------------------------------------------------------------------------------------------------------- */

static void
look_at_clock(struct top *top)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	top->now = (struct instant){now.tv_sec * US_PER_S + now.tv_nsec / 1000};
	top->view.now = top_link_database_now(top->link, top->now);
}

/* Until the next whole second of the database's clock, or until the link wants to go on. */
static struct timespec
time_to_wait(const struct top *top, bool ticks)
{
	int64_t us = instant_since(top_link_next(top->link), top->now).us;
	int64_t tick = US_PER_S - top->view.now.us % US_PER_S;
	if (ticks && tick < us)
		us = tick;
	if (us < 0)
		us = 0;
	return (struct timespec){us / US_PER_S, us % US_PER_S * 1000};
}

/* Other commands -----------------------------------------------------------------------------------------------------
 */

/* The arguments that lead another command to the same database and, at its end, to the ticket; they own nothing. */
struct arguments {
	int n;
	char *items[ARGUMENTS_MAX];
};

static void
add_argument(struct arguments *arguments, const char *text)
{
	arguments->items[arguments->n++] = (char *)(uintptr_t)text; /* getopt_long() permutes, and writes nothing */
}

static void
add_option(struct arguments *arguments, const char *option, const char *text)
{
	if (text == NULL)
		return;
	add_argument(arguments, option);
	add_argument(arguments, text);
}

static void
run_on_ticket(struct top *top, const struct report_options *options, const struct command *command,
              struct top_child *child)
{
	const struct top_ticket *ticket = &top->chosen;
	struct arguments arguments = {0};
	if (child->pid != 0)
		return;
	add_argument(&arguments, command->name);
	add_option(&arguments, "--config", options->config);
	add_option(&arguments, "--conninfo", options->conninfo);
	if (ticket->external != NULL)
		add_option(&arguments, "--source", ticket->source);
	if (command == &command_show)
		add_option(&arguments, "--color", top->view.colors ? "always" : "never");
	add_argument(&arguments, "--");
	add_argument(&arguments, ticket->external != NULL ? ticket->external : ticket->id);
	int r = top_child_start(child, command, arguments.n, arguments.items, (unsigned)COLS);
	if (r < 0)
		(void)snprintf(top->message, sizeof(top->message), "slatectl %s: %s", command->name, strerror(-r));
}

/* What was acknowledged, or why not, is its first line. */
static void
end_ack(struct top *top)
{
	const char *text = top->ack.output.len > 0 ? top->ack.output.data : "acknowledging failed";
	(void)snprintf(top->message, sizeof(top->message), "%.*s", (int)strcspn(text, "\n"), text);
	top_link_hurry(top->link);
}

/* Keys ------------------------------------------------------------------------------------------------------------- */

static void
clear_ticket(struct top_ticket *ticket)
{
	free(ticket->external);
	free(ticket->source);
	*ticket = (struct top_ticket){0};
}

/* The selected one. False: there is none, or no memory. */
static bool
choose_ticket(struct top *top)
{
	const struct top_row *row = top_rows_selected(&top->rows);
	if (row == NULL)
		return false;
	const char *external = result_text(top->rows.result, row->row, CLOCK_LIST_EXTERNAL);
	const char *source = result_text(top->rows.result, row->row, CLOCK_LIST_SOURCE);
	clear_ticket(&top->chosen);
	(void)snprintf(top->chosen.id, sizeof(top->chosen.id), "#%" PRId64,
	               result_number(top->rows.result, row->row, CLOCK_LIST_ID));
	if (external == NULL || source == NULL)
		return true;
	top->chosen.external = strdup(external);
	top->chosen.source = strdup(source);
	return top->chosen.external != NULL && top->chosen.source != NULL;
}

static void
type_filter(struct top *top, wint_t key, bool is_function)
{
	char *filter = top->rows.filter, character[MB_LEN_MAX + 1] = "";
	size_t len = strlen(filter);
	if (key == '\n' || key == '\r' || (is_function && key == KEY_ENTER)) {
		top->prompt = TOP_PROMPT_NONE;
	} else if (key == '\033') {
		filter[0] = '\0';
		top->prompt = TOP_PROMPT_NONE;
	} else if (key == '\b' || key == 0x7f || (is_function && key == KEY_BACKSPACE)) {
		while (len > 0 && (filter[--len] & 0xc0) == 0x80)
			continue;
		filter[len] = '\0';
	} else if (key == 0x15) { /* ^U */
		filter[0] = '\0';
	} else if (!is_function && key >= ' ') {
		int n = wctomb(character, (wchar_t)key);
		if (n > 0 && len + (size_t)n < TOP_FILTER_SIZE)
			memcpy(filter + len, character, (size_t)n + 1);
	}
	top_rows_arrange(&top->rows, &top->view);
}

/* Moves in the list or in the ticket. */
static void
move_by(struct top *top, ptrdiff_t by)
{
	if (!top->shows_ticket)
		top_rows_move(&top->rows, by);
	else if (by < 0 && top->line < (size_t)-by)
		top->line = 0;
	else
		top->line += (size_t)by; /* drawing sees to the end */
}

static void
press_function(struct top *top, wint_t key)
{
	ptrdiff_t page = (ptrdiff_t)top_screen_page(top), end = (ptrdiff_t)1 << 30;
	switch (key) {
	case KEY_UP:
		move_by(top, -1);
		break;
	case KEY_DOWN:
		move_by(top, 1);
		break;
	case KEY_PPAGE:
		move_by(top, -page);
		break;
	case KEY_NPAGE:
		move_by(top, page);
		break;
	case KEY_HOME:
		move_by(top, -end);
		break;
	case KEY_END:
		move_by(top, end);
		break;
	default:
		break;
	}
}

static void
show_ticket(struct top *top, const struct report_options *options)
{
	top->shows_ticket = true;
	run_on_ticket(top, options, &command_show, &top->ticket);
}

static void
leave_ticket(struct top *top)
{
	top_child_clear(&top->ticket);
	top->shows_ticket = false;
	top->line = 0;
}

/* False: quit. */
static bool
press_letter(struct top *top, const struct report_options *options, wint_t key)
{
	switch (key) {
	case 'q':
	case '\033':
		if (key == 'q' && !top->shows_ticket)
			return false;
		leave_ticket(top);
		break;
	case 'k':
		move_by(top, -1);
		break;
	case 'j':
		move_by(top, 1);
		break;
	case ' ':
		move_by(top, (ptrdiff_t)top_screen_page(top));
		break;
	case 'r':
		top_link_hurry(top->link);
		if (top->shows_ticket)
			show_ticket(top, options);
		break;
	case 'a':
		if (top->ack.pid == 0 && (top->shows_ticket || choose_ticket(top)))
			top->prompt = TOP_PROMPT_ACK;
		break;
	case '\n':
	case '\r':
		if (!top->shows_ticket && choose_ticket(top))
			show_ticket(top, options);
		break;
	case '/':
		if (!top->shows_ticket)
			top->prompt = TOP_PROMPT_FILTER;
		break;
	case 's':
		top->rows.sort = (top->rows.sort + 1) % TOP_SORT_COUNT;
		top_rows_arrange(&top->rows, &top->view);
		break;
	default:
		break;
	}
	return true;
}

/* False: quit. */
static bool
press(struct top *top, const struct report_options *options, wint_t key, bool is_function)
{
	if (is_function && key == KEY_RESIZE) {
		if (top->shows_ticket)
			show_ticket(top, options);
		return true;
	}
	top->message[0] = '\0';
	if (top->prompt == TOP_PROMPT_FILTER) {
		type_filter(top, key, is_function);
		return true;
	}
	if (top->prompt == TOP_PROMPT_ACK) {
		top->prompt = TOP_PROMPT_NONE;
		if (!is_function && (key == 'y' || key == 'Y'))
			run_on_ticket(top, options, &command_ack, &top->ack);
		return true;
	}
	if (is_function && key == KEY_ENTER)
		key = '\n';
	else if (is_function)
		press_function(top, key);
	return is_function && key != '\n' ? true : press_letter(top, options, key);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int
take_rows(struct top *top)
{
	const PGresult *clocks = top_link_part(top->link, TOP_CLOCKS);
	if (clocks == NULL || clocks == top->rows.result)
		return 0;
	look_at_clock(top);
	return top_rows_load(&top->rows, clocks, top->report.policies, &top->view);
}

/* Waits for keys, the database, other commands, and time. False where the terminal has gone. */
static bool
wait_for_something(struct top *top, const sigset_t *signals, bool *ret_ready)
{
	struct pollfd fds[] = {
	    {.fd = STDIN_FILENO, .events = POLLIN},
	    top_link_pollfd(top->link),
	    {.fd = top->ticket.pid != 0 ? top->ticket.fd : -1, .events = POLLIN},
	    {.fd = top->ack.pid != 0 ? top->ack.fd : -1, .events = POLLIN},
	};
	struct timespec timeout = time_to_wait(top, true);
	*ret_ready = false;
	if (ppoll(fds, sizeof(fds) / sizeof(fds[0]), &timeout, signals) < 0)
		return errno == EINTR;
	*ret_ready = fds[1].revents != 0;
	if (fds[2].revents != 0)
		(void)top_child_read(&top->ticket);
	if (fds[3].revents != 0 && top_child_read(&top->ack))
		end_ack(top);
	return (fds[0].revents & (POLLHUP | POLLERR)) == 0;
}

static int
work(struct top *top, const struct report_options *options, const sigset_t *signals)
{
	bool ready, goes_on = true;
	wint_t key;
	while (goes_on && ending_signal == 0) {
		look_at_clock(top);
		top_screen_draw(top);
		if (!wait_for_something(top, signals, &ready))
			return 0;
		look_at_clock(top);
		if (top_link_work(top->link, top->now, ready) && take_rows(top) < 0)
			return -ENOMEM;
		for (int r = get_wch(&key); goes_on && r != ERR; r = goes_on ? get_wch(&key) : ERR)
			goes_on = press(top, options, key, r == KEY_CODE_YES);
	}
	return 0;
}

/* What is wrong from the beginning is said on a usual terminal. */
static int
read_first(struct top *top, const sigset_t *signals)
{
	struct instant since;
	bool ready = false;
	while (ending_signal == 0) {
		look_at_clock(top);
		if (top_link_work(top->link, top->now, ready)) {
			const char *problem = top_link_problem(top->link, &since);
			if (problem == NULL)
				return take_rows(top);
			fprintf(stderr, "slatectl top: %s\n", problem);
			return -EIO;
		}
		struct pollfd fd = top_link_pollfd(top->link);
		struct timespec timeout = time_to_wait(top, false);
		ready = ppoll(&fd, 1, &timeout, signals) == 1;
	}
	return -EINTR;
}

static int
run_screen(struct top *top, const struct report_options *options)
{
	sigset_t signals = catch_signals();
	int r = read_first(top, &signals);
	if (r < 0)
		return r;
	r = top_screen_begin(top);
	if (r < 0) {
		fputs("slatectl top: this terminal (TERM) cannot be drawn on\n", stderr);
		return r;
	}
	r = work(top, options, &signals);
	top_screen_end();
	return r;
}

static int
run_top(void *into)
{
	const struct report_options *options = into;
	struct top top = {0};
	if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) {
		fputs("slatectl top: needs a terminal; slatectl list does not\n", stderr);
		return EXIT_PROBLEM;
	}
	if (report_open(options, &top.report) < 0)
		return EXIT_PROBLEM;
	top.view = top.report.view;
	int r = top_link_new(&top.report.db, &top.link);
	if (r == 0)
		r = run_screen(&top, options);
	if (r == -ENOMEM)
		fputs("slatectl top: out of memory\n", stderr);
	top_child_clear(&top.ticket);
	top_child_clear(&top.ack);
	clear_ticket(&top.chosen);
	top_rows_clear(&top.rows);
	top_link_free(top.link);
	report_close(&top.report);
	end_by_signal();
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    REPORT_COLOR(0),
    REPORT_CONFIG(0),
    REPORT_CONNINFO(0),
    {0},
};

const struct command command_top = {
    .name = "top",
    .help = "watch the open clocks on a full screen",
    .about = "Shows the daemon, the counts, and the open clocks with the time left, which runs; read anew every 2 s.\n",
    .more =
        "Keys: arrows, PgUp, PgDn, Home and End move; Enter shows the ticket; a acknowledges it; / filters by words;\n"
        "s sorts by need, used, ticket, org or policy; r reads at once; q leaves.\n",
    .rows = rows,
    .size = sizeof(struct report_options),
    .run = run_top,
};
