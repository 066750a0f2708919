#!/bin/sh
# The policies of conf/policies/ keep what their pages promise. Each *.cases file has lines of arguments for
# `slatectl due`, what is expected and why; each *.sim file a history and the milestones that follow from it.
set -u
srcdir=${srcdir:-.}
slatectl=${SLATECTL:-./slatectl}
policies=$srcdir/conf/policies
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

fail() {
	echo "FAIL $1"
	failed=$((failed + 1))
}

# The value of one string in the JSON object in $work/out.
member() {
	sed -n 's/.*"'"$1"'": "\([^"]*\)".*/\1/p' "$work/out"
}

# What `due` answers: "POLICY DUE", "POLICY none", "- none" or "usage".
answer() {
	case " $* " in
	*" --metric "*) metric= ;;
	*) metric='--metric first_response' ;;
	esac
	# shellcheck disable=SC2086
	"$slatectl" due --config "$config" --json $metric "$@" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status -eq 2 ] && [ ! -s "$work/out" ] && [ -s "$work/err" ]; then
		echo usage
	elif [ $status -ne 0 ] || [ -s "$work/err" ] || [ "$(wc -l <"$work/out")" -ne 1 ]; then
		echo "exit status $status: $(cat "$work/out" "$work/err")"
	else
		policy=$(member policy)
		due=$(member due_at)
		echo "${policy:--} ${due:-none}"
	fi
}

for vendor in neon aiven clairdash tidb-cloud; do
	config=$policies/$vendor.conf
	cases=0
	if "$slatectl" check "$config" >"$work/out" 2>&1; then
		passed=$((passed + 1))
	elif grep -q 'configured --without-feeds' "$work/out"; then
		echo "left out: $vendor.conf (a build without feeds)"
		continue
	else
		fail "$vendor.conf is refused: $(cat "$work/out")"
	fi
	while IFS= read -r line; do
		line=${line%%#*}
		arguments=${line%% = *}
		[ "$arguments" = "$line" ] && continue
		expected=$(echo ${line#* = })
		# shellcheck disable=SC2086
		got=$(answer $arguments)
		cases=$((cases + 1))
		if [ "$got" = "$expected" ]; then
			passed=$((passed + 1))
		else
			fail "$vendor: $arguments: expected $expected, got $got"
		fi
	done <"$srcdir/tests/policies/$vendor.cases"
	[ $cases -ge 12 ] || fail "$vendor: only $cases cases"
done

# A history: "< EVENT" lines go in, "> MILESTONE" lines are to come out, without the keys and marks of JSON; "until
# INSTANT" ends it.
for sim in "$srcdir"/tests/policies/*.sim; do
	name=$(basename "$sim" .sim)
	config=$policies/${name%%.*}.conf
	until=$(sed -n 's/^until //p' "$sim")
	sed -n 's/^< //p' "$sim" >"$work/events"
	sed -n 's/^> //p' "$sim" >"$work/expected"
	# shellcheck disable=SC2086
	if ! "$slatectl" simulate --config "$config" ${until:+--until $until} <"$work/events" >"$work/json" 2>"$work/err" ||
	   [ -s "$work/err" ]; then
		fail "$name: $(cat "$work/err")"
		continue
	fi
	sed 's/"[a-z_]*": //g; s/[]["{}]//g; s/, / /g' "$work/json" >"$work/out"
	if diff "$work/expected" "$work/out" >"$work/diff"; then
		passed=$((passed + 1))
	else
		fail "$name: < expected, > got"
		cat "$work/diff"
	fi
done
[ "$(ls "$srcdir"/tests/policies/*.sim | wc -l)" -ge 8 ] || fail "histories are missing"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
