/* The journal as the log's sink (sd_journal_send(3)), and which messages have an entry in systemd/slated.catalog. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* every line would be of this file */
#include <systemd/sd-journal.h>

#include "slated/log.h"

/* Of a line's pairs; those beyond are in its text. */
#define FIELDS_MAX 24

/* One meaning for an operator has one id; tests/doc/catalog.py compares this with the sources and the catalog. */
static const struct {
	const char *message;
	const char *id;
} messages[] = {
    {"no connection to the database", "cb23877b8e1b42069f34915b35070337"},
    {"no connection to the database for deliveries", "cb23877b8e1b42069f34915b35070337"},
    {"no connection to the database for large batches", "cb23877b8e1b42069f34915b35070337"},
    {"no connection to the database for HTTP requests", "cb23877b8e1b42069f34915b35070337"},
    {"a former primary takes writes", "dcf1224453ec41d8ab2a3588bb4bb06b"},
    {"the lease could not be taken", "6d8500149c884e26a41090a211ca601b"},
    {"the severities of open tickets could not be read", "6d8500149c884e26a41090a211ca601b"},
    {"not started: the configuration lacks a severity", "cae83adf6c03414689beafabc4053403"},
    {"the configuration could not be recorded", "6d8500149c884e26a41090a211ca601b"},
    {"other daemons hold all shards; waiting for a share", "5bb6c346f1344265950fa1408bc88889"},
    {"everything is read anew", "b8ba14d2f10c4695a42c040ac55b6a28"},
    {"events are missing", "cfea605155584e96be0ef5dd6499d2e9"},
    {"an event could not be read", "cfea605155584e96be0ef5dd6499d2e9"},
    {"a ticket's state could not be read", "cfea605155584e96be0ef5dd6499d2e9"},
    {"a clock could not be read", "cfea605155584e96be0ef5dd6499d2e9"},
    {"ladder steps could not be read", "cfea605155584e96be0ef5dd6499d2e9"},
    {"too many tickets would be left out", "cfea605155584e96be0ef5dd6499d2e9"},
    {"a ticket is left out, as a row of it cannot be read", "e0ab499f7d8942249174d28a17c0bfa2"},
    {"a former configuration, which open clocks need, cannot be read", "58e8c73cfb164d24bc72788954853524"},
    {"configuration", "ad12bbbd08d24bf5b40b00bf6c5a0cb8"},
    {"reload refused, the former configuration stays in force", "121116100d7645fd97ff9a8e39d98d2b"},
    {"a changed setting holds from the next start on", "259c25d236284e708359447fbd036ef4"},
    {"a channel cannot be opened", "668374bbb0564685988b860446ead199"},
    {"this version cannot send to channels of this type", "668374bbb0564685988b860446ead199"},
    {"event refused", "ed266a67ab7c4fdd810f1c487ce5c050"},
    {"a rule was not applied", "e7a4b444959b409fb090ff5c2f49c31e"},
    {"hook failed", "4f8f56c8a9194497ac3c246d86f31037"},
    {"a hook's answer was not written down", "4f8f56c8a9194497ac3c246d86f31037"},
    {"delivery given up", "d2f625521ebd4ee7b40899dc96ea36c0"},
    {"the channel fails, its fallback is told", "186d6943d106458ebc298d3964a18b2a"},
    {"deliveries could not be read or written", "bda432ecd4484316827d163287682a79"},
    {"delivery not taken on", "bda432ecd4484316827d163287682a79"},
    {"delivery not read", "bda432ecd4484316827d163287682a79"},
    {"NOTIFY does not arrive, polling instead; connect to PostgreSQL directly or through a pooler in session mode for "
     "quicker answers",
     "cb39b0a8bb20404da66fea9ad786cf09"},
    {"the database's clock was stepped", "9c812077a14f4a25bfcd19529c4875ef"},
    {"the heartbeat was not heard", "df94bfffc91a402295b4efcda6ec260c"},
    {"the heartbeat could not be sent", "df94bfffc91a402295b4efcda6ec260c"},
    {"no heartbeat: a part has not worked since the last one", "9d06d40b7dab469384a13cbea55cf21e"},
    {"cannot listen: change http.listen, or end what listens there", "d9c46901388b4db2b9c56dde9a83dacb"},
    {"cannot listen on a socket that was handed over: look at the .socket unit", "d9c46901388b4db2b9c56dde9a83dacb"},
    {"cannot tell which sockets were handed over", "d9c46901388b4db2b9c56dde9a83dacb"},
    {"a connection cannot be taken", "41cf584310e84661b1d431acfb247ebf"},
    {"a request over HTTP could not be carried out", "41cf584310e84661b1d431acfb247ebf"},
    {"an attached system could not be taken over", "6c071db0221948ada4514683e4ce7229"},
    {"the adapters cannot be opened; restart slated", "6c071db0221948ada4514683e4ce7229"},
    {"a webhook with a wrong signature was refused", "79e929351b064606a6be8512cd3104be"},
    {"ladder steps were dropped: the configuration no longer has them", "a7a78c81838643eea9d9d0608778f628"},
    {"an alert was refused and is not sent again", "34ccabba971f4f35b8f4757c6b165976"},
    {"an alert will not be sent again", "34ccabba971f4f35b8f4757c6b165976"},
    {"alerts are not sent again", "34ccabba971f4f35b8f4757c6b165976"},
    {"alerts could not be sent again", "34ccabba971f4f35b8f4757c6b165976"},
    {"an alert cannot be restored", "34ccabba971f4f35b8f4757c6b165976"},
    {"stopping without waiting any longer", "c5d1787fde1b4e99a5520093347f0d8e"},
    {"stopped before all clocks have moved; once slated runs again: slatectl reload --migrate",
     "49d1fed89d1c4ed188a417f713d8befc"},
};

