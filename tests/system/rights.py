#!/usr/bin/env python3
"""What each role may do in schema sla, by trying everything: the table below is the whole of it. And functions that run as
the owner are not led astray by what a caller puts in its search path."""
import contextlib
import re

from harness import SqlError, run

ROLES = ("sla_daemon", "sla_writer", "sla_reader", "nobody")

# Roles may do just this: S(elect), I(nsert), U(pdate), D(elete), T(runcate); columns where it is not all of them.
FACTS = ("source external_id org plan severity status channel category product environment version assignee team "
         "attributes opened_at")
RELATIONS = {
    "ack": {"sla_daemon": "I", "sla_writer": "S I", "sla_reader": "S"},
    "adapter": {"sla_daemon": "S I U", "sla_reader": "S"},
    "adapter_error": {"sla_daemon": "S", "sla_reader": "S"},
    "adapter_ticket": {"sla_daemon": "S", "sla_reader": "S"},
    "assessment": {"sla_daemon": "I", "sla_writer": "S I", "sla_reader": "S"},
    "attainment": {"sla_daemon": "S", "sla_reader": "S"},
    "audit": {"sla_daemon": "S I", "sla_reader": "S"},
    "breach": {"sla_daemon": "S", "sla_reader": "S"},
    "clock": {"sla_daemon": "S I U", "sla_reader": "S"},
    "configuration": {"sla_daemon": "S I", "sla_reader": "S(digest loaded_at instance tzdata)"},
    "contact": {"sla_daemon": "S", "sla_writer": "S I U D", "sla_reader": "S"},
    "delivery": {"sla_daemon": "S I U D", "sla_reader": "S"},
    "delivery_log": {"sla_daemon": "S I", "sla_reader": "S"},
    "dispute": {"sla_writer": "S I", "sla_reader": "S"},
    "event": {"sla_daemon": "S U(late refused)", "sla_reader": "S"},
    "event_rest": {},
    "follower": {"sla_daemon": "S", "sla_writer": "S I U D", "sla_reader": "S"},
    "inbound": {},
    "instance": {"sla_daemon": "S I U", "sla_reader": "S"},
    "lease": {"sla_daemon": "S U", "sla_reader": "S"},
    "merge": {"sla_writer": "S I", "sla_reader": "S"},
    "migration": {"sla_daemon": "S", "sla_writer": "S", "sla_reader": "S"},
    "milestone": {"sla_daemon": "S I", "sla_reader": "S"},
    "open_clock": {"sla_daemon": "S", "sla_reader": "S"},
    "outcome": {"sla_daemon": "S", "sla_reader": "S"},
    "reassessment": {"sla_daemon": "S I", "sla_reader": "S"},
    "reply": {"sla_writer": "S I", "sla_reader": "S"},
    "silence": {"sla_daemon": "S I U(ended_at)", "sla_reader": "S"},
    "ticket": {"sla_daemon": "S", "sla_writer": f"S I({FACTS}) U({FACTS})", "sla_reader": "S"},
    "ticket_state": {"sla_daemon": "S I U", "sla_reader": "S"},
    "time_percentile": {"sla_daemon": "S", "sla_reader": "S"},
    "time_taken": {"sla_daemon": "S", "sla_reader": "S"},
}
# Who may call a function; whoever is not named may not. Triggers' functions nobody calls.
FUNCTIONS = {
    "acknowledge": "sla_daemon",
    "adapter_apply": "sla_daemon",
    "adapter_author": "",
    "adapter_change": "",
    "adapter_digest": "sla_daemon",
    "adapter_item": "",
    "adapter_merge": "",
    "adapter_next": "",
    "adapter_open": "",
    "adapter_past": "",
    "adapter_still": "",
    "adapter_swept": "sla_daemon",
    "adapter_take_over": "",
    "adapter_turn": "sla_daemon",
    "adapter_wanted": "sla_daemon",
    "adapter_write": "sla_daemon",
    "answer_hook": "sla_daemon",
    "append_event": "",
    "apply_reassessments": "sla_daemon",
    "asks_escalation": "sla_daemon sla_writer",
    "assess": "sla_daemon sla_writer",
    "changed_keys": "",
    "check_change": "",
    "check_instant": "sla_daemon sla_writer",
    "check_ticket": "sla_daemon sla_writer",
    "delivery_key": "sla_daemon",
    "digest_message": "",
    "end_lease": "sla_daemon",
    "event_of": "",
    "event_partitions": "",
    "fair_share": "sla_daemon",
    "fence": "sla_daemon",
    "first_facts": "",
    "flush": "sla_daemon",
    "give_word": "sla_daemon",
    "has_unapplied": "",
    "hint": "",
    "hint_is_due": "",
    "hook_input": "sla_daemon",
    "is_overtaken": "",
    "is_past": "sla_daemon",
    "is_status": "sla_daemon sla_writer",
    "is_status_alone": "",
    "last_facts": "",
    "note_adapter_error": "sla_daemon",
    "pattern_fits": "sla_daemon",
    "recipients": "sla_daemon",
    "record_change": "",
    "renew_lease": "sla_daemon",
    "replay": "sla_daemon",
    "share_lease": "sla_daemon",
    "silence_fits": "sla_daemon",
    "silence_of": "sla_daemon",
    "tick": "",
    "tick_text": "",
    "ticket_link": "sla_daemon sla_writer sla_reader",
    "ticket_summary": "sla_daemon",
    "trim_events": "",
    "use_row_triggers": "",
    "write_changed": "",
}

