/* What an attempt's result means, and when the next attempt is made: exponential back-off with full jitter
 * (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). Pure. */
#ifndef SLATED_RETRY_H
#define SLATED_RETRY_H

#include "slated/delivery.h"

struct retry_policy {
	struct duration base;    /* the widest wait after the first attempt; doubles with each further one */
	struct duration cap;     /* no wait is wider */
	struct duration give_up; /* after the delivery's creation */
};

/* Webhooks and programs: 1 s, 10 min, 72 h. */
extern const struct retry_policy retry_default;
/* Chats and mail: 1 s, 10 min, 6 h. */
extern const struct retry_policy retry_chat;
/* Pagers: 1 s, 1 min, 30 min. */
extern const struct retry_policy retry_page;

/* 2xx: delivered. 408, 425, 429, 5xx: retry. All else, redirects among it: dead, since the same request would get
 * the same answer. */
enum outcome retry_of_http_status(long status);

/* 0: delivered. 64 to 78 of sysexits.h: dead, but for 75 (EX_TEMPFAIL). All else, 126 and 127 of a shell that does
 * not find its program among it: retry, since somebody may mend it. */
enum outcome retry_of_exit_status(int status);

/* When to try again after the `attempts`th attempt (from 1) failed at `now`: a wait between 0 and the back-off's width,
 * chosen by `random` (64 even bits), but at least `asked` (what the receiver said; 0 = nothing). The wait is cut off
 * where the policy gives up, so that a last attempt is made then. INSTANT_NEVER once `now` is that late. */
struct instant retry_next(const struct retry_policy *policy, struct instant created_at, uint32_t attempts,
                          struct duration asked, struct instant now, uint64_t random);

#endif
