/* Asks the daemon for /-/healthy over a unix socket, 2 ms after each answer, until its input ends; prints how many
 * seconds the longest answer took. Its priority is raised where that is allowed, so that its own waits for the
 * processor do not count. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "timing.h"

int
main(int argc, char **argv)
{
	static const char question[] = "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	double longest = 0;
	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	(void)setpriority(PRIO_PROCESS, 0, -15);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(argv[1]);
		return 1;
	}
	while (poll(&input, 1, 2) == 0) {
		char answer[4096];
		double begin = wall_s();
		ssize_t n = write(fd, question, strlen(question)) > 0 ? read(fd, answer, sizeof(answer) - 1) : -1;
		answer[n > 0 ? n : 0] = '\0';
		if (strstr(answer, " 200 ") == NULL) {
			(void)fprintf(stderr, "asker: no answer with status 200: %s\n", answer);
			return 1;
		}
		double took = wall_s() - begin;
		if (took > longest)
			longest = took;
	}
	printf("%.6f\n", longest);
	return 0;
}
