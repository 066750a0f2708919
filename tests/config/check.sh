#!/bin/sh
# Every configuration in broken/ is refused with the line, the setting and the words that its first lines expect, and
# with nothing else; those in good/ and the sample in conf/ pass.
set -u
srcdir=${srcdir:-.}
slatectl=${SLATECTL:-./slatectl}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

fail() {
	echo "FAIL $1: $2"
	sed 's/^/    /' "$work/err"
	failed=$((failed + 1))
}

# Whether each expectation stands in the output, and the output has no more lines than those.
expected() {
	LC_ALL=C sed -n 's/^# expect: //p' "$1" >"$work/expect"
	[ -s "$work/expect" ] || return 1
	[ "$(wc -l <"$work/expect")" -eq "$(wc -l <"$work/err")" ] || return 1
	while IFS= read -r line; do
		number=${line%%: *}
		rest=${line#*: }
		setting=${rest%%: *}
		words=${rest#*: }
		[ "$setting" = "$rest" ] && setting= words=${rest#: }
		grep -F -e "$1:$number: ${setting:+$setting: }" "$work/err" | grep -qF -e "$words" || return 1
	done <"$work/expect"
}

for file in "$srcdir"/tests/config/broken/*.conf; do
	"$slatectl" check "$file" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status -ne 1 ]; then
		fail "$file" "exit status $status"
	elif [ -s "$work/out" ]; then
		fail "$file" "standard output is not empty"
	elif ! expected "$file"; then
		fail "$file" "not the problems expected"
	else
		passed=$((passed + 1))
	fi
done
[ $passed -ge 60 ] || [ $failed -gt 0 ] || { echo "FAIL only $passed broken configurations"; failed=1; }

for file in "$srcdir"/tests/config/good/*.conf "$srcdir"/conf/slated.conf "$srcdir"/conf/adapters/*.conf; do
	if "$slatectl" check "$file" >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ] &&
	   grep -qE '^[0-9]+ calendars, [0-9]+ policies, [0-9]+ targets, ' "$work/out"; then
		passed=$((passed + 1))
	elif grep -q 'configured --without-feeds' "$work/err"; then
		echo "left out: $file (a build without feeds)"
	else
		fail "$file" "is refused"
	fi
done

"$slatectl" settings --sample >"$work/sample" 2>"$work/err"
if cmp -s "$work/sample" "$srcdir/conf/slated.conf"; then
	passed=$((passed + 1))
else
	fail conf/slated.conf "is not what slatectl settings --sample prints"
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
