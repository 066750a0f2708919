# Documentation.

dist_man1_MANS = doc/slatectl.1
EXTRA_DIST += doc/alerts.md doc/architecture.md doc/database.md doc/model.md doc/openapi.yaml
# Alert rules for Prometheus, and their test.
EXTRA_DIST += doc/mixin/slated.rules.test.yml doc/mixin/slated.rules.yml
dist_man8_MANS = doc/slated.8
EXTRA_DIST += doc/architecture.md doc/model.md

# The settings in slated.conf(5) are the program's own. The page is in the distribution, where it is not made anew.
dist_man5_MANS = doc/slated.conf.5
EXTRA_DIST += doc/slated.conf.5.in
MAINTAINERCLEANFILES = doc/slated.conf.5

doc/slated.conf.5: doc/slated.conf.5.in daemon/io/config_table.c daemon/slatectl/settings.c | slatectl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && ./slatectl$(EXEEXT) settings --mdoc >$@.settings && \
	sed -e '/^@settings[@]$$/{r $@.settings' -e 'd;}' $(srcdir)/doc/slated.conf.5.in >$@.tmp && \
	rm $@.settings && mv $@.tmp $@
# What is promised under which faults.
EXTRA_DIST += doc/guarantees.md
# What many tickets need.
EXTRA_DIST += doc/scaling.md
# For those who run it.
EXTRA_DIST += doc/operations.md doc/mixin/slated.dashboard.json
# Adapters.
EXTRA_DIST += doc/adapters.md doc/attach-rt.md
EXTRA_DIST += doc/adapters.md
# Redmine.
EXTRA_DIST += doc/attach-redmine.md
# Redmine, Zammad, Chatwoot.
EXTRA_DIST += doc/attach-chatwoot.md doc/attach-redmine.md doc/attach-zammad.md
