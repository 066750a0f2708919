/* The live stream (Server-Sent Events, WHATWG HTML section 9.2): what tickets' clocks are after each change.
 *
 *   batch on its way --commit--> committed --a moment later--> asked for --rows--> subscribers
 *
 * What a ticket's clocks are is read from the database once for all subscribers. */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/text.h"

#define SUBSCRIBERS_MAX 64
#define MOMENT          ((struct timeval){0, 250000})
#define AGAIN           ((struct timeval){2, 0}) /* after a failure */
#define BEAT            ((struct timeval){15, 0})
/* More changed tickets than this are not told one by one. */
#define TICKETS_MAX 2000

/* Sets of tickets -------------------------------------------------------------------------------------------------- */

static void
ids_clear(struct ticket_ids *ids)
{
	ids->n = 0;
	ids->overflown = false;
}

static void
ids_add(struct ticket_ids *ids, int64_t id)
{
	if (ids->n == ids->room && !ids->overflown) {
		size_t room = ids->room ? ids->room * 2 : 64;
		int64_t *longer = room <= 2 * TICKETS_MAX ? realloc(ids->ids, room * sizeof(*longer)) : NULL;
		if (longer) {
			ids->ids = longer;
			ids->room = room;
		}
		ids->overflown = !longer;
	}
	if (!ids->overflown)
		ids->ids[ids->n++] = id;
}

