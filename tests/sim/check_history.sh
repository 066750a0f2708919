#!/bin/sh
# check_history: what it reads, and what it refuses.
set -u
program=./tests/sim/check_history
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

result() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $2"
	else
		failed=$((failed + 1))
		echo "FAILED: $2"
		cat "$scratch/output"
	fi
}

cat >"$scratch/policy.conf" <<'END'
policies = ( { name = "all"; escalation = "loud"; targets = (
    { metric = "first_response"; within = "1h"; at_risk = [ "50%" ]; } ); } );
escalations = { loud = ( { on = "at_risk"; notify = [ "chat" ]; } ); };
channels = { chat = { type = "exec"; command = [ "/bin/true" ]; }; };
END

# A ticket that is answered before its level, as far as the daemon knew after it: the answer counts with the level.
cat >"$scratch/sound" <<'END'
{"at": "2026-03-02T09:00:00Z", "ticket": "7", "event": "opened", "severity": "normal", "seq": 1}
{"at": "2026-03-02T09:29:00Z", "ticket": "7", "event": "reply", "by": "agent", "seq": 2, "late": true}
{"milestone": {"ticket_id": 7, "metric": "first_response", "cycle": 1, "milestone": "started", "at": "2026-03-02T09:00:00Z", "due_at": "2026-03-02T10:00:00Z", "policy": "all", "calendar": "always", "severity": "normal", "recorded_at": "2026-03-02T09:00:01Z", "instance": "a"}}
{"milestone": {"ticket_id": 7, "metric": "first_response", "cycle": 1, "milestone": "at_risk", "level": "50%", "at": "2026-03-02T09:30:00Z", "due_at": "2026-03-02T10:00:00Z", "policy": "all", "calendar": "always", "severity": "normal", "recorded_at": "2026-03-02T09:30:01Z", "instance": "a"}}
{"milestone": {"ticket_id": 7, "metric": "first_response", "cycle": 1, "milestone": "escalated", "at": "2026-03-02T09:30:00Z", "escalation": "loud", "step": 1, "trigger": "50%", "repeat": 0, "notify": "{chat}", "recorded_at": "2026-03-02T09:30:01Z", "instance": "a"}}
{"milestone": {"ticket_id": 7, "metric": "first_response", "cycle": 1, "milestone": "met", "at": "2026-03-02T09:30:00Z", "due_at": "2026-03-02T10:00:00Z", "policy": "all", "calendar": "always", "severity": "normal", "recorded_at": "2026-03-02T09:30:02Z", "instance": "a"}}
{"delivery": {"key": "k1", "ticket_id": 7, "metric": "first_response", "cycle": 1, "channel": "chat", "kind": "escalated", "state": "delivered"}}
{"delivery": {"key": "k2", "ticket_id": 7, "metric": "first_response", "cycle": 1, "channel": "chat", "kind": "resolved", "state": "delivered"}}
{"received": {"key": "k1", "channel": "chat", "at": "2026-03-02T09:30:01Z"}}
{"received": {"key": "k2", "channel": null, "at": "2026-03-02T09:30:02Z"}}
{"received": {"key": "k0", "channel": "chat", "at": "2026-03-02T08:00:00Z"}}
{"forgiven": "k0"}
{"absence": {"from": "2026-03-02T07:00:00Z", "to": "2026-03-02T08:00:00Z"}}
{"lease": {"shard": 7, "owner": "a", "from": "2026-03-02T08:00:00Z", "to": null}}
END

check() {
	"$program" --config "$scratch/policy.conf" --until 2026-03-02T12:00:00Z --at-most 1 >"$scratch/output" 2>&1
}

check <"$scratch/sound" && ! grep -q '^not ok' "$scratch/output" && grep -q "last milestone at 2026-03-02T09:30:00Z\$" "$scratch/output"
result $? "a sound history: exit status 0"

while IFS='|' read -r sort from to line; do
	sed "s|$from|$to|" "$scratch/sound" >"$scratch/spoilt"
	check <"$scratch/spoilt"
	[ $? -eq 1 ] && grep -q "^not ok - $line" "$scratch/output"
	result $? "exit status 1: $sort"
done <<-'END'
	a wrong due|"due_at": "2026-03-02T10:00:00Z", "policy"|"due_at": "2026-03-02T10:00:01Z", "policy"|each milestone as the model has it: 3
	another event|09:29:00Z|09:31:00Z|some timer explains each late event: 1
	another lease|"owner": "a"|"owner": "b"|only the holder of a ticket's lease recorded its milestones: 4
	another key|"k0"}|"k3"}|nothing was received that the database does not know: 1
	a delivery that waits|"resolved", "state": "delivered"|"resolved", "state": "waiting"|nothing waits to be sent: 1
END

while IFS='|' read -r line wrong; do
	{
		cat "$scratch/sound"
		echo "$line"
	} >"$scratch/spoilt"
	check <"$scratch/spoilt"
	[ $? -eq 2 ] && grep -q "^line 15: .*$wrong" "$scratch/output"
	result $? "exit status 2: $line"
done <<-'END'
	{"lease": |not JSON
	{"leases": {}}|"event" is missing
	{"lease": {"shard": 256, "owner": "a", "from": "2026-03-02T08:00:00Z"}}|"shard"
	{"milestone": {"ticket_id": 7, "milestone": "late", "at": "2026-03-02T08:00:00Z", "recorded_at": "2026-03-02T08:00:00Z"}}|"milestone"
	{"milestone": {"ticket_id": 7, "milestone": "met", "at": "2026-03-02T08:00:00Z"}}|"recorded_at"
	{"delivery": {"ticket_id": 7, "metric": "response", "key": "k4", "channel": "chat", "kind": "escalated", "state": "dead"}}|"metric"
	{"received": {"key": 4}}|"key"
	{"forgiven": null}|"forgiven"
	{"absence": {"from": "soon", "to": "later"}}|"to"
	{"at": "2026-03-02T09:00:00Z", "ticket": "7", "event": "dispute", "seq": 2}|by "ticket" and "seq"
	{"at": "2026-03-02T09:00:00Z", "ticket": "seven", "event": "dispute", "seq": 3}|"ticket" must be a number
END
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
