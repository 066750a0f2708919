/* A message as a mail. */
#ifndef SLATED_EMAIL_RENDER_H
#define SLATED_EMAIL_RENDER_H

#include "slated/message.h"
#include "slated/render.h"

struct email {
	const struct message *message;
	const char *instance;
	const char *from; /* addresses as text_is_mail_address() has them */
	const char *const *to;
	size_t n_to;
	struct instant now;
};

/* The mail, headers and both bodies; NULL without memory. To be freed. */
char *email_render(const struct email *email);

/* Adds its body as HTML. */
void email_add_html(struct text *text, const struct email *email);

/* What the mail is, in a word or two: "Critical alert", "Resolved". */
const char *email_label(const struct message *message);

/* Whether a link is one that a mail should show. */
bool email_link_usable(const char *link);

#endif
