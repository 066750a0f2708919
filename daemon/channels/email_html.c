/* The HTML body: one card with a coloured edge. Colours that both modes share stand in the elements, what differs in
 * the style sheet, so that programs that drop it still show a mail that can be read. */
#include "email_render.h"

#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta name=\"supported-color-schemes\" content=\"light dark\">\n"
    "<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { margin: 0; padding: 16px; background: #ffffff; color: #1c1e21;\n"
    "  font: 16px/1.45 system-ui, -apple-system, \"Segoe UI\", Roboto, Helvetica, Arial, sans-serif; }\n"
    ".card { max-width: 640px; padding: 2px 0 2px 16px; }\n"
    ".label { margin: 0; font-size: 14px; font-weight: 600; }\n"
    "h1 { margin: 2px 0 14px; font-size: 20px; line-height: 1.3; overflow-wrap: anywhere; }\n"
    "table { border-collapse: collapse; }\n"
    "th { padding: 2px 16px 2px 0; text-align: left; vertical-align: top; font-weight: 400; color: #5f6368; }\n"
    "td { padding: 2px 0; vertical-align: top; overflow-wrap: anywhere; }\n"
    ".list { width: 100%; }\n"
    ".list td { padding: 8px 0 8px 10px; border-bottom: 1px solid #dadce0; }\n"
    ".list td:first-child { width: 28%; }\n"
    ".foot { max-width: 640px; margin: 20px 0 0; font-size: 13px; color: #5f6368; overflow-wrap: anywhere; }\n"
    "a { color: #0b57d0; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  body { background: #1b1c1f; color: #e8eaed; }\n"
    "  th, .foot { color: #a8adb3; }\n"
    "  .list td { border-bottom-color: #3c4043; }\n"
    "  a { color: #8ab4f8; }\n"
    "}\n"
    "</style>\n"
    "</head>\n"
    "<body>\n";

/* Against white and the dark background alike at least 3 : 1, as edges and large words need (WCAG 2.1, 1.4.11). */
static const char *
colour(const struct message *message)
{
	static const char *const severities[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = "#3b82d6",
	    [MESSAGE_WARNING] = "#b7791f",
	    [MESSAGE_ERROR] = "#dd5a1c",
	    [MESSAGE_CRITICAL] = "#dc3545",
	};
	switch (message->kind) {
	case MESSAGE_ACKNOWLEDGED:
		return "#3b82d6";
	case MESSAGE_RESOLVED:
		return "#2f9e55";
	case MESSAGE_TEST:
		return "#80868b";
	default:
		return severities[message->severity];
	}
}

static void
add_escaped(struct text *text, const char *string)
{
	while (*string) {
		size_t n = strcspn(string, "&<>\"'");
		text_add(text, string, n);
		string += n;
		switch (*string) {
		case '\0':
			return;
		case '&':
			text_add_string(text, "&amp;");
			break;
		case '<':
			text_add_string(text, "&lt;");
			break;
		case '>':
			text_add_string(text, "&gt;");
			break;
		case '"':
			text_add_string(text, "&quot;");
			break;
		default:
			text_add_string(text, "&#39;");
		}
		string++;
	}
}

static void
add_link(struct text *text, const char *link, const char *words)
{
	text_add_string(text, "<a href=\"");
	add_escaped(text, link);
	text_add_string(text, "\">");
	add_escaped(text, words);
	text_add_string(text, "</a>");
}

static void
add_facts(struct text *text, const struct message *message)
{
	if (message->n_facts == 0)
		return;
	text_add_string(text, "<table>\n");
	for (size_t i = 0; i < message->n_facts; i++) {
		text_add_string(text, "<tr><th>");
		add_escaped(text, message->facts[i].name);
		text_add_string(text, "</th><td>");
		add_escaped(text, message->facts[i].value);
		text_add_string(text, "</td></tr>\n");
	}
	text_add_string(text, "</table>\n");
}

static void
add_items(struct text *text, const struct message *message)
{
	if (message->n_items == 0)
		return;
	text_add_string(text, "<table class=\"list\">\n");
	for (size_t i = 0; i < message->n_items; i++) {
		const struct message *item = message->items[i];
		const char *ticket = item->ticket ? item->ticket : email_label(item);
		text_add_string(text, "<tr><td style=\"border-left:4px solid ");
		text_add_string(text, colour(item));
		text_add_string(text, "\">");
		if (email_link_usable(item->link))
			add_link(text, item->link, ticket);
		else
			add_escaped(text, ticket);
		text_add_string(text, "</td><td>");
		add_escaped(text, item->title);
		text_add_string(text, "</td></tr>\n");
	}
	text_add_string(text, "</table>\n");
}

void
email_add_html(struct text *text, const struct email *email)
{
	const struct message *message = email->message;
	text_add_string(text, head);
	text_add_string(text, "<div class=\"card\" style=\"border-left:5px solid ");
	text_add_string(text, colour(message));
	text_add_string(text, "\">\n<p class=\"label\" style=\"color:");
	text_add_string(text, colour(message));
	text_add_string(text, "\">");
	text_add_string(text, email_label(message));
	text_add_string(text, "</p>\n<h1>");
	add_escaped(text, message->title);
	text_add_string(text, "</h1>\n");
	add_facts(text, message);
	add_items(text, message);
	if (email_link_usable(message->link)) {
		text_add_string(text, "<p>");
		add_link(text, message->link, "Open the ticket");
		text_add_string(text, "</p>\n");
	}
	text_add_string(text, "</div>\n<p class=\"foot\">slated (");
	add_escaped(text, email->instance);
	text_add_string(text, "), ");
	add_escaped(text, message->key);
	text_add_string(text, "</p>\n</body>\n</html>\n");
}
