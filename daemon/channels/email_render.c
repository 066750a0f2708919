/* Headers: RFC 5322; Auto-Submitted: RFC 3834, section 5; X-Auto-Response-Suppress: [MS-OXCMAIL] 2.2.3.2.14;
 * Importance: RFC 2156, section 5.3.4. */
#include "email_render.h"
#include "mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECT_MAX 250
/* Quoted-printable never writes "=_" (RFC 2045, section 6.7, says so for this very use). */
#define BOUNDARY "=_slated"

static const char *const alert_labels[MESSAGE_SEVERITY_COUNT] = {
    [MESSAGE_INFO] = "Notice",
    [MESSAGE_WARNING] = "Warning",
    [MESSAGE_ERROR] = "Alert",
    [MESSAGE_CRITICAL] = "Critical alert",
};

const char *
email_label(const struct message *message)
{
	static const char *const labels[MESSAGE_KIND_COUNT] = {
	    [MESSAGE_ACKNOWLEDGED] = "Acknowledged",
	    [MESSAGE_RESOLVED] = "Resolved",
	    [MESSAGE_TEST] = "Test",
	    [MESSAGE_DIGEST] = "Digest",
	};
	return message->kind == MESSAGE_ALERT ? alert_labels[message->severity] : labels[message->kind];
}

bool
email_link_usable(const char *link)
{
	return link && (strncmp(link, "https://", 8) == 0 || strncmp(link, "http://", 7) == 0);
}

static void
add_message_id(struct text *text, const struct email *email, const char *header, const char *head, const char *word)
{
	text_add_string(text, header);
	text_add_string(text, ": <");
	text_add_string(text, head);
	mime_add_id(text, word);
	text_add_string(text, strchr(email->from, '@'));
	text_add_string(text, ">\r\n");
}

static void
add_importance(struct text *text, const struct message *message)
{
	static const struct {
		const char *importance, *priority;
	} words[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = {"low", "5 (Lowest)"},
	    [MESSAGE_WARNING] = {"normal", "3 (Normal)"},
	    [MESSAGE_ERROR] = {"high", "2 (High)"},
	    [MESSAGE_CRITICAL] = {"high", "1 (Highest)"},
	};
	bool alerts = message->kind == MESSAGE_ALERT || message->kind == MESSAGE_DIGEST;
	enum message_severity severity = alerts ? message->severity : MESSAGE_WARNING;
	mime_add_header(text, "Importance", words[severity].importance);
	mime_add_header(text, "X-Priority", words[severity].priority);
}

static void
add_headers(struct text *text, const struct email *email)
{
	const struct message *message = email->message;
	char subject[SUBJECT_MAX + 1], from[300];
	(void)message_cut(message->title, SUBJECT_MAX, subject);
	(void)snprintf(from, sizeof(from), "slated <%s>", email->from);
	mime_add_addresses(text, "From", (const char *const[]){from}, 1);
	mime_add_addresses(text, "To", email->to, email->n_to);
	mime_add_header(text, "Subject", subject);
	mime_add_date(text, "Date", email->now);
	add_message_id(text, email, "Message-ID", "", message->key);
	/* Nobody ever sends the root: mail programs gather under it what names it. */
	if (message->ticket_id) {
		add_message_id(text, email, "In-Reply-To", "slated-ticket-", message->ticket_id);
		add_message_id(text, email, "References", "slated-ticket-", message->ticket_id);
	}
	text_add_string(text, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
	add_importance(text, message);
	text_add_string(text, "MIME-Version: 1.0\r\n"
	                      "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n\r\n");
}

static void
add_text(struct text *text, const struct email *email)
{
	const struct message *message = email->message;
	int widest = 0;
	text_add_string(text, message->title);
	text_add_string(text, "\n\n");
	for (size_t i = 0; i < message->n_facts; i++)
		if ((int)strlen(message->facts[i].name) > widest)
			widest = (int)strlen(message->facts[i].name);
	for (size_t i = 0; i < message->n_facts; i++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%s:%*s ", message->facts[i].name,
		               widest - (int)strlen(message->facts[i].name), "");
		text_add_string(text, name);
		text_add_string(text, message->facts[i].value);
		text_add_string(text, "\n");
	}
	if (email_link_usable(message->link)) {
		text_add_string(text, message->n_facts > 0 ? "\n" : "");
		text_add_string(text, message->link);
		text_add_string(text, "\n");
	}
	for (size_t i = 0; i < message->n_items; i++) {
		const struct message *item = message->items[i];
		text_add_string(text, email_label(item));
		text_add_string(text, ": ");
		text_add_string(text, item->title);
		text_add_string(text, email_link_usable(item->link) ? "\n  " : "");
		text_add_string(text, email_link_usable(item->link) ? item->link : "");
		text_add_string(text, "\n");
	}
	text_add_string(text, "\n-- \nslated (");
	text_add_string(text, email->instance);
	text_add_string(text, "), ");
	text_add_string(text, message->key);
	text_add_string(text, "\n");
}

static void
add_part(struct text *text, const char *type, void (*add)(struct text *text, const struct email *email),
         const struct email *email)
{
	struct text body = {0};
	add(&body, email);
	text_add_string(text, "--" BOUNDARY "\r\nContent-Type: ");
	text_add_string(text, type);
	text_add_string(text, "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
	if (body.failed)
		text->failed = true;
	else
		mime_add_quoted_printable(text, body.data);
	text_add_string(text, "\r\n");
	free(body.data);
}

char *
email_render(const struct email *email)
{
	struct text text = {0};
	add_headers(&text, email);
	add_part(&text, "text/plain", add_text, email);
	add_part(&text, "text/html", email_add_html, email);
	text_add_string(&text, "--" BOUNDARY "--\r\n");
	if (text.failed) {
		free(text.data);
		return NULL;
	}
	return text.data;
}
