# Adapters to files, sockets and the database.
noinst_LIBRARIES += libslated-io.a
libslated_io_a_SOURCES =

# The courier, its channels and what they stand on.
AM_CPPFLAGS += $(LIBEVENT_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) $(LIBCRYPTO_CFLAGS)
libslated_io_a_SOURCES += include/slated/channel.h
libslated_io_a_SOURCES += include/slated/channel_settings.h
libslated_io_a_SOURCES += include/slated/child.h
libslated_io_a_SOURCES += include/slated/courier.h
libslated_io_a_SOURCES += include/slated/delivery.h
libslated_io_a_SOURCES += include/slated/envelope.h
libslated_io_a_SOURCES += include/slated/heartbeat.h
libslated_io_a_SOURCES += include/slated/http_client.h
libslated_io_a_SOURCES += include/slated/log.h
libslated_io_a_SOURCES += include/slated/message.h
libslated_io_a_SOURCES += include/slated/post.h
libslated_io_a_SOURCES += include/slated/text.h
libslated_io_a_SOURCES += daemon/channels/channels.c
libslated_io_a_SOURCES += daemon/channels/chat.c
libslated_io_a_SOURCES += daemon/channels/chat.h
libslated_io_a_SOURCES += daemon/channels/envelope.c
libslated_io_a_SOURCES += daemon/channels/exec.c
libslated_io_a_SOURCES += daemon/channels/message.c
libslated_io_a_SOURCES += daemon/channels/ntfy.c
libslated_io_a_SOURCES += daemon/channels/post.c
libslated_io_a_SOURCES += daemon/channels/slack.c
libslated_io_a_SOURCES += daemon/channels/teams.c
libslated_io_a_SOURCES += daemon/channels/ticket.c
libslated_io_a_SOURCES += daemon/channels/webhook.c
libslated_io_a_SOURCES += daemon/io/child.c
libslated_io_a_SOURCES += daemon/io/courier.c
libslated_io_a_SOURCES += daemon/io/courier_internal.h
libslated_io_a_SOURCES += daemon/io/courier_send.c
libslated_io_a_SOURCES += daemon/io/delivery.c
libslated_io_a_SOURCES += daemon/io/digest.c
libslated_io_a_SOURCES += daemon/io/heartbeat.c
libslated_io_a_SOURCES += daemon/io/http_client.c
libslated_io_a_SOURCES += daemon/io/log.c
libslated_io_a_SOURCES += daemon/io/text.c

# The database, the feed, the ledger and the outbox.
AM_CPPFLAGS += $(LIBPQ_CFLAGS)
libslated_io_a_SOURCES += include/slated/event_json.h
libslated_io_a_SOURCES += include/slated/feed.h
libslated_io_a_SOURCES += include/slated/ledger.h
libslated_io_a_SOURCES += include/slated/loop.h
libslated_io_a_SOURCES += include/slated/live.h
libslated_io_a_SOURCES += include/slated/outbox.h
libslated_io_a_SOURCES += include/slated/pg.h
libslated_io_a_SOURCES += include/slated/rows.h
libslated_io_a_SOURCES += include/slated/service.h
libslated_io_a_SOURCES += include/slated/timebase.h
libslated_io_a_SOURCES += daemon/io/event_json.c
libslated_io_a_SOURCES += daemon/io/feed.c
libslated_io_a_SOURCES += daemon/io/ladder_row.c
libslated_io_a_SOURCES += daemon/io/ledger.c
libslated_io_a_SOURCES += daemon/io/ledger_batch.c daemon/io/ledger_batch.h
libslated_io_a_SOURCES += daemon/io/ledger_sql.h
libslated_io_a_SOURCES += daemon/io/live.c
libslated_io_a_SOURCES += daemon/io/loop.c
libslated_io_a_SOURCES += daemon/io/outbox.c
libslated_io_a_SOURCES += daemon/io/outbox_claim.c daemon/io/outbox_claim.h
libslated_io_a_SOURCES += daemon/io/outbox_look.c daemon/io/outbox_look.h
libslated_io_a_SOURCES += daemon/io/outbox_sql.h
libslated_io_a_SOURCES += daemon/io/outbox_unwritten.c daemon/io/outbox_unwritten.h
libslated_io_a_SOURCES += daemon/io/payload.c
libslated_io_a_SOURCES += daemon/io/payload.h
libslated_io_a_SOURCES += daemon/io/pg.c
libslated_io_a_SOURCES += daemon/io/pg_target.c daemon/io/pg_target.h
libslated_io_a_SOURCES += daemon/io/rows.c
libslated_io_a_SOURCES += daemon/io/service.c
libslated_io_a_SOURCES += daemon/io/service_beat.c
libslated_io_a_SOURCES += daemon/io/service_config.c
libslated_io_a_SOURCES += daemon/io/service_internal.h
libslated_io_a_SOURCES += daemon/io/service_life.c
libslated_io_a_SOURCES += daemon/io/timebase.c
libslated_io_a_SOURCES += daemon/io/work.c daemon/io/work_load.c

