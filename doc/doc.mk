# Documentation.

dist_man1_MANS = doc/slatectl.1
