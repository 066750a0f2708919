# Tests.

# wheel
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_wheel
TESTS += tests/unit/test_wheel
tests_unit_test_wheel_SOURCES = tests/unit/test_wheel.c
tests_unit_test_wheel_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_wheel_LDADD = libslated-core.a $(CRITERION_LIBS)
endif
# The schema, against a private PostgreSQL.
EXTRA_DIST += tests/system/pg.sh

# Time: instants, zones and calendars.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_instant tests/unit/test_zone
TESTS += tests/unit/test_instant tests/unit/test_zone
tests_unit_test_instant_SOURCES = tests/unit/test_instant.c
tests_unit_test_instant_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_instant_LDADD = libslated-core.a $(CRITERION_LIBS)
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c tests/unit/zone_file.h
tests_unit_test_zone_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_zone_LDADD = libslated-core.a $(CRITERION_LIBS)
endif
dist_check_SCRIPTS += tests/sql/schema.sh
TESTS += tests/sql/schema.sh
EXTRA_DIST += \
	tests/sql/access.sh \
	tests/sql/cases.sh \
	tests/sql/concurrency.sh \
	tests/sql/events.sh \
	tests/sql/hint.sh \
	tests/sql/inputs.sh \
	tests/sql/ledger.sh \
	tests/sql/migrate.sh \
	tests/sql/refusals.sh \
	tests/sql/replicas.sh \
	tests/sql/roles.sh
