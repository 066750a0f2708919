#!/bin/sh
# What the core asks of the C library: the undefined symbols of libslated-core.a must be on the list beside this script,
# so that no clock is read and no file or socket touched there. Run in the build folder.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C
NM=${NM:-nm}
allowed=$here/core.symbols
passed=0 failed=0

# symbols ARCHIVE...: those that none of them defines. Instrumentation brings symbols of its own.
symbols() {
	"$NM" -P "$@" 2>/dev/null | awk 'NF >= 2 && $2 ~ /^[A-Z]$/ { if ($2 == "U") asked[$1] = 1; else have[$1] = 1 }
		END { for (s in asked) if (!(s in have)) print s }' |
		grep -v -e '^__asan_' -e '^__ubsan_' -e '^__sanitizer_' -e '^__gcov_' -e '^__llvm_' -e '^_GLOBAL_OFFSET_TABLE_$' |
		sort
}

foreign() {
	symbols "$@" | grep -vxF -f "$scratch/allowed"
}

result() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $2"
	else
		failed=$((failed + 1))
		echo "FAILED: $2"
	fi
}

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$allowed" >"$scratch/allowed"

[ "$(symbols libslated-core.a | wc -l)" -gt 5 ]
result $? "nm reads libslated-core.a"
found=$(foreign libslated-core.a)
[ -z "$found" ]
result $? "the core asks the C library for nothing that is not on the list${found:+: $(echo "$found" | tr '\n' ' ')}"
# A check that cannot fail is none: the adapters read clocks and open files.
for symbol in clock_gettime open; do
	foreign libslated-io.a | grep -qx -e "$symbol" -e "${symbol}64" -e "__${symbol}_2" -e "f${symbol}" -e "f${symbol}64"
	result $? "$symbol in another library is found"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
