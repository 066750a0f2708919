# Tests.

# The schema, against a private PostgreSQL.
EXTRA_DIST += tests/system/pg.sh
