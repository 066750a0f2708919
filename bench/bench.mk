# Benchmarks: 'make bench' builds them, each prints its own table.
bench_programs =
.PHONY: bench
bench: $(bench_programs)
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)

# wheel
bench_programs += bench/wheel
bench_wheel_SOURCES = bench/wheel.c
bench_wheel_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
bench_wheel_LDADD = libslated-core.a $(LIBEVENT_LIBS)