# Functions with EXECUTE of a text in them. None of them may be called by these roles (above), and what they put in are
# names of the catalog, quoted.
DYNAMIC = {"use_row_triggers", "has_unapplied", "trim_events"}

# The function that runs as its owner on the caller's search path, with every name in full: test_hijack() goes all its ways.
QUALIFIED = "record_changes"

STATEMENTS = {
    "S": 'SELECT "{column}" FROM sla."{table}" LIMIT 0',
    "I": 'INSERT INTO sla."{table}" ("{column}") OVERRIDING SYSTEM VALUE SELECT NULL WHERE false',
    "U": 'UPDATE sla."{table}" SET "{column}" = DEFAULT WHERE false',
    "D": 'DELETE FROM sla."{table}" WHERE false',
    "T": 'TRUNCATE sla."{table}" CASCADE',
}

# Runs a statement as the caller and undoes it. Whether it was allowed: any other error comes after the check of rights.
TRY = """
CREATE SCHEMA attempt;
GRANT USAGE ON SCHEMA attempt TO PUBLIC;
CREATE FUNCTION attempt.allowed(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE EXCEPTION 'undone' USING ERRCODE = 'UNDO1';
EXCEPTION
	WHEN insufficient_privilege THEN RETURN false;
	-- What is no table at all nobody can write.
	WHEN object_not_in_prerequisite_state OR wrong_object_type THEN RETURN false;
	WHEN OTHERS THEN RETURN true;
END $$;
"""


def expected_columns(rights, columns):
    """From "S U(late refused)" to the set of ("S", column), ("U", "late"), ...; D and T have no column."""
    found = set()
    for verb, named in re.findall(r"([SIUDT])(?:\(([^)]*)\))?", rights):
        if verb in "DT":
            found.add((verb, None))
        else:
            found.update((verb, column) for column in (named.split() if named else columns))
    return found


def allowed(session, statements):
    """Those of the statements that the session's role may run."""
    texts = ", ".join("($q$" + text + "$q$)" for text in statements)
    rows = session.rows(f"SELECT s FROM (VALUES {texts}) AS v (s) WHERE attempt.allowed(s)")
    return {row["s"] for row in rows}


def test_relations(bench, sessions):
    columns = {}
    # Nobody can write a generated column, whatever the rights.
    for row in bench.db.rows("SELECT c.relname AS t, a.attname AS c FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                             "WHERE c.relnamespace = 'sla'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
                             "AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY 1, a.attnum"):
        columns.setdefault(row["t"], []).append(row["c"])
    bench.equal(sorted(columns), sorted(RELATIONS), "each relation has a row in the table of rights")
    for role, session in sessions.items():
        tries = {}
        for table, names in columns.items():
            for verb, text in STATEMENTS.items():
                for column in [None] if verb in "DT" else names:
                    tries[text.format(table=table, column=column)] = (table, verb, column)
        may = {tries[text] for text in allowed(session, list(tries))}
        should = {(table, *right) for table, rights in RELATIONS.items() if table in columns
                  for right in expected_columns(rights.get(role, ""), columns[table])}
        bench.equal(sorted(may - should, key=str), [], f"{role} may do no more with {len(columns)} relations, of {len(tries)} tries")
        bench.equal(sorted(should - may, key=str), [], f"{role} may do what it should")


