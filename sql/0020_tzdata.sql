-- By which time zone data deadlines were counted: explanations tell of it years later.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.configuration ADD tzdata text;
COMMENT ON COLUMN sla.configuration.tzdata IS 'The version of the time zone data when it came into force, such as 2026f; NULL where not known';
GRANT SELECT (tzdata) ON sla.configuration TO sla_reader;
