# Adapters to files, sockets and the database.
noinst_LIBRARIES += libslated-io.a
libslated_io_a_SOURCES =

# The courier, its channels and what they stand on.
AM_CPPFLAGS += $(LIBEVENT_CFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) $(LIBCRYPTO_CFLAGS)
libslated_io_a_SOURCES += include/slated/channel.h
libslated_io_a_SOURCES += include/slated/child.h
libslated_io_a_SOURCES += include/slated/courier.h
libslated_io_a_SOURCES += include/slated/delivery.h
libslated_io_a_SOURCES += include/slated/envelope.h
libslated_io_a_SOURCES += include/slated/http_client.h
libslated_io_a_SOURCES += include/slated/log.h
libslated_io_a_SOURCES += include/slated/text.h
libslated_io_a_SOURCES += daemon/channels/channels.c
libslated_io_a_SOURCES += daemon/channels/envelope.c
libslated_io_a_SOURCES += daemon/channels/exec.c
libslated_io_a_SOURCES += daemon/channels/webhook.c
libslated_io_a_SOURCES += daemon/io/child.c
libslated_io_a_SOURCES += daemon/io/courier.c
libslated_io_a_SOURCES += daemon/io/delivery.c
libslated_io_a_SOURCES += daemon/io/http_client.c
libslated_io_a_SOURCES += daemon/io/log.c
libslated_io_a_SOURCES += daemon/io/text.c

noinst_LIBRARIES += libslated-io.a
libslated_io_a_CPPFLAGS = $(AM_CPPFLAGS)
libslated_io_a_SOURCES =

# Configuration.
libslated_io_a_CPPFLAGS += $(LIBCONFIG_CFLAGS) $(LIBICAL_CFLAGS) $(LIBCRYPTO_CFLAGS)
libslated_io_a_SOURCES += \
	include/slated/config.h \
	daemon/io/config.c \
	daemon/io/config_calendar.c \
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
