/* What channels over HTTP share: one request an attempt, its answer judged and put into words. */
#ifndef SLATED_POST_H
#define SLATED_POST_H

#include "slated/channel.h"
#include "slated/http_client.h"

/* What an answer means (answer->error is 0 here). retry_of_http_status() where a channel has no judge of its own. */
typedef enum outcome post_judge(const struct http_answer *answer);

/* Starts a request as one attempt; `judge` may be NULL. For ops->send: 0, or negative errno as send() has it. */
int post_start(struct http_client *http, const struct http_request *request, post_judge *judge,
               struct channel_attempt **ret) __attribute__((warn_unused_result));

/* POSTs a JSON text with the content type application/json, and where `token` is given, "Authorization: Bearer". */
int post_json(struct http_client *http, const char *url, const char *token, const char *json, struct duration timeout,
              post_judge *judge, struct channel_attempt **ret) __attribute__((warn_unused_result));

/* An attempt that has nothing to send: it is delivered at the loop's next turn. 0 or -ENOMEM. */
int post_nothing(struct event_base *base, struct channel_attempt **ret) __attribute__((warn_unused_result));

/* For ops->cancel. */
void post_cancel(struct channel_attempt *attempt);

#endif
