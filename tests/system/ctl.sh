#!/bin/sh
# slatectl status, list and show against a private PostgreSQL whose tables hold what a daemon would have written.
# Prints each case and "N passed, N failed". Needs $SLATECTL (default ./slatectl).
set -u
here=$(dirname "$0")
SLATECTL=${SLATECTL:-./slatectl}
. "$here/pg.sh"
. "$here/../sql/cases.sh"

for program in jq script; do
	if ! command -v "$program" >/dev/null 2>&1; then
		echo "skipped: $program is not installed"
		exit 77
	fi
done
if ! pg_find; then
	echo "skipped: no PostgreSQL server is installed"
	exit 77
fi
if ! [ -x "$SLATECTL" ]; then
	echo "no program $SLATECTL" >&2
	exit 1
fi
unset NO_COLOR TERM
LC_ALL=C.UTF-8 TZ=UTC
export LC_ALL TZ
pg_start || exit 1

# ctl COMMAND [ARGUMENT ...]: runs it on the private server; $status, and what it printed in $PG_DIR/out and /err.
ctl() {
	"$SLATECTL" "$@" --conninfo "$PG_CONNINFO" >"$PG_DIR/out" 2>"$PG_DIR/err"
	status=$?
}

# exits NAME STATUS PATTERN COMMAND [ARGUMENT ...]: how it ends, and what it says, on one line, matches.
exits() {
	case_name=$1 case_status=$2 case_pattern=$3
	shift 3
	"$@" >"$PG_DIR/out" 2>"$PG_DIR/err"
	status=$?
	said=$(cat "$PG_DIR/out" "$PG_DIR/err" | tr '\n' ' ')
	# shellcheck disable=SC2254
	case "$status $said" in
	"$case_status "$case_pattern) same "$case_name" "" "" ;;
	*) same "$case_name" "$case_status $case_pattern" "$status $said" ;;
	esac
}

# json NAME EXPECTED FILTER COMMAND [ARGUMENT ...]: what jq makes of its output.
json() {
	case_name=$1 case_expected=$2 case_filter=$3
	shift 3
	ctl "$@" --json
	same "$case_name" "$case_expected" "$(jq -rsc "$case_filter" "$PG_DIR/out" 2>&1; cat "$PG_DIR/err")"
}

# listed NAME TICKETS [FILTER ...]: which tickets' clocks, in order.
listed() {
	case_name=$1 case_tickets=$2
	shift 2
	json "$case_name" "$case_tickets" 'map(.external_id // "#\(.ticket_id)") | join(" ")' list "$@"
}

# on_terminal COLUMNS COMMAND: its output there.
on_terminal() {
	TERM=xterm script -qec "stty cols $1; $2 --conninfo '$PG_CONNINFO'" /dev/null | tr -d '\r'
}

escape=$(printf '\033')

# What goes wrong before there is anything to show.

for command in status list "show 1" deliveries "silence --list" "ack 1"; do
	# shellcheck disable=SC2086
	exits "$command without the schema" 1 '*has no schema sla: run slatectl migrate*' \
		"$SLATECTL" $command --conninfo "$PG_CONNINFO"
	# shellcheck disable=SC2086
	exits "$command without a server" 1 '*cannot reach the database: *failed: *is the server running*--conninfo right*' \
		"$SLATECTL" $command --conninfo "host=$PG_DIR port=$PGPORT user=postgres dbname=postgres"
done
exits "a database that does not exist" 1 '*cannot reach the database:*"nowhere" does not exist*' \
	"$SLATECTL" list --conninfo "host=$PGHOST port=$PGPORT user=postgres dbname=nowhere"
"$SLATECTL" migrate --conninfo "$PG_CONNINFO" >/dev/null || exit 1
sql -c "UPDATE sla.migration SET number = -number WHERE number = (SELECT max(number) FROM sla.migration)"
exits "a schema of an older release" 1 '*of an older release: run slatectl migrate*' \
	"$SLATECTL" list --conninfo "$PG_CONNINFO"
sql -c "UPDATE sla.migration SET number = -number WHERE number < 0"

