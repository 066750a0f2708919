# Tests.

# wheel
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_wheel
TESTS += tests/unit/test_wheel
tests_unit_test_wheel_SOURCES = tests/unit/test_wheel.c tests/unit/seed.h
tests_unit_test_wheel_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_wheel_LDADD = libslated-core.a $(CRITERION_LIBS)
endif
# The schema, against a private PostgreSQL.
EXTRA_DIST += tests/system/pg.sh

# Time: instants, zones and calendars.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_calendar tests/unit/test_calendar_count tests/unit/test_instant tests/unit/test_zone
TESTS += tests/unit/test_calendar tests/unit/test_calendar_count tests/unit/test_instant tests/unit/test_zone
tests_unit_test_calendar_SOURCES = tests/unit/test_calendar.c tests/unit/calendar_recipe.h tests/unit/zone_file.h
tests_unit_test_calendar_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_calendar_LDADD = libslated-core.a $(CRITERION_LIBS)
tests_unit_test_calendar_count_SOURCES = tests/unit/test_calendar_count.c tests/unit/calendar_recipe.h \
	tests/unit/seed.h tests/unit/zone_file.h
tests_unit_test_calendar_count_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_calendar_count_LDADD = libslated-core.a $(CRITERION_LIBS)
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
	tests/sql/distribution.sh \
	tests/sql/events.sh \
	tests/sql/hint.sh \
	tests/sql/inputs.sh \
	tests/sql/ledger.sh \
	tests/sql/migrate.sh \
	tests/sql/refusals.sh \
	tests/sql/replicas.sh \
	tests/sql/roles.sh \
	tests/sql/trim.sh
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
tests_unit_test_log_LDADD = libslated-io.a libslated-core.a $(LIBSYSTEMD_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_exec
TESTS += tests/unit/test_exec
tests_unit_test_exec_SOURCES = tests/unit/test_exec.c
tests_unit_test_exec_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_exec_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_http_client
TESTS += tests/unit/test_http_client
tests_unit_test_http_client_SOURCES = tests/unit/test_http_client.c
tests_unit_test_http_client_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_http_client_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_courier
TESTS += tests/unit/test_courier
tests_unit_test_courier_SOURCES = tests/unit/test_courier.c
tests_unit_test_courier_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_courier_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
endif
check_PROGRAMS += tests/system/send_webhook
tests_system_send_webhook_SOURCES = tests/system/send_webhook.c tests/system/sender.c tests/system/sender.h
tests_system_send_webhook_LDADD = $(COURIER_LIBS)
TESTS += tests/system/webhook.sh
dist_check_SCRIPTS += tests/system/webhook.sh tests/system/install-modules
EXTRA_DIST += tests/system/package.json
EXTRA_DIST += tests/system/package-lock.json
EXTRA_DIST += tests/system/receiver.mjs
EXTRA_DIST += tests/system/webhook.mjs

# Fuzz targets: their corpora are replayed by `make check`, libFuzzer is built with --enable-fuzzing.
EXTRA_DIST += tests/fuzz/corpus/zone
check_PROGRAMS += tests/fuzz/replay_zone
TESTS += tests/fuzz/replay_zone
tests_fuzz_replay_zone_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_zone.c
tests_fuzz_replay_zone_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"zone\"
tests_fuzz_replay_zone_LDADD = libslated-core.a
if FUZZING
noinst_PROGRAMS += tests/fuzz/fuzz_zone
tests_fuzz_fuzz_zone_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_zone.c
tests_fuzz_fuzz_zone_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_zone_LDADD = libslated-core.a
endif

# Configuration.
TESTS += tests/config/check.sh
dist_check_SCRIPTS += tests/config/check.sh
EXTRA_DIST += tests/config/broken tests/config/good
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_policy
TESTS += tests/unit/test_policy
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c
tests_unit_test_policy_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_policy_LDADD = libslated-core.a $(CRITERION_LIBS)
endif

CONFIG_LIBS = libslated-io.a libslated-core.a $(LIBCONFIG_LIBS) $(LIBICAL_LIBS) $(LIBCRYPTO_LIBS)
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_config_LDADD = $(CONFIG_LIBS) $(CRITERION_LIBS)
endif
EXTRA_DIST += tests/fuzz/corpus/config
check_PROGRAMS += tests/fuzz/replay_config
TESTS += tests/fuzz/replay_config
tests_fuzz_replay_config_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_config.c
tests_fuzz_replay_config_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"config\"
tests_fuzz_replay_config_LDADD = $(CONFIG_LIBS)
if FUZZING
noinst_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_config_LDADD = $(CONFIG_LIBS)
endif

# The engine by scenarios.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_engine tests/unit/test_engine_reload
TESTS += tests/unit/test_engine tests/unit/test_engine_reload
engine_player_sources = tests/unit/engine_player.c tests/unit/engine_player.h
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(engine_player_sources)
tests_unit_test_engine_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_engine_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS) $(CRITERION_LIBS)
tests_unit_test_engine_reload_SOURCES = tests/unit/test_engine_reload.c $(engine_player_sources)
tests_unit_test_engine_reload_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_engine_reload_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS) $(CRITERION_LIBS)
endif

