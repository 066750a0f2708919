# The wake-up: at most about ten a second, no payload, none where there is no event.

sql -c "INSERT INTO sla.ticket (external_id) VALUES ('n1')"
cat >"$PG_DIR/hint.pgbench" <<'ROWS'
INSERT INTO sla.ticket (plan) VALUES ('hint');
ROWS
listen() {
	printf 'LISTEN sla_event;\n%s\nSELECT 1;\n' "$1" | sql 2>&1
}
began=$(date +%s%N)
heard=$(listen "\\! pgbench -n -c 1 -T 1 -f $PG_DIR/hint.pgbench >$PG_DIR/pgbench.log 2>&1")
allowed=$(((($(date +%s%N) - began) / 100000000) + 2))
n=$(printf '%s\n' "$heard" | grep -c '^Asynchronous notification "sla_event" received')
written=$(sed -n 's/.*actually processed: \([0-9]*\).*/\1/p' "$PG_DIR/pgbench.log")
same "a stream of writers gives a few hints" "yes" \
	"$([ "$n" -ge 2 ] && [ "$n" -le "$allowed" ] && [ "$written" -gt $((2 * allowed)) ] && echo yes ||
		echo "$n hints, $allowed allowed, $written transactions")"
same "a hint has no payload" 0 "$(printf '%s\n' "$heard" | grep -c payload)"

# A tick of its own for each statement makes the throttle let it pass.
hints_of() {
	listen "SELECT setval('sla.hint_tick', 0);
$1;" | grep -c '^Asynchronous'
}
same "a reply hints" 1 "$(hints_of "INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE external_id = 'n1'")"
same "a change hints" 1 "$(hints_of "UPDATE sla.ticket SET plan = 'n' WHERE external_id = 'n1'")"
same "no change, no hint" 0 "$(hints_of "UPDATE sla.ticket SET plan = 'n' WHERE external_id = 'n1'")"
same "no row, no hint" 0 "$(hints_of "INSERT INTO sla.ticket (plan) SELECT 'n' WHERE false")"
