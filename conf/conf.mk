# What is installed beside the programs.

dist_pkgdata_DATA = conf/slated.conf
policiesdir = $(pkgdatadir)/policies
dist_policies_DATA = \
	conf/policies/aiven.conf \
	conf/policies/clairdash.conf \
	conf/policies/neon.conf \
	conf/policies/tidb-cloud.conf
# Holiday feeds, made by tools/holidays/make.mjs.
holidaysdir = $(pkgdatadir)/holidays
dist_holidays_DATA = \
	conf/holidays/england-and-wales.ics \
	conf/holidays/germany.ics \
	conf/holidays/india-national.ics \
	conf/holidays/japan.ics \
	conf/holidays/northern-ireland.ics \
	conf/holidays/us-federal.ics
EXTRA_DIST += tools/holidays/make.mjs tools/holidays/package.json tools/holidays/package-lock.json
# Examples of adapters.
adaptersdir = $(pkgdatadir)/adapters
dist_adapters_DATA = conf/adapters/generic.conf conf/adapters/request-tracker.conf
# Redmine, Zammad, Chatwoot.
dist_adapters_DATA += \
	conf/adapters/chatwoot.conf \
	conf/adapters/redmine.conf \
	conf/adapters/zammad.conf
