# What of the schema a server that spreads tables by ticket_id would not take: doc/scaling.md names all of it.

createdb ticketwise
"$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=ticketwise" >"$PG_DIR/out" || cat "$PG_DIR/out"

# rows HEADING: the rows of the table below that heading of doc/scaling.md, without the last column, as psql prints them.
rows() {
	awk -v heading="### $1" '$0 == heading { on = 1; next } /^#/ { on = 0 }
		on && /^\| `/ { gsub(/`/, ""); sub(/^\| /, ""); sub(/ \|[^|]*\|$/, ""); gsub(/ \| /, "|"); print }' \
		"$here/../../doc/scaling.md" | LC_ALL=C sort
}
# listed NAME HEADING STATEMENT: the rows of that table are what the statement finds.
listed() {
	same "$1" "$(rows "$2")" "$(sql -d ticketwise -c "$3" 2>&1 | LC_ALL=C sort)"
}
# Tables that are not a ticket's: they hold a few rows, or none that grows with tickets.
few="'migration', 'configuration', 'lease', 'instance', 'contact', 'follower', 'silence', 'inbound',
	'adapter', 'adapter_error'"
ticket="CASE WHEN c.relname = 'ticket' THEN 'id' ELSE 'ticket_id' END"

listed "keys that lack the ticket" "Unique keys" \
	"SELECT 'sla.' || c.relname, string_agg(a.attname, ', ' ORDER BY k.n) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid,
		unnest(i.indkey) WITH ORDINALITY AS k (attnum, n), pg_attribute a
	WHERE c.relnamespace = 'sla'::regnamespace AND i.indisunique AND c.relkind = 'r' AND c.relname NOT IN ($few)
		AND a.attrelid = c.oid AND a.attnum = k.attnum
	GROUP BY i.indexrelid, c.relname HAVING NOT bool_or(a.attname = $ticket)"
listed "foreign keys" "Foreign keys" \
	"SELECT conrelid::regclass || '|' || pg_get_constraintdef(oid) FROM pg_constraint
	WHERE contype = 'f' AND connamespace = 'sla'::regnamespace"
listed "triggers for statements" "Triggers for statements" \
	"SELECT DISTINCT tgname, string_agg(tgrelid::regclass::text, ', ' ORDER BY tgrelid::regclass::text) FROM pg_trigger t
	JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = 'sla'::regnamespace AND NOT tgisinternal AND tgtype & 1 = 0
	GROUP BY tgname"
listed "tables of tickets whose ticket may be missing" "Rows without a ticket" \
	"SELECT attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE c.relnamespace = 'sla'::regnamespace
	AND c.relkind = 'r' AND c.relname NOT IN ($few) AND attname = 'ticket_id' AND NOT attnotnull"
expect "tables that are neither a ticket's nor among those few" "" \
	"SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'sla'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ($few)
	AND NOT EXISTS (SELECT FROM pg_attribute a WHERE attrelid = c.oid AND attname = $ticket)" -d ticketwise
expect "all numbers that the database gives are 64 bits wide" "" \
	"SELECT seqrelid::regclass FROM pg_sequence WHERE seqtypid <> 'bigint'::regtype" -d ticketwise