ctl list
same "an empty database has no open clocks" "0 no open clocks" "$status $(cat "$PG_DIR/out" "$PG_DIR/err")"
json "and lists nothing as JSON" "[]" "." list
exits "no daemon has run" 3 '*No daemon has ever run*' "$SLATECTL" status --conninfo "$PG_CONNINFO"

sql -f "$here/ctl.sql" || exit 1
sql -c "CREATE ROLE stranger LOGIN; CREATE ROLE lead LOGIN IN ROLE sla_reader; CREATE ROLE daemon LOGIN IN ROLE sla_daemon"
exits "a role without rights" 1 '*role "stranger" may not read schema sla*GRANT sla_reader TO "stranger"*' \
	"$SLATECTL" list --conninfo "$PG_CONNINFO user=stranger"
for role in lead daemon; do
	for command in list "show 1"; do
		# shellcheck disable=SC2086
		exits "$command as $role" 0 '*ACME-1*' "$SLATECTL" $command --conninfo "$PG_CONNINFO user=$role"
	done
	exits "status as $role" 3 '*running*' "$SLATECTL" status --conninfo "$PG_CONNINFO user=$role"
done

# The command line.

for wrong in "status more" "status --state running" "list more" "list --nonsense" "show" "show 1 2"; do
	# shellcheck disable=SC2086
	exits "wrong call: $wrong" 2 '*usage: slatectl *' "$SLATECTL" $wrong --conninfo "$PG_CONNINFO"
done
for wrong in "state=lost" "metric=lost" "within=soon" "within=2bd" "within=-1h" "limit=0" "limit=-1" "limit=ten" "limit=" \
	"color=mauve"; do
	exits "wrong filter: $wrong" 2 "slatectl: --${wrong%%=*} \"${wrong#*=}\": *" \
		"$SLATECTL" list --"$wrong" --conninfo "$PG_CONNINFO"
done
# What is missing, or one too many, is named.
while IFS='|' read -r wrong says; do
	# shellcheck disable=SC2086
	exits "wrong call: $wrong" 2 "slatectl $says*usage: slatectl *" "$SLATECTL" $wrong
done <<'END'
show|show: TICKET is needed
ack --for 2h|ack: TICKET is needed
assess 1|assess: --reason is needed
assess --reason x 1|assess: SEVERITY is needed
status more|status: unexpected argument "more"
replay --channel ops|replay: --since is needed
deliveries --source native|deliveries: --source goes with --ticket
END
for wrong in "replay" "replay --force --channel ops --since 1h" "silence --list --for 2h" \
	"silence --end 1 --all" "migrate --config x --conninfo y" "settings --sample --mdoc" "check --config x y"; do
	# shellcheck disable=SC2086
	exits "of several forms none: $wrong" 2 "usage: slatectl ${wrong%% *} *        slatectl ${wrong%% *} *" "$SLATECTL" $wrong
