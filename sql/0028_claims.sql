-- A claim is an update of a column that stood in the condition of an index, so it wrote the row's entries in all indexes
-- anew. Without that it stays within the row's page (a HOT update).

SET LOCAL ROLE sla_owner;

DROP INDEX sla.delivery_unclaimed;
CREATE INDEX delivery_position ON sla.delivery (position);
