#!/bin/sh
# Who includes whom (doc/architecture.md, "Folders"). Prints each include that its folder may not have.
#
#   includes.sh [ROOT]      checks the sources below ROOT (default: those that this script lies beside)
set -u
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C

# The headers of a module are those that core.mk and its like list, so a new one needs no change here. delivery.h says
# what a delivery is: structs that retry.h, which is pure, speaks of.
core_headers() {
	sed -n 's|.*include/\(slated/[a-z_]*\.h\).*|\1|p' "$1/daemon/core/core.mk"
	echo slated/delivery.h
}

# Reads "FILE HEADER" lines; $1: the core's headers on one line.
judge() {
	awk -v core_headers="$1" '
	function list(text, set,    items, i, n) {
		n = split(text, items, " ")
		for (i = 1; i <= n; i++)
			set[items[i]] = 1
	}
	BEGIN {
		list(core_headers, core)
		# The C library without time, files and sockets: of stdio.h only the functions that write to memory, which
		# symbols.sh holds. uthash.h is macros over memory and strings, which it holds, too.
		list("assert.h errno.h inttypes.h limits.h stdarg.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h " \
			"strings.h uthash.h", pure)
		list("slated/channel.h slated/child.h slated/delivery.h slated/envelope.h slated/http_client.h slated/log.h " \
			"slated/mail_client.h slated/message.h slated/post.h slated/signature.h slated/text.h", channels)
	}
	function folder(file) {
		if (file ~ /^include\/slated\//)
			return (substr(file, 9) in core) && file != "include/slated/delivery.h" ? "daemon/core" : "headers"
		sub(/\/[^\/]*$/, "", file)
		return file
	}
	# Headers of another folder of ours, by path or by name.
	function foreign(file, header) {
		return (header in owner) && owner[header] != folder(file)
	}
	FILENAME == "-" && $1 == "owns" { owner[$3] = $2; next }
	{
		file = $1; header = $2; where = folder(file); bad = ""
		if (where == "daemon/core" && !(header in core) && !(header in pure) && owner[header] != "daemon/core")
			bad = "the core may include the C library without time, files and sockets, and its own headers"
		else if (where == "daemon/channels" && header ~ /^slated\// && !(header in core) && !(header in channels))
			bad = "a channel may include the core, http_client, mail_client, child, envelope, signature, text and log"
		else if ((where == "daemon/io" || where == "daemon/channels" || where == "headers") && foreign(file, header))
			bad = "it belongs to " owner[header]
		else if (header ~ /\.c$/ || header ~ /\.\./)
			bad = "only headers are included, by their names"
		if (bad != "") {
			print file ": " header ": " bad
			found = 1
		}
	}
	END { exit found }' -
}

check() {
	root=$1
	(
		cd "$root" || exit 1
		for header in daemon/*/*.h; do
			echo "owns $(dirname "$header") $(basename "$header")"
		done
		find daemon include -name '*.[ch]' | sort | xargs awk '
			match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^">]*/) {
				header = substr($0, RSTART, RLENGTH)
				sub(/.*[<"]/, "", header)
				print FILENAME, header
			}'
	) | judge "$(core_headers "$root" | tr '\n' ' ')"
}

if [ $# -gt 0 ]; then
	check "$1"
	exit
fi

passed=0 failed=0
result() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $2"
	else
		failed=$((failed + 1))
		echo "FAILED: $2"
	fi
}

check "$here/../.."
result $? "the sources include what their folders may"

# A check that cannot fail is none: each row is an include that must be found, and where.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
(cd "$here/../.." && tar -cf - daemon include) | tar -xf - -C "$scratch"
chmod -R u+w "$scratch"
while read -r file header; do
	cp "$scratch/$file" "$scratch/former"
	printf '#include <%s>\n' "$header" >>"$scratch/$file"
	found=$(check "$scratch" | grep -cF "$file: $header: ")
	cp "$scratch/former" "$scratch/$file"
	[ "$found" -eq 1 ]
	result $? "$header in $file is found"
done <<-'ROWS'
	daemon/core/engine.c time.h
	daemon/core/engine.c unistd.h
	daemon/core/calendar.c slated/log.h
	daemon/core/wheel.c service_internal.h
	include/slated/instant.h sys/time.h
	include/slated/policy.h slated/config.h
	daemon/channels/webhook.c slated/ledger.h
	daemon/channels/exec.c config_load.h
	daemon/io/feed.c engine_internal.h
	daemon/io/service.c command.h
	daemon/io/work.c feed.c
ROWS
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
