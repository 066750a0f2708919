#include "html.h"

#include <string.h>

/* Sizes of a chart in its own units; the page scales it. */
#define CHART_WIDTH  900.0
#define CHART_HEIGHT 170.0
#define CHART_TOP    38.0
#define CHART_FOOT   26.0
#define LETTER_WIDTH 7.4 /* labels that would touch are left out */
#define LINE_HEIGHT  13.0

/* A first cell of up to so many characters, such as a ticket's name, is not broken. */
#define NAME_MAX 24

/* The colours keep apart for eyes that do not tell red from green, and in grey. */
static const char style[] =
    "body{font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;color:#1b2733;"
    "max-width:62rem;margin:2.5rem auto;padding:0 1.5rem;background:#fff}"
    "h1{font-size:1.7rem;margin:0;line-height:1.25}h2{font-size:1.15rem;margin:2.4rem 0 .6rem;"
    "border-bottom:1px solid #d5dce3;padding-bottom:.25rem}h3{font-size:1rem;margin:1.4rem 0 .3rem}"
    ".below{color:#56677a;margin:.3rem 0 1.5rem}.figures{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}"
    ".figure{border:1px solid #d5dce3;border-radius:8px;padding:.7rem 1.1rem;min-width:8rem}"
    ".figure b{display:block;font-size:1.8rem;line-height:1.2}.figure span{color:#56677a}.figure.alert b{color:#b3261e}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:.3rem .6rem;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #e6ebf0}th{color:#56677a;font-weight:600;border-color:#aab6c2}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.w{white-space:nowrap}"
    "figure{margin:0}"
    "svg{width:100%;height:auto;margin:.4rem 0}svg text{font-size:12px;fill:#56677a;text-anchor:middle}"
    "svg text.above{fill:#1b2733}svg text.one{fill:#1f6148}svg "
    ".two{fill:#b3491c}.first{fill:#2b7a5b}.second{fill:#d9643a}.key{font-size:.85rem;color:#56677a}"
    ".key i{display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 .9em}.key .first{background:#2b7a5b}"
    ".key .second{background:#d9643a}.none{color:#56677a}footer{margin:3rem 0 1rem;color:#56677a;font-size:.85rem}"
    "@media print{body{margin:0;max-width:none}h2,h3,h3+p,.none{break-after:avoid}tr,figure,.figure{break-inside:avoid}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

void
html_add(struct text *out, const char *string)
{
	for (; string != NULL && *string != '\0'; string++) {
		switch (*string) {
		case '&':
			text_add_string(out, "&amp;");
			break;
		case '<':
			text_add_string(out, "&lt;");
			break;
		case '>':
			text_add_string(out, "&gt;");
			break;
		case '"':
			text_add_string(out, "&quot;");
			break;
		default:
			text_add(out, string, 1);
		}
	}
}