def test_sequences(bench, sessions):
    names = [row["s"] for row in bench.db.rows("SELECT c.oid::regclass::text AS s FROM pg_class c "
                                               "WHERE c.relnamespace = 'sla'::regnamespace AND c.relkind = 'S'")]
    tries = [text.format(name) for name in names
             for text in ("SELECT nextval('{}')", "SELECT last_value FROM {}", "SELECT setval('{}', 1)")]
    for role, session in sessions.items():
        bench.equal(sorted(allowed(session, tries)), [], f"{role} has no hold of the {len(names)} sequences")


def test_functions(bench, sessions):
    rows = bench.db.rows("SELECT p.proname AS name, p.oid::regprocedure::text AS function, 'SELECT ' || "
                         "p.oid::regproc::text || '(' || coalesce((SELECT string_agg('NULL::' || format_type(t, NULL), ', ' "
                         "ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)), '') || ')' AS call, "
                         "p.prorettype = 'trigger'::regtype AS triggered "
                         "FROM pg_proc p WHERE p.pronamespace = 'sla'::regnamespace ORDER BY 2")
    known = {row["name"] for row in rows if not row["triggered"]}
    bench.equal(sorted(known), sorted(FUNCTIONS), "each function has a row in the table of rights")
    for role, session in sessions.items():
        may = allowed(session, [row["call"] for row in rows])
        names = {row["name"] for row in rows if row["call"] in may}
        should = {name for name, roles in FUNCTIONS.items() if role in roles.split()}
        bench.equal(sorted(names ^ should), [], f"{role} may call those functions that it should, of {len(rows)}")


def test_schema(bench, sessions):
    tries = ["CREATE TABLE sla.x ()", "CREATE FUNCTION sla.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
             "CREATE VIEW sla.x AS SELECT 1", "CREATE TYPE sla.x AS ENUM ()", "DROP SCHEMA sla CASCADE",
             "ALTER TABLE sla.ticket DISABLE TRIGGER ALL", "DROP TRIGGER write_opened ON sla.ticket",
             "CREATE TRIGGER x AFTER INSERT ON sla.ticket FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
             "CREATE RULE x AS ON INSERT TO sla.ticket DO INSTEAD NOTHING", "ALTER TABLE sla.milestone OWNER TO CURRENT_USER",
             "CREATE POLICY x ON sla.ticket", "GRANT sla_owner TO CURRENT_USER", "SET LOCAL ROLE sla_owner",
             "SET LOCAL session_replication_role = replica", "LOCK sla.migration IN ACCESS EXCLUSIVE MODE"]
    for role, session in sessions.items():
        bench.equal(sorted(allowed(session, tries)), [], f"{role} can change nothing of the schema, nor pass its triggers by")


def test_pinned(bench):
    bench.equal(bench.db.rows("SELECT p.oid::regprocedure::text AS f FROM pg_proc p WHERE p.prosecdef AND p.prosqlbody IS NULL "
                              f"AND p.proname <> '{QUALIFIED}' "
                              "AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c = 'search_path=pg_catalog, pg_temp') AND "
                              "p.pronamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|information')"), [],
                "each function that runs as its owner has pg_catalog and then pg_temp alone in its search path, or names "
                "that were bound when it was made (BEGIN ATOMIC), but for one")
    body = bench.db.value(f"SELECT prosrc FROM pg_proc WHERE proname = '{QUALIFIED}'")
    text = re.sub(r"--.*|:=|OPERATOR\(pg_catalog\.[^)]*\)", "", body)
    bench.equal(re.findall(r"[-+*/<>=~!@#%^&|`?]+|(?i:\b(?:in|is|like|between|case|any|all|some|similar|cast)\b)", text), [],
                "that one says of each operator which it is")
    bench.equal(bench.db.rows("SELECT f.oid::regprocedure::text AS f FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                              "JOIN pg_proc f ON f.oid = t.tgfoid WHERE c.relnamespace = 'sla'::regnamespace AND NOT t.tgisinternal "
                              "AND c.relname IN ('lease', 'delivery', 'delivery_log', 'reassessment', 'instance') "
                              "AND f.proconfig IS NULL"), [],
                "and what those write to has no trigger that would run on the caller's path")
    bench.equal(bench.db.value("SELECT count(*) > 8 FROM pg_proc WHERE prosecdef AND pronamespace = 'sla'::regnamespace"), True,
                "there are such functions")
    dynamic = {row["f"] for row in bench.db.rows(
        r"SELECT proname AS f FROM pg_proc WHERE pronamespace = 'sla'::regnamespace AND prosrc ~* '\mexecute\M'")}
    bench.equal(dynamic, DYNAMIC, "no other function makes statements of texts")
    bench.equal(sorted(DYNAMIC & {name for name, roles in FUNCTIONS.items() if roles}), [], "and nobody may call one that does")


