/* Sockets that the HTTP server listens on: those it opens by http.listen, and those it is handed. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_internal.h"

#define BACKLOG 128
#define UNIX    "unix:"
/* Programs of the daemon's group, such as a proxy, may connect. */
#define UNIX_MODE 0660

_Static_assert(sizeof(UNIX) + sizeof(((struct sockaddr_un *)0)->sun_path) <= HTTP_ADDRESS_SIZE, "a path fits");

const char *
http_socket_path(const char *address)
{
	return strncmp(address, UNIX "/", strlen(UNIX "/")) == 0 ? address + strlen(UNIX) : NULL;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

/* Removes what a killed daemon left. A socket that somebody answers is -EADDRINUSE, what is no socket -EEXIST. */
static int
path_clear(const struct sockaddr_un *address)
{
	struct stat status;
	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : EADDRINUSE;
	(void)close(fd);
	if (error == EAGAIN) /* its queue is full */
		error = EADDRINUSE;
	if (error != ECONNREFUSED)
		return -error;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int
path_open(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	int r = path_clear(&address);
	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Nobody gets in before listen(2), so the mode that it has until then does not matter. */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, UNIX_MODE) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Ports ------------------------------------------------------------------------------------------------------------ */

/* Splits "127.0.0.1:9464" or "[::1]:9464" and finds the address. 0, -EINVAL, -ENOMEM. */
static int
port_find(const char *address, struct addrinfo **ret)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	const char *colon = strrchr(address, ':');
	if (!colon)
		return -EINVAL;
	bool brackets = *address == '[' && colon > address + 1 && colon[-1] == ']';
	char *host = brackets ? strndup(address + 1, (size_t)(colon - address) - 2)
	                      : strndup(address, (size_t)(colon - address));
	if (!host)
		return -ENOMEM;
	int r = getaddrinfo(host, colon + 1, &hints, ret);
	free(host);
	return r == 0 ? 0 : r == EAI_MEMORY ? -ENOMEM : -EINVAL;
}

static int
port_open(const struct addrinfo *address, int *ret_fd)
{
	static const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	if (fd < 0)
		return -errno;
	bool v6 = address->ai_family == AF_INET6;
	/* [::] does not take IPv4's port as well, which may be listed beside it. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Both ------------------------------------------------------------------------------------------------------------- */

int
http_socket_open(const char *address, int *ret_fd)
{
	struct addrinfo *found;
	const char *path = http_socket_path(address);
	if (path)
		return path_open(path, ret_fd);
	int r = port_find(address, &found);
	if (r < 0)
		return r;
	r = port_open(found, ret_fd);
	freeaddrinfo(found);
	return r;
}

int
http_socket_prepare(int fd)
{
	int type, listens;
	socklen_t len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		return -errno;
	if (type != SOCK_STREAM || !listens)
		return -EINVAL;
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void
http_socket_describe(int fd, char text[HTTP_ADDRESS_SIZE])
{
	union {
		struct sockaddr any;
		struct sockaddr_un path;
		struct sockaddr_storage room;
	} address = {.room = {0}};
	socklen_t len = sizeof(address) - 1; /* so that a path ends with a NUL */
	char host[64], port[8];
	*text = '\0';
	if (getsockname(fd, &address.any, &len) < 0)
		return;
	if (address.any.sa_family == AF_UNIX) {
		bool abstract = len > offsetof(struct sockaddr_un, sun_path) && address.path.sun_path[0] == '\0';
		(void)snprintf(text, HTTP_ADDRESS_SIZE, UNIX "%s%.108s", abstract ? "@" : "",
		               address.path.sun_path + abstract);
	} else if (getnameinfo(&address.any, len, host, sizeof(host), port, sizeof(port),
	                       NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		(void)snprintf(text, HTTP_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	}
}
