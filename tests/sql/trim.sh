# The log of events and its partitions.

createdb trimmed
"$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=trimmed" >"$PG_DIR/out" || cat "$PG_DIR/out"
# where NAME: which partitions hold the ticket's events, and how many.
where() {
	echo "SELECT e.tableoid::regclass, count(*) FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id
		WHERE t.external_id = '$1' GROUP BY 1 ORDER BY 1;"
}
# applied: as if a daemon had taken in all events.
applied="INSERT INTO sla.ticket_state (ticket_id, applied_seq, status) SELECT id, event_seq, status FROM sla.ticket
	ON CONFLICT (ticket_id) DO UPDATE SET applied_seq = excluded.applied_seq;"

expect "where nobody trims there is one partition" "sla.event_rest|2" \
	"INSERT INTO sla.ticket (external_id) VALUES ('t1'), ('t2'), ('t3');
	UPDATE sla.ticket SET status = 'pending'; $(where t1)" -d trimmed
refused "nothing is no time to keep them for" "*events cannot be kept for NULL HINT:*" "SELECT sla.trim_events(NULL)" -d trimmed
refused "less than nothing neither" "*events cannot be kept for -1 days HINT:*" "SELECT sla.trim_events('-1 day')" -d trimmed
refused "the daemon may not trim" "*permission denied for function trim_events*" \
	"SET ROLE sla_daemon; SELECT sla.trim_events('90 days')" -d trimmed
expect "the first call makes a partition and drops nothing" "1|1" \
	"SELECT count(*), count(*) FILTER (WHERE outcome LIKE 'made, for %') FROM sla.trim_events('80 days')" -d trimmed
expect "it begins in a quarter of that time, and is as long" "t|20 days" \
	"SELECT since > now() + interval '19 days' AND since <= now() + interval '20 days', until - since
	FROM sla.event_partitions()" -d trimmed
expect "another call finds nothing to do" "" "SELECT * FROM sla.trim_events('80 days')" -d trimmed
expect "what is recorded then goes there" "sla.event_rest|2
t|1" \
	"INSERT INTO sla.event (ticket_id, seq, at, kind, recorded_at) SELECT 999, 1, now(), 'reply', now() + interval '30 days';
	$(where t1) SELECT tableoid = (SELECT name FROM sla.event_partitions() LIMIT 1), count(*) FROM sla.event WHERE ticket_id = 999 GROUP BY 1;
	DELETE FROM sla.event WHERE ticket_id = 999" -d trimmed
refused "a number is given once in it" "*duplicate key value violates unique constraint*" \
	"INSERT INTO sla.event (ticket_id, seq, at, kind, recorded_at) SELECT 999, 1, now(), 'reply', now() + n * interval '1 hour'
		FROM generate_series(721, 722) AS n" -d trimmed

# A partition of long ago, as one of now will be by then.
expect "an old one is kept as long as it is needed" "sla.event_old|kept: it has events that no daemon has applied yet" \
	"CREATE TABLE sla.event_old (LIKE sla.event_rest INCLUDING DEFAULTS INCLUDING INDEXES);
	ALTER TABLE sla.event_old OWNER TO sla_owner;
	ALTER TABLE sla.event ATTACH PARTITION sla.event_old FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
	UPDATE sla.event SET recorded_at = '2020-01-15' WHERE ticket_id = (SELECT id FROM sla.ticket WHERE external_id = 't1');
	SELECT * FROM sla.trim_events('80 days')" -d trimmed
expect "and dropped once it has been applied, with nothing else" "sla.event_old|dropped
sla.event_rest|2" "$applied SELECT * FROM sla.trim_events('80 days'); $(where t1) $(where t2)" -d trimmed
expect "the first partition is emptied when all of it is old and applied" "0
sla.event_rest|kept: it has events that no daemon has applied yet
sla.event_rest|emptied
0" \
	"UPDATE sla.event SET recorded_at = now() - interval '79 days' WHERE seq = 1; UPDATE sla.event SET recorded_at = now() - interval '81 days' WHERE seq = 2;
	SELECT count(*) FROM sla.trim_events('80 days');
	UPDATE sla.event SET recorded_at = now() - interval '81 days' WHERE seq = 1;
	UPDATE sla.ticket_state SET applied_seq = 1;
	SELECT * FROM sla.trim_events('80 days'); $applied
	SELECT * FROM sla.trim_events('80 days'); SELECT count(*) FROM sla.event" -d trimmed
expect "numbers go on after it" "3|status
4|reply" \
	"UPDATE sla.ticket SET status = 'open' WHERE external_id = 't2';
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE external_id = 't2';
	$(events t2 'seq, kind')" -d trimmed
expect "where nobody called for long, the next begins in a quarter again" "1
t" \
	"DO \$\$ DECLARE p regclass; BEGIN FOR p IN SELECT name FROM sla.event_partitions() LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END \$\$;
	CREATE TABLE sla.event_past (LIKE sla.event_rest INCLUDING DEFAULTS INCLUDING INDEXES);
	ALTER TABLE sla.event ATTACH PARTITION sla.event_past FOR VALUES FROM ('2020-01-01') TO (now() - interval '1 day');
	SELECT count(*) FROM sla.trim_events('80 days');
	SELECT min(since) > now() + interval '19 days' FROM sla.event_partitions() WHERE since > now()" -d trimmed