done
commands=$("$SLATECTL" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
same "slatectl --help lists the commands" 22 "$(echo "$commands" | wc -l)"
for command in $commands; do
	exits "$command --help" 0 "usage: slatectl $command*" "$SLATECTL" "$command" --help
done

# list

listed "what needs somebody first is first" "ACME-1 BOLT-9 LATE-6 EVIL-5 ZUR-2 ACME-1 #3"
listed "--state running" "LATE-6 EVIL-5 ZUR-2 ACME-1" --state running
listed "--state at_risk" "EVIL-5 ACME-1" --state at_risk
listed "--state paused" "#3" --state paused
listed "--state breached" "ACME-1 BOLT-9" --state breached
listed "--metric" "ACME-1 #3" --metric resolution
listed "--policy" "ACME-1 ACME-1 #3" --policy gold
listed "--policy is case-blind" "BOLT-9" --policy BUSINESS
listed "--plan with a star" "ACME-1 ZUR-2 ACME-1" --plan 'enterprise-*'
listed "--plan with a question mark" "LATE-6 EVIL-5" --plan 'free?2'
listed "an underscore is no wildcard" "EVIL-5" --plan 'free_2'
listed "a per cent sign is no wildcard" "" --org '%'
listed "a per cent sign is itself" "BOLT-9" --org 'bolt 100%'
listed "--within 20m: overdue ones too, paused ones not" "ACME-1 BOLT-9 LATE-6 EVIL-5" --within 20m
listed "--within 1h30m" "ACME-1 BOLT-9 LATE-6 EVIL-5 ZUR-2" --within 1h30m
listed "--limit" "ACME-1 BOLT-9" --limit 2
listed "filters together" "ACME-1" --org 'acme*' --state at_risk --within 4h
listed "the last of one kind counts" "#3" --state running --state paused

json "a line's members" '{"ticket_id":2,"source":"native","external_id":"ZUR-2","org":"Zürich Re","plan":"enterprise-platinum","status":"open","metric":"first_response","cycle":1,"state":"running","at_risk":false,"overdue":false,"policy":"platinum","calendar":"always","severity":"high","budget":3600,"levels_fired":[]}' \
	'.[0] | del(.started_at, .due_at, .due_in, .used)' list --org 'zürich*'
json "instants are in UTC" "true" 'map(.started_at | test("^20[0-9T:.-]*Z$")) | all' list
json "used time is that of now" "true" '.[0].used | . >= 3000 and . < 3300' list --metric update
json "a breached clock's goes on" "true" '.[0].used | . >= 4200 and . < 4500' list --org 'bolt*'
json "a paused clock's stands still" "[9000,null]" '.[0] | [.used, .due_at]' list --state paused
json "an unknown calendar is estimated" "[true,true]" \
	'.[0] | [.estimated, (.used > 17999 and .used < 18300)]' list --org acme* --state running
json "time left" "true" '.[0].due_in | . > 500 and . <= 900' list --metric update
json "past due and not recorded" '["LATE-6"]' 'map(select(.overdue).external_id)' list
json "control characters stay data" '"Evil\u001b[31m\nLtd"' '.[0].org | tojson' list --metric update

ctl list
same "one line a clock, a headline, the counts and two remarks" 12 "$(wc -l <"$PG_DIR/out")"
same "columns" "TICKET ORG PLAN SEVERITY METRIC POLICY STATE DUE LEFT USED" "$(head -n 1 "$PG_DIR/out" | xargs)"
same "the counts" "7 open clocks: 2 breached, 2 at risk, 2 running, 1 paused" "$(grep 'open clocks' "$PG_DIR/out")"
same "a row" "#3 Acme Corp scale normal resolution (2) gold paused 7h30m left ██▌░░░░░░░ 25%" \
	"$(grep '^#3' "$PG_DIR/out" | xargs)"
same "overdue" "overdue" "$(grep -o 'LATE-6.*' "$PG_DIR/out" | grep -o overdue)"
same "an estimate is marked" "~62%" "$(grep -o '~[0-9]*%' "$PG_DIR/out")"
same "no escape sequence gets through" "" "$(grep "$escape" "$PG_DIR/out")"
ctl list --limit 2
same "the counts go over all" "7 open clocks: 2 breached, 2 at risk, 2 running, 1 paused; 2 shown" \
	"$(grep 'open clocks' "$PG_DIR/out")"
ctl list --state paused --org zürich
same "nothing matches" "0 no open clocks" "$status $(cat "$PG_DIR/out")"
ctl list --color=always
same "colours when asked for" 7 "$(grep -c "$escape\[3[1-4]m.*%" "$PG_DIR/out")"
LC_ALL=C ctl list --state paused
same "ASCII without UTF-8" "##........" "$(grep -o '#[#.]*\.' "$PG_DIR/out")"
due=$(sql -c "SELECT to_char(due_at AT TIME ZONE 'Asia/Kathmandu', 'HH24:MI') FROM sla.clock WHERE metric = 'update'")
TZ=Asia/Kathmandu ctl list --metric update
same "due in local time" "$due +0545" "$(grep -o '[0-9:]* +0545' "$PG_DIR/out")"

on_terminal 200 "'$SLATECTL' list" >"$PG_DIR/tty"
same "colours on a terminal" 7 "$(grep -c "$escape\[3[1-4]m.*%" "$PG_DIR/tty")"
on_terminal 200 "NO_COLOR=1 '$SLATECTL' list" >"$PG_DIR/tty"
same "none with NO_COLOR" "0 7" "$(grep -c "$escape" "$PG_DIR/tty") $(grep -c '%$' "$PG_DIR/tty")"
on_terminal 200 "'$SLATECTL' list --color never" >"$PG_DIR/tty"
same "none with --color never" "0 7" "$(grep -c "$escape" "$PG_DIR/tty") $(grep -c '%$' "$PG_DIR/tty")"
for columns in 60 80 100; do
	on_terminal "$columns" "'$SLATECTL' list --color never" >"$PG_DIR/tty"
	same "fits $columns columns" "7 true" "$(grep -c '%$' "$PG_DIR/tty") $(jq -Rsr --argjson n "$columns" \
		'split("\n") | map(length <= $n) | all' "$PG_DIR/tty")"
done
on_terminal 80 "'$SLATECTL' list --color never" >"$PG_DIR/tty"
same "and keeps what matters most" "TICKET ORG SEVERITY METRIC STATE LEFT USED" \
	"$(head -n 1 "$PG_DIR/tty" | sed 's/ DUE / /' | xargs)"

# The configuration's database and calendars: one that is closed these days, so that only what came before counts.

calendars() {
	cat <<-CONF
		severities = ( { name = "critical"; }, { name = "low"; } );
		calendars = { support = { timezone = "UTC"; hours = { daily = "00:00-24:00"; };
			holidays = [ "$(date -u -d -1day +%F)", "$(date -u +%F)", "$(date -u -d +1day +%F)" ]; }; };
		policies = ( { name = "gold"; match = { plan = "gold"; }; targets = (); } );
		database = { conninfo = "$1"; };
	CONF
}
calendars "$PG_CONNINFO" >"$PG_DIR/slated.conf"
calendars "host=$PG_DIR user=postgres dbname=postgres" >"$PG_DIR/nowhere.conf"
"$SLATECTL" list --config "$PG_DIR/slated.conf" --json --metric resolution --state running >"$PG_DIR/out" 2>&1
same "the configuration's calendar counts" '[0,null]' "$(jq -c '[.used, .estimated]' "$PG_DIR/out")"
"$SLATECTL" list --config "$PG_DIR/nowhere.conf" --conninfo "$PG_CONNINFO" --json --metric resolution --state running \
	>"$PG_DIR/out" 2>&1
same "so it does with another database" '[0,null]' "$(jq -c '[.used, .estimated]' "$PG_DIR/out")"
exits "a server that the configuration names is down" 1 "*cannot reach the database:*database.conninfo in $PG_DIR/nowhere.conf right*" \
	"$SLATECTL" list --config "$PG_DIR/nowhere.conf"
exits "no such configuration" 1 "*$PG_DIR/none.conf*" "$SLATECTL" status --config "$PG_DIR/none.conf"

# show

# shows NAME ID ARGUMENT ...: which ticket it finds.
shows() {
	case_name=$1 case_id=$2
	shift 2
	json "$case_name" "$case_id" '.[0].ticket.id' show "$@"
}
shows "by external id" 1 ACME-1
shows "by number" 3 3
shows "by number with a sign" 3 '#3'
shows "an external id goes before a number" 9 10
shows "a number with a sign does not mean that one" 10 '#10'
shows "of a source" 8 DUP --source rt
shows "of the other source" 7 DUP --source native
shows "a number of its source" 8 8 --source rt
exits "one name in two sources" 1 '*several tickets are called "DUP"*--source: native, rt*' \
	"$SLATECTL" show DUP --conninfo "$PG_CONNINFO"
for ticket in NONE 4711 99999999999999999999 '#' '' "1'; DROP SCHEMA sla"; do
	exits "no ticket \"$ticket\"" 1 "slatectl: there is no ticket \"$ticket\": *" \
		"$SLATECTL" show --conninfo "$PG_CONNINFO" "$ticket"
done
exits "none of that source" 1 '*there is no ticket "ACME-1" of source "rt"*' \
	"$SLATECTL" show ACME-1 --source rt --conninfo "$PG_CONNINFO"

json "facts" '["S1","enterprise","catastrophic","critical",0]' '.[0] | [.events[0].severity, .ticket.attributes.licence,
	.ticket.severity, .ticket.applied_severity, .ticket.events_waiting]' show ACME-1
json "events that wait" 1 '.[0].ticket.events_waiting' show ZUR-2
json "clocks" '["first_response 1 breached","resolution 1 running"]' \
	'.[0].clocks | map("\(.metric) \(.cycle) \(.state)")' show ACME-1
json "ended clocks too" '["met","withdrawn"]' '.[0].clocks | map(.state)' show DONE
json "milestones in order" "started at_risk at_risk breached escalated escalated escalated paused resumed retargeted met" \
	'.[0].milestones | map(.milestone) | join(" ")' show ACME-1
json "a milestone" '[90.5,"75%","first_response",1]' '.[0].milestones[1] | [.late_by, .level, .metric, .cycle]' show ACME-1
json "an escalation" '["gold",2,"breached",1,["pager","lead"]]' \
	'.[0].milestones[5] | [.escalation, .step, .trigger, .repeat, .notify]' show ACME-1
json "whom it reached" '[["pager","mail kim@example.com"],["assignee","team"],null]' \
	'.[0].milestones | map(select(.repeat == 1))[0] | [.told, .unset, .silenced_by]' show ACME-1
json "a silenced step" '[[],7]' '.[0].milestones | map(select(.step == 3))[0] | [.told, .silenced_by]' show ACME-1
json "events" "opened reply reply ack changed severity severity" '.[0].events | map(.event) | join(" ")' show ACME-1
json "what changed" '{"plan":"enterprise-gold-2","assignee":null}' '.[0].events[4].facts' show ACME-1
json "a refused event" '"unknown severity \"catastrophic\""' '.[0].events[-1].refused | tojson' show ACME-1
json "a merge" 1 '.[0].events[-1].into' show DONE
json "deliveries" '["delivered 1","dead 8","pending 3","pending 0"]' '.[0].deliveries | map("\(.state) \(.attempts)")' show ACME-1
json "a delivery's last error" '["exit status 7","sla-1-z"]' '.[0].deliveries[1] | [.last_error, .key]' show ACME-1
json "reassessments" '["applied",null,"failed",null,"unchanged","applied"]' '.[0].reassessments | map(.outcome)' show ACME-1
json "a hook" '[true,true,"dispute","system"]' '.[0].reassessments[5] | [.hook, .disputed, .called_by, .by]' show ACME-1
json "a ticket with nothing" '[[],[],[],[]]' '.[0] | [.clocks, .milestones, .deliveries, .reassessments]' show BARE

# says NAME PATTERN: a line of what was shown last.
says() {
	same "$1" 1 "$(grep -c -e "$2" "$PG_DIR/out")"
}
ctl show ACME-1
same "show succeeds" 0 "$status$(cat "$PG_DIR/err")"
while IFS='|' read -r name pattern; do
	says "$name" "$pattern"
done <<'END'
head|^ACME-1 #1, source native$
severity in force|severity *catastrophic (in force: critical)$
attributes|{"licence": "enterprise"}
started|first_response started, due 20.* UTC (policy gold, severity critical, calendar always)$
at risk by share|at risk: 75% of its time used, due .* (recorded 1m later)$
at risk by time left|at risk: 15m left, due 
breached|first_response BREACHED, was due .*, by a change of severity$
escalated|escalated to pager, lead: ladder gold, step 2, on breached$
escalated again|escalated to pager, lead: ladder gold, step 2, on breached, repeat 1, nobody set for assignee, team, told pager, mail kim@example.com$
escalated without a clock|ticket escalated to nobody: ladder gold, step 3, on requested:1, silenced by 7$
paused|resolution (2) paused$
resumed|resolution (2) resumed, now due 
retargeted|resolution (2) got another target, now due 
met late|resolution (2) met, 5m late$
opened|opened: severity S1, status open, plan enterprise-gold, org Acme Corp, channel console, category technical$
reply|reply by customer, asks for escalation$
note|internal note by agent$
ack|acknowledged by kim, holds the escalation for 2h00m$
changed|changed: plan = enterprise-gold-2, assignee removed$
set by the system|severity set to high by system: Critical does not apply.$
refused|severity set to catastrophic by agent REFUSED: unknown severity "catastrophic"$
set by a rule|billing-is-never-critical: critical to high: Critical does not apply.$
rule not written yet|triage: high to normal: It can wait. (still to be written to the ticket)$
hook failed|oracle: the hook failed: exit status 1: .*owned
hook not answered yet|asked: the hook is being asked$
hook without a change|content: the hook changed nothing$
hook on a dispute|panel: high to low: Read again. (disputed)$
delivered|pager *delivered *1 HTTP 204$
dead|script *dead *8 exit status 7$
tried again|lead *pending *3 again .*: HTTP 503 ]0;owned$
END
same "nothing of an answer reaches the terminal" "" "$(grep "$escape" "$PG_DIR/out")"
ctl show DONE
says "met in time" 'first_response met, 1h00m before it was due$'
says "withdrawn" 'resolution withdrawn: merged$'
says "merged" 'merged into ACME-1$'
ctl show BARE
says "without clocks" 'none: no target has applied to this ticket$'
ctl show ZUR-2
says "not applied yet" '1 event not applied by a daemon yet$'
ctl show 3
says "what a paused clock has left" '^resolution (2) paused .* 7h30m left '
on_terminal 60 "'$SLATECTL' show ACME-1 --color never" >"$PG_DIR/tty"
same "show fits 60 columns" "" "$(jq -Rr 'select(length > 60)' "$PG_DIR/tty")"

says "an address and a digest" '(2) mail kim@example.com *delivered *1 in digest sla-digest-9$'
says "one that a later one made needless" ' mail *superseded *0 *$'

# deliveries

# delivered NAME KEYS FILTER ...: which it lists, in order.
delivered() {
	case_name=$1 case_keys=$2
	shift 2
	json "$case_name" "$case_keys" 'map(.key) | join(" ")' deliveries "$@"
}
all="sla-test-f sla-3-e sla-3-d sla-1-a sla-1-z sla-1-b sla-1-c sla-9-g"
delivered "the newest is last" "$all"
delivered "--state pending" "sla-1-b sla-1-c" --state pending
delivered "--state sending: claimed, and its time has come" "sla-9-g" --state sending
delivered "--state delivered" "sla-test-f sla-3-d sla-1-a" --state delivered
delivered "--state dead" "sla-1-z" --state dead
delivered "--state superseded" "sla-3-e" --state superseded
delivered "--channel" "sla-3-e sla-3-d" --channel mail
delivered "--ticket by external id" "sla-1-a sla-1-z sla-1-b sla-1-c" --ticket ACME-1
delivered "--ticket by number" "sla-3-e sla-3-d" --ticket '#3'
delivered "--since so long" "sla-1-a sla-1-z sla-1-b sla-1-c sla-9-g" --since 3h30m
delivered "--since an instant" "$all" --since "$(date -u -d '-1 day' +%FT%TZ)"
delivered "--limit keeps the newest" "sla-1-c sla-9-g" --limit 2
delivered "filters together" "sla-3-d" --state delivered --channel mail --since 1d
json "a delivery" '{"key":"sla-3-d","ticket_id":3,"kind":"escalated","metric":"resolution","cycle":2,"channel":"mail","address":"kim@example.com","state":"delivered","attempts":1,"outcome":"delivered","digest":"sla-digest-9"}' \
	'.[0] | del(.created_at, .finished_at)' deliveries --state delivered --channel mail
exits "--ticket of none" 1 'slatectl: there is no ticket "NONE": *' "$SLATECTL" deliveries --ticket NONE --conninfo "$PG_CONNINFO"
ctl deliveries
while IFS='|' read -r name pattern; do
	says "$name" "$pattern"
done <<'END'
its columns|^KEY *TICKET *CREATED *KIND *CLOCK *CHANNEL *STATE *TRIES LAST WORD *$
a test has no ticket|^sla-test-f  *20.* UTC test *pager *delivered *1 HTTP 202$
a ticket without an external id|^sla-3-d *#3 .* escalated resolution (2) *mail kim@example.com *delivered *1 in digest sla-digest-9$
a delivery to be tried again|^sla-1-b *ACME-1 .* lead *pending *3 again in 1m: HTTP 503 ]0;owned$
END
same "no escape sequence of an answer" "" "$(grep "$escape" "$PG_DIR/out")"
on_terminal 80 "'$SLATECTL' deliveries --color never" >"$PG_DIR/tty"
same "deliveries fits 80 columns" "" "$(jq -Rr 'select(length > 80)' "$PG_DIR/tty")"

