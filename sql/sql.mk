# The schema's migrations.

# In the order of their numbers; one file is one migration and never changes once released.
SQL_MIGRATIONS = \
	sql/0001_schema.sql \
	sql/0002_events.sql \
	sql/0003_access.sql \
	sql/0004_daemon.sql \
	sql/0005_alerts.sql \
	sql/0006_hooks.sql \
	sql/0007_inbound.sql \
	sql/0008_operate.sql \
	sql/0009_api.sql \
	sql/0010_shards.sql \
	sql/0011_overtaken.sql \
	sql/0012_claims.sql \
	sql/0013_changes.sql \
	sql/0014_inlined.sql \
	sql/0015_adapters.sql \
	sql/0016_reports.sql \
	sql/0017_flush.sql \
	sql/0018_growth.sql \
	sql/0019_digest.sql \
	sql/0020_tzdata.sql \
	sql/0021_cheaper_flush.sql \
	sql/0022_writes.sql \
	sql/0023_write_back.sql \
	sql/0024_parallel.sql \
	sql/0025_backfill.sql \
	sql/0026_leaner_flush.sql \
	sql/0027_cheaper_triggers.sql \
	sql/0028_claims.sql \
	sql/0029_ahead.sql \
	sql/0030_decisions.sql \
	sql/0031_overtaken_hooks.sql \
	sql/0032_reassess_in_parts.sql \
	sql/0033_deliveries_by_age.sql \
	sql/0034_silences.sql \
	sql/0035_one_digest.sql \
	sql/0036_plans.sql
EXTRA_DIST += $(SQL_MIGRATIONS)
EXTRA_DIST += sql/embed.sh

sql/migrations.c: $(SQL_MIGRATIONS) sql/embed.sh sql/sql.mk
	$(AM_V_GEN)$(MKDIR_P) sql && sh $(srcdir)/sql/embed.sh $(srcdir) $(SQL_MIGRATIONS) >$@.tmp && mv $@.tmp $@
CLEANFILES += sql/migrations.c sql/migrations.c.tmp
EXTRA_DIST += doc/database.md

# What slatectl attach makes in the databases of other systems: what all have, and a file for each kind.
SQL_ADAPTERS = \
	sql/adapters/core.sql \
	sql/adapters/generic.sql \
	sql/adapters/request-tracker.sql
# Redmine, Zammad, Chatwoot.
SQL_ADAPTERS += \
	sql/adapters/chatwoot.sql \
	sql/adapters/redmine.sql \
	sql/adapters/zammad.sql
EXTRA_DIST += $(SQL_ADAPTERS) sql/embed_texts.sh

sql/adapter_texts.c: $(SQL_ADAPTERS) sql/embed_texts.sh sql/sql.mk
	$(AM_V_GEN)$(MKDIR_P) sql && sh $(srcdir)/sql/embed_texts.sh $(srcdir) $(SQL_ADAPTERS) >$@.tmp && mv $@.tmp $@
CLEANFILES += sql/adapter_texts.c sql/adapter_texts.c.tmp
