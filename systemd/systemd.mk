# The units, with the folders that were configured. Both take what they share from systemd/service.in.

systemdsystemunitdir = $(prefix)/lib/systemd/system
nodist_systemdsystemunit_DATA = systemd/slated.service systemd/slated@.service
dist_systemdsystemunit_DATA = systemd/slated.socket systemd/slated@.socket
systemdsystempresetdir = $(prefix)/lib/systemd/system-preset
dist_systemdsystempreset_DATA = systemd/50-slated.preset
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = systemd/sysusers.d/slated.conf
systemdcatalogdir = $(prefix)/lib/systemd/catalog
dist_systemdcatalog_DATA = systemd/slated.catalog
EXTRA_DIST += systemd/service.in systemd/slated.service.in systemd/slated@.service.in
CLEANFILES += systemd/slated.service systemd/slated@.service

MAKE_UNIT = $(AM_V_GEN)$(MKDIR_P) systemd && \
	sed -e '/^@service[@]$$/{r $(srcdir)/systemd/service.in' -e 'd;}' $(srcdir)/$@.in | \
	sed -e 's|@sbindir[@]|$(sbindir)|' -e 's|@bindir[@]|$(bindir)|' -e 's|@sysconfdir[@]|$(sysconfdir)|' \
		>$@.tmp && mv $@.tmp $@

systemd/slated.service: systemd/slated.service.in systemd/service.in Makefile
	$(MAKE_UNIT)

systemd/slated@.service: systemd/slated@.service.in systemd/service.in Makefile
	$(MAKE_UNIT)