# The token that asks for an escalation.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_token
TESTS += tests/unit/test_token
tests_unit_test_token_SOURCES = tests/unit/test_token.c
tests_unit_test_token_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_token_LDADD = libslated-core.a $(CRITERION_LIBS)
endif

# Event lines and rows of COPY.
EXTRA_DIST += tests/fuzz/corpus/event tests/fuzz/corpus/copy
check_PROGRAMS += tests/fuzz/replay_event tests/fuzz/replay_copy
TESTS += tests/fuzz/replay_event tests/fuzz/replay_copy
tests_fuzz_replay_event_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_event.c
tests_fuzz_replay_event_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io -DCORPUS=\"event\"
tests_fuzz_replay_event_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS)
tests_fuzz_replay_copy_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_copy.c
tests_fuzz_replay_copy_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"copy\"
tests_fuzz_replay_copy_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS)
if FUZZING
noinst_PROGRAMS += tests/fuzz/fuzz_event tests/fuzz/fuzz_copy
tests_fuzz_fuzz_event_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_event.c
tests_fuzz_fuzz_event_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io
tests_fuzz_fuzz_event_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_event_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS)
tests_fuzz_fuzz_copy_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_copy.c
tests_fuzz_fuzz_copy_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_copy_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS)
endif
# simulate against an independent implementation of the model.
TESTS += tests/sim/compare
dist_check_SCRIPTS += tests/sim/compare
EXTRA_DIST += tests/sim/compare.py tests/sim/generate.py tests/sim/oracle.py
# backtest against simulate.
TESTS += tests/sim/backtest
dist_check_SCRIPTS += tests/sim/backtest
EXTRA_DIST += tests/sim/backtest.py
# slatectl status, list and show.
TESTS += tests/system/ctl.sh
dist_check_SCRIPTS += tests/system/ctl.sh
EXTRA_DIST += tests/system/ctl.sql
# Real policies, and slatectl due.
dist_check_SCRIPTS += tests/policies/policies.sh tests/slatectl/due.sh
TESTS += tests/policies/policies.sh tests/slatectl/due.sh
EXTRA_DIST += \
	tests/policies/aiven.cases \
	tests/policies/aiven.escalate-basic.sim \
	tests/policies/aiven.escalate.sim \
	tests/policies/aiven.tier-change.sim \
	tests/policies/clairdash.cases \
	tests/policies/clairdash.night.sim \
	tests/policies/neon.cases \
	tests/policies/neon.follow.sim \
	tests/policies/neon.impact-given.sim \
	tests/policies/neon.impact-missing.sim \
	tests/policies/neon.under.sim \
	tests/policies/tidb-cloud.basic.sim \
	tests/policies/tidb-cloud.billing.sim \
	tests/policies/tidb-cloud.cases
# Architecture: who includes whom, and what the core asks of the C library.
dist_check_SCRIPTS += tests/architecture/includes.sh tests/architecture/symbols.sh
TESTS += tests/architecture/includes.sh tests/architecture/symbols.sh
EXTRA_DIST += tests/architecture/core.symbols

