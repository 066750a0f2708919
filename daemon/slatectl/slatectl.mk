# The command-line tool.

# slatectl migrate; slatectl links it with $(LIBPQ_LIBS) $(LIBCRYPTO_LIBS) and defines command_database().
noinst_LIBRARIES += libslated-migrate.a
libslated_migrate_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/slatectl $(LIBPQ_CFLAGS) $(LIBCRYPTO_CFLAGS)
libslated_migrate_a_SOURCES = \
	daemon/slatectl/migrate.c \
	daemon/slatectl/migrate.h
nodist_libslated_migrate_a_SOURCES = sql/migrations.c

# slatectl
bin_PROGRAMS += slatectl
slatectl_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/io $(SMARTCOLS_CFLAGS)
slatectl_SOURCES = \
	daemon/slatectl/check.c \
	daemon/slatectl/command.c \
	daemon/slatectl/command.h \
	daemon/slatectl/due.c \
	daemon/slatectl/due_print.c \
	daemon/slatectl/due_print.h \
	daemon/slatectl/main.c \
	daemon/slatectl/settings.c \
	daemon/slatectl/simulate.c
slatectl_LDADD = libslated-migrate.a libslated-io.a libslated-core.a \
	$(SMARTCOLS_LIBS) $(LIBCONFIG_LIBS) $(LIBICAL_LIBS) $(LIBPQ_LIBS) $(LIBCRYPTO_LIBS) $(JANSSON_LIBS)
# slatectl status, list and show
slatectl_CPPFLAGS += $(LIBPQ_CFLAGS) $(SMARTCOLS_CFLAGS)
slatectl_SOURCES += daemon/slatectl/clock_show.c
slatectl_SOURCES += daemon/slatectl/clock_show.h
slatectl_SOURCES += daemon/slatectl/db.c
slatectl_SOURCES += daemon/slatectl/db.h
slatectl_SOURCES += daemon/slatectl/delivery_rows.c
slatectl_SOURCES += daemon/slatectl/delivery_rows.h
slatectl_SOURCES += daemon/slatectl/list.c
slatectl_SOURCES += daemon/slatectl/report.c
slatectl_SOURCES += daemon/slatectl/report.h
slatectl_SOURCES += daemon/slatectl/show.c
slatectl_SOURCES += daemon/slatectl/status.c
slatectl_SOURCES += daemon/slatectl/story.c
slatectl_SOURCES += daemon/slatectl/story.h
slatectl_SOURCES += daemon/slatectl/table.c
slatectl_SOURCES += daemon/slatectl/table.h
slatectl_SOURCES += daemon/slatectl/view.c
slatectl_SOURCES += daemon/slatectl/view.h
# slatectl ack, silence, assess, deliveries, replay and test
slatectl_SOURCES += daemon/slatectl/ack.c
slatectl_SOURCES += daemon/slatectl/assess.c
slatectl_SOURCES += daemon/slatectl/change.c
slatectl_SOURCES += daemon/slatectl/change.h
slatectl_SOURCES += daemon/slatectl/deliveries.c
slatectl_SOURCES += daemon/slatectl/replay.c
slatectl_SOURCES += daemon/slatectl/silence.c
slatectl_SOURCES += daemon/slatectl/test.c
slatectl_SOURCES += daemon/slatectl/ticket_find.c
slatectl_SOURCES += daemon/slatectl/ticket_find.h
slatectl_SOURCES += daemon/slatectl/ticket_rows.h
# Completion for the shells, made from the table of commands.
slatectl_SOURCES += daemon/slatectl/completion.c
bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = completion/slatectl
zshcompletiondir = @zshcompletiondir@
nodist_zshcompletion_DATA = completion/_slatectl
CLEANFILES += completion/slatectl completion/_slatectl

completion/slatectl: slatectl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completion && ./slatectl$(EXEEXT) completion bash >$@.tmp && mv $@.tmp $@

