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
# The courier, its channels and what they stand on.
COURIER_LIBS = libslated-io.a libslated-core.a $(LIBEVENT_LIBS) $(LIBCURL_LIBS) $(JANSSON_LIBS) $(LIBCRYPTO_LIBS)
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_retry
TESTS += tests/unit/test_retry
tests_unit_test_retry_SOURCES = tests/unit/test_retry.c
tests_unit_test_retry_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_retry_LDADD = libslated-core.a $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_log
TESTS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_log_LDADD = libslated-io.a libslated-core.a $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_exec
TESTS += tests/unit/test_exec
tests_unit_test_exec_SOURCES = tests/unit/test_exec.c
tests_unit_test_exec_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_exec_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_courier
TESTS += tests/unit/test_courier
tests_unit_test_courier_SOURCES = tests/unit/test_courier.c
tests_unit_test_courier_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_courier_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
endif
check_PROGRAMS += tests/system/send_webhook
tests_system_send_webhook_SOURCES = tests/system/send_webhook.c
tests_system_send_webhook_LDADD = $(COURIER_LIBS)
TESTS += tests/system/webhook.sh
dist_check_SCRIPTS += tests/system/webhook.sh tests/system/install-modules
EXTRA_DIST += tests/system/package.json
EXTRA_DIST += tests/system/package-lock.json
EXTRA_DIST += tests/system/receiver.mjs
EXTRA_DIST += tests/system/webhook.mjs
