#!/bin/sh
# The manual pages are clean mdoc and refer to each other rightly; each tells of every command, option and setting that its
# program has; the synopsis of slatectl(1) is made from the commands' tables; slated.conf(5) is what the program says now, and what it shows is a configuration.
set -u
srcdir=${srcdir:-.}
slatectl=${SLATECTL:-./slatectl}
slated=${SLATED:-./slated}
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

# This page is made, unless it came with the distribution.
conf_page=doc/slated.conf.5
[ -f "$conf_page" ] || conf_page=$srcdir/doc/slated.conf.5

text_of() {
	mandoc -Tascii "$1" | col -bx
}

for page in "$srcdir/doc/slatectl.1" "$srcdir/doc/slated.8" "$conf_page"; do
	mandoc -Tlint -W warning "$page" >"$work/lint" 2>&1
	verdict $? "$page: $(cat "$work/lint")"
	for other in slatectl.1 slated.conf.5 slated.8; do
		[ "$(basename "$page")" = "$other" ] && continue
		grep -q "^\.Xr ${other%.*} ${other##*.}" "$page"
		verdict $? "$page does not refer to $other"
	done
	sed -n 's/^\.Xr \(slat[^ ]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u >"$work/refers"
	verdict "$(grep -cvxE 'slatectl\.1|slated\.conf\.5|slated\.8' "$work/refers")" "$page refers to no page of ours"
done

text_of "$srcdir/doc/slatectl.1" >"$work/page"
"$slatectl" --help | sed -n 's/^  \([a-z]\)/\1/p' >"$work/usage"
[ "$(wc -l <"$work/usage")" -ge 5 ]
verdict $? "slatectl --help lists too few commands"
for command in $(sed 's/ .*//' "$work/usage"); do
	grep -q "^   $command\$" "$work/page"
	verdict $? "slatectl(1) has no section on $command"
done
# A command's options stand in its own section or in that on those of several.
section() {
	awk -v name="   $1" '/^   [^ ]/ || /^[^ ]/ { here = $0 == name } here' "$work/page"
}
section "Options of the commands that use the database" >"$work/common"
sed -n '/^DESCRIPTION/,/^COMMANDS/p' "$work/page" | grep -e --config >>"$work/common"
for command in $(sed 's/ .*//' "$work/usage"); do
	section "$command" | cat - "$work/common" >"$work/section"
	for option in $("$slatectl" "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
		grep -q -e "$option\>" "$work/section"
		verdict $? "slatectl(1) does not tell of $option of $command"
	done
done
"$slatectl" completion mdoc >"$work/synopsis"
awk '/^\.Sh DESCRIPTION$/ { exit } on; /^\.Sh SYNOPSIS$/ { on = 1 }' "$srcdir/doc/slatectl.1" |
	sed '/^\.Nm$/{N;/\.Fl -help/d}' | cmp -s - "$work/synopsis"
verdict $? "the synopsis of slatectl(1) is not that of slatectl completion mdoc"

text_of "$srcdir/doc/slated.8" >"$work/page"
"$slated" --help | grep -o -e '--[a-z][a-z-]*' | sort -u >"$work/options"
[ "$(wc -l <"$work/options")" -ge 3 ]
verdict $? "slated --help lists too few options"
while read -r option; do
	grep -q -e "^     $option\\>" "$work/page"
	verdict $? "slated(8) does not tell of $option"
done <"$work/options"

# Every setting with its place, as the program lists them.
"$slatectl" settings --mdoc >"$work/settings"
awk '/^\.Ss The file$/ { on = 1 } /^\.Sh / { on = 0 } on' "$conf_page" | cmp -s - "$work/settings"
verdict $? "slated.conf(5) is stale: its settings are not those of slatectl settings --mdoc"
text_of "$conf_page" >"$work/page"
"$slatectl" settings | grep '^[a-zA-Z]' >"$work/names"
[ "$(wc -l <"$work/names")" -ge 100 ]
verdict $? "slatectl settings lists too few"
while read -r setting; do
	place=${setting%.*}
	[ "$place" != "$setting" ] || place="The file"
	awk -v place="   $place" -v name="${setting##*.}" '
		/^   [^ ]/ || /^[^ ]/ { here = $0 == place }
		here && $1 == name && /^     [^ ]/ { found = 1 }
		END { exit !found }' "$work/page"
	verdict $? "slated.conf(5) does not tell of $setting"
done <"$work/names"

# The small configuration at its beginning.
awk '/^\.Bd / { on = 1; next } /^\.Ed/ { exit } on' "$conf_page" | sed 's/\\(dq/"/g' >"$work/small.conf"
"$slatectl" check "$work/small.conf" >"$work/checked" 2>&1
verdict $? "the configuration in slated.conf(5): $(cat "$work/checked")"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
