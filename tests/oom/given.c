#include "given.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PG_EPOCH_US INT64_C(946684800000000)

const char given_configuration[] =
    "calendars = { office = { timezone = \"Europe/Berlin\"; hours = { weekdays = \"09:00-17:00\"; };\n"
    "  holidays = [ \"12-25\" ]; }; };\n"
    "policies = ( { name = \"gold\"; match = { plan = \"gold\"; attributes = { licence = \"enterprise\"; }; };\n"
    "  escalation = \"gold\"; on_change = \"follow\"; targets = (\n"
    "  { metric = \"first_response\"; severity = \"critical\"; within = \"1h\"; at_risk = [ \"50%\", \"10m\" ]; },\n"
    "  { metric = \"first_response\"; within = \"4h\"; calendar = \"office\"; at_risk = \"75%\"; },\n"
    "  { metric = \"next_response\"; within = \"2h\"; at_risk = \"50%\"; },\n"
    "  { metric = \"update\"; within = \"1d\"; },\n"
    "  { metric = \"resolution\"; within = \"8h\"; calendar = \"office\"; at_risk = \"50%\"; pause_on = \"pending\"; "
    "},\n"
    "  { metric = \"assessment\"; within = \"1h\"; } ); },\n"
    "  { name = \"rest\"; escalation = \"gold\"; targets = ( { metric = \"resolution\"; within = \"2d\"; } ); } );\n"
    "escalations = { gold = ( { on = \"at_risk\"; notify = [ \"chat\", \"assignee\" ]; },\n"
    "  { on = \"breached\"; notify = \"chat\"; repeat_every = \"1h\"; repeat_max = 2; },\n"
    "  { on = \"requested\"; notify = \"mail\"; }, { on = \"reassessed\"; after = \"5m\"; notify = \"mail\"; } ); };\n"
    "channels = { chat = { type = \"slack\"; url = \"http://127.0.0.1/\"; };\n"
    "  mail = { type = \"email\"; smtp = \"smtp://127.0.0.1\"; from = \"a@b.test\"; to = \"c@d.test\"; }; };\n"
    "reassessments = ( { name = \"late\"; on = \"breached\"; match = { attributes = { seats = \"100\"; }; };\n"
    "  set = \"+1\"; reason = \"it is late\"; } );\n"
    "links = { ticket = \"https://desk.example.com/%{id}\"; };\n";

/* Rows ------------------------------------------------------------------------------------------------------------- */

static void
put_bytes(struct row *row, int column, const void *bytes, size_t len)
{
	row->values[column] = (struct pg_value){memcpy(row->bytes + row->len, bytes, len), len};
	row->len += len;
}

static void
put_text(struct row *row, int column, const char *text)
{
	if (text != NULL)
		put_bytes(row, column, text, strlen(text));
}

static void
put_int64(struct row *row, int column, int64_t number)
{
	uint64_t big = htobe64((uint64_t)number);
	put_bytes(row, column, &big, sizeof(big));
}

static void
put_int32(struct row *row, int column, int32_t number)
{
	uint32_t big = htonl((uint32_t)number);
	put_bytes(row, column, &big, sizeof(big));
}

static void
put_bool(struct row *row, int column, bool value)
{
	put_bytes(row, column, value ? "\1" : "\0", 1);
}

/* Minutes after GIVEN_BEGIN. */
static void
put_minute(struct row *row, int column, int minute)
{
	put_int64(row, column, GIVEN_BEGIN + minute * US_PER_MIN - PG_EPOCH_US);
}

/* An array of texts that are separated by blanks, or of minutes as those of put_minute(). */
static void
put_array(struct row *row, int column, const char *items, bool are_minutes)
{
	uint32_t head[5] = {htonl(1), 0, 0, 0, htonl(1)}, n = 0;
	char array[512];
	size_t len = sizeof(head);
	for (const char *item = items; *item != '\0'; n++) {
		size_t size = strcspn(item, " ");
		uint64_t at = htobe64((uint64_t)(GIVEN_BEGIN + strtoll(item, NULL, 10) * US_PER_MIN - PG_EPOCH_US));
		size_t taken = are_minutes ? sizeof(at) : size;
		uint32_t big = htonl((uint32_t)taken);
		memcpy(array + len, &big, sizeof(big));
		memcpy(array + len + sizeof(big), are_minutes ? (const void *)&at : item, taken);
		len += sizeof(big) + taken;
		item += size + (item[size] == ' ');
	}
	head[3] = htonl(n);
	memcpy(array, head, sizeof(head));
	put_bytes(row, column, array, len);
}

/* What is given ---------------------------------------------------------------------------------------------------- */

