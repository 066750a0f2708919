/* slated: the SLA daemon. */
#include <config.h>

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "slated/log.h"
#include "slated/service.h"

static void
print_usage(FILE *out)
{
	(void)fprintf(
	    out,
	    "usage: slated [--config FILE] [--debug]\n"
	    "       slated --version | --help\n"
	    "Watches the support deadlines of tickets in PostgreSQL. The default FILE is %s/slated/slated.conf.\n",
	    SYSCONFDIR);
}

/* Whoever started us may have closed these; nothing else must get their numbers. */
static int
open_standard_files(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	return close(fd);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"debug", no_argument, NULL, 'd'},
	    {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	const char *path = SYSCONFDIR "/slated/slated.conf";
	struct service *service;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'd':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'v':
			(void)puts(PACKAGE_STRING);
			return EXIT_SUCCESS;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "slated: unexpected argument \"%s\"\n", argv[optind]);
		print_usage(stderr);
		return 2;
	}
	if (open_standard_files() < 0) {
		perror("slated: /dev/null");
		return EXIT_FAILURE;
	}
	log_use_journal();
	(void)signal(SIGPIPE, SIG_IGN); /* a peer that is gone shows as an error of the write */
	if (service_new(path, &service) < 0) {
		log_error("not started");
		return EXIT_FAILURE;
	}
	int status = service_run(service);
	service_free(service);
	return status;
}
