-- Functions that PostgreSQL puts into the statements that call them, instead of running each call as a query of its own.
-- It does so where a function claims no more than its body holds, and concat_ws() and jsonb_build_object() are only STABLE.

SET LOCAL ROLE sla_owner;

ALTER FUNCTION sla.delivery_key(bigint, text, integer, text, text) STABLE;
ALTER FUNCTION sla.ticket_summary(sla.ticket) STABLE;
