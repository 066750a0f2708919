# slatectl migrate: once, twice, at once, refused. Leaves the schema in database "postgres".

# migrate DATABASE [options]: what it prints on both, and its exit status.
migrate() {
	migrate_database=$1
	shift
	"$SLATECTL" migrate --conninfo "host=$PGHOST port=$PGPORT dbname=$migrate_database user=${migrate_user:-postgres}" "$@" 2>&1
	echo "exit $?"
}

names=$(cd "$here/../../sql" && ls 0*.sql | sed 's/\.sql$//')
count=$(printf '%s\n' "$names" | wc -l)
up_to_date="schema sla is up to date ($count migrations)
exit 0"

same "dry run names every migration" "$(printf '%s would be applied\n' $names)
exit 0" "$(migrate postgres --dry-run)"
expect "dry run changes nothing" f "SELECT to_regnamespace('sla') IS NOT NULL"
same "first run applies every migration" "$(printf '%s applied\n' $names)
$up_to_date" "$(migrate postgres)"
same "second run is harmless" "$up_to_date" "$(migrate postgres)"
same "dry run with nothing to do" "$up_to_date" "$(migrate postgres --dry-run)"
expect "each is recorded" "$names" "SELECT name FROM sla.migration ORDER BY number"
expect "checksums are those of sha256sum" "$(cd "$here/../../sql" && sha256sum 0*.sql | cut -d' ' -f1)" \
	"SELECT checksum FROM sla.migration ORDER BY number"

createdb twice
migrate twice >"$PG_DIR/first" &
first=$!
migrate twice >"$PG_DIR/second"
wait "$first"
same "two runs at once both end well" "$up_to_date
$up_to_date" "$(grep -h -v ' applied$' "$PG_DIR/first" "$PG_DIR/second")"
same "two runs at once apply each once" "$(printf '%s applied\n' $names | sort)" \
	"$(grep -h ' applied$' "$PG_DIR/first" "$PG_DIR/second" | sort)"

sql -d twice -c "UPDATE sla.migration SET checksum = 'x' WHERE number = 2"
same "another checksum is refused" "slatectl: migration 0002_events was applied with another text: checksum x in the database, $(
	sha256sum <"$here/../../sql/0002_events.sql" | cut -d' ' -f1) here
exit 1" "$(migrate twice)"
same "another checksum is refused in a dry run" "exit 1" "$(migrate twice --dry-run | tail -n 1)"
sql -d twice -c "UPDATE sla.migration SET checksum = '$(sha256sum <"$here/../../sql/0002_events.sql" | cut -d' ' -f1)'
	WHERE number = 2; INSERT INTO sla.migration VALUES (9000, '9000_later', 'x')"
same "a newer database is refused" "slatectl: the database is newer than this program: it has migration 9000_later, the last one here is $(
	printf '%s\n' "$names" | tail -n 1)
exit 1" "$(migrate twice)"

sql -c "CREATE ROLE plain LOGIN"
createdb guarded
migrate_user=plain
same "a role that may not create the schema is told how" "slatectl: 0001_schema: ERROR:  role plain may not create a schema in database guarded
HINT:  Migrate as a superuser, or: GRANT CREATE ON DATABASE guarded TO plain
exit 1" "$(migrate guarded | grep -v CONTEXT)"
sql -c "GRANT CREATE ON DATABASE guarded TO plain"
same "a role that may not act as the owner is told how" "HINT:  Migrate as a superuser, or have one run: GRANT sla_owner TO plain" \
	"$(migrate guarded | grep HINT)"
expect "what fails leaves nothing" f "SELECT to_regnamespace('sla') IS NOT NULL" -d guarded
sql -c "GRANT sla_owner TO plain"
migrate_user=plain
same "a role that may do both can migrate" "$(printf '%s applied\n' $names)
$up_to_date" "$(migrate guarded)"
expect "the owner role owns it all" sla_owner \
	"SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'sla'::regnamespace" -d guarded
migrate_user=
same "an unreachable database" "exit 2" "$(migrate nowhere | tail -n 1)"
same "a wrong call" "usage: slatectl migrate [--dry-run] [--config FILE]
       slatectl migrate --conninfo STRING [--dry-run]
slatectl migrate --help tells more
exit 2" "$(migrate postgres --config x)"
expect "every table and view has a comment" "" "SELECT relname FROM pg_class WHERE relnamespace = 'sla'::regnamespace
	AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL"
