#!/bin/sh
# slatectl due: what it prints, as a table and as JSON, how it explains, and what it refuses.
set -u
slatectl=${SLATECTL:-./slatectl}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

cat >"$work/due.conf" <<'END'
calendars = {
    london = {
        timezone = "Europe/London";
        hours = { weekdays = "09:00-12:00, 13:00-17:00"; sunday = "00:00-03:00"; wednesday = ""; };
        holidays = [ "2025-04-21", "12-25" ];
        exceptions = ( { date = "2025-04-22"; hours = "10:00-11:30"; } );
    };
    apia = { timezone = "Pacific/Apia"; hours = { daily = "00:00-24:00"; }; };
    sao-paulo = { timezone = "America/Sao_Paulo"; hours = { weekdays = "00:00-06:00"; sunday = "00:00-24:00"; }; };
    both = { union = [ "london", "sao-paulo" ]; };
};
policies = (
    { name = "gold"; match = { plan = "gold"; channel = "console"; }; targets = (
        { metric = "first_response"; severity = "critical"; within = "8h"; calendar = "london";
          at_risk = [ "7h30m", "75%", "9h", "50%" ]; },
        { metric = "update"; within = "2h30m"; },
        { metric = "resolution"; severity = "critical"; under = "3bd"; business_day = "end_of_day"; calendar = "london"; } ); },
    { name = "gold-mail"; match = { plan = "gold"; channel = "email"; }; targets = (
        { metric = "first_response"; within = "60h"; calendar = "both"; } ); },
    { name = "apia"; match = { org = "apia"; attributes = { a = "1"; b = "x=y"; }; }; targets = (
        { metric = "first_response"; within = "3bd"; business_day = "same_time"; calendar = "apia"; } ); },
    { name = "brazil"; match = { environment = "br"; product = "p"; team = "t"; assignee = "me"; version = "1"; };
      targets = ( { metric = "first_response"; within = "31h"; calendar = "sao-paulo"; } ); },
    { name = "free"; match = { plan = "free"; }; targets = (); },
    { name = "high-only"; match = { plan = "high"; }; targets = (
        { metric = "resolution"; severity = "high"; within = "100h"; at_risk = "1h"; } ); }
);
reassessments = (
    { name = "billing"; on = "opened"; match = { category = "billing"; severity = "critical"; }; set = "high";
      reason = "Not for billing."; }
);
END

# `run STATUS ARGUMENTS`; what it printed is in $work/out and $work/err.
run() {
	expected=$1
	shift
	asked=$*
	"$slatectl" due --config "$work/due.conf" "$@" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status -eq "$expected" ]; then
		passed=$((passed + 1))
	else
		echo "FAIL $asked: exit status $status, expected $expected"
		failed=$((failed + 1))
	fi
}

# Each argument stands in the output, blanks run together.
has() {
	tr -s ' ' <"$work/out" >"$work/narrow"
	for text; do
		if grep -qF -e "$text" "$work/narrow"; then
			passed=$((passed + 1))
		else
			echo "FAIL $asked: no \"$text\" in:"
			cat "$work/out"
			failed=$((failed + 1))
		fi
	done
}

says() {
	cp "$work/err" "$work/out"
	has "$@"
}

lines() {
	n=$(wc -l <"$work/out")
	if [ "$n" -eq "$1" ]; then
		passed=$((passed + 1))
	else
		echo "FAIL $asked: $n lines, expected $1"
		failed=$((failed + 1))
	fi
}

# In every line of JSON the sum of what was counted is the budget, and the stretches join.
adds_up() {
	while IFS= read -r line; do
		budget=$(echo "$line" | sed 's/.*"budget_seconds": \([0-9.]*\).*/\1/')
		sum=$(echo "$line" | sed 's/.*"sum_seconds": \([0-9.]*\).*/\1/')
		from=$(echo "$line" | sed 's/.*"explain"//' | grep -o '"from": "[^"]*Z"' | sed '1d; s/.* //')
		to=$(echo "$line" | sed 's/.*"explain"//' | grep -o '"to": "[^"]*Z"' | sed '$d; s/.* //')
		if [ "$budget" = "$sum" ] && [ "$from" = "$to" ]; then
			passed=$((passed + 1))
		else
			echo "FAIL $asked: does not add up: $line"
			failed=$((failed + 1))
		fi
	done <"$work/out"
}

