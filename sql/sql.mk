# The schema's migrations.

# In the order of their numbers; one file is one migration and never changes once released.
SQL_MIGRATIONS = \
	sql/0001_schema.sql \
	sql/0002_events.sql \
	sql/0003_access.sql
EXTRA_DIST += $(SQL_MIGRATIONS)
