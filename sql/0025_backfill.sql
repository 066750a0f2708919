-- A back-fill begins with empty tables, and what is planned for these reads whole tables once they are not. Each of its
-- statements has an index.

SET LOCAL ROLE sla_owner;

ALTER FUNCTION sla.adapter_apply(text, jsonb, jsonb, boolean) SET enable_seqscan = off;
