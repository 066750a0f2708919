/* Mail over SMTP. libcurl waits within a call for the server's word on a finished mail (lib/smtp.c, smtp_done()), even
 * on its multi interface, so each mail goes out on a thread of its own, and the loop is told when it has ended.
 * Certificates are checked; nothing is taken from the environment. */
#ifndef SLATED_MAIL_CLIENT_H
#define SLATED_MAIL_CLIENT_H

#include "slated/channel_settings.h"

struct event_base;
struct mail_client;
struct mail_transfer;

struct mail_request {
	const char *url; /* smtp://, or smtps:// for TLS from the start */
	enum channel_tls tls;
	const char *user; /* NULL = no login */
	const char *password;
	const char *sender; /* addresses as text_is_mail_address() has them */
	const char *const *recipients;
	size_t n_recipients;     /* > 0 */
	const char *text;        /* headers and body, lines end in CRLF */
	struct duration timeout; /* of the whole; 0 = 30 s */
};

/* Which command the server answered last. */
enum mail_stage {
	MAIL_STAGE_LOGIN, /* all that comes before the sender: greeting, TLS, login */
	MAIL_STAGE_SENDER,
	MAIL_STAGE_RECIPIENTS,
	MAIL_STAGE_TEXT,
};

struct mail_answer {
	int error;              /* a CURLcode, or 0: the server took the mail */
	const char *error_text; /* "" without an error */
	enum mail_stage stage;
	int status;          /* the server's last reply, or 0 */
	const char *reply;   /* its text on one line, or "" */
	size_t n_refused;    /* recipients that the server did not take */
	size_t n_later;      /* of them, for the time being (4xx) */
	size_t n_login;      /* of them, for want of a login */
	const char *refused; /* "a@x.example: 550 no such user; ..." or "" */
};

/* Called once from the loop; `answer` lives until it returns. It may send and cancel, but not free the client. */
typedef void mail_done(void *arg, const struct mail_answer *answer);

/* A client on `base` (borrowed). `ca_file`: whom to trust instead of the system's authorities; NULL but in tests.
 * 0 or negative errno. */
int mail_client_new(struct event_base *base, const char *ca_file, struct mail_client **ret)
    __attribute__((warn_unused_result));

/* Ends what is under way without calling back; waits for its threads, which look up every second. Takes NULL. */
void mail_client_free(struct mail_client *client);

/* Starts to send a mail; all of it is copied. *ret is good for mail_client_cancel() until `done` is called.
 * 0, -ENOMEM, or -EAGAIN where no thread can be had. */
int mail_client_send(struct mail_client *client, const struct mail_request *request, mail_done *done, void *arg,
                     struct mail_transfer **ret) __attribute__((warn_unused_result));

/* Ends a transfer without calling back. The mail may arrive all the same. */
void mail_client_cancel(struct mail_transfer *transfer);

/* Whether `url` is an smtp or smtps URL with a host. */
bool mail_url_valid(const char *url);

/* Whether the reply says that the server wants a login, or a better one (RFC 4954, section 6). */
bool mail_status_wants_login(int status);

#endif
