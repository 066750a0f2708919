#!/bin/bash
# A function in PL/pgSQL that walks from day to day, in a PostgreSQL of its own.
# Arguments: ZONE INSTANTS HOLIDAYS COUNT ANSWERS.
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/../tests/system/pg.sh"
pg_start
psql -X -q -A -t -F ' ' -v ON_ERROR_STOP=1 -v zone="$1" -v count="$4" <<SQL
CREATE TABLE instants (id int GENERATED ALWAYS AS IDENTITY, at bigint NOT NULL);
CREATE TABLE days (day text NOT NULL);
CREATE TABLE holidays (day date PRIMARY KEY);
CREATE TABLE answers (id int, at timestamptz);
\copy instants (at) FROM PROGRAM 'head -n $4 "$2"'
\copy days FROM '$3'
INSERT INTO holidays SELECT DISTINCT to_date(CASE length(day) WHEN 5 THEN year || '-' || day ELSE day END, 'YYYY-MM-DD')
	FROM days, generate_series(2026, 2036) AS year;
ANALYZE;
SET timezone = :'zone';
CREATE FUNCTION add_open(start timestamptz, length interval) RETURNS timestamptz LANGUAGE plpgsql STABLE AS \$\$
DECLARE
	walked date := start::date;
	opening timestamptz;
	closing timestamptz;
BEGIN
	LOOP
		IF extract(isodow FROM walked) < 6 AND NOT EXISTS (SELECT FROM holidays AS h WHERE h.day = walked) THEN
			opening := greatest(start, walked + time '09:00');
			closing := walked + time '17:00';
			IF closing - opening >= length THEN
				RETURN opening + length;
			ELSIF opening < closing THEN
				length := length - (closing - opening);
			END IF;
		END IF;
		walked := walked + 1;
	END LOOP;
END
\$\$;
SELECT add_open(to_timestamp(at), '10 hours') FROM instants LIMIT 1 \g /dev/null
SELECT clock_timestamp() AS began \gset
INSERT INTO answers SELECT id, add_open(to_timestamp(at), '10 hours') FROM instants;
SELECT E'add\t' || round(extract(epoch FROM clock_timestamp() - :'began') * 1e9 / :count, 3);
\copy (SELECT extract(epoch FROM at)::bigint FROM answers ORDER BY id) TO '$5'
SQL
