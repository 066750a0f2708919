-- A claim belongs to one session of a daemon's outbox, and to a time without a break in which it kept what it had: what is
-- carried out late, or was in a hand that has let go, is told from what is in hand.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.delivery ADD claim uuid, ADD claim_session integer;
COMMENT ON COLUMN sla.delivery.claim IS 'Since when claimed_by has kept what it had in hand: another value after each break';
COMMENT ON COLUMN sla.delivery.claim_session IS 'The session of claimed_by that took it';