# Manual pages.
dist_check_SCRIPTS += tests/doc/manual.sh
TESTS += tests/doc/manual.sh

# The database's values and its clock.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_pg_value tests/unit/test_timebase
TESTS += tests/unit/test_pg_value tests/unit/test_timebase
tests_unit_test_pg_value_SOURCES = tests/unit/test_pg_value.c
tests_unit_test_pg_value_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pg_value_LDADD = libslated-core.a $(CRITERION_LIBS)
tests_unit_test_timebase_SOURCES = tests/unit/test_timebase.c
tests_unit_test_timebase_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_timebase_LDADD = libslated-io.a libslated-core.a $(CRITERION_LIBS)
endif

# The daemon as a whole, against a private PostgreSQL and a receiver of webhooks.
system_tests = \
	tests/system/alerts.py \
	tests/system/input.py \
	tests/system/kill.py \
	tests/system/lifecycle.py \
	tests/system/operate.py \
	tests/system/reassess.py \
	tests/system/reconnect.py \
	tests/system/backtest.py \
	tests/system/dry_run.py \
	tests/system/left_out.py \
	tests/system/reload.py \
	tests/system/report.py \
	tests/system/roles.py
dist_check_SCRIPTS += $(system_tests)
TESTS += $(system_tests)
EXTRA_DIST += tests/system/harness.py

# Rates and circuit breakers.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_gate
TESTS += tests/unit/test_gate
tests_unit_test_gate_SOURCES = tests/unit/test_gate.c
tests_unit_test_gate_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_gate_LDADD = libslated-core.a $(CRITERION_LIBS)
endif
# Chats, and what all channels for people say.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_message
TESTS += tests/unit/test_message
tests_unit_test_message_SOURCES = tests/unit/test_message.c
tests_unit_test_message_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_message_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
endif
check_PROGRAMS += tests/channels/send_chat
tests_channels_send_chat_SOURCES = tests/channels/send_chat.c
tests_channels_send_chat_LDADD = $(COURIER_LIBS)
TESTS += tests/channels/chat.py
dist_check_SCRIPTS += tests/channels/chat.py
EXTRA_DIST += \
	tests/channels/schemas/ntfy.json \
	tests/channels/schemas/slack.json \
	tests/channels/schemas/teams.json
# What comes in over HTTP.
dist_check_SCRIPTS += tests/system/shards.py
TESTS += tests/system/shards.py
dist_check_SCRIPTS += tests/system/api.py
TESTS += tests/system/api.py
EXTRA_DIST += tests/system/openapi.py
dist_check_SCRIPTS += tests/system/inbound.py
TESTS += tests/system/inbound.py
EXTRA_DIST += tests/system/sign.mjs
# Pagers.
check_PROGRAMS += tests/channels/send_pager
tests_channels_send_pager_SOURCES = tests/channels/send_pager.c
tests_channels_send_pager_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/channels
tests_channels_send_pager_LDADD = $(COURIER_LIBS)
dist_check_SCRIPTS += tests/channels/alertmanager.py tests/channels/pagers.py
TESTS += tests/channels/alertmanager.py tests/channels/pagers.py
EXTRA_DIST += tests/channels/pager_bench.py
EXTRA_DIST += tests/channels/schemas/goalert.json
EXTRA_DIST += tests/channels/schemas/pagerduty.json
# email.
MAIL_LIBS = $(COURIER_LIBS) $(LIBCONFIG_LIBS) $(LIBICAL_LIBS)
check_PROGRAMS += tests/system/send_mail
tests_system_send_mail_SOURCES = tests/system/send_mail.c tests/system/sender.c tests/system/sender.h
tests_system_send_mail_LDADD = $(MAIL_LIBS)
TESTS += tests/system/mail.sh
dist_check_SCRIPTS += tests/system/mail.sh
EXTRA_DIST += tests/system/mail.mjs
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_mail_client
TESTS += tests/unit/test_mail_client
tests_unit_test_mail_client_SOURCES = tests/unit/test_mail_client.c
tests_unit_test_mail_client_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_mail_client_LDADD = $(COURIER_LIBS) $(CRITERION_LIBS)
endif
# The daemon's ladder steps against the simulator's, on random histories.
dist_check_SCRIPTS += tests/system/histories.py
TESTS += tests/system/histories.py

