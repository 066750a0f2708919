# Documentation.

dist_man1_MANS = doc/slatectl.1
EXTRA_DIST += doc/architecture.md doc/model.md
