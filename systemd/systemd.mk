# The unit, with the folders that were configured.

systemdsystemunitdir = $(prefix)/lib/systemd/system
systemdsystemunit_DATA = systemd/slated.service
EXTRA_DIST += systemd/slated.service.in
CLEANFILES += systemd/slated.service

systemd/slated.service: systemd/slated.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
	sed -e 's|@sbindir[@]|$(sbindir)|' -e 's|@sysconfdir[@]|$(sysconfdir)|' $(srcdir)/systemd/slated.service.in >$@.tmp && mv $@.tmp $@
