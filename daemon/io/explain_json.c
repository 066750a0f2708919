/* Explanations as JSON. */
#include "explain_internal.h"
#include "slated/config.h"
#include "slated/words.h"

static void
write_stretch(struct jsonw *json, const struct explain_stretch *stretch)
{
	const struct stretch *s = &stretch->stretch;
	char text[WORDS_SIZE];

	jsonw_open(json, NULL, '{');
	jsonw_instant(json, "from", s->from);
	jsonw_instant(json, "to", s->to);
	jsonw_bool(json, "counted", s->counted);
	jsonw_seconds(json, "seconds", instant_since(s->to, s->from));
	jsonw_seconds(json, "sum_seconds", s->sum);
	if (stretch->paused)
		jsonw_text(json, "paused", stretch->cause);
	else if (s->why[0] != '\0')
		jsonw_text(json, "why", s->why);
	if (stretch->event > 0)
		jsonw_number(json, "event", stretch->event);
	if (stretch->ahead)
		jsonw_bool(json, "ahead", true);
	if (s->business_day > 0)
		jsonw_number(json, "business_day", s->business_day);
	if (!instant_equal(s->change, INSTANT_NEVER)) {
		jsonw_open(json, "clocks_change", '{');
		jsonw_instant(json, "at", s->change);
		words_offset(s->offset_before, text);
		jsonw_text(json, "from", text);
		words_offset(s->offset_after, text);
		jsonw_text(json, "to", text);
		jsonw_close(json, '}');
	}
	jsonw_close(json, '}');
}

static void
write_passed_over(struct jsonw *json, const struct explain_clock *clock)
{
	jsonw_open(json, "passed_over", '[');
	for (size_t i = 0; i < clock->n_passed_over; i++) {
		jsonw_open(json, NULL, '{');
		jsonw_text(json, "policy", clock->passed_over[i].name);
		jsonw_text(json, "why", clock->passed_over[i].why);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
write_sentences(struct jsonw *json, const struct explain_clock *clock)
{
	jsonw_open(json, "sentences", '[');
	for (size_t i = 0; i < clock->lines.n; i++)
		jsonw_text(json, NULL, clock->lines.at[i].data);
	jsonw_close(json, ']');
}

static void
write_clock(struct jsonw *json, const struct explain_clock *clock)
{
	const struct zone *zone = explain_zone(clock);
	char text[WORDS_SIZE];

	jsonw_open(json, NULL, '{');
	clock_row_write(json, &clock->row);
	if (zone != NULL)
		jsonw_text(json, "timezone", zone_name(zone));
	if (clock->target != NULL) {
		words_target(clock->target, text);
		jsonw_text(json, "target", text);
	}
	jsonw_text(json, "configuration", clock->row.configuration);
	jsonw_instant(json, "configuration_from", clock->loaded_at);
	if (clock->config != NULL && clock->config->tzdata[0] != '\0')
		jsonw_text(json, "tzdata", clock->config->tzdata);
	jsonw_text(json, "tzdata_then", clock->tzdata);
	write_passed_over(json, clock);
	write_sentences(json, clock);
	jsonw_open(json, "stretches", '[');
	for (size_t i = 0; i < clock->n_stretches; i++)
		write_stretch(json, &clock->stretches[i]);
	jsonw_close(json, ']');
	if (clock->truncated)
		jsonw_bool(json, "stretches_truncated", true);
	jsonw_close(json, '}');
}

void
explain_write(struct jsonw *json, const struct explain *explain)
{
	jsonw_open(json, "clocks", '[');
	for (size_t i = 0; i < explain->n_clocks; i++)
		write_clock(json, &explain->clocks[i]);
	jsonw_close(json, ']');
	if (explain->n_clocks > 0)
		return;
	write_passed_over(json, &explain->none);
	write_sentences(json, &explain->none);
}