# Hooks of reassessment rules.
dist_check_SCRIPTS += tests/system/hooks.py
TESTS += tests/system/hooks.py

# Metrics and health, and the alert rules on them.
dist_check_SCRIPTS += tests/system/metrics.py
TESTS += tests/system/metrics.py
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_metrics
TESTS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_metrics_LDADD = libslated-io.a libslated-core.a $(CRITERION_LIBS)
endif
# The journal's catalog.
dist_check_SCRIPTS += tests/doc/catalog.py
TESTS += tests/doc/catalog.py
# The units under a booted systemd; skipped where that cannot be.
dist_check_SCRIPTS += tests/systemd/service.py
TESTS += tests/systemd/service.py
EXTRA_DIST += tests/systemd/box.py
# The Debian package on a clean system; .ci/run runs it.
EXTRA_DIST += tests/systemd/newcomer.py
# What the service manager hears, and what the journal is sent.
dist_check_SCRIPTS += tests/system/notify.py
TESTS += tests/system/notify.py
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_notify
TESTS += tests/unit/test_notify
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io $(CRITERION_CFLAGS)
tests_unit_test_notify_LDADD = $(COURIER_LIBS) $(LIBPQ_LIBS) $(LIBSYSTEMD_LIBS) $(CRITERION_LIBS)
endif
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_look
TESTS += tests/unit/test_look
tests_unit_test_look_SOURCES = tests/unit/test_look.c
tests_unit_test_look_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io $(CRITERION_CFLAGS)
tests_unit_test_look_LDADD = libslated-io.a $(CRITERION_LIBS)
endif
# Real faults: the checker of what they leave behind, and each kind in a file of its own.
fault_tests = \
	tests/system/bulk.py \
	tests/system/clocks.py \
	tests/system/patroni.py \
	tests/system/pooler.py \
	tests/system/proxy.py \
	tests/system/server_trouble.py \
	tests/system/standby.py
dist_check_SCRIPTS += $(fault_tests)
TESTS += $(fault_tests)
EXTRA_DIST += tests/system/history.py tests/system/skew.c tests/system/tcp_proxy.py
# What is promised, and the tests that show it.
dist_check_SCRIPTS += tests/doc/guarantees.py
TESTS += tests/doc/guarantees.py
# Unix sockets, and sockets that are handed over.
dist_check_SCRIPTS += tests/system/sockets.py
TESTS += tests/system/sockets.py
# What bash and zsh complete.
dist_check_SCRIPTS += tests/slatectl/completion.py
TESTS += tests/slatectl/completion.py
EXTRA_DIST += tests/system/terminal.py
# slatectl top in a terminal.
dist_check_SCRIPTS += tests/system/top.py
TESTS += tests/system/top.py
# The operations guide, the alert rules and the dashboard.
dist_check_SCRIPTS += tests/doc/operations.py tests/system/dashboard.py
TESTS += tests/doc/operations.py tests/system/dashboard.py
# A restore as the operations guide tells of it.
dist_check_SCRIPTS += tests/system/restore.py
TESTS += tests/system/restore.py
# The board in a browser.
dist_check_SCRIPTS += tests/web/board.py tests/web/pages.py tests/web/scale.py
TESTS += tests/web/board.py tests/web/pages.py tests/web/scale.py
EXTRA_DIST += tests/web/browser.py tests/web/stage.py
# Fuzz targets of what comes from outside while the daemon runs.
FUZZ_LIBS = $(COURIER_LIBS) $(LIBPQ_LIBS) $(LIBCONFIG_LIBS) $(LIBICAL_LIBS)
fuzz_http_rig = tests/fuzz/http_rig.c tests/fuzz/http_rig.h tests/fuzz/input.h
EXTRA_DIST += tests/fuzz/corpus/api tests/fuzz/corpus/hook tests/fuzz/corpus/http tests/fuzz/corpus/rows \
	tests/fuzz/corpus/signature tests/fuzz/corpus/value
