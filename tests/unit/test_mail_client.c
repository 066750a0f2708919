/* What the end-to-end tests cannot see: the client's ends, and what it takes for an address or a server. */
#include "slated/mail_client.h"
#include "slated/text.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define N(rows)    (sizeof(rows) / sizeof((rows)[0]))
#define DEADLINE_S 20

/* A server that takes connections and says nothing. */
struct world {
	struct event_base *base;
	struct mail_client *client;
	int fd;
	char url[64];
	int ended;
};

static void
setup(struct world *world)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	*world = (struct world){.base = event_base_new(), .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	cr_assert(world->base);
	cr_assert_eq(bind(world->fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(world->fd, 16), 0);
	cr_assert_eq(getsockname(world->fd, (struct sockaddr *)&address, &len), 0);
	snprintf(world->url, sizeof(world->url), "smtp://127.0.0.1:%u", ntohs(address.sin_port));
	cr_assert_eq(mail_client_new(world->base, NULL, &world->client), 0);
}

static void
teardown(struct world *world)
{
	mail_client_free(world->client);
	event_base_free(world->base);
	(void)close(world->fd);
}

static void
on_end(void *arg, const struct mail_answer *answer)
{
	struct world *world = arg;
	cr_expect_neq(answer->error, 0);
	cr_expect_eq(answer->stage, MAIL_STAGE_LOGIN);
	cr_expect_eq(answer->n_refused, 0);
	world->ended++;
}

static struct mail_transfer *
send_one(struct world *world, int64_t timeout_us)
{
	static const char *const to[] = {"a@example.com"};
	const struct mail_request request = {
	    .url = world->url,
	    .sender = "b@example.com",
	    .recipients = to,
	    .n_recipients = N(to),
	    .text = "Subject: x\r\n\r\nx\r\n",
	    .timeout = {timeout_us},
	};
	struct mail_transfer *transfer;
	cr_assert_eq(mail_client_send(world->client, &request, on_end, world, &transfer), 0);
	return transfer;
}

static double
seconds(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

Test(mail_client, a_cancelled_transfer_tells_nothing, .timeout = DEADLINE_S)
{
	struct world world;
	setup(&world);
	mail_client_cancel(send_one(&world, 30 * US_PER_S));
	(void)send_one(&world, US_PER_S / 5);
	while (world.ended == 0)
		cr_assert_eq(event_base_loop(world.base, EVLOOP_ONCE), 0);
	cr_expect_eq(world.ended, 1);
	teardown(&world);
	cr_expect_eq(world.ended, 1);
}

Test(mail_client, the_end_cuts_short_what_is_under_way, .timeout = DEADLINE_S)
{
	struct world world;
	setup(&world);
	for (int i = 0; i < 8; i++)
		(void)send_one(&world, 0);
	double begin = seconds();
	teardown(&world);
	cr_expect_lt(seconds() - begin, 10, "30 s is how long they would take");
	cr_expect_eq(world.ended, 0);
}

Test(mail_client, the_loop_goes_on, .timeout = DEADLINE_S)
{
	struct world world;
	setup(&world);
	double begin = seconds();
	(void)send_one(&world, 10 * US_PER_S);
	cr_expect_eq(event_base_loop(world.base, EVLOOP_NONBLOCK), 0);
	cr_expect_lt(seconds() - begin, 5);
	cr_expect_eq(world.ended, 0);
	teardown(&world);
}

Test(mail_client, servers)
{
	static const struct {
		const char *given;
		bool expect;
	} rows[] = {
	    {"smtp://127.0.0.1:25", true},
	    {"smtps://mail.example.com", true},
	    {"smtp://mail.example.com:587/desk.example.com", true},
	    {"", false},
	    {"mail.example.com", false},
	    {"smtp://", false},
	    {"http://mail.example.com", false},
	    {"smtp://mail.example.com:99999", false},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(mail_url_valid(rows[i].given), rows[i].expect, "%s", rows[i].given);
}

Test(mail_client, addresses)
{
	static const struct {
		const char *given;
		bool expect;
	} rows[] = {
	    {"a@b", true},
	    {"ada.l+sla@desk.example.com", true},
	    {"o'hara@example.com", true},
	    {"", false},
	    {"@", false},
	    {"a@", false},
	    {"@b", false},
	    {"a b@example.com", false},
	    {"a@example.com ", false},
	    {"a@example.com\r\nb", false},
	    {"a@b@c", false},
	    {"a@.example.com", false},
	    {"a@-example.com", false},
	    {"<a@example.com>", false},
	    {"\"a\"@example.com", false},
	    {"a@[127.0.0.1]", false},
	    {"\xc3\xa4@example.com", false},
	    {"a@example.com,b@example.com", false},
	    {"0123456789012345678901234567890123456789012345678901234567890123@a", true},
	    {"01234567890123456789012345678901234567890123456789012345678901234@a", false},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(text_is_mail_address(rows[i].given), rows[i].expect, "%s", rows[i].given);
}
