#!/bin/sh
# The manual pages are clean mdoc, and slatectl(1) names every command and every option of its usage.
set -u
srcdir=${srcdir:-.}
slatectl=${SLATECTL:-./slatectl}
command -v mandoc >/dev/null || { echo "mandoc is missing"; exit 77; }
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

verdict() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
	else
		echo "FAIL $2"
		failed=$((failed + 1))
	fi
}

for page in "$srcdir"/doc/*.[1-8]; do
	mandoc -Tlint -W warning "$page" >"$work/lint" 2>&1
	verdict $? "$page: $(cat "$work/lint")"
done

mandoc -Tascii "$srcdir/doc/slatectl.1" | col -b >"$work/page"
"$slatectl" --help | sed -n 's/^  \([a-z]\)/\1/p' >"$work/usage"
[ "$(wc -l <"$work/usage")" -ge 5 ]
verdict $? "slatectl --help lists too few commands"
for command in $(sed 's/ .*//' "$work/usage"); do
	grep -q "^   $command\$" "$work/page"
	verdict $? "slatectl(1) has no section on $command"
done
for option in $(grep -o -e '--[a-z-]*' "$work/usage" | sort -u); do
	grep -qF -e "$option" "$work/page"
	verdict $? "slatectl(1) does not name $option"
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