EXTRA_DIST += tests/fuzz/api.dict tests/fuzz/config.dict tests/fuzz/event.dict tests/fuzz/hook.dict tests/fuzz/http.dict \
	tests/fuzz/ical.dict tests/fuzz/rows.dict tests/fuzz/signature.dict
check_PROGRAMS += tests/fuzz/replay_api tests/fuzz/replay_hook tests/fuzz/replay_http tests/fuzz/replay_rows \
	tests/fuzz/replay_signature tests/fuzz/replay_value
TESTS += tests/fuzz/replay_api tests/fuzz/replay_hook tests/fuzz/replay_http tests/fuzz/replay_rows \
	tests/fuzz/replay_signature tests/fuzz/replay_value
tests_fuzz_replay_api_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_api.c $(fuzz_http_rig)
tests_fuzz_replay_api_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io -DCORPUS=\"api\"
tests_fuzz_replay_api_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_hook_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_hook.c tests/fuzz/input.h
tests_fuzz_replay_hook_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"hook\"
tests_fuzz_replay_hook_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_http_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_http.c $(fuzz_http_rig)
tests_fuzz_replay_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io -DCORPUS=\"http\"
tests_fuzz_replay_http_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_rows_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_rows.c tests/fuzz/input.h
tests_fuzz_replay_rows_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"rows\"
tests_fuzz_replay_rows_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_signature_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_signature.c \
	tests/fuzz/input.h
tests_fuzz_replay_signature_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"signature\"
tests_fuzz_replay_signature_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_value_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_value.c tests/fuzz/input.h
tests_fuzz_replay_value_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"value\"
tests_fuzz_replay_value_LDADD = libslated-core.a
EXTRA_DIST += tests/fuzz/corpus/ical
if WITH_FEEDS
check_PROGRAMS += tests/fuzz/replay_ical
TESTS += tests/fuzz/replay_ical
tests_fuzz_replay_ical_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/fuzz_ical.c tests/fuzz/input.h
tests_fuzz_replay_ical_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io -DCORPUS=\"ical\"
tests_fuzz_replay_ical_LDADD = $(CONFIG_LIBS)
endif
if FUZZING
noinst_PROGRAMS += tests/fuzz/fuzz_api tests/fuzz/fuzz_hook tests/fuzz/fuzz_http tests/fuzz/fuzz_rows \
	tests/fuzz/fuzz_signature tests/fuzz/fuzz_value
tests_fuzz_fuzz_api_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_api.c $(fuzz_http_rig)
tests_fuzz_fuzz_api_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io
tests_fuzz_fuzz_api_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_api_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_hook_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_hook.c tests/fuzz/input.h
tests_fuzz_fuzz_hook_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_hook_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_http.c $(fuzz_http_rig)
tests_fuzz_fuzz_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_rows_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_rows.c tests/fuzz/input.h
tests_fuzz_fuzz_rows_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_rows_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_signature_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_signature.c tests/fuzz/input.h
tests_fuzz_fuzz_signature_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_signature_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_value_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_value.c tests/fuzz/input.h
tests_fuzz_fuzz_value_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_value_LDADD = libslated-core.a
if WITH_FEEDS
noinst_PROGRAMS += tests/fuzz/fuzz_ical
tests_fuzz_fuzz_ical_SOURCES = tests/fuzz/fuzz.h tests/fuzz/fuzz_ical.c tests/fuzz/input.h
tests_fuzz_fuzz_ical_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io
tests_fuzz_fuzz_ical_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_ical_LDADD = $(CONFIG_LIBS)
endif
endif
# What each role may do, by trying all of it.
dist_check_SCRIPTS += tests/system/rights.py
TESTS += tests/system/rights.py
# Coverage, and what takes long.
EXTRA_DIST += tests/coverage tests/full tests/fuzz/run tests/known tools/cppcheck.h
.PHONY: coverage
coverage:
	$(srcdir)/tests/coverage
