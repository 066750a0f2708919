# A private PostgreSQL for one test, sourced: pg_start, then psql and friends find it through PGHOST, PGPORT, PGUSER and
# PGDATABASE. It lives in a temporary folder and is stopped and removed when the shell exits.
#
#   . "$srcdir/tests/system/pg.sh"
#   pg_start            # or: pg_start -c wal_level=logical
#
# PG_PLACE is where the temporary folder is made, instead of /tmp.
# Sets PG_BIN (the server's programs), PG_DIR (scratch folder, removed as well) and PG_CONNINFO. A test with clean-up of
# its own defines pg_at_exit().

pg_find() {
	if [ -n "${PG_BIN-}" ]; then
		return 0
	fi
	PG_BIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5,5n | tail -n 1)
	if [ -z "$PG_BIN" ] && command -v pg_config >/dev/null 2>&1; then
		PG_BIN=$(pg_config --bindir)
	fi
	[ -n "$PG_BIN" ] && [ -x "$PG_BIN/initdb" ] && [ -x "$PG_BIN/postgres" ]
}

# The server refuses to run as root.
pg_as_owner() {
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && exec runuser -u postgres -- "$@")
	else
		(cd / && exec "$@")
	fi
}

# A port that nobody listens on now; another process may still take it first, so pg_start tries again.
pg_free_port() {
	awk 'BEGIN { srand('"$$$(date +%N | sed 's/^0*//')"' % 2147483647) }
		$4 == "0A" { split($2, a, ":"); used[a[2]] = 1 }
		END { do { p = 20000 + int(rand() * 12000) } while (sprintf("%04X", p) in used); print p }' \
		/proc/net/tcp /proc/net/tcp6 2>/dev/null
}

pg_stop() {
	if [ -n "${PG_DIR-}" ] && [ -f "$PG_DIR/data/postmaster.pid" ]; then
		pg_as_owner "$PG_BIN/pg_ctl" -D "$PG_DIR/data" -m immediate -w stop >/dev/null 2>&1 || :
	fi
}

pg_exit() {
	pg_status=$?
	trap - EXIT
	if command -v pg_at_exit >/dev/null 2>&1; then
		pg_at_exit || :
	fi
	pg_stop
	rm -rf "${PG_DIR:?}"
	exit "$pg_status"
}

pg_start() {
	if ! pg_find; then
		echo "no PostgreSQL server is installed" >&2
		return 1
	fi
	# The socket's path must stay below 108 bytes and its folders searchable by the server's user.
	PG_DIR=$(mktemp -d "${PG_PLACE:-/tmp}/slated-pg.XXXXXX") || return 1
	trap pg_exit EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
	chmod 755 "$PG_DIR"
	mkdir "$PG_DIR/data" "$PG_DIR/socket"
	chmod 700 "$PG_DIR/data"
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres "$PG_DIR/data" "$PG_DIR/socket"
	fi
	if ! pg_as_owner "$PG_BIN/initdb" -D "$PG_DIR/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
		--no-sync >"$PG_DIR/initdb.log" 2>&1; then
		cat "$PG_DIR/initdb.log" >&2
		return 1
	fi
	for pg_try in 1 2 3 4 5; do
		PGPORT=$(pg_free_port)
		if pg_as_owner "$PG_BIN/pg_ctl" -D "$PG_DIR/data" -l "$PG_DIR/data/server.log" -w -t 60 \
			-o "-c listen_addresses=127.0.0.1 -c port=$PGPORT -c unix_socket_directories=$PG_DIR/socket" \
			-o "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c timezone=UTC" \
			-o "-c max_connections=60 -c shared_buffers=32MB -c max_wal_size=256MB -c autovacuum_naptime=10 $*" \
			start >/dev/null 2>&1; then
			PGHOST=$PG_DIR/socket PGUSER=postgres PGDATABASE=postgres
			PG_CONNINFO="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"
			PATH=$PG_BIN:$PATH
			# What the caller's environment says about other servers must not reach the tests.
			unset PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGHOSTADDR PGSSLMODE PGAPPNAME
			export PGHOST PGPORT PGUSER PGDATABASE PATH
			return 0
		fi
	done
	cat "$PG_DIR/data/server.log" >&2
	return 1
}