# status

# daemon NAME SEEN STOPPED SHARDS: its row, and the first so many shards.
daemon() {
	sql -c "INSERT INTO sla.instance (name, version, pid, started_at, seen_at, stopped_at, configuration, shards, tickets, next_at,
		lag, refused, last_error, last_error_at, poll_only)
	VALUES ('$1', '9.9', 4242, now() - interval '3 days', now() + '$2', now() + $3, 'digest', 256, 12, now() + interval '5 minutes',
		'0.25 s', 3, 'connection lost', now() - interval '2 hours', true)
	ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, stopped_at = excluded.stopped_at" \
		-c "UPDATE sla.lease SET owner = NULL, expires_at = now() WHERE owner = '$1'" \
		-c "UPDATE sla.lease SET owner = '$1', expires_at = now() + interval '1 hour' WHERE shard < $4 AND owner IS NULL"
}
# stands NAME STATUS STATES: how it ends, and each daemon's state and shards.
stands() {
	case_status=$2
	json "$1" "$3" '.[0] | [.instances[] | "\(.name) \(.state) \(.shards)"] + [.shards.held] | join(", ")' status
	same "$1: exit status" "$case_status" "$status"
}
daemon one '0 s' NULL 256
stands "a live daemon holds all shards" 0 "one connected 256, 256"
json "what it says of itself" '["9.9",4242,true,12,0.25,3,"connection lost","digest"]' \
	'.[0].instances[0] | [.version, .pid, .poll_only, .tickets, .lag, .refused, .last_error, .configuration]' status
