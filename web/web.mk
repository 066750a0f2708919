# The board's files, built into the daemon.
WEB_FILES = \
	web/index.html \
	web/ticket.html \
	web/attainment.html \
	web/style.css \
	web/icon.svg \
	web/api.js \
	web/attainment.js \
	web/board.js \
	web/clock.js \
	web/dom.js \
	web/explain.js \
	web/format.js \
	web/forms.js \
	web/list.js \
	web/page.js \
	web/theme.js \
	web/ticket.js \
	web/timeline.js
EXTRA_DIST += $(WEB_FILES)
EXTRA_DIST += web/embed.sh

web/web_files.c: $(WEB_FILES) web/embed.sh web/web.mk
	$(AM_V_GEN)$(MKDIR_P) web && sh $(srcdir)/web/embed.sh $(srcdir) $(WEB_FILES) >$@.tmp && mv $@.tmp $@
CLEANFILES += web/web_files.c web/web_files.c.tmp
