# Replies, disputes, assessments, acknowledgements, merges; the escalation token.

sql -c "INSERT INTO sla.ticket (external_id, opened_at) VALUES ('i1', '2026-03-02T09:00:00Z'), ('i2', '2026-03-02T09:00:00Z')"
i1=$(sql -c "SELECT id FROM sla.ticket WHERE external_id = 'i1'")
i2=$(sql -c "SELECT id FROM sla.ticket WHERE external_id = 'i2'")

expect "each input becomes its event" "2|reply|2026-03-02 09:01:00+00|agent|t|f|||
3|reply|2026-03-02 09:02:00+00|customer|f|t|||
4|dispute|2026-03-02 09:03:00+00|customer||||no|
5|assessed|2026-03-02 09:04:00+00|agent||||yes|
6|ack|2026-03-02 09:05:00+00|Ann|||1 day 02:00:00||
7|merged|2026-03-02 09:06:00+00||||||$i2" \
	"SET intervalstyle = 'sql_standard'; SET datestyle = 'german'; SET timezone = 'Asia/Kathmandu';
	INSERT INTO sla.reply (ticket_id, author, body, at) VALUES ($i1, 'agent', 'hi', '2026-03-02T09:01:00Z');
	INSERT INTO sla.reply (ticket_id, author, public, body, at) VALUES ($i1, 'customer', false, '#escalate', '2026-03-02T09:02:00Z');
	INSERT INTO sla.dispute (ticket_id, reason, at) VALUES ($i1, 'no', '2026-03-02T09:03:00Z');
	INSERT INTO sla.assessment (ticket_id, reason, at) VALUES ($i1, 'yes', '2026-03-02T09:04:00Z');
	INSERT INTO sla.ack (ticket_id, by, \"for\", at) VALUES ($i1, 'Ann', '1 day 2 hours', '2026-03-02T09:05:00Z');
	INSERT INTO sla.merge (ticket_id, into_id, at) VALUES ($i1, $i2, '2026-03-02T09:06:00Z');
	RESET ALL;
	SELECT seq, kind, at, by, public, escalate, \"for\", reason, \"into\" FROM sla.event WHERE ticket_id = $i1 AND seq > 1 ORDER BY seq"
expect "a reply in one statement with its ticket" "opened
reply" \
	"WITH t AS (INSERT INTO sla.ticket (external_id) VALUES ('i3') RETURNING id)
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM t;
	$(events i3 kind)"
expect "many replies in one INSERT, numbered by their instants" "customer
agent
system" \
	"INSERT INTO sla.reply (ticket_id, author, at) VALUES ($i2, 'system', '2026-03-02T11:00:00Z'),
		($i2, 'customer', '2026-03-02T09:30:00Z'), ($i2, 'agent', '2026-03-02T10:00:00Z');
	SELECT by FROM sla.event WHERE ticket_id = $i2 AND kind = 'reply' ORDER BY seq"
expect "an instant left out or NULL is now, and never before the last event" "t|t
t|t" \
	"INSERT INTO sla.ticket (external_id, opened_at) VALUES ('i4', clock_timestamp() + interval '30 s');
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE external_id = 'i4';
	INSERT INTO sla.reply (ticket_id, author, at) SELECT id, 'agent', NULL FROM sla.ticket WHERE external_id = 'i4';
	SELECT e.at = t.opened_at, r.at < e.at FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id
		JOIN sla.reply r ON r.ticket_id = t.id WHERE external_id = 'i4' AND seq = 2"
expect "a late reply keeps its instant" "2026-03-02 09:10:00+00" \
	"INSERT INTO sla.reply (ticket_id, author, at) VALUES ($i2, 'agent', '2026-03-02T09:10:00Z');
	SELECT at FROM sla.event WHERE ticket_id = $i2 ORDER BY seq DESC LIMIT 1"
expect "a reply to a closed ticket is let in" "opened
reply" \
	"INSERT INTO sla.ticket (external_id, status) VALUES ('i5', 'closed');
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'customer' FROM sla.ticket WHERE external_id = 'i5';
	$(events i5 kind)"
expect "COPY of replies" "t" \
	"COPY sla.reply (ticket_id, author, body) FROM stdin;
$i2	customer	please\\n#Escalate\\n
\\.
SELECT escalate FROM sla.event WHERE ticket_id = $i2 ORDER BY seq DESC LIMIT 1"

# The token: what a body (a literal of SQL's E'' form) asks.
while IFS='|' read -r expected body; do
	expect "token: $body" "$expected" "INSERT INTO sla.reply (ticket_id, author, body) VALUES ($i2, 'customer', $body) RETURNING escalate"
done <<'ROWS'
t|'#escalate'
t|'#ESCALATE'
t|'please #eScAlAtE!'
t|'see issue#escalate.'
t|E'thanks\n\n#escalate\n'
t|E'thanks\r\n#escalate\r\n'
t|E'> quoted\r#escalate'
t|E'> #escalate\n#escalate'
t|E'a > b #escalate'
t|'#escalated #escalate'
t|'##escalate'
t|'#escalate#'
t|'#escalate – now'
t|'#escalate“'
f|'escalate'
f|'# escalate'
f|'#escalated'
f|'#escalate2'
f|'#escalate_now'
f|'#escalate-now'
f|'#escalateé'
f|'#escalateж'
f|'#escalate次'
f|E'> #escalate'
f|E' \t> #escalate'
f|E'x\n  >> #escalate\ny'
f|E'x\r\n> #escalate'
f|E'#esca\nlate'
f|''
f|NULL
ROWS

# A text that was kept would be in a table's file or in the write-ahead log; the second mark proves that both are found.
sql -c "CREATE TABLE witness (t text)" -c "INSERT INTO witness VALUES ('mark-that-is-kept')" \
	-c "INSERT INTO sla.reply (ticket_id, author, body) VALUES ($i2, 'customer', 'mark-that-is-dropped #escalate')" -c CHECKPOINT
found() {
	if grep -rqF "$1" "$PG_DIR/data/$2"; then echo found; else echo none; fi
}
same "a body is neither in the tables nor in the log" "found found none none" \
	"$(found mark-that-is-kept base) $(found mark-that-is-kept pg_wal) $(found mark-that-is-dropped base) $(found mark-that-is-dropped pg_wal)"
expect "every body is NULL" 0 "SELECT count(*) FROM sla.reply WHERE body IS NOT NULL"
expect "no gap after inputs" 0 "$gaps"
