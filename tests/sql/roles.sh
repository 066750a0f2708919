# A cluster without the roles: who may create them. First, since they belong to the whole cluster.

sql -c "CREATE ROLE keeper LOGIN CREATEROLE; CREATE ROLE stranger LOGIN"
createdb fresh
sql -c "GRANT CREATE ON DATABASE fresh TO keeper, stranger"
same "a role that may not create roles is told how" "HINT:  Migrate as a superuser, or: ALTER ROLE stranger CREATEROLE" \
	"$("$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=fresh user=stranger" 2>&1 | grep HINT)"
same "a role with CREATEROLE and CREATE can migrate" 0 \
	"$("$SLATECTL" migrate --conninfo "$PG_CONNINFO dbname=fresh user=keeper" >"$PG_DIR/out" 2>&1; echo $?)"
expect "nobody logs in as the roles" "sla_daemon|f|f
sla_owner|f|f
sla_reader|f|f
sla_writer|f|f" "SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname ~ '^sla_' ORDER BY 1"
