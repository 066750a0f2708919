/* The board's files over HTTP. */
#include "slated/web.h"

#include <string.h>

#include "slated/http_server.h"

/* Nothing from elsewhere, nothing inline, no frame around it, and no way from a string to a script. */
#define POLICY                                                                                                         \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "                \
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "            \
	"trusted-types 'none'"

static const struct web_file *
find_file(const char *name)
{
	for (size_t i = 0; i < n_web_files; i++)
		if (strcmp(web_files[i].name, name) == 0)
			return &web_files[i];
	return NULL;
}

static void
serve_file(struct http_call *call, const char *name)
{
	const struct web_file *file = find_file(name);
	const char *had = http_call_header(call, "If-None-Match");
	if (!file) {
		http_answer_error(call, 404, "there is no such file: check the path");
		return;
	}
	http_call_add_header(call, "ETag", file->tag);
	/* Kept, but asked for each time: another release has other files under the same names. */
	http_call_add_header(call, "Cache-Control", "no-cache");
	http_call_add_header(call, "Content-Security-Policy", POLICY);
	http_call_add_header(call, "Cross-Origin-Resource-Policy", "same-origin");
	http_call_add_header(call, "Referrer-Policy", "same-origin");
	if (had && (strcmp(had, "*") == 0 || strstr(had, file->tag)))
		http_answer(call, 304, file->type, NULL, 0);
	else
		http_answer(call, 200, file->type, file->body, strlen(file->body));
}

static void
serve_board(void *arg, struct http_call *call)
{
	(void)arg;
	serve_file(call, "index.html");
}

static void
serve_ticket(void *arg, struct http_call *call)
{
	(void)arg;
	serve_file(call, "ticket.html");
}

static void
serve_attainment(void *arg, struct http_call *call)
{
	(void)arg;
	serve_file(call, "attainment.html");
}

static void
serve_part(void *arg, struct http_call *call)
{
	(void)arg;
	const char *name = http_call_segment(call);
	serve_file(call, name ? name : "");
}

int
web_serve(struct http_server *server)
{
	static const struct http_route routes[] = {
	    {"GET", "/", HTTP_OPEN, serve_board},
	    {"GET", "/ticket/{id}", HTTP_OPEN, serve_ticket},
	    {"GET", "/attainment", HTTP_OPEN, serve_attainment},
	    {"GET", "/web/{file}", HTTP_OPEN, serve_part},
	};
	return http_server_add(server, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