completion/_slatectl: slatectl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completion && ./slatectl$(EXEEXT) completion zsh >$@.tmp && mv $@.tmp $@
# slatectl top
slatectl_CPPFLAGS += $(NCURSES_CFLAGS)
slatectl_LDADD += $(NCURSES_LIBS)
slatectl_SOURCES += daemon/slatectl/top.c
slatectl_SOURCES += daemon/slatectl/top.h
slatectl_SOURCES += daemon/slatectl/top_child.c
slatectl_SOURCES += daemon/slatectl/top_child.h
slatectl_SOURCES += daemon/slatectl/top_link.c
slatectl_SOURCES += daemon/slatectl/top_link.h
slatectl_SOURCES += daemon/slatectl/top_rows.c
slatectl_SOURCES += daemon/slatectl/top_rows.h
slatectl_SOURCES += daemon/slatectl/top_screen.c
slatectl_SOURCES += daemon/slatectl/top_screen.h
slatectl_SOURCES += daemon/slatectl/top_term.c
slatectl_SOURCES += daemon/slatectl/top_term.h
slatectl_SOURCES += daemon/slatectl/list.h
slatectl_SOURCES += daemon/slatectl/status.h
# slatectl report
slatectl_SOURCES += daemon/slatectl/attainment.c
slatectl_SOURCES += daemon/slatectl/attainment.h
slatectl_SOURCES += daemon/slatectl/attainment_write.c
slatectl_SOURCES += daemon/slatectl/html.c
slatectl_SOURCES += daemon/slatectl/html.h
# slatectl backtest
slatectl_SOURCES += daemon/slatectl/backtest.c
slatectl_SOURCES += daemon/slatectl/backtest.h
slatectl_SOURCES += daemon/slatectl/backtest_count.c
slatectl_SOURCES += daemon/slatectl/backtest_html.c
slatectl_SOURCES += daemon/slatectl/backtest_play.c
slatectl_SOURCES += daemon/slatectl/backtest_source.c
slatectl_SOURCES += daemon/slatectl/backtest_sum.c
slatectl_SOURCES += daemon/slatectl/backtest_write.c
# slatectl reload
slatectl_SOURCES += daemon/slatectl/reload.c
slatectl_SOURCES += daemon/slatectl/reload_daemon.c
slatectl_SOURCES += daemon/slatectl/reload_daemon.h
slatectl_SOURCES += daemon/slatectl/standing.c
slatectl_SOURCES += daemon/slatectl/standing.h
# Explanations.
slatectl_SOURCES += daemon/slatectl/show_explain.c
slatectl_SOURCES += daemon/slatectl/show_explain.h
slatectl_SOURCES += daemon/slatectl/stretch_table.c
slatectl_SOURCES += daemon/slatectl/stretch_table.h
# slatectl holidays
slatectl_CPPFLAGS += $(LIBCURL_CFLAGS)
slatectl_LDADD += $(LIBCURL_LIBS)
slatectl_SOURCES += daemon/slatectl/holidays.c
slatectl_SOURCES += daemon/slatectl/holidays_get.c
slatectl_SOURCES += daemon/slatectl/holidays_get.h
slatectl_SOURCES += daemon/slatectl/reload.h
# slatectl attach and detach
slatectl_SOURCES += daemon/slatectl/adapter_sql.c
slatectl_SOURCES += daemon/slatectl/adapter_sql.h
slatectl_SOURCES += daemon/slatectl/attach.c
slatectl_SOURCES += daemon/slatectl/attach.h
slatectl_SOURCES += daemon/slatectl/attach_check.c
slatectl_SOURCES += daemon/slatectl/attach_fill.c
slatectl_SOURCES += daemon/slatectl/detach.c
nodist_slatectl_SOURCES = sql/adapter_texts.c
slatectl_CPPFLAGS += -I$(srcdir)/daemon/slatectl