void
html_element(struct text *out, const char *tag, const char *string)
{
	text_add_format(out, "<%s>", tag);
	html_add(out, string);
	text_add_format(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void
html_begin(struct text *out, const char *title, const char *below)
{
	text_add_string(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
	html_element(out, "title", title);
	text_add_format(out, "<style>%s</style>\n</head>\n<body>\n", style);
	html_element(out, "h1", title);
	html_element(out, "p class=\"below\"", below);
}

void
html_end(struct text *out, const char *last)
{
	html_element(out, "footer", last);
	text_add_string(out, "</body>\n</html>\n");
}

void
html_figure(struct text *out, const char *number, const char *meaning, bool alert)
{
	text_add_format(out, "<div class=\"figure%s\">", alert ? " alert" : "");
	html_element(out, "b", number);
	html_element(out, "span", meaning);
	text_add_string(out, "</div>\n");
}

void
html_table_begin(struct text *out, const struct html_column *columns, size_t n)
{
	text_add_string(out, "<table>\n<thead><tr>");
	for (size_t i = 0; i < n; i++)
		html_element(out, columns[i].right ? "th scope=\"col\" class=\"n\"" : "th scope=\"col\"",
		             columns[i].name);
	text_add_string(out, "</tr></thead>\n<tbody>\n");
}

void
html_table_row(struct text *out, const struct html_column *columns, size_t n, const char *const *cells)
{
	text_add_string(out, "<tr>");
	for (size_t i = 0; i < n; i++) {
		bool is_name = i == 0 && cells[i] != NULL && strlen(cells[i]) <= NAME_MAX;
		html_element(out, columns[i].right ? "td class=\"n\"" : is_name ? "td class=\"w\"" : "td", cells[i]);
	}
	text_add_string(out, "</tr>\n");
}

void
html_table_end(struct text *out)
{
	text_add_string(out, "</tbody>\n</table>\n");
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void
add_bar(struct text *out, const char *class, double x, double width, double bottom, double height)
{
	if (height > 0)
		text_add_format(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", class,
		                x, CHART_TOP + CHART_HEIGHT - bottom - height, width, height);
}

static void
add_label(struct text *out, const char *class, double x, double y, const char *label)
{
	text_add_format(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	html_add(out, label);
	text_add_string(out, "</text>");
}

static void
add_labels(struct text *out, const struct html_place *place, double x, double top)
{
	add_label(out, "below", x, CHART_TOP + CHART_HEIGHT + 17, place->label);
	if (place->above_second[0] == '\0') {
		add_label(out, "above", x, top - 6, place->above);
	} else {
		add_label(out, "above one", x, top - 6 - LINE_HEIGHT, place->above);
		add_label(out, "above two", x, top - 6, place->above_second);
	}
}

static void
add_place(struct text *out, enum html_chart kind, const struct html_place *place, double x, double step, double most,
          bool labelled)
{
	double a = most > 0 ? place->values[0] / most * CHART_HEIGHT : 0;
	double b = most > 0 ? place->values[1] / most * CHART_HEIGHT : 0;
	double width = step > 120 ? step * 0.6 : step > 60 ? step - 16 : step * 0.75;
	double left = x + (step - width) / 2;
	text_add_string(out, "<g>");
	html_element(out, "title", place->hint);
	if (kind == HTML_STACKED) {
		double sum = place->values[0] + place->values[1];
		a = sum > 0 ? place->values[0] / sum * CHART_HEIGHT : 0;
		b = sum > 0 ? CHART_HEIGHT - a : 0;
		add_bar(out, "first", left, width, 0, a);
		add_bar(out, "second", left, width, a, b);
	} else {
		add_bar(out, "first", left, width / 2, 0, a);
		add_bar(out, "second", left + width / 2, width / 2, 0, b);
	}
	if (labelled)
		add_labels(out, place, x + step / 2,
		           CHART_TOP + CHART_HEIGHT -
		               (kind == HTML_STACKED ? CHART_HEIGHT
		                : a > b              ? a
		                                     : b));
	text_add_string(out, "</g>\n");
}

static double
greatest(const struct html_place *places, size_t n)
{
	double most = 0;
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if (places[i].values[k] > most)
				most = places[i].values[k];
	return most;
}

/* The width of the widest label. */
static double
label_width(const struct html_place *places, size_t n)
{
	size_t most = 0;
	for (size_t i = 0; i < n; i++) {
		const char *const labels[] = {places[i].label, places[i].above, places[i].above_second};
		for (size_t k = 0; k < 3; k++)
			if (strlen(labels[k]) > most)
				most = strlen(labels[k]);
	}
	return ((double)most + 0.5) * LETTER_WIDTH;
}

void
html_chart(struct text *out, enum html_chart kind, const char *caption, const char *const names[static 2],
           const struct html_place *places, size_t n)
{
	if (n == 0)
		return;
	double step = CHART_WIDTH / (double)n;
	if (step > CHART_WIDTH / 5) /* a single column as wide as the page looks like none */
		step = CHART_WIDTH / 5;
	double most = greatest(places, n), label = label_width(places, n);
	size_t every = 1;
	while ((double)every * step < label)
		every++;
	text_add_string(out, "<figure><p class=\"key\"><i class=\"first\"></i>");
	html_add(out, names[0]);
	if (names[1] != NULL) {
		text_add_string(out, "<i class=\"second\"></i>");
		html_add(out, names[1]);
	}
	text_add_format(out, "</p>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", CHART_WIDTH,
	                CHART_TOP + CHART_HEIGHT + CHART_FOOT);
	html_add(out, caption);
	text_add_string(out, "\">\n");
	text_add_format(out, "<line x1=\"0\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#aab6c2\"/>\n", CHART_WIDTH,
	                CHART_TOP + CHART_HEIGHT, CHART_TOP + CHART_HEIGHT);
	for (size_t i = 0; i < n; i++)
		add_place(out, kind, &places[i], (double)i * step, step, most, i % every == 0);
	text_add_string(out, "</svg></figure>\n");
}
