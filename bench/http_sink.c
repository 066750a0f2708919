/* Takes POSTs on a port of the loopback interface, answers 204, and does nothing else. Prints the port. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>

static void
on_request(struct evhttp_request *request, void *arg)
{
	(void)arg;
	evhttp_send_reply(request, HTTP_NOCONTENT, NULL, NULL);
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
	struct evhttp_bound_socket *bound = http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	if (bound == NULL || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length) < 0)
		return 1;
	printf("%d\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	evhttp_set_gencb(http, on_request, NULL);
	return event_base_dispatch(base) < 0;
}