# Copies of every function of pg_catalog that sla's bodies name, and of the usual operators, each of which tells whom it ran as.
# An owner of public makes them, as the database's owner may have allowed; they come first in the callers' search path.
TRAPS = r"""
CREATE TABLE attempt.caught (name text, who text);
GRANT INSERT ON attempt.caught TO PUBLIC;
GRANT CREATE ON SCHEMA public TO villain;
SET ROLE villain;
CREATE FUNCTION public.note(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
	'BEGIN INSERT INTO attempt.caught VALUES (name, current_user); END';
DO $do$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.oid, p.proname, p.proretset, p.prorettype, format_type(p.prorettype, NULL) AS result,
			(SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)) AS args
		FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid IN (SELECT unnest(p.proargtypes) UNION SELECT p.prorettype) AND t.typtype = 'p')
			AND p.proname IN (SELECT m[1] FROM pg_proc s, regexp_matches(lower(s.prosrc), '\m([a-z_0-9]+)\s*\(', 'g') AS m
				WHERE s.pronamespace = 'sla'::regnamespace)
	LOOP
		EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', f.proname, coalesce(f.args, ''),
			CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, f.result, format('BEGIN PERFORM public.note(%L); RETURN %s; END', f.proname,
				CASE WHEN f.proretset THEN '' ELSE 'NULL' END));
	END LOOP;
END $do$;
DO $do$
DECLARE
	type text;
	sign text;
BEGIN
	FOREACH type IN ARRAY ARRAY['text', 'bigint', 'integer', 'timestamptz', 'interval', 'uuid', 'jsonb', 'boolean'] LOOP
		EXECUTE format('CREATE FUNCTION public.trap(a %1$s, b %1$s) RETURNS boolean LANGUAGE plpgsql AS '
			'$t$ BEGIN PERFORM public.note(%2$L); RETURN NULL; END $t$', type, 'operator of ' || type);
		FOREACH sign IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '~', '@>'] LOOP
			EXECUTE format('CREATE OPERATOR public.%2$s (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = public.trap)', type, sign);
		END LOOP;
	END LOOP;
END $do$;
-- What compares whole rows, counts, joins texts or casts, and types by the names of the usual ones.
CREATE FUNCTION public.trap_row(a record, b record) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN PERFORM public.note(''operator of rows''); RETURN NULL; END';
CREATE FUNCTION public.trap_sum(a bigint, b integer) RETURNS bigint LANGUAGE plpgsql AS
	'BEGIN PERFORM public.note(''operator of sums''); RETURN NULL; END';
CREATE FUNCTION public.trap_count(a bigint, b integer) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN PERFORM public.note(''operator of counts''); RETURN NULL; END';
CREATE FUNCTION public.trap_value(value anyelement) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN PERFORM public.note(''type''); RETURN true; END';
DO $do$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['=', '<>', '*=', '*<>'] LOOP
		EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = record, RIGHTARG = record, FUNCTION = public.trap_row)', name);
	END LOOP;
	CREATE OPERATOR public.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = public.trap_sum);
	CREATE OPERATOR public.> (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = public.trap_count);
	FOREACH name IN ARRAY ARRAY['text', 'bool', 'int8', 'timestamptz'] LOOP
		EXECUTE format('CREATE DOMAIN public.%1$I AS pg_catalog.%1$I CHECK (public.trap_value(VALUE))', name);
	END LOOP;
END $do$;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
"""

def lure(bench, session):
    """Temporary tables by the names of sla's, whose triggers tell, and a search path with all of it first."""
    tables = bench.db.rows("SELECT c.relname AS name, string_agg(format('%I %s', a.attname, format_type(a.atttypid, NULL)), ', ') AS "
                           "columns FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
                           "WHERE c.relnamespace = 'sla'::regnamespace AND c.relkind = 'r' GROUP BY 1")
    for table in tables:
        session.run(f"CREATE TEMP TABLE {table['name']} ({table['columns']})")
        session.run(f"CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.{table['name']} "
                    "FOR EACH STATEMENT EXECUTE FUNCTION public.trap_statement()")
    session.run("SET search_path = pg_temp, public, sla, pg_catalog")


