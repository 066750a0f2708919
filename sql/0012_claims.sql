-- A claim belongs to one session of a daemon's outbox: one that is carried out after its session was given up is told from
-- those in hand.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.delivery ADD claim uuid;
COMMENT ON COLUMN sla.delivery.claim IS 'The session of claimed_by that has it in hand';
