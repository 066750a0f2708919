-- The list of the open clocks looks at each of them. A function in it that does not say so keeps the server from sharing
-- that out among its workers.

SET LOCAL ROLE sla_owner;

ALTER FUNCTION sla.ticket_link(text, sla.ticket) PARALLEL SAFE;
