# Benchmarks: bench/run builds and runs them. Nothing here is built by 'make' or installed.
bench_programs =
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)

# wheel: a program for each peer.
bench_programs += bench/wheel_slated bench/wheel_heap bench/wheel_libevent bench/wheel_libuv bench/wheel_libev
bench_wheel = bench/timing.h bench/wheel.h bench/wheel_main.c
bench_wheel_slated_SOURCES = $(bench_wheel) bench/wheel_slated.c
bench_wheel_slated_LDADD = libslated-core.a
bench_wheel_heap_SOURCES = $(bench_wheel) bench/wheel_heap.c
bench_wheel_libevent_SOURCES = $(bench_wheel) bench/wheel_libevent.c
bench_wheel_libevent_LDADD = $(LIBEVENT_LIBS)
bench_wheel_libuv_SOURCES = $(bench_wheel) bench/wheel_libuv.c
bench_wheel_libuv_LDADD = -luv
bench_wheel_libev_SOURCES = $(bench_wheel) bench/wheel_libev.c
bench_wheel_libev_LDADD = -lev

# calendar: each peer reads the same files of instants and holidays.
bench_programs += bench/calendar_slated bench/calendar_walk
bench_calendar = bench/timing.h bench/calendar.h bench/calendar_input.c
bench_calendar_slated_SOURCES = $(bench_calendar) bench/calendar_slated.c
bench_calendar_slated_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io
bench_calendar_slated_LDADD = libslated-io.a libslated-core.a $(LIBICAL_LIBS)
bench_calendar_walk_SOURCES = $(bench_calendar) bench/calendar_walk.c

# replay
bench_programs += bench/replay_engine bench/replay_parse
bench_replay_engine_SOURCES = bench/timing.h bench/replay_engine.c
bench_replay_engine_LDADD = libslated-io.a libslated-core.a $(LIBCONFIG_LIBS) $(LIBICAL_LIBS) $(LIBCRYPTO_LIBS) \
	$(JANSSON_LIBS)
bench_replay_parse_SOURCES = bench/replay_parse.c
bench_replay_parse_LDADD = $(JANSSON_LIBS)

EXTRA_DIST += bench/run bench/bench.py bench/table_calendar.py bench/table_replay.py bench/table_wheel.py
EXTRA_DIST += bench/calendar_perl.pl bench/calendar_sql.sh bench/replay.conf
EXTRA_DIST += bench/node/calendar_moment.js bench/node/package.json bench/node/package-lock.json
EXTRA_DIST += bench/results

# What measures the daemon with PostgreSQL: the clients that are its peers, and a receiver of webhooks.
bench_programs += bench/pg_peer bench/http_sink bench/asker
bench_pg_peer_SOURCES = bench/pg_peer.c bench/timing.h
bench_pg_peer_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CFLAGS)
bench_pg_peer_LDADD = $(LIBPQ_LIBS)
bench_asker_SOURCES = bench/asker.c bench/timing.h
bench_http_sink_SOURCES = bench/http_sink.c
bench_http_sink_LDADD = $(LIBEVENT_LIBS)
EXTRA_DIST += bench/database.py bench/table_writes.py bench/table_burst.py bench/table_change.py
EXTRA_DIST += bench/table_deliveries.py bench/table_growth.py bench/table_month.py bench/table_start.py bench/node/queue.mjs bench/post.lua
# slatectl attach.
EXTRA_DIST += bench/table_attach.py
# slatectl backtest.
EXTRA_DIST += bench/table_backtest.py
EXTRA_DIST += bench/table_attach.py bench/products.py