static int
id_compare(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* In order, each once. */
static void
ids_sort(struct ticket_ids *ids)
{
	size_t n = 0;
	if (ids->n > 0)
		qsort(ids->ids, ids->n, sizeof(ids->ids[0]), id_compare);
	for (size_t i = 0; i < ids->n; i++)
		if (n == 0 || ids->ids[n - 1] != ids->ids[i])
			ids->ids[n++] = ids->ids[i];
	ids->n = n;
}

static void
ids_move(struct ticket_ids *to, struct ticket_ids *from)
{
	for (size_t i = 0; i < from->n; i++)
		ids_add(to, from->ids[i]);
	to->overflown |= from->overflown;
	ids_clear(from);
}

/* Subscribers ------------------------------------------------------------------------------------------------------ */

static void
on_closed(void *arg)
{
	struct subscriber *gone = arg;
	struct api *api = gone->api;
	struct subscriber **link = &api->subscribers;
	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	free(gone);
	if (--api->n_subscribers == 0)
		(void)event_del(api->beat);
}

static void
tell_soon(struct api *api, struct timeval delay)
{
	if (api->n_subscribers > 0 && !event_pending(api->tell, EV_TIMEOUT, NULL))
		(void)event_add(api->tell, &delay);
}

/* One event to all; a subscriber may be gone after it. */
static void
tell_all(struct api *api, const struct text *text)
{
	struct subscriber *next;
	for (struct subscriber *s = api->subscribers; s; s = next) {
		next = s->next;
		http_stream_send(s->call, text->data, text->len);
	}
}

/* Begins "event: NAME", whose data is the object that is left open. */
static void
event_begin(const struct api *api, struct jsonw *json, const char *name)
{
	text_add_string(&json->text, "event: ");
	text_add_string(&json->text, name);
	text_add_string(&json->text, "\ndata: ");
	jsonw_open(json, NULL, '{');
	(void)api;
}

static void
event_end(struct api *api, struct jsonw *json, struct http_call *to)
{
	jsonw_close(json, '}');
	text_add_string(&json->text, "\n\n");
	if (json->text.failed && to) {
		http_stream_cut(to);
	} else if (json->text.failed) {
		api->reload = true;
		tell_soon(api, AGAIN);
	} else if (to) {
		http_stream_send(to, json->text.data, json->text.len);
	} else {
		tell_all(api, &json->text);
	}
	jsonw_clear(json);
}

static void
tell_instant(struct api *api, const char *event, struct http_call *to)
{
	struct jsonw json = {0};
	event_begin(api, &json, event);
	jsonw_instant(&json, "now", api->hooks.now(api->hooks.arg));
	event_end(api, &json, to);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;
	struct jsonw json = {0};
	(void)fd;
	(void)what;
	event_begin(api, &json, "status");
	api->hooks.status(api->hooks.arg, &json);
	event_end(api, &json, NULL);
	if (!api->hooks.has_all(api->hooks.arg))
		tell_instant(api, "reset", NULL); /* of the others' tickets nothing is heard here */
}

/* Changes ---------------------------------------------------------------------------------------------------------- */

struct placed_row {
	int64_t ticket;
	int row;
};

static int
placed_row_compare(const void *a, const void *b)
{
	const struct placed_row *x = a;
	const struct placed_row *y = b;
	if (x->ticket != y->ticket)
		return x->ticket < y->ticket ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Every ticket that was asked for, also one that has no clock any more. */
static void
write_tickets(const struct api *api, struct jsonw *json, const PGresult *rows, const struct placed_row *placed)
{
	struct instant now = api->hooks.now(api->hooks.arg);
	size_t n = (size_t)PQntuples(rows), k = 0;
	jsonw_instant(json, "now", now);
	jsonw_open(json, "tickets", '[');
	for (size_t i = 0; i < api->asked.n; i++) {
		jsonw_open(json, NULL, '{');
		jsonw_number(json, "ticket_id", api->asked.ids[i]);
		jsonw_open(json, "clocks", '[');
		for (; k < n && placed[k].ticket == api->asked.ids[i]; k++)
			api_clock_write_listed(api, json, rows, placed[k].row, now);
		jsonw_close(json, ']');
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
on_rows(void *arg, PGresult *const *results)
{
	struct api *api = arg;
	const PGresult *rows = results[0];
	size_t n = (size_t)PQntuples(rows);
	struct placed_row *placed = calloc(n + 1, sizeof(*placed));
	struct jsonw json = {0};
	api->asking = false;
	if (!placed) {
		api->reload = true;
	} else {
		for (size_t i = 0; i < n; i++)
			placed[i] = (struct placed_row){result_number(rows, (int)i, CLOCK_LIST_ID), (int)i};
		qsort(placed, n, sizeof(placed[0]), placed_row_compare);
		event_begin(api, &json, "clocks");
		write_tickets(api, &json, rows, placed);
		event_end(api, &json, NULL);
		free(placed);
	}
	ids_clear(&api->asked);
	if (api->reload || api->committed.n > 0 || api->committed.overflown)
		tell_soon(api, MOMENT);
}

static void
on_rows_failed(void *arg, int status, const char *why)
{
	struct api *api = arg;
	(void)status; /* the desk tells of what an operator should see */
	(void)why;
	api->asking = false;
	ids_move(&api->committed, &api->asked);
	tell_soon(api, AGAIN);
}

static void
ask_for_rows(struct api *api)
{
	struct desk_order order = {
	    .sql = {clock_list_sql},
	    .n_params = {CLOCK_LIST_PARAMS},
	    .done = on_rows,
	    .failed = on_rows_failed,
	    .arg = api,
	};
	struct text tickets = {0};
	char id[API_NUMBER_SIZE + 1], now[API_NUMBER_SIZE];
	text_add_string(&tickets, "{");
	for (size_t i = 0; i < api->asked.n; i++) {
		(void)snprintf(id, sizeof(id), "%s%" PRId64, i > 0 ? "," : "", api->asked.ids[i]);
		text_add_string(&tickets, id);
	}
	text_add_string(&tickets, "}");
	api_number(api->hooks.now(api->hooks.arg).us, now);
	order.params[CLOCK_LIST_TICKETS] = tickets.data;
	order.params[CLOCK_LIST_LINK] = api->config->ticket_link;
	order.params[CLOCK_LIST_NOW] = now;
	api->asking = true;
	if (tickets.failed)
		on_rows_failed(api, 503, text_no_memory);
	else
		desk_put(api->reads, &order);
	free(tickets.data);
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;
	(void)fd;
	(void)what;
	if (api->asking)
		return; /* its answer goes on */
	if (api->reload || api->committed.overflown) {
		api->reload = false;
		ids_clear(&api->committed);
		tell_instant(api, "reset", NULL);
		return;
	}
	ids_move(&api->asked, &api->committed);
	ids_sort(&api->asked);
	if (api->asked.n > 0 && api->n_subscribers > 0)
		ask_for_rows(api);
}

void
api_note_ticket(struct api *api, int64_t ticket)
{
	if (api->n_subscribers > 0)
		ids_add(&api->gathered, ticket);
}

void
api_note_commit(struct api *api)
{
	ids_move(&api->committed, &api->gathered);
	if (api->committed.n > 0 || api->committed.overflown)
		tell_soon(api, MOMENT);
}

void
api_note_load(struct api *api)
{
	ids_clear(&api->gathered);
	ids_clear(&api->committed);
	api->reload = api->n_subscribers > 0;
	if (api->reload)
		tell_soon(api, MOMENT);
}

/* ------------------------------------------------------------------------------------------------------------------ */

void
api_serve_stream(void *arg, struct http_call *call)
{
	static const char *const names[] = {NULL};
	static const struct timeval beat = BEAT;
	struct api *api = arg;
	if (!api_query_is_known(call, names))
		return;
	if (!api->hooks.is_live(api->hooks.arg)) {
		http_answer_busy(call, "this daemon does not watch the tickets at present, as /-/ready says");
		return;
	}
	struct subscriber *subscriber = api->n_subscribers < SUBSCRIBERS_MAX ? calloc(1, sizeof(*subscriber)) : NULL;
	if (!subscriber) {
		http_answer_busy(call, "too many streams are open");
		return;
	}
	*subscriber = (struct subscriber){api, call, api->subscribers};
	api->subscribers = subscriber;
	if (api->n_subscribers++ == 0)
		(void)event_add(api->beat, &beat);
	http_stream_begin(call, "text/event-stream", on_closed, subscriber);
	if (api->subscribers == subscriber)
		tell_instant(api, "hello", call);
}

int
api_stream_new(struct api *api, struct event_base *base)
{
	api->tell = evtimer_new(base, on_tell, api);
	api->beat = event_new(base, -1, EV_PERSIST, on_beat, api);
	return api->tell && api->beat ? 0 : -ENOMEM;
}

void
api_stream_free(struct api *api)
{
	while (api->subscribers) {
		struct subscriber *s = api->subscribers;
		api->subscribers = s->next;
		free(s);
	}
	if (api->tell)
		event_free(api->tell);
	if (api->beat)
		event_free(api->beat);
	free(api->gathered.ids);
	free(api->committed.ids);
	free(api->asked.ids);
}