# Thursday before Easter, 15:00 in London: two hours are open that day, three and four on Friday (no holiday here), three
# on Sunday; Monday is a holiday, Tuesday an exception of an hour and a half. Nine hours are more than the budget.
run 0 --plan gold --severity S1 --channel console --opened 2025-04-17T14:00:00Z
has 'METRIC POLICY TARGET CALENDAR DUE LOCAL' \
    'first_response gold within 8h london 2025-04-18T15:00:00Z Fri 2025-04-18 16:00:00 +01:00' \
    'at risk 7h30m 2025-04-17T14:30:00Z Thu 2025-04-17 15:30:00 +01:00' \
    'at risk 50% 2025-04-18T10:00:00Z Fri 2025-04-18 11:00:00 +01:00' \
    'at risk 75% 2025-04-18T13:00:00Z Fri 2025-04-18 14:00:00 +01:00' \
    'update gold within 2h30m always 2025-04-17T16:30:00Z Thu 2025-04-17 16:30:00 +00:00' \
    'resolution gold under 3bd end_of_day london 2025-04-22T10:30:00Z Tue 2025-04-22 11:30:00 +01:00'
lines 7

run 0 --plan gold --severity S1 --channel console --opened 2025-04-17T14:00:00Z --metric resolution --explain
has 'resolution under 3bd end_of_day, calendar london, time zone Europe/London, channel console' \
    'Policy gold was the first that fits: plan is gold, channel is console.' \
    'Counted by configuration ' ', and version 20' 'skipped Fri 2025-04-18 12:00:00 +01:00 Fri 2025-04-18 13:00:00 +01:00 1h 5h lunch break' \
    'counted Thu 2025-04-17 15:00:00 +01:00 Thu 2025-04-17 17:00:00 +01:00 2h 2h' \
    'skipped Thu 2025-04-17 17:00:00 +01:00 Fri 2025-04-18 00:00:00 +01:00 7h 2h outside hours' \
    'counted Fri 2025-04-18 13:00:00 +01:00 Fri 2025-04-18 17:00:00 +01:00 4h 9h business day 1' \
    'skipped Sat 2025-04-19 00:00:00 +01:00 Sun 2025-04-20 00:00:00 +01:00 24h 9h weekend' \
    'counted Sun 2025-04-20 00:00:00 +01:00 Sun 2025-04-20 03:00:00 +01:00 3h 12h business day 2' \
    'skipped Mon 2025-04-21 00:00:00 +01:00 Tue 2025-04-22 00:00:00 +01:00 24h 12h holiday 2025-04-21' \
    'skipped Tue 2025-04-22 00:00:00 +01:00 Tue 2025-04-22 10:00:00 +01:00 10h 12h exception 2025-04-22' \
    'counted Tue 2025-04-22 10:00:00 +01:00 Tue 2025-04-22 11:30:00 +01:00 1h30m 13h30m exception 2025-04-22; business day 3'

run 0 --plan gold --severity S1 --channel email --opened 2025-04-17T14:00:00Z --explain
has 'Policy gold-mail was the first that fits: plan is gold, channel is email.' \
    "Policy gold does not fit: it asks that channel is console (the ticket's is email)."
run 0 --plan silver --severity S1 --opened 2025-04-17T14:00:00Z --explain --json
has '"reason": "no policy matches plan silver severity critical"' \
    '{"policy": "free", "why": "it asks that plan is free (the ticket'"'"'s is silver)"}'

# The night on which summer time begins has two open hours from midnight to 03:00; Wednesdays are closed.
run 0 --plan gold --severity S1 --channel console --opened 2025-03-29T12:00:00Z --metric first_response --explain
has 'counted Sun 2025-03-30 00:00:00 +00:00 Sun 2025-03-30 03:00:00 +01:00 2h 2h clocks change from +00:00 to +01:00 at Sun 2025-03-30 02:00:00 +01:00'
run 0 --plan gold --severity S1 --channel console --opened 2025-03-25T16:30:00.250000Z --metric first_response --explain
has 'skipped Wed 2025-03-26 00:00:00 +00:00 Thu 2025-03-27 00:00:00 +00:00 24h 29m59.750000s closed day'

# JSON: one object a line, the levels that lie inside the budget, fractions of a second.
run 0 --plan gold --severity critical --channel console --opened 2025-04-17T14:00:00Z --json
lines 3
has '{"plan": "gold", "severity": "critical", "channel": "console", "metric": "first_response", "policy": "gold", "calendar": "london", "target": "within 8h", "due_at": "2025-04-18T15:00:00Z", "budget_seconds": 28800, "levels": [{"level": "7h30m", "at": "2025-04-17T14:30:00Z"}, {"level": "50%", "at": "2025-04-18T10:00:00Z"}, {"level": "75%", "at": "2025-04-18T13:00:00Z"}]}' \
    '"target": "under 3bd end_of_day", "due_at": "2025-04-22T10:30:00Z", "budget_seconds": 48600, "levels": []'
