# Documentation.

dist_man1_MANS = doc/slatectl.1
EXTRA_DIST += doc/alerts.md doc/architecture.md doc/database.md doc/model.md
# Alert rules for Prometheus, and their test.
EXTRA_DIST += doc/mixin/slated.rules.test.yml doc/mixin/slated.rules.yml
