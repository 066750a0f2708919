#!/bin/sh
# Schema sla and `slatectl migrate` against a private PostgreSQL. Prints each case and "N passed, N failed".
# Needs $SLATECTL (default ./slatectl).
set -u
export LC_ALL=C.UTF-8
here=$(dirname "$0")
SLATECTL=${SLATECTL:-./slatectl}
. "$here/../system/pg.sh"
. "$here/cases.sh"

if ! pg_find; then
	echo "skipped: no PostgreSQL server is installed"
	exit 77
fi
if ! [ -x "$SLATECTL" ]; then
	echo "no program $SLATECTL" >&2
	exit 1
fi
pg_start || exit 1
for part in roles migrate events inputs refusals concurrency hint access replicas ledger trim distribution; do
	. "$here/$part.sh"
done
cases_end
