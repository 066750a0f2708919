/* What the parts of the service share: service.c is the process, service_life.c its life, service_beat.c the lease,
 * service_config.c the configuration and its channels, service_http.c its HTTP server, service_metrics.c what it counts
 * and whether it is ready, service_notify.c its word to the service manager, work.c its work (events, timers, flushes).
 */
#ifndef SLATED_SERVICE_INTERNAL_H
#define SLATED_SERVICE_INTERNAL_H

#include "slated/adapter.h"
#include "slated/config.h"
#include "slated/courier.h"
#include "slated/feed.h"
#include "slated/heartbeat.h"
#include "slated/ledger.h"
#include "slated/live.h"
#include "slated/outbox.h"
#include "slated/pg.h"
#include "slated/shards.h"
#include "slated/text.h"
#include "slated/timebase.h"

struct event;
struct event_base;
struct service_metrics;

/* DOWN: a connection is missing, or we pause after a failure. LEASING, LOADING: on the way. LIVE: at work.
 * STOPPING: what is in hand is brought to its end. */
enum service_state {
	SERVICE_DOWN,
	SERVICE_LEASING,
	SERVICE_LOADING,
	SERVICE_LIVE,
	SERVICE_STOPPING,
};

/* A configuration that is in force, or that clocks still refer to. */
struct known_config {
	struct config *config;
	struct known_config *next;
};

/* service_notify.c's own. */
struct notify {
	struct event *look; /* NULL: nobody listens */
	char status[300];   /* as told last */
	int64_t told_at;    /* this and what follows: ticks */
	int64_t read_at;    /* the last answer to a poll */
	int64_t written_at; /* the last answer to a flush, or about the lease */
	bool watchdog;
	bool ready; /* has been live once */
};

/* A problem that was logged. */
struct said {
	char text[256];
	int64_t at; /* ticks; 0: none */
};
enum { SAID_MAX = 8 };

struct service {
	struct event_base *base;
	struct loop *loop;
	char *path;
	struct known_config *configs; /* the one in force first */
	struct config *config;
	struct engine *engine;
	struct wheel *wheel;
	struct live live;
	struct ledger *ledger;
	struct row_reader *reader;
	struct feed *feed;
	struct outbox *outbox;
	struct courier *courier;
	struct http_client *http;
	struct mail_client *mail;
	struct child_runner *children;
	struct heartbeat *heartbeat;
	struct hooks *hooks;
	struct channel **channels;
	size_t n_channels;
	struct pg_server newest; /* what the connections know of the server */
	struct pg_server served; /* of which what is in hand comes */
	struct pg *feed_pg;
	struct pg *flush_pgs[LEDGER_SESSIONS]; /* the first also for what waits besides batches */
	struct pg *outbox_pg;
	struct http_server *http_server; /* NULL where it listens nowhere, like what follows to http_pg */
	struct desk *changes;
	struct desk *reads;
	struct api *api;
	struct inbound *inbound;
	struct pg *api_pg; /* of the reads */
	struct pg *http_pg;
	struct adapters *adapters;
	struct service_metrics *metrics;
	struct timebase timebase;
	struct instant started_at;
	char run[TEXT_UUID_SIZE]; /* a uuid, another for each load */
	char instance[256];
	enum service_state state;
	struct timer *timers; /* the wheel's next instant */
	struct timer *retry;  /* after a failure */
	struct timer *beat;   /* renews the lease, tells of us */
	struct timer *end;    /* the last moment to stop */
	struct event *signals[4];
	int clock_fd; /* tells of a stepped clock */
	struct event *clock_event;
	struct duration pause; /* before the next try after a failure */
	struct duration lag;   /* the worst since the last beat */
	uint64_t n_refused;
	unsigned n_left_out; /* tickets whose rows could not be read */
	char last_error[256];
	struct instant last_error_at;
	struct said said[SAID_MAX];
	bool outbox_failed;    /* a query of it: its next session may do better */
	bool severities_known; /* the configuration has those of open tickets */
	bool config_written;   /* sla.configuration has the one in force */
	bool beat_wanted;
	bool renew_wanted; /* with the lease */
	bool news;         /* a batch was flushed since the last beat */
	unsigned beats;
	bool renewing;       /* the beat on its way renews the lease */
	int64_t beat_sent;   /* ticks */
	int64_t lease_until; /* ticks: the lease is ours for that long at least */
	int64_t written_at;  /* ticks: when the database last took something from us; 0: never */
	bool flushing;
	bool part;            /* the batch on its way is followed by others that are full */
	bool awaits_adapters; /* before it loads */
	bool catching_up;
	bool holds_back;       /* what the load brought is not yet on record, so nothing is sent */
	unsigned flushes_left; /* once caught up: until it is */
	int64_t loaded_at;     /* ticks */
	int64_t unread_since;  /* ticks: what is due waits for a poll; 0: nothing does */
	bool gap_met;          /* by a load that was given up for it */
	bool leaving;          /* the lease is being given back */
	bool coming_back;      /* and is taken again at once, another share of it */
	bool stands_by;        /* other daemons hold all shards that could be ours */
	struct shards shards;  /* that are ours */
	bool reload_refused;   /* the last one */
	bool migrate_once;     /* running clocks are to move, whatever the configuration says */
	bool moving;           /* clocks of former configurations to the one in force */
	struct live_walk moves;
	size_t n_moved; /* tickets */
	struct notify notify;
	int exit_status;
};

