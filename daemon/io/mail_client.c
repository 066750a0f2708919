/* One thread a mail:
 *
 *	loop: mail_client_send() --> thread: transfer_run(), curl_easy_perform() --> finished, eventfd
 *	loop: on_finished() <-- eventfd; joins the thread, done()
 *
 * Between its start and its being put on `finished` a transfer belongs to its thread, but for `cancelled`. */
#include "slated/mail_client.h"
#include "slated/text.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000L
#define TIMEOUT_MS         30000L
/* How long a server may take to say good-bye. curl's own limit is two minutes, outside the mail's time. */
#define QUIT_TIMEOUT_S 1L
#define STACK_SIZE     (256 * 1024)
#define REPLY_MAX      300
#define REFUSED_MAX    1500

struct mail_transfer {
	LIST_ENTRY(mail_transfer) link;
	STAILQ_ENTRY(mail_transfer) next_finished;
	struct mail_client *client;
	pthread_t thread;
	atomic_bool cancelled;
	mail_done *done; /* NULL once cancelled */
	void *arg;
	CURL *easy;
	struct curl_slist *recipients;
	const struct curl_slist *recipient; /* whom the last command named; NULL before the first */
	char *text;
	size_t n_text, n_sent;
	bool quits; /* what the server says to good-bye is no matter */
	struct mail_answer answer;
	char error[CURL_ERROR_SIZE];
	char reply[REPLY_MAX + 1];
	char refused[REFUSED_MAX + 1];
};

struct mail_client {
	struct event *event; /* of the eventfd */
	int fd;
	char *ca_file;
	LIST_HEAD(, mail_transfer) transfers;
	pthread_mutex_t lock; /* guards: */
	STAILQ_HEAD(, mail_transfer) finished;
};

static void
transfer_free(struct mail_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->recipients);
	free(transfer->text);
	free(transfer);
}

/* What goes over the line ------------------------------------------------------------------------------------------ */

static void
note_refusal(struct mail_transfer *transfer)
{
	struct mail_answer *answer = &transfer->answer;
	size_t len = strlen(transfer->refused);
	answer->n_refused++;
	answer->n_later += answer->status / 100 == 4;
	answer->n_login += mail_status_wants_login(answer->status);
	(void)snprintf(transfer->refused + len, sizeof(transfer->refused) - len, "%s%s: %s", len > 0 ? "; " : "",
	               transfer->recipient->data, transfer->reply);
	(void)text_clean(transfer->refused, strlen(transfer->refused));
}

/* A reply is one or more lines, "550-This", "550 is it" (RFC 5321, section 4.2.1). */
static void
take_reply(struct mail_transfer *transfer, const char *line, size_t n)
{
	struct mail_answer *answer = &transfer->answer;
	if (transfer->quits || n < 3)
		return;
	int status = atoi((const char[]){line[0], line[1], line[2], '\0'});
	int n_words = n < 4 ? 0 : n < REPLY_MAX ? (int)n - 4 : REPLY_MAX - 4;
	size_t len = status == answer->status ? strlen(transfer->reply) : 0;
	if (len == 0)
		len = (size_t)snprintf(transfer->reply, sizeof(transfer->reply), "%d", status);
	(void)snprintf(transfer->reply + len, sizeof(transfer->reply) - len, " %.*s", n_words,
	               line + (n_words > 0 ? 4 : n));
	(void)text_clean(transfer->reply, strlen(transfer->reply));
	answer->status = status;
	bool last = n == 3 || line[3] != '-';
	if (last && answer->stage == MAIL_STAGE_RECIPIENTS && transfer->recipient && status / 100 != 2)
		note_refusal(transfer);
}

static void
take_command(struct mail_transfer *transfer, const char *line, size_t n)
{
	static const struct {
		const char *verb;
		enum mail_stage stage;
	} commands[] = {
	    {"MAIL FROM:", MAIL_STAGE_SENDER},
	    {"RCPT TO:", MAIL_STAGE_RECIPIENTS},
	    {"DATA\r", MAIL_STAGE_TEXT},
	};
	struct mail_answer *answer = &transfer->answer;
	enum mail_stage stage = MAIL_STAGE_LOGIN;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (n >= strlen(commands[i].verb) && memcmp(line, commands[i].verb, strlen(commands[i].verb)) == 0)
			stage = commands[i].stage;
	if (n >= 4 && memcmp(line, "QUIT", 4) == 0) {
		transfer->quits = true;
		(void)curl_easy_setopt(transfer->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUIT_TIMEOUT_S);
		return;
	}
	if (stage == MAIL_STAGE_RECIPIENTS)
		transfer->recipient = transfer->recipient ? transfer->recipient->next : transfer->recipients;
	answer->stage = stage;
	answer->status = 0;
	transfer->reply[0] = '\0';
}