# The daemon.
sbin_PROGRAMS += slated
slated_SOURCES = daemon/main.c
slated_LDADD = libslated-io.a libslated-core.a $(LIBEVENT_LIBS) $(LIBPQ_LIBS) $(LIBCONFIG_LIBS) $(LIBSYSTEMD_LIBS) \
	$(LIBCURL_LIBS) $(JANSSON_LIBS) $(LIBCRYPTO_LIBS) $(LIBICAL_LIBS)

# Configuration.
AM_CPPFLAGS += $(LIBCONFIG_CFLAGS) $(LIBICAL_CFLAGS)
libslated_io_a_SOURCES += \
	include/slated/config.h \
	daemon/io/config.c \
	daemon/io/config_calendar.c \
	daemon/io/config_channel.c \
	daemon/io/config_check.c \
	daemon/io/config_ladder.c \
	daemon/io/config_load.h \
	daemon/io/config_match.c \
	daemon/io/config_policy.c \
	daemon/io/config_read.c \
	daemon/io/config_secret.c \
	daemon/io/config_secret.h \
	daemon/io/config_service.c \
	daemon/io/config_table.c \
	daemon/io/config_table.h \
	daemon/io/holidays.c \
	daemon/io/holidays.h

# Signatures, out and in.
libslated_io_a_SOURCES += include/slated/signature.h
libslated_io_a_SOURCES += daemon/io/signature.c

# The HTTP server, and what comes in through it.
libslated_io_a_SOURCES += include/slated/http_server.h
libslated_io_a_SOURCES += include/slated/inbound.h
libslated_io_a_SOURCES += daemon/io/http_authority.c daemon/io/http_call.c
libslated_io_a_SOURCES += daemon/io/http_internal.h
libslated_io_a_SOURCES += daemon/io/http_server.c
libslated_io_a_SOURCES += daemon/io/http_socket.c
libslated_io_a_SOURCES += daemon/io/inbound.c
libslated_io_a_SOURCES += daemon/io/inbound_internal.h
libslated_io_a_SOURCES += daemon/io/inbound_pager.c
libslated_io_a_SOURCES += daemon/io/service_http.c
# Pagers.
libslated_io_a_SOURCES += \
	daemon/channels/alertmanager.c \
	daemon/channels/alertmanager.h \
	daemon/channels/alertmanager_alert.c \
	daemon/channels/goalert.c \
	daemon/channels/pagerduty.c
# email.
libslated_io_a_SOURCES += include/slated/mail_client.h
libslated_io_a_SOURCES += daemon/channels/email.c
libslated_io_a_SOURCES += daemon/channels/email_html.c
libslated_io_a_SOURCES += daemon/channels/email_render.c
libslated_io_a_SOURCES += daemon/channels/email_render.h
libslated_io_a_SOURCES += daemon/channels/mime.c
libslated_io_a_SOURCES += daemon/channels/mime.h
libslated_io_a_SOURCES += daemon/io/mail_client.c
# Hooks of reassessment rules.
libslated_io_a_SOURCES += include/slated/hook.h
libslated_io_a_SOURCES += daemon/io/hook.c
# Metrics and health.
libslated_io_a_SOURCES += include/slated/metrics.h
libslated_io_a_SOURCES += daemon/io/metrics.c
libslated_io_a_SOURCES += daemon/io/service_metrics.c
# The service manager and the journal.
libslated_io_a_SOURCES += daemon/io/service_notify.c
libslated_io_a_SOURCES += daemon/io/log_journal.c