const char *
log_message_id(const char *message)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (strcmp(messages[i].message, message) == 0)
			return messages[i].id;
	return NULL;
}

/* The fields of one entry, with the text that they refer to. */
struct entry {
	struct iovec fields[FIELDS_MAX + 3];
	int n;
	char text[4 * LOG_LINE_SIZE];
	size_t len;
};

/* Ends the field that begins at `start`. */
static void
entry_add(struct entry *entry, size_t start)
{
	entry->fields[entry->n++] = (struct iovec){entry->text + start, entry->len - start};
}

static void __attribute__((format(printf, 2, 3))) entry_print(struct entry *entry, const char *format, ...)
{
	va_list args;
	size_t start = entry->len;
	va_start(args, format);
	int n = vsnprintf(entry->text + start, sizeof(entry->text) - start, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(entry->text) - start)
		return;
	entry->len += (size_t)n;
	entry_add(entry, start);
}

/* "ticket" becomes SLATED_TICKET. */
static void
entry_add_pair(struct entry *entry, const struct log_field *field)
{
	static const char prefix[] = "SLATED_";
	char value[LOG_LINE_SIZE];
	size_t start = entry->len;
	size_t n = log_format_value(value, field);
	if (sizeof(entry->text) - start < sizeof(prefix) + strlen(field->key) + n)
		return;
	memcpy(entry->text + entry->len, prefix, strlen(prefix));
	entry->len += strlen(prefix);
	for (const char *c = field->key; *c != '\0'; c++)
		entry->text[entry->len++] = (char)toupper((unsigned char)*c);
	entry->text[entry->len++] = '=';
	memcpy(entry->text + entry->len, value, n);
	entry->len += n;
	entry_add(entry, start);
}

static bool
send_entry(enum log_level level, const char *message, const struct log_field *fields)
{
	struct entry entry = {.n = 0};
	char line[LOG_LINE_SIZE];
	size_t len = log_format(line, level, false, message, fields) - 1; /* without its newline */
	const char *id = level <= LOG_LEVEL_WARNING ? log_message_id(message) : NULL;
	entry_print(&entry, "MESSAGE=%.*s", (int)len, line);
	entry_print(&entry, "PRIORITY=%d", (int)level);
	if (id != NULL)
		entry_print(&entry, "MESSAGE_ID=%s", id);
	for (int i = 0; i < FIELDS_MAX && fields[i].key != NULL; i++)
		if (fields[i].kind != LOG_FIELD_TEXT || fields[i].value.text != NULL)
			entry_add_pair(&entry, &fields[i]);
	return sd_journal_sendv(entry.fields, entry.n) >= 0;
}

void
log_use_journal(void)
{
	if (log_is_journal())
		log_set_sink(send_entry);
}