/* curl's CURLOPT_DEBUGFUNCTION, the one place where it tells which reply is to which command. */
static int
on_line(CURL *easy, curl_infotype type, char *line, size_t n, void *arg)
{
	(void)easy;
	if (type == CURLINFO_HEADER_OUT)
		take_command(arg, line, n);
	else if (type == CURLINFO_HEADER_IN)
		take_reply(arg, line, n);
	return 0;
}

static size_t
on_read(char *bytes, size_t size, size_t n, void *arg)
{
	struct mail_transfer *transfer = arg;
	size_t left = transfer->n_text - transfer->n_sent, take = size * n < left ? size * n : left;
	memcpy(bytes, transfer->text + transfer->n_sent, take);
	transfer->n_sent += take;
	return take;
}

/* curl's CURLOPT_XFERINFOFUNCTION, called every second at least. */
static int
on_progress(void *arg, curl_off_t down, curl_off_t downloaded, curl_off_t up, curl_off_t uploaded)
{
	(void)down;
	(void)downloaded;
	(void)up;
	(void)uploaded;
	struct mail_transfer *transfer = arg;
	return atomic_load(&transfer->cancelled);
}

/* Sockets stay out of the programs that the exec channel starts. */
static curl_socket_t
socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

static void *
transfer_run(void *arg)
{
	struct mail_transfer *transfer = arg;
	struct mail_client *client = transfer->client;
	CURLcode code = curl_easy_perform(transfer->easy);
	transfer->answer.error = (int)code;
	transfer->answer.error_text = "";
	if (code != CURLE_OK)
		transfer->answer.error_text = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
	(void)pthread_mutex_lock(&client->lock);
	STAILQ_INSERT_TAIL(&client->finished, transfer, next_finished);
	(void)pthread_mutex_unlock(&client->lock);
	/* Fails only where the counter is full, and then the loop knows. */
	(void)eventfd_write(client->fd, 1);
	return NULL;
}

/* Signals are the loop's: the thread has them all blocked. */
static int
transfer_start(struct mail_transfer *transfer)
{
	pthread_attr_t attributes;
	sigset_t all, former;
	if (pthread_attr_init(&attributes) != 0)
		return -ENOMEM;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &former);
	int r = pthread_create(&transfer->thread, &attributes, transfer_run, transfer);
	(void)pthread_sigmask(SIG_SETMASK, &former, NULL);
	(void)pthread_attr_destroy(&attributes);
	return -r;
}

static void
transfer_end(struct mail_transfer *transfer)
{
	(void)pthread_join(transfer->thread, NULL);
	LIST_REMOVE(transfer, link);
	if (transfer->done)
		transfer->done(transfer->arg, &transfer->answer);
	transfer_free(transfer);
}

static void
on_finished(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct mail_client *client = arg;
	eventfd_t count;
	(void)eventfd_read((int)fd, &count);
	for (;;) {
		(void)pthread_mutex_lock(&client->lock);
		struct mail_transfer *transfer = STAILQ_FIRST(&client->finished);
		if (transfer)
			STAILQ_REMOVE_HEAD(&client->finished, next_finished);
		(void)pthread_mutex_unlock(&client->lock);
		if (!transfer)
			return;
		transfer_end(transfer);
	}
}

/* Client ----------------------------------------------------------------------------------------------------------- */

int
mail_client_new(struct event_base *base, const char *ca_file, struct mail_client **ret)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	struct mail_client *client = calloc(1, sizeof(*client));
	if (!client) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	LIST_INIT(&client->transfers);
	STAILQ_INIT(&client->finished);
	(void)pthread_mutex_init(&client->lock, NULL);
	client->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = client->fd < 0 ? -errno : 0;
	if (r == 0 && ca_file && !(client->ca_file = strdup(ca_file)))
		r = -ENOMEM;
	if (r == 0) {
		client->event = event_new(base, client->fd, EV_READ | EV_PERSIST, on_finished, client);
		if (!client->event || event_add(client->event, NULL) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		mail_client_free(client);
		return r;
	}
	*ret = client;
	return 0;
}