# What is reported, by the tool and over HTTP.
libslated_io_a_SOURCES += include/slated/clock_row.h
libslated_io_a_SOURCES += daemon/io/clock_row.c
libslated_io_a_SOURCES += include/slated/delivery_row.h
libslated_io_a_SOURCES += daemon/io/delivery_row.c
libslated_io_a_SOURCES += include/slated/jsonw.h
libslated_io_a_SOURCES += daemon/io/jsonw.c
libslated_io_a_SOURCES += include/slated/result.h
libslated_io_a_SOURCES += daemon/io/result.c
libslated_io_a_SOURCES += include/slated/story_row.h
libslated_io_a_SOURCES += daemon/io/story_row.c
libslated_io_a_SOURCES += include/slated/ticket_row.h
libslated_io_a_SOURCES += daemon/io/ticket_row.c
libslated_io_a_SOURCES += include/slated/desk.h
libslated_io_a_SOURCES += daemon/io/desk.c
libslated_io_a_SOURCES += include/slated/clock_list.h
libslated_io_a_SOURCES += daemon/io/clock_list.c

# The HTTP API.
libslated_io_a_SOURCES += include/slated/api.h
libslated_io_a_SOURCES += include/slated/silence.h
libslated_io_a_SOURCES += daemon/io/api.c
libslated_io_a_SOURCES += daemon/io/api_change.c
libslated_io_a_SOURCES += daemon/io/api_clocks.c
libslated_io_a_SOURCES += daemon/io/api_explain.c
libslated_io_a_SOURCES += daemon/io/api_internal.h
libslated_io_a_SOURCES += daemon/io/api_stream.c
libslated_io_a_SOURCES += daemon/io/api_ticket.c
libslated_io_a_SOURCES += daemon/io/silence.c

# Several daemons.
libslated_io_a_SOURCES += include/slated/shards.h
libslated_io_a_SOURCES += daemon/io/shards.c
# The board.
libslated_io_a_SOURCES += include/slated/web.h
libslated_io_a_SOURCES += daemon/io/web.c
nodist_libslated_io_a_SOURCES = web/web_files.c
# Adapters.
libslated_io_a_SOURCES += include/slated/adapter.h
libslated_io_a_SOURCES += daemon/io/adapter.c
libslated_io_a_SOURCES += daemon/io/adapter_catch_up.c
libslated_io_a_SOURCES += daemon/io/adapter_internal.h
libslated_io_a_SOURCES += daemon/io/adapter_life.c
libslated_io_a_SOURCES += daemon/io/config_adapter.c
# JSON that comes in.
libslated_io_a_SOURCES += include/slated/jsonr.h
libslated_io_a_SOURCES += daemon/io/jsonr.c
# The members of an event as JSON.
libslated_io_a_SOURCES += daemon/io/event_members.c
libslated_io_a_SOURCES += daemon/io/event_members.h
# The linter.
libslated_io_a_SOURCES += include/slated/lint.h
libslated_io_a_SOURCES += daemon/io/lint.c
libslated_io_a_SOURCES += daemon/io/lint_internal.h
libslated_io_a_SOURCES += daemon/io/lint_ladders.c
libslated_io_a_SOURCES += daemon/io/lint_words.c
# Explanations.
libslated_io_a_SOURCES += include/slated/explain.h
libslated_io_a_SOURCES += daemon/io/explain.c
libslated_io_a_SOURCES += daemon/io/explain_internal.h
libslated_io_a_SOURCES += daemon/io/explain_json.c
libslated_io_a_SOURCES += daemon/io/explain_promise.c
libslated_io_a_SOURCES += daemon/io/explain_words.c
# Feeds within a configuration.
libslated_io_a_SOURCES += daemon/io/config_feed.c