# The checker of histories.
history_sources = tests/sim/history.c tests/sim/history.h tests/sim/history_entry.c tests/sim/history_internal.h \
	tests/sim/history_model.c tests/sim/history_pairs.c tests/sim/history_play.c tests/sim/history_play.h \
	tests/sim/history_search.c tests/sim/history_sent.c
if HAVE_CRITERION
check_PROGRAMS += tests/sim/test_history
TESTS += tests/sim/test_history
tests_sim_test_history_SOURCES = tests/sim/test_history.c $(history_sources)
tests_sim_test_history_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sim_test_history_LDADD = $(CONFIG_LIBS) $(CRITERION_LIBS)
endif
check_PROGRAMS += tests/sim/check_history
tests_sim_check_history_SOURCES = tests/sim/check_history.c $(history_sources)
tests_sim_check_history_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS) -lm
dist_check_SCRIPTS += tests/sim/check_history.sh
TESTS += tests/sim/check_history.sh

# The daemon's parts in simulated time; see tests/sim/simulate.c. Its own loop.h, pg.h and child.h come before the library's.
check_PROGRAMS += tests/sim/simulate
tests_sim_simulate_SOURCES = tests/sim/simulate.c tests/sim/database.c tests/sim/database.h tests/sim/database_internal.h \
	tests/sim/member.c tests/sim/member.h tests/sim/people.c tests/sim/people.h tests/sim/statements.c tests/sim/statements.h \
	tests/sim/statements_feed.c tests/sim/statements_lease.c tests/sim/statements_ledger.c tests/sim/statements_outbox.c \
	tests/sim/statements_reassess.c tests/sim/programs.c tests/sim/programs.h tests/sim/values.c tests/sim/values.h \
	tests/sim/wire.c tests/sim/wire.h tests/sim/world.c tests/sim/world.h tests/unit/seed.h \
	$(history_sources)
tests_sim_simulate_LDADD = $(slated_LDADD)
EXTRA_DIST += tests/sim/sim.conf tests/sim/then.conf tests/sim/mutate tests/sim/soak
TESTS += tests/sim/seeds
dist_check_SCRIPTS += tests/sim/seeds
# Allocations that fail, one after the other.
oom_ldflags = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=aligned_alloc \
	-Wl,--wrap=strdup,--wrap=strndup,--wrap=asprintf,--wrap=vasprintf,--wrap=__asprintf_chk,--wrap=__vasprintf_chk \
	-Wl,--wrap=fopen,--wrap=open_memstream,--wrap=scandir,--wrap=free
oom_json_ldflags = $(oom_ldflags) -Wl,--wrap=json_loadb,--wrap=json_dumps,--wrap=json_object,--wrap=json_array \
	-Wl,--wrap=json_string,--wrap=json_object_set_new,--wrap=json_array_append_new,--wrap=json_pack
check_PROGRAMS += tests/oom/oom_config
TESTS += tests/oom/oom_config
tests_oom_oom_config_SOURCES = tests/oom/oom_config.c tests/oom/oom.c tests/oom/oom.h
tests_oom_oom_config_LDFLAGS = $(oom_ldflags)
tests_oom_oom_config_LDADD = $(CONFIG_LIBS)
check_PROGRAMS += tests/oom/oom_feed
TESTS += tests/oom/oom_feed
tests_oom_oom_feed_SOURCES = tests/oom/oom_feed.c tests/oom/given.c tests/oom/given.h tests/oom/oom.c \
	tests/oom/oom.h tests/oom/oom_json.c
tests_oom_oom_feed_LDFLAGS = $(oom_json_ldflags)
tests_oom_oom_feed_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS) $(LIBPQ_LIBS)
oom_event_ldflags = -Wl,--wrap=evbuffer_new,--wrap=evbuffer_add,--wrap=evbuffer_pullup,--wrap=evhttp_add_header \
	-Wl,--wrap=evhttp_parse_query_str,--wrap=bufferevent_socket_new,--wrap=event_add
check_PROGRAMS += tests/oom/oom_http
TESTS += tests/oom/oom_http
tests_oom_oom_http_SOURCES = tests/oom/oom_http.c tests/oom/oom.c tests/oom/oom.h tests/oom/oom_event.c \
	tests/oom/oom_json.c $(fuzz_http_rig)