/* service_life.c */
/* Makes the timers, the work, the feed, the courier and the outbox; the loop and the configuration are there. 0 or
 * -ENOMEM. */
int service_life_new(struct service *service) __attribute__((warn_unused_result));
/* Makes the hooks of reassessment rules, after that, over the children and the HTTP client. 0 or -ENOMEM. */
int service_hooks_new(struct service *service) __attribute__((warn_unused_result));
/* After the connections. */
void service_life_free(struct service *service);
/* The connections have been made, each with its callbacks and the service as their argument: connects. */
void service_begin_life(struct service *service);
extern const struct pg_callbacks service_feed_callbacks;
extern const struct pg_callbacks service_flush_callbacks;
extern const struct pg_callbacks service_share_callbacks; /* of those after the first */
extern const struct pg_callbacks service_outbox_callbacks;
/* Brings what is in hand to its end, and ends the loop. */
void service_stop(struct service *service);
/* Clocks may have jumped: asks the database what time it is. */
void service_look_anew(struct service *service);
struct instant service_now(const struct service *service);
/* Logs and remembers what went wrong. */
void service_problem(struct service *service, const char *what, const char *text);
/* All is well: a problem that comes now is a new one, and the next pause a short one. To be loaded is not enough, as
 * the first flush may fail again. */
void service_note_well(struct service *service);
/* Takes the lease and loads, if we are down, the pause is over and the connections are idle. */
void service_begin(struct service *service);
/* Everything in memory is in doubt: begins anew after a pause. `why` NULL: has been told. */
void service_begin_anew(struct service *service, const char *why);
/* The flush connection is idle: sends what waits for it besides batches. Whether it sent anything. */
bool service_use_connection(struct service *service);
/* What is in hand to be sent is another's from now on, or comes again. */
void service_let_go(struct service *service);
/* Lets the outbox work, if its connection is up: only who holds the lease, knows the database's time and has on record
 * what came in its absence sends. */
void service_open_outbox(struct service *service);
/* While stopping: goes on with that. */
void service_stop_step(struct service *service);
/* Gives all shards back, in good order, and takes the share that is ours by now. */
void service_share_anew(struct service *service);

/* The same, for those who take a clock. */
struct instant service_clock(void *service);

/* service_beat.c */
/* To be called each second: renews the lease when that is due, and tells of us. */
void service_beat(struct service *service);
/* The adapters' hook: what has changed in the products is in the database, so that all can be loaded. */
void service_adapters_caught_up(void *service);

/* service_config.c */
/* Logs all problems. 0 or negative errno. */
int service_load_config(const char *path, struct config **ret) __attribute__((warn_unused_result));
/* Opens the configuration's channels in place of the present ones. */
int service_open_channels(struct service *service, const struct config *config) __attribute__((warn_unused_result));
void service_close_channels(struct service *service);
/* The outbox's hook: gives a channel back what it was told. */
void service_restore_channel(void *service, const struct delivery *delivery);
void service_reload(struct service *service);

