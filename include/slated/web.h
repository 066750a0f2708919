/* The board: pages, scripts and styles that are built in (web/), served as they are. They hold no secrets, so anybody
 * may load them; what they show comes from the API, which asks for authority. */
#ifndef SLATED_WEB_H
#define SLATED_WEB_H

#include <stddef.h>

struct http_server;

struct web_file {
	const char *name; /* "style.css" */
	const char *type; /* as Content-Type has it */
	const char *tag;  /* of its content, as ETag has it: in quotes */
	const char *body;
};

/* Made by web/embed.sh. */
extern const struct web_file web_files[];
extern const size_t n_web_files;

/* Adds the routes. 0 or -ENOMEM. */
int web_serve(struct http_server *server) __attribute__((warn_unused_result));

#endif