tests_oom_oom_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io -I$(srcdir)/tests/fuzz
tests_oom_oom_http_LDFLAGS = $(oom_json_ldflags) $(oom_event_ldflags)
tests_oom_oom_http_LDADD = $(FUZZ_LIBS)
# Events as JSON.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_event_members
TESTS += tests/unit/test_event_members
tests_unit_test_event_members_SOURCES = tests/unit/test_event_members.c
tests_unit_test_event_members_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io $(CRITERION_CFLAGS)
tests_unit_test_event_members_LDADD = libslated-io.a libslated-core.a $(JANSSON_LIBS) $(CRITERION_LIBS)
endif
# A short form of each benchmark of bench/run.
dist_check_SCRIPTS += tests/bench/smoke.py
TESTS += tests/bench/smoke.py
# The linter.
dist_check_SCRIPTS += tests/slatectl/lint.py
TESTS += tests/slatectl/lint.py
# Explanations.
dist_check_SCRIPTS += tests/system/explain.py
TESTS += tests/system/explain.py
# Holiday feeds.
dist_check_SCRIPTS += tests/holidays/feeds.py
TESTS += tests/holidays/feeds.py
# slatectl holidays
dist_check_SCRIPTS += tests/system/holidays.py
TESTS += tests/system/holidays.py
# Conformance vectors.
TESTS += tests/vectors/run
dist_check_SCRIPTS += tests/vectors/run
EXTRA_DIST += \
	tests/vectors/README.md \
	tests/vectors/aiven.ndjson \
	tests/vectors/by-hand.ndjson \
	tests/vectors/clairdash.ndjson \
	tests/vectors/clocks.ndjson \
	tests/vectors/count.py \
	tests/vectors/make.py \
	tests/vectors/neon.ndjson \
	tests/vectors/policies/aiven.json \
	tests/vectors/policies/clairdash.json \
	tests/vectors/policies/clocks.conf \
	tests/vectors/policies/clocks.json \
	tests/vectors/policies/neon.json \
	tests/vectors/policies/tidb-cloud.json \
	tests/vectors/tidb-cloud.ndjson \
	tests/vectors/vectors.py
# The table of tickets in memory.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_live
TESTS += tests/unit/test_live
tests_unit_test_live_SOURCES = tests/unit/test_live.c
tests_unit_test_live_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_live_LDADD = libslated-io.a libslated-core.a $(CRITERION_LIBS)
endif
# Adapters.
adapter_tests = \
	tests/system/attach_generic.py \
	tests/system/attach_rt.py
EXTRA_DIST += tests/system/helpdesk.py tests/system/rt.py tests/system/rt.pl
EXTRA_DIST += tests/system/writeback.py
# README.md's ten minutes with a table of your own.
dist_check_SCRIPTS += tests/doc/readme_attach.py
TESTS += tests/doc/readme_attach.py
dist_check_SCRIPTS += $(adapter_tests)
TESTS += $(adapter_tests)
# Redmine, Zammad, Chatwoot.
product_adapter_tests = tests/system/attach_chatwoot.py tests/system/attach_redmine.py tests/system/attach_zammad.py
dist_check_SCRIPTS += $(product_adapter_tests)
TESTS += $(product_adapter_tests)
EXTRA_DIST += tests/system/redmine.py tests/system/redmine.rb
# Example tickets for the linter.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_witness
TESTS += tests/unit/test_witness
tests_unit_test_witness_SOURCES = tests/unit/test_witness.c tests/unit/seed.h
tests_unit_test_witness_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_witness_LDADD = $(CONFIG_LIBS) $(JANSSON_LIBS) $(CRITERION_LIBS)
endif

# What is looked up in JSON that is known to be such.
check_PROGRAMS += tests/unit/test_jsonr
TESTS += tests/unit/test_jsonr
tests_unit_test_jsonr_SOURCES = tests/unit/test_jsonr.c
tests_unit_test_jsonr_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_jsonr_LDADD = libslated-io.a libslated-core.a $(JANSSON_LIBS) $(CRITERION_LIBS)
