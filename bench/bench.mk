# Benchmarks: bench/run builds and runs them. Nothing here is built by 'make' or installed.
bench_programs =
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)

# wheel: a program for each peer.
bench_programs += bench/wheel_slated bench/wheel_heap bench/wheel_libevent bench/wheel_libuv bench/wheel_libev
bench_wheel_slated_SOURCES = bench/wheel.h bench/wheel_main.c bench/wheel_slated.c
bench_wheel_slated_LDADD = libslated-core.a
bench_wheel_heap_SOURCES = bench/wheel.h bench/wheel_main.c bench/wheel_heap.c
bench_wheel_libevent_SOURCES = bench/wheel.h bench/wheel_main.c bench/wheel_libevent.c
bench_wheel_libevent_LDADD = $(LIBEVENT_LIBS)
bench_wheel_libuv_SOURCES = bench/wheel.h bench/wheel_main.c bench/wheel_libuv.c
bench_wheel_libuv_LDADD = -luv
bench_wheel_libev_SOURCES = bench/wheel.h bench/wheel_main.c bench/wheel_libev.c
bench_wheel_libev_LDADD = -lev
EXTRA_DIST += bench/run bench/bench.py bench/table_wheel.py
