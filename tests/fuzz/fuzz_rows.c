/* Rows of queries in text format, whose texts others wrote and whose numbers are any that the column can hold: what is
 * reported of them is JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "fuzz.h"
#include "input.h"
#include "slated/clock_list.h"
#include "slated/delivery_row.h"
#include "slated/policy.h"
#include "slated/story_row.h"
#include "slated/ticket_row.h"

#define COLUMNS_MAX 48

/* A timestamptz lies between 4713 BC and 294276 AD (PostgreSQL's manual, section 8.5). */
#define PG_FIRST INT64_C(-210866803200000000)
#define PG_LAST  (INT64_MAX - 1) /* what its microseconds can be */
/* Within the years that calendars know. */
#define CLOCK_FIRST INT64_C(-62167219200000000)
#define CLOCK_LAST  INT64_C(253402300800000000)
/* The longest that a configuration allows. */
#define LENGTH_MAX (INT64_C(36600) * US_PER_DAY)

/* What a column holds, by a letter; a capital one is never NULL:
 * t text, n number, b boolean, j JSON, i instant, f length of time, d such that the daemon writes, s state of a clock,
 * k instant of a clock, a array of those. */
struct shape {
	const char *columns;
	void (*write)(struct jsonw *json, const PGresult *rows);
};

static struct policy_set *
policies(void)
{
	static struct policy_set *set;
	if (set == NULL)
		demand(policy_set_new(&set) == 0);
	return set;
}

static void
write_clock(struct jsonw *json, const PGresult *rows)
{
	const struct instant now = {INT64_C(1772798400000000)}; /* 2026-03-06T12:00:00Z */
	struct clock_row clock;
	clock_row_read(rows, 0, 0, policies(), now, &clock);
	demand(clock_row_share(&clock) == clock_row_share(&clock)); /* a number */
	clock_row_write(json, &clock);
}

static void
write_listed(struct jsonw *json, const PGresult *rows)
{
	clock_list_write_ticket(json, rows, 0, (struct instant){INT64_C(1772798400000000)});
}

static void
write_delivery(struct jsonw *json, const PGresult *rows)
{
	jsonw_open(json, "deliveries", '[');
	delivery_row_write(json, rows, 0);
	jsonw_close(json, ']');
}

static void
write_milestone(struct jsonw *json, const PGresult *rows)
{
	story_row_write(json, &story_row_milestones, rows);
}

static void
write_event(struct jsonw *json, const PGresult *rows)
{
	story_row_write(json, &story_row_events, rows);
}

static void
write_reassessment(struct jsonw *json, const PGresult *rows)
{
	story_row_write(json, &story_row_reassessments, rows);
}

static const struct shape shapes[] = {
    {"TNSTTTBJBDDDKkkkkATN", write_clock},        {"Nttttttttiti", write_listed},
    {"IttnTtTNtttiiTnt", write_delivery},         {"ITNTtitttntbtntntjtjtjnit", write_milestone},
    {"INTtbbtttfntbttji", write_event},           {"ITtttttttBB", write_reassessment},
    {"NTTtttttttttttjIttNnni", ticket_row_write},
};

static int64_t
take_number(struct input *input)
{
	uint64_t number = 0;
	unsigned n = input_byte(input) % 9; /* small ones are as likely as large ones */
	for (unsigned i = 0; i < n; i++)
		number = number << 8 | input_byte(input);
	return n > 0 && n < 8 && (number >> (8 * n - 1)) != 0 ? (int64_t)(number - (UINT64_C(1) << 8 * n))
	                                                      : (int64_t)number;
}

static int64_t
take_within(struct input *input, int64_t first, int64_t last)
{
	int64_t us = take_number(input);
	return us < first ? first : us > last ? last : us;
}

/* Beginnings and ends. */
static void
add_array(struct text *value, struct input *input)
{
	unsigned n = input_byte(input) % 5;
	char digits[32];
	text_add_string(value, "{");
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(digits, sizeof(digits), "%s%" PRId64, i > 0 ? "," : "",
		               take_within(input, CLOCK_FIRST, CLOCK_LAST));
		text_add_string(value, digits);
	}
	text_add_string(value, "}");
}

static void
add_value(struct text *value, char letter, struct input *input)
{
	static const char *const json[] = {"{}", "[]", "[\"50%\"]", "{\"a\": null}"};
	static const char *const states[] = {"running", "paused", "breached", "met", "withdrawn"};
	char digits[32] = "";
	char *text;
	switch (letter) {
	case 't':
		text = input_text(input, '\n');
		text_add_string(value, text);
		free(text);
		return;
	case 'd':
		(void)snprintf(digits, sizeof(digits), "%" PRId64, take_number(input) % LENGTH_MAX);
		break;
	case 'n':
	case 'f':
		(void)snprintf(digits, sizeof(digits), "%" PRId64, take_number(input));
		break;
	case 'i':
		(void)snprintf(digits, sizeof(digits), "%" PRId64, take_within(input, PG_FIRST, PG_LAST));
		break;
	case 'k':
		(void)snprintf(digits, sizeof(digits), "%" PRId64, take_within(input, CLOCK_FIRST, CLOCK_LAST));
		break;
	case 'b':
		(void)snprintf(digits, sizeof(digits), "%s", input_byte(input) & 1 ? "t" : "f");
		break;
	case 'j':
		text_add_string(value, json[input_byte(input) % 4]);
		return;
	case 's':
		text_add_string(value, states[input_byte(input) % 5]);
		return;
	case 'a':
		add_array(value, input);
		return;
	default:
		abort();
	}
	text_add_string(value, digits);
}

static PGresult *
make_row(const char *columns, struct input *input)
{
	static char name[] = "c";
	PGresAttDesc described[COLUMNS_MAX];
	int n = (int)strlen(columns);
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < COLUMNS_MAX; i++)
		described[i] = (PGresAttDesc){.name = name};
	demand(rows != NULL && n <= COLUMNS_MAX && PQsetResultAttrs(rows, n, described));
	for (int i = 0; i < n; i++) {
		bool never_null = columns[i] >= 'A' && columns[i] <= 'Z';
		struct text value = {0};
		if (!never_null && (input_byte(input) & 3) == 0) {
			demand(PQsetvalue(rows, 0, i, NULL, -1));
			continue;
		}
		add_value(&value, (char)(never_null ? columns[i] - 'A' + 'a' : columns[i]), input);
		text_add(&value, "", 1);
		demand(!value.failed && PQsetvalue(rows, 0, i, value.data, (int)value.len - 1));
		free(value.data);
	}
	return rows;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	const struct shape *shape = &shapes[input_byte(&input) % (sizeof(shapes) / sizeof(shapes[0]))];
	PGresult *rows = make_row(shape->columns, &input);
	struct jsonw json = {0};
	json_error_t error;
	jsonw_open(&json, NULL, '{');
	shape->write(&json, rows);
	jsonw_close(&json, '}');
	demand(!json.text.failed);
	json_t *object = json_loadb(json.text.data, json.text.len, JSON_REJECT_DUPLICATES, &error);
	demand(json_is_object(object));
	json_decref(object);
	jsonw_clear(&json);
	PQclear(rows);
	return 0;
}