json "clocks by state" '{"running":4,"at_risk":2,"overdue":1,"paused":1,"breached":2}' '.[0].clocks' status
json "deliveries" '{"pending":3,"retrying":1,"dead":1}' '.[0].deliveries' status
json "severities to be written, and hooks to be asked" 2 '.[0].reassessments_waiting' status
ctl status
while IFS='|' read -r name pattern; do
	says "status: $name" "$pattern"
done <<'END'
name|^one$
state|state *connected, holds 256 of 256 shards$
program|program *slated 9.9, pid 4242, since 20.* UTC (3d00h ago)$
tickets|tickets *12 open$
next|next *20.* UTC (in [45]m)$
lag|lag *0.250 s$
poll-only|poll-only
refused|refused *3 since it started$
last error|last error *20.* UTC (2h00m ago): connection lost$
clocks|clocks *4 running (2 at risk), 1 paused, 2 breached and still open$
overdue|1 past due, the breach not recorded yet$
deliveries|deliveries *3 pending (1 tried before), 1 dead$
severities|severities *2 wait for a hook, or to be written to their tickets$
END
daemon one '-20 s' NULL 256
stands "one that has said nothing for 20 s is silent" 3 "one silent 256, 0"
ctl status
says "since when" 'state *silent since 20.* UTC (2[0-9]s ago)$'
daemon one '0 s' "interval '-1 minute'" 0
stands "one that was stopped" 3 "one stopped 0, 0"
daemon one '0 s' NULL 100
stands "one that holds not all" 4 "one connected 100, 100"
daemon two '0 s' NULL 256
stands "two hold all between them" 0 "one connected 100, two connected 156, 256"
sql -c "UPDATE sla.lease SET expires_at = now() - interval '1 s' WHERE owner = 'two' AND shard = 255"
stands "a lease that ran out does not count" 4 "one connected 100, two connected 155, 255"

sql -c "UPDATE sla.instance SET lag = '2 hours' WHERE name = 'one'" -c "UPDATE sla.clock SET budget = 1000000 WHERE ticket_id = 4"
ctl status
says "a lag of hours" 'lag *2h00m$'
ctl list --org 'bolt*'
says "many times the budget" ' >999%$'

cases_end
