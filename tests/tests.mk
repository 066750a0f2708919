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
