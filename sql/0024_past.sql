-- Nobody is told of ladder steps that are older than the attach of their ticket's source: of sla.flush() (0022_flush.sql) one
-- condition changes, and the rest stays as it is.

SET LOCAL ROLE sla_owner;

DO $$
DECLARE
	former text := pg_get_functiondef((SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'sla'::regnamespace AND p.proname = 'flush'));
	condition text := 'CASE WHEN s.id IS NULL THEN coalesce(r.told';
BEGIN
	IF (length(former) - length(replace(former, condition, ''))) <> length(condition) THEN
		RAISE EXCEPTION 'sla.flush() is not that of 0022_flush.sql: restore it from a database that slatectl migrate has made';
	END IF;
	EXECUTE replace(former, condition, 'CASE WHEN s.id IS NULL '
		'AND NOT (coalesce(t.source, ''native'') <> ''native'' AND sla.is_past(t.source, u.at)) THEN coalesce(r.told');
END
$$;
