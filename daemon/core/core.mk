# The pure core: no clock, no file, no socket.
noinst_LIBRARIES += libslated-core.a
libslated_core_a_SOURCES = \
	include/slated/atom.h \
	include/slated/calendar.h \
	include/slated/engine.h \
	include/slated/instant.h \
	include/slated/pg_array.h \
	include/slated/pg_value.h \
	include/slated/policy.h \
	include/slated/refusal.h \
	include/slated/render.h \
	include/slated/ticket.h \
	include/slated/wheel.h \
	include/slated/zone.h \
	daemon/core/atom.c \
	daemon/core/calendar.c \
	daemon/core/clock.c \
	daemon/core/engine.c \
	daemon/core/engine_internal.h \
	daemon/core/instant.c \
	daemon/core/ladder.c \
	daemon/core/pg_array.c \
	daemon/core/pg_value.c \
	daemon/core/policy.c \
	daemon/core/reassess.c \
	daemon/core/refusal.c \
	daemon/core/render.c \
	daemon/core/ticket.c \
	daemon/core/token.c \
	daemon/core/wheel.c \
	daemon/core/wheel_due.c \
	daemon/core/wheel_due.h \
	daemon/core/zone.c

# Matching of facts.
libslated_core_a_SOURCES += daemon/core/match.c
# Halves of the calendar and the zone.
libslated_core_a_SOURCES += \
	daemon/core/calendar_private.h \
	daemon/core/calendar_search.c \
	daemon/core/spans.c \
	daemon/core/spans.h \
	daemon/core/tz_rule.c \
	daemon/core/tz_rule.h
# Retries of deliveries.
libslated_core_a_SOURCES += include/slated/retry.h
libslated_core_a_SOURCES += daemon/core/retry.c
libslated_core_a_SOURCES += include/slated/gate.h
libslated_core_a_SOURCES += daemon/core/gate.c
# Explanations.
libslated_core_a_SOURCES += include/slated/reasons.h
libslated_core_a_SOURCES += include/slated/stretches.h
libslated_core_a_SOURCES += daemon/core/reasons.c
libslated_core_a_SOURCES += daemon/core/stretches.c
libslated_core_a_SOURCES += include/slated/words.h
libslated_core_a_SOURCES += daemon/core/words.c
# Example tickets for the linter.
libslated_core_a_SOURCES += include/slated/witness.h
libslated_core_a_SOURCES += include/slated/globs.h
libslated_core_a_SOURCES += daemon/core/globs.c
libslated_core_a_SOURCES += daemon/core/witness.c
libslated_core_a_SOURCES += daemon/core/witness_internal.h
libslated_core_a_SOURCES += daemon/core/witness_values.c
