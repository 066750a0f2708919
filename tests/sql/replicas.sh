# Row triggers in place of statement triggers, as logical subscribers and partitions need them.

createdb replica
"$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=replica" >"$PG_DIR/out" || cat "$PG_DIR/out"

# What logical replication applies runs like this.
apply="SET session_replication_role = replica;"
expect "without row triggers nothing applied becomes an event" 0 \
	"$apply INSERT INTO sla.ticket (external_id, last_event_at) VALUES ('s0', now()); SELECT count(*) FROM sla.event" -d replica
expect "with row triggers it does" "1|opened|||gold|
2|changed||||{plan}
3|severity||low||
4|status|pending|||
5|reply||||
6|ack||||" \
	"SELECT sla.use_row_triggers('sla.ticket') WHERE false;
	DO \$\$ BEGIN PERFORM sla.use_row_triggers('sla.ticket'), sla.use_row_triggers('sla.reply'), sla.use_row_triggers('sla.ack'); END \$\$;
	$apply INSERT INTO sla.ticket (external_id, plan) VALUES ('s1', 'gold');
	UPDATE sla.ticket SET status = 'pending', severity = 'low', plan = NULL WHERE external_id = 's1';
	INSERT INTO sla.reply (ticket_id, author, body) SELECT id, 'agent', 'x' FROM sla.ticket WHERE external_id = 's1';
	INSERT INTO sla.ack (ticket_id) SELECT id FROM sla.ticket WHERE external_id = 's1';
	SELECT seq, kind, CASE WHEN seq > 1 THEN e.status END, e.severity, e.plan, changed
	FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 's1' ORDER BY seq" -d replica
expect "ordinary writers go on, each event once" "opened
status
reply" \
	"INSERT INTO sla.ticket (external_id) VALUES ('s2'); UPDATE sla.ticket SET status = 'solved' WHERE external_id = 's2';
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE external_id = 's2';
	$(events s2 kind)" -d replica
refused "another table has nothing to replace" '*no statement triggers of sla to replace HINT:*' \
	"SELECT sla.use_row_triggers('sla.event')" -d replica
expect "a partition written directly" "reply|customer|t
reply|agent|f" \
	"CREATE TABLE sla.note (id bigint, at timestamptz, ticket_id bigint, author text, public boolean DEFAULT true,
		body text, escalate boolean) PARTITION BY RANGE (at);
	CREATE TABLE sla.note_all PARTITION OF sla.note DEFAULT;
	CREATE TRIGGER zz_prepare BEFORE INSERT ON sla.note FOR EACH ROW EXECUTE FUNCTION sla.prepare_reply();
	CREATE TRIGGER write_inputs AFTER INSERT ON sla.note REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
		EXECUTE FUNCTION sla.write_inputs('reply');
	SET client_min_messages = error;
	DO \$\$ BEGIN PERFORM sla.use_row_triggers('sla.note_all'); END \$\$;
	INSERT INTO sla.note_all (at, ticket_id, author, body) SELECT now(), id, 'customer', '#escalate' FROM sla.ticket WHERE external_id = 's2';
	INSERT INTO sla.note (at, ticket_id, author) SELECT now(), id, 'agent' FROM sla.ticket WHERE external_id = 's2';
	SELECT kind, by, escalate FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 's2' AND seq > 3 ORDER BY seq" -d replica

createdb restored
pg_dump -n sla replica 2>"$PG_DIR/out" | sql -d restored >>"$PG_DIR/out" 2>&1
same "a dump can be restored and is up to date" "schema sla is up to date ($count migrations)" \
	"$("$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=restored" 2>&1; grep -i error "$PG_DIR/out")"
expect "restoring writes no events, and numbers go on" "t
opened
status
reply
reply
reply
status" \
	"SELECT count(*) = max(seq) FROM sla.event GROUP BY ticket_id ORDER BY ticket_id DESC LIMIT 1;
	UPDATE sla.ticket SET status = 'open' WHERE external_id = 's2'; $(events s2 kind)" -d restored

# A database that had row triggers before 0013_changes.sql replaced what they call.
createdb upgraded
for name in $names; do
	number=${name%%_*}
	[ "$number" -le 12 ] || continue
	psql -X -q -1 -v ON_ERROR_STOP=1 -d upgraded -f "$here/../../sql/$name.sql" -c "INSERT INTO sla.migration (number, name, checksum)
		VALUES ($number, '$name', '$(sha256sum <"$here/../../sql/$name.sql" | cut -d' ' -f1)')" >"$PG_DIR/out" 2>&1 || cat "$PG_DIR/out"
done
expect "before the upgrade, what is applied becomes events" "opened
status" \
	"DO \$\$ BEGIN PERFORM sla.use_row_triggers('sla.ticket'), sla.use_row_triggers('sla.reply'); END \$\$;
	$apply INSERT INTO sla.ticket (external_id, plan) VALUES ('u1', 'gold');
	UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'u1';
	$(events u1 kind)" -d upgraded
same "the upgrade takes the rest" "$up_to_date" "$(migrate upgraded | grep -v ' applied$')"
expect "after it, too, and each once" "opened
status
changed
severity
reply" \
	"$apply UPDATE sla.ticket SET severity = 'low', plan = NULL WHERE external_id = 'u1';
	INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE external_id = 'u1';
	$(events u1 kind)" -d upgraded
expect "new tickets, applied and written here" "applied opened
here opened
here status" \
	"$apply INSERT INTO sla.ticket (external_id) VALUES ('applied'); RESET session_replication_role;
	INSERT INTO sla.ticket (external_id) VALUES ('here'); UPDATE sla.ticket SET status = 'solved' WHERE external_id = 'here';
	SELECT external_id, kind FROM sla.event JOIN sla.ticket t ON t.id = ticket_id WHERE external_id IN ('applied', 'here')
	ORDER BY external_id, seq" -d upgraded -F ' '
triggers="SELECT tgrelid::regclass, tgname, tgenabled, tgfoid::regproc, tgargs FROM pg_trigger
	WHERE tgrelid IN ('sla.ticket'::regclass, 'sla.reply'::regclass) AND NOT tgisinternal ORDER BY 1, 2"
expect "its triggers are those of a new database" "$(sql -d replica -c "$triggers")" "$triggers" -d upgraded