static const struct {
	int64_t id;
	int64_t applied;
	const char *severity, *status, *ladder;
} states[] = {
    {1, 1, "critical", "open",
     "{\"hold\": [0, 0], \"steps\": [[\"first_response\", 0, 0, 0, 0, 1772790000000000, 1772795000000000, \"gold\", "
     "\"50%\"], [null, 2, 1, 0, 2, 1772790000000000, 1772796000000000, \"gold\", null]]}"},
    {2, 3, "high", "pending", NULL},
};

static const struct {
	int64_t ticket;
	const char *metric, *state;
	int target;
	int64_t budget;
	const char *spans, *levels;
} clocks[] = {
    {1, "first_response", "running", 0, US_PER_H, "0", "50%"},
    {1, "resolution", "running", 4, 8 * US_PER_H, "-60 -30 0", ""},
    {2, "resolution", "paused", 4, 8 * US_PER_H, "-60 -30", ""},
};

static const struct {
	int64_t ticket;
	int64_t seq;
	int minute;
	const char *kind, *by, *status, *severity, *changed, *plan, *custom;
	bool requests;
	int hold;
} events[] = {
    {3, 1, 5, "opened", .status = "open", .severity = "S2", .plan = "gold",
     .custom = "{\"licence\": \"enterprise\", \"seats\": \"100\"}"},
    {4, 1, 6, "opened", .status = "open", .severity = "unheard of", .plan = "gold",
     .custom = "{\"licence\": \"enterprise\"}"},
    {4, 2, 7, "changed", .changed = "plan attributes", .plan = "silver", .custom = "{\"region\": \"eu\"}"},
    {1, 2, 10, "reply", .by = "customer", .requests = true},
    {1, 3, 12, "severity", .by = "agent", .severity = "high"},
    {2, 4, 15, "status", .status = "open"},
    {2, 5, 20, "changed", .changed = "plan attributes", .plan = "silver", .custom = "{\"licence\": null}"},
    {3, 2, 25, "dispute", .by = "customer"},
    {3, 3, 30, "reply", .by = "agent"},
    {3, 4, 35, "reply", .by = "customer"},
    {4, 3, 36, "severity", .by = "agent", .severity = "low"},
    {1, 4, 40, "ack", .hold = 30},
    {3, 5, 50, "assessed"},
    {1, 5, 55, "status", .status = "pending"},
    {5, 1, 60, "opened", .status = "open", .severity = "critical"},
    {5, 2, 61, "merged"},
    {2, 6, 18, "ack"}, /* late */
};

bool
given_state(size_t i, struct row *row, int64_t *ret_ticket)
{
	if (i >= sizeof(states) / sizeof(states[0]))
		return false;
	*row = (struct row){0};
	*ret_ticket = states[i].id;
	put_int64(row, 0, states[i].id);
	put_int64(row, 1, states[i].applied);
	put_text(row, 2, states[i].severity);
	put_text(row, 3, states[i].status);
	put_minute(row, 4, -60);
	put_minute(row, 5, 0);
	put_int32(row, 6, 0);
	put_int32(row, 7, 0);
	put_text(row, 9, states[i].ladder);
	put_text(row, 10, "Kestrel Games");
	put_text(row, 11, "gold");
	put_text(row, 10 + ATTRIBUTE_COUNT, "{\"licence\": \"enterprise\", \"seats\": \"100\"}");
	return true;
}

bool
given_clock(size_t i, const char *digest, struct row *row, int64_t *ret_ticket)
{
	if (i >= sizeof(clocks) / sizeof(clocks[0]))
		return false;
	*row = (struct row){0};
	*ret_ticket = clocks[i].ticket;
	put_int64(row, 0, clocks[i].ticket);
	put_text(row, 1, clocks[i].metric);
	put_int32(row, 2, 1);
	put_text(row, 3, clocks[i].state);
	put_minute(row, 4, -60);
	put_text(row, 6, "gold");
	put_int64(row, 7, clocks[i].budget);
	put_int64(row, 8, 0);
	put_int32(row, 12, clocks[i].target);
	put_text(row, 13, digest);
	put_int64(row, 14, 0);
	put_array(row, 15, clocks[i].spans, true);
	put_array(row, 16, clocks[i].levels, false);
	return true;
}

bool
given_event(size_t i, struct row *row)
{
	if (i >= sizeof(events) / sizeof(events[0]))
		return false;
	*row = (struct row){0};
	put_int64(row, 0, events[i].ticket);
	put_int64(row, 1, events[i].seq);
	put_minute(row, 2, events[i].minute);
	put_text(row, 3, events[i].kind);
	put_text(row, 4, events[i].by);
	put_bool(row, 6, events[i].requests);
	put_text(row, 7, events[i].status);
	put_text(row, 8, events[i].severity);
	if (events[i].hold > 0)
		put_int64(row, 9, events[i].hold * US_PER_MIN);
	if (events[i].changed != NULL)
		put_array(row, 10, events[i].changed, false);
	put_text(row, 12, events[i].plan);
	put_text(row, 11 + ATTRIBUTE_COUNT, events[i].custom);
	return true;
}