def test_hijack(bench):
    db = bench.db
    db.run("CREATE ROLE villain")
    db.run(TRAPS)
    db.run("CREATE FUNCTION public.trap_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
           "PERFORM public.note('table ' || TG_TABLE_NAME); RETURN NULL; END $$")
    traps = db.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
    bench.check(traps > 40, "traps are laid", traps)
    # New ones: where sla.at was set once, no change goes the short way.
    writer, daemon = bench.session("sla_writer_login"), bench.session("sla_daemon_login")
    for session in (writer, daemon):
        lure(bench, session)
    # The trap works: without a pinned path it is fallen into.
    writer.run("SELECT lower('A'::text)")
    db.run("CREATE FUNCTION attempt.careless() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT lower('A'::text) $$")
    writer.run("SELECT attempt.careless()")
    bench.equal(db.value("SELECT string_agg(DISTINCT who, ' ' ORDER BY who) FROM attempt.caught WHERE name = 'lower'"),
                "postgres sla_writer_login", "a function without a path of its own falls into the traps")
    db.run("DROP FUNCTION attempt.careless(); TRUNCATE attempt.caught")

    ticket = "(SELECT id FROM sla.ticket WHERE external_id OPERATOR(pg_catalog.=) 'lured')"
    writer.run("INSERT INTO sla.ticket (external_id, org, plan, severity, opened_at) VALUES ('lured', 'o', 'p', 'high', pg_catalog.now())")
    writer.run(f"UPDATE sla.ticket SET status = 'pending', attributes = '{{\"a\": 1}}' WHERE id OPERATOR(pg_catalog.=) {ticket}")
    # Each way of sla.record_changes(): the status alone, what else may change, what is refused, what was when.
    for change in ("status = 'open'", "status = 'pending'", "severity = 'low'", "external_id = 'lured'",
                   "assignee = 'Ann', severity = 'high', status = 'open'"):
        writer.run(f"UPDATE sla.ticket SET {change} WHERE id OPERATOR(pg_catalog.=) {ticket}")
    with contextlib.suppress(SqlError):
        writer.run(f"UPDATE sla.ticket SET status = 'gone' WHERE id OPERATOR(pg_catalog.=) {ticket}")
    for table in ("reply (ticket_id, author, body)", "ack (ticket_id, by)", "dispute (ticket_id, reason)"):
        rest = ", 'agent', '#escalate'" if table.startswith("reply") else ", 'x'"
        writer.run(f"INSERT INTO sla.{table} SELECT {ticket}{rest}")
    writer.run(f"SELECT sla.assess({ticket}, 'low', 'because')")
    for name in ("share_lease", "renew_lease"):
        daemon.run(f"SELECT sla.{name}('d', '00000000-0000-0000-0000-000000000001', '10 s')")
    daemon.run("SELECT sla.fair_share('d', '10 s')")
    daemon.run("SELECT sla.fence('00000000-0000-0000-0000-000000000001', '{1,2}', pg_catalog.now())")
    daemon.run(f"SELECT sla.acknowledge({ticket}, 'Ann', '1 h', 'm')")
    daemon.run(f"SELECT sla.give_word({ticket}, 'high', '{{high}}', 'Ann', 'because')")
    daemon.run(f"INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, hook) "
               f"SELECT {ticket}, pg_catalog.now(), 'r', 'high', '{{high}}', NULL, '', true")
    daemon.run("SELECT sla.answer_hook((SELECT id FROM sla.reassessment), 'low', 'why', NULL)")
    daemon.run("SELECT sla.apply_reassessments()")
    daemon.run("SELECT sla.replay('{a,b}')")
    daemon.run("SELECT sla.end_lease('00000000-0000-0000-0000-000000000001')")
    caught = db.rows("SELECT DISTINCT name, who FROM attempt.caught WHERE who NOT IN ('sla_writer_login', 'sla_daemon_login')")
    bench.equal(caught, [], "no function that runs as its owner calls what a caller laid before it")
    bench.equal(db.value("SELECT count(*) > 6 FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id AND t.external_id = 'lured'"),
                True, "and all that was done reached sla's own tables")


def test(bench):
    db = bench.db
    db.run(TRY)
    sessions = {}
    for role in ROLES:
        login = f"{role}_login"
        db.run(f"CREATE ROLE {login} LOGIN" + (f" IN ROLE {role}" if role != "nobody" else ""))
        sessions[role] = bench.session(login)
    test_relations(bench, sessions)
    test_sequences(bench, sessions)
    test_functions(bench, sessions)
    test_schema(bench, sessions)
    test_pinned(bench)
    test_hijack(bench)


if __name__ == "__main__":
    run(test)
