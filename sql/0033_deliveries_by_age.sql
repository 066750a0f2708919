-- The newest deliveries are what people list; without an index by age each list sorted all that was ever sent. Nothing looks
-- the log up by channel any more.

SET LOCAL ROLE sla_owner;

DROP INDEX sla.delivery_log_channel;
CREATE INDEX delivery_log_created ON sla.delivery_log (created_at);