void
mail_client_free(struct mail_client *client)
{
	if (!client)
		return;
	struct mail_transfer *transfer;
	for (transfer = LIST_FIRST(&client->transfers); transfer; transfer = LIST_NEXT(transfer, link))
		mail_client_cancel(transfer);
	/* A thread that ends writes to the last of `finished`, so all of them end before any transfer is freed. */
	for (transfer = LIST_FIRST(&client->transfers); transfer; transfer = LIST_NEXT(transfer, link))
		(void)pthread_join(transfer->thread, NULL);
	while ((transfer = LIST_FIRST(&client->transfers))) {
		LIST_REMOVE(transfer, link);
		transfer_free(transfer);
	}
	if (client->event)
		event_free(client->event);
	if (client->fd >= 0)
		(void)close(client->fd);
	(void)pthread_mutex_destroy(&client->lock);
	free(client->ca_file);
	free(client);
	curl_global_cleanup();
}

static int
transfer_set_request(struct mail_transfer *transfer, const struct mail_request *request)
{
	static const long tls[TLS_COUNT] = {
	    [TLS_OFFERED] = CURLUSESSL_TRY,
	    [TLS_REQUIRED] = CURLUSESSL_ALL,
	    [TLS_NEVER] = CURLUSESSL_NONE,
	};
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;
	for (size_t i = 0; i < request->n_recipients; i++) {
		struct curl_slist *list = curl_slist_append(transfer->recipients, request->recipients[i]);
		if (!list)
			return -ENOMEM;
		transfer->recipients = list;
	}
	transfer->text = strdup(request->text);
	if (!transfer->text)
		return -ENOMEM;
	transfer->n_text = strlen(transfer->text);
	code |= curl_easy_setopt(easy, CURLOPT_URL, request->url);
	code |= curl_easy_setopt(easy, CURLOPT_USE_SSL, tls[request->tls]);
	if (request->user) {
		code |= curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
		code |= curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password ? request->password : "");
	}
	code |= curl_easy_setopt(easy, CURLOPT_MAIL_FROM, request->sender);
	code |= curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer->recipients);
	code |= curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->n_text);
	code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	code |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
	                         request->timeout.us > 0 ? (long)((request->timeout.us + 999) / 1000) : TIMEOUT_MS);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static int
transfer_set_rules(struct mail_transfer *transfer)
{
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;
	code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	code |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (transfer->client->ca_file)
		code |= curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->client->ca_file);
	/* Closes within curl_easy_perform(), where QUIT is told of and its wait can be bounded. */
	code |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open);
	code |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	code |= curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	code |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	code |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	code |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
	code |= curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_line);
	code |= curl_easy_setopt(easy, CURLOPT_DEBUGDATA, transfer);
	code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

int
mail_client_send(struct mail_client *client, const struct mail_request *request, mail_done *done, void *arg,
                 struct mail_transfer **ret)
{
	assert(request->n_recipients > 0);
	struct mail_transfer *transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return -ENOMEM;
	transfer->client = client;
	transfer->done = done;
	transfer->arg = arg;
	transfer->answer.reply = transfer->reply;
	transfer->answer.refused = transfer->refused;
	transfer->easy = curl_easy_init();
	int r = transfer->easy ? 0 : -ENOMEM;
	if (r == 0)
		r = transfer_set_rules(transfer);
	if (r == 0)
		r = transfer_set_request(transfer, request);
	if (r == 0)
		r = transfer_start(transfer);
	if (r < 0) {
		transfer_free(transfer);
		return r;
	}
	LIST_INSERT_HEAD(&client->transfers, transfer, link);
	*ret = transfer;
	return 0;
}

void
mail_client_cancel(struct mail_transfer *transfer)
{
	transfer->done = NULL;
	atomic_store(&transfer->cancelled, true);
}

/* What callers ask ------------------------------------------------------------------------------------------------- */

bool
mail_url_valid(const char *url)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	bool valid = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	             curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	             (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0);
	curl_free(scheme);
	curl_url_cleanup(parts);
	return valid;
}

bool
mail_status_wants_login(int status)
{
	return status == 530 || status == 534 || status == 535 || status == 538;
}