/* Makes one more connection to the database; logs what is wrong with its conninfo. */
int service_make_connection(struct service *service, const char *name, const struct pg_callbacks *callbacks,
                            struct pg **ret);

/* service_http.c: the HTTP server, and what stands on it. */
/* Listens. 0, or negative errno, of which it has told. */
int service_http_new(struct service *service);
void service_http_start(struct service *service);
/* Another configuration is in force. */
void service_http_configure(struct service *service);
/* Takes no new requests. */
void service_http_stop(struct service *service);
void service_http_free(struct service *service);

/* service_metrics.c: what is counted, each where it happens. */
int service_metrics_new(struct service *service) __attribute__((warn_unused_result));
void service_metrics_free(struct service *service);
/* Adds the routes to the HTTP server. 0 or -ENOMEM. */
int service_metrics_serve(struct service *service) __attribute__((warn_unused_result));
/* Holds the lease, has all tickets, and writes. */
bool service_is_ready(const struct service *service);
/* What goes into the batch that is being gathered. */
void service_count_milestone(struct service *service, const struct milestone *milestone);
void service_count_event(struct service *service, enum event_kind kind);
void service_count_refused(struct service *service);
void service_count_late(struct service *service);
/* The batch is on its way, has been committed, or everything begins anew. */
void service_count_flush(struct service *service, size_t rows);
void service_count_flushed(struct service *service);
void service_count_anew(struct service *service);
void service_count_poll(struct service *service, struct duration took);
void service_count_outcome(struct service *service, const struct delivery *delivery, enum outcome outcome);
/* The courier's hook. */
void service_count_attempt(void *service, const char *channel, size_t n, enum outcome outcome);
/* The adapters' hook. */
void service_count_adapter(void *service, const char *adapter, const struct adapter_counts *counts);
/* The hooks' callback. */
void service_count_hook(void *service, const char *rule, bool answered);
/* "success", "refused", "unchanged" */
void service_count_reload(struct service *service, const char *outcome);

/* service_notify.c: what the service manager hears of us */
int service_notify_new(struct service *service);
void service_notify_free(struct service *service);
/* The daemon is live, for the first time or again. */
void service_notify_loaded(struct service *service);
/* Around a reload. */
void service_notify_reloading(struct service *service, bool begins);
/* That part has just worked: for the heartbeat and the watchdog. */
void service_note(struct service *service, enum heartbeat_link link);
/* Whether the watchdog is to be fed at a reading of the ticks, by a loop that turns. */
bool notify_is_working(const struct notify *notify, bool live, int64_t ticks);

/* work.c */
int work_new(struct service *service);
void work_free(struct service *service);
void work_reset(struct service *service);
/* Sends the next batch if there is one and the connection is free. */
void work_flush(struct service *service);
/* Sets the timer for the wheel's next instant. */
void work_arm(struct service *service);
/* Another configuration comes into force, and belongs to the service from then on: tickets and clocks go by it as it
 * says. 0 or -ENOMEM. */
int work_configure(struct service *service, struct config *config) __attribute__((warn_unused_result));
/* Begins to bring clocks of former configurations to the one in force, where it says so. They move in parts, since a
 * million may be there. */
void work_migrate(struct service *service);
/* Whether nothing waits for a flush. */
bool work_is_done(const struct service *service);
extern const struct feed_hooks work_feed_hooks;
/* Counts a ticket's clocks and sets its timer. */
void work_plan(struct service *service, struct live_ticket *live);

/* work_load.c: configurations, and the feed's hooks for what a load brings but for the events. */
/* Makes it the one in force, and the service its owner. 0 or -ENOMEM. */
int work_know_config(struct service *service, struct config *config) __attribute__((warn_unused_result));
bool work_load_configuration(void *arg, const char *digest, const char *source);
bool work_load_state(void *arg, const struct pg_value *values);
bool work_load_clock(void *arg, const struct pg_value *values);
/* Ladder steps in hand wait for the clocks that they belong to, and come before the first event. */
bool work_load_ladders(void *arg);

#endif
