# The command-line tool.

# slatectl migrate; slatectl links it with $(LIBPQ_LIBS) $(LIBCRYPTO_LIBS) and defines command_database().
noinst_LIBRARIES += libslated-migrate.a
libslated_migrate_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon/slatectl $(LIBPQ_CFLAGS) $(LIBCRYPTO_CFLAGS)
libslated_migrate_a_SOURCES = \
	daemon/slatectl/migrate.c \
	daemon/slatectl/migrate.h
nodist_libslated_migrate_a_SOURCES = sql/migrations.c
