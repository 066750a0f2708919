# What is installed beside the programs.

dist_pkgdata_DATA = conf/slated.conf
policiesdir = $(pkgdatadir)/policies
dist_policies_DATA = \
	conf/policies/aiven.conf \
	conf/policies/clairdash.conf \
	conf/policies/neon.conf \
	conf/policies/tidb-cloud.conf
