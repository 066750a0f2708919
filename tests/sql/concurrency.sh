# Eight connections write the same twenty tickets at once.

sql -c "INSERT INTO sla.ticket (external_id) SELECT 'w' || g FROM generate_series(1, 20) g"
w1=$(sql -c "SELECT min(id) FROM sla.ticket WHERE external_id ~ '^w[0-9]+\$'")
cat >"$PG_DIR/writers.pgbench" <<ROWS
\\set a random(0, 19)
\\set b random(0, 19)
\\set n random(0, 1000000)
UPDATE sla.ticket SET status = CASE :n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'pending' ELSE 'solved' END, severity = 's' || :n % 2,
	team = 't' || :n % 5 WHERE id = $w1 + :a;
INSERT INTO sla.reply (ticket_id, author) VALUES ($w1 + :a, 'agent'), ($w1 + :b, 'customer'), ($w1 + :a, 'system');
BEGIN;
INSERT INTO sla.ack (ticket_id) VALUES ($w1 + :a);
UPDATE sla.ticket SET severity = 's' || :n WHERE id = $w1 + :a;
INSERT INTO sla.dispute (ticket_id) VALUES ($w1 + :a);
ROLLBACK;
BEGIN;
INSERT INTO sla.dispute (ticket_id) VALUES ($w1 + :b);
UPDATE sla.ticket SET severity = 's' || :n WHERE id = $w1 + :b;
END;
ROWS
pgbench -n -c 8 -j 2 -t 50 -f "$PG_DIR/writers.pgbench" >"$PG_DIR/pgbench.log" 2>&1 || cat "$PG_DIR/pgbench.log"
same "no writer fails" "number of transactions actually processed: 400/400" "$(grep 'actually processed' "$PG_DIR/pgbench.log")"
expect "every reply and dispute is there" "1200|400|0" \
	"SELECT count(*) FILTER (WHERE kind = 'reply'), count(*) FILTER (WHERE kind = 'dispute'), count(*) FILTER (WHERE kind = 'ack')
	FROM sla.event WHERE ticket_id BETWEEN $w1 AND $w1 + 19"
expect "no gap under concurrent writers" 0 "$gaps"
expect "numbers follow the order of commits" 0 \
	"SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER w OR at < lag(at) OVER w AS wrong FROM sla.event
		WHERE ticket_id BETWEEN $w1 AND $w1 + 19 WINDOW w AS (PARTITION BY ticket_id ORDER BY seq)) x WHERE wrong"

# The second writer waits for the first one's commit and numbers after it.
mkfifo "$PG_DIR/first-in"
psql -XAtq <"$PG_DIR/first-in" >"$PG_DIR/first-out" 2>&1 &
first=$!
exec 7>"$PG_DIR/first-in"
echo "SET application_name = 'first'; BEGIN; INSERT INTO sla.reply (ticket_id, author) VALUES ($w1, 'agent');" >&7
# until_true STATEMENT: asks till it is true, ten seconds at the most.
until_true() {
	sql -c "DO \$\$ DECLARE until timestamptz := clock_timestamp() + interval '10 s'; yes boolean; BEGIN
		LOOP EXECUTE $(printf '%s' "$1" | sed "s/'/''/g; s/^/'/; s/\$/'/") INTO yes;
		EXIT WHEN yes; ASSERT clock_timestamp() < until; PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01); END LOOP; END \$\$"
}
until_true "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'first' AND state = 'idle in transaction')"
PGAPPNAME=second sql -c "UPDATE sla.ticket SET status = 'on_hold' WHERE id = $w1" &
second=$!
until_true "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock')"
echo "COMMIT;" >&7
exec 7>&-
wait "$first" "$second"
expect "a waiting writer's event comes after, in time too" "reply
status
0" \
	"SELECT kind FROM (SELECT kind, seq FROM sla.event WHERE ticket_id = $w1 ORDER BY seq DESC LIMIT 2) x ORDER BY seq;
	SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS wrong FROM sla.event WHERE ticket_id = $w1) x WHERE wrong"