run 0 --plan gold --severity critical --channel console --opened 2025-04-17T14:00:00.5Z --json --metric resolution --explain
has '"budget_seconds": 48599.5' '"counted": false, "seconds": 86400, "sum_seconds": 43199.5, "why": "holiday 2025-04-21"'
for opened in 2025-03-29T12:00:00Z 2025-10-25T12:00:00Z 2025-12-24T16:59:59Z 2025-04-21T00:00:00Z; do
	run 0 --plan gold --severity critical --channel console --channel email --opened $opened --json --explain
	lines 4
	adds_up
done

# Apia left out 30 December 2011; in Brazil midnight itself was skipped, and came twice.
run 0 --org apia --attribute a=0 --attribute a=1 --attribute b=x=y --severity low --opened 2011-12-29T12:00:00-10:00 --json --explain
has '"due_at": "2012-01-01T22:00:00Z"' '"from": "2011-12-30T10:00:00Z", "to": "2011-12-31T10:00:00Z", "counted": true, "seconds": 86400' \
    '"business_day": 1, "clocks_change": {"at": "2011-12-30T10:00:00Z", "from": "-10:00", "to": "+14:00"}'
adds_up
for opened in 2018-11-03T12:00:00Z 2018-02-17T12:00:00Z; do
	run 0 --environment br --product p --team t --assignee me --version 1 --severity low --opened $opened --json --explain
	lines 1
	adds_up
done

# Several ways in, and what is not promised.
run 0 --plan gold --severity S1 --channel console --channel email --channel chat --opened 2025-04-17T14:00:00Z --metric first_response
has 'channel chat: no policy matches plan gold severity critical channel chat' 'LOCAL CHANNEL' '+01:00 console' '+01:00 email'
run 0 --plan gold --severity S1 --channel chat --opened 2025-04-17T14:00:00Z --json
has '{"plan": "gold", "severity": "critical", "channel": "chat", "reason": "no policy matches plan gold severity critical channel chat"}'
run 0 --plan free --severity S1 --opened 2025-04-17T14:00:00Z
has 'policy "free" promises nothing'
lines 1
run 0 --plan free --severity S1 --opened 2025-04-17T14:00:00Z --json
has '{"plan": "free", "severity": "critical", "policy": "free", "reason": "policy \"free\" promises nothing"}'
run 0 --plan high --severity S1 --opened 2025-04-17T14:00:00Z
has 'policy "high-only" promises nothing for severity critical'
run 0 --plan high --severity S2 --opened 2025-04-17T14:00:00Z --metric update
has 'policy "high-only" promises no update for severity high'
run 0 --plan high --category billing --severity S1 --opened 2025-04-17T14:00:00Z
has 'reassessment "billing" applies when the ticket opens: Not for billing.'

# Refusals.
run 2 --plan gold --severity S9 --opened 2025-04-17T14:00:00Z
says '"S9"' 'known: critical (S1, Severity 1), high (S2, Severity 2)'
run 2 --plan gold --severity S1 --opened yesterday
says '--opened: "yesterday" is no RFC 3339 instant'
run 2 --plan gold --opened 2025-04-17T14:00:00Z
says '--severity is needed'
run 2 --plan gold --severity S1
says '--opened is needed'
run 2 --plan gold --severity S1 --opened 2025-04-17T14:00:00Z --metric reply
says '"reply": one of first_response, next_response, update, resolution, assessment'
run 2 --plan gold --severity S1 --opened 2025-04-17T14:00:00Z --attribute licence
says 'KEY=VALUE is needed'
run 2 --plan gold --severity S1 --opened 2025-04-17T14:00:00Z more
says 'unexpected argument "more"'
run 2 --plan gold --severity S1 --opened 2025-04-17T14:00:00Z --colour
run 2 --plan gold --severity S1 --opened 2025-04-17T14:00:00Z --org "$(printf 'a\377')" --json
says 'not UTF-8'
run 0 --plan free --severity S1 --opened 2025-04-17T14:00:00Z --org "Größe" --json
run 1 --config "$work/none.conf" --plan gold --severity S1 --opened 2025-04-17T14:00:00Z

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
