/* What the daemon tells Prometheus about itself: a table of families, each with its series in plain memory. Names and
 * labels follow prometheus.io/docs/practices/naming: base units, _total on what only grows. No label holds a ticket or
 * a customer, so that the number of series stays that of the configuration. */
#ifndef SLATED_METRICS_H
#define SLATED_METRICS_H

#include <stdbool.h>

struct metrics;
struct text;

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
	METRICS_INFO, /* a gauge that is always 1; its labels tell */
};

/* What a histogram's buckets are made for. */
enum metrics_scale {
	METRICS_SCALE_NONE,
	METRICS_SCALE_LAG,
	METRICS_SCALE_QUERY,
	METRICS_SCALE_ROWS,
};

/* id, type, name without _total and _info, unit or NULL, labels or NULL, scale, help. The order is that of the output.
 */
#define METRICS_TABLE(X)                                                                                               \
	X(FIRE_LAG, HISTOGRAM, "slated_deadline_fire_lag_seconds", "seconds", NULL, NULL, LAG,                         \
	  "How late levels, breaches and ladder steps were recorded: from their instant to the commit.")               \
	X(CLOCKS, GAUGE, "slated_clocks", NULL, "state", NULL, NONE, "Clocks that have not ended, by state.")          \
	X(TICKETS, GAUGE, "slated_tickets", NULL, NULL, NULL, NONE, "Tickets in memory: those that are not final.")    \
	X(TICKETS_LEFT_OUT, GAUGE, "slated_tickets_left_out", NULL, NULL, NULL, NONE,                                  \
	  "Tickets for which nothing is done, as a row of theirs cannot be read; the log names them.")                 \
	X(MILESTONES, COUNTER, "slated_milestones", NULL, "milestone", "metric", NONE,                                 \
	  "Milestones that were recorded.")                                                                            \
	X(EVENTS, COUNTER, "slated_events", NULL, "kind", NULL, NONE, "Events that were taken in, refused ones too.")  \
	X(EVENTS_REFUSED, COUNTER, "slated_events_refused", NULL, NULL, NULL, NONE, "Events that were refused.")       \
	X(EVENTS_LATE, COUNTER, "slated_events_late", NULL, NULL, NULL, NONE,                                          \
	  "Events that were older than their ticket's last one.")                                                      \
	X(FLUSH_SECONDS, HISTOGRAM, "slated_flush_seconds", "seconds", NULL, NULL, QUERY,                              \
	  "How long writing a batch to the ledger took, with its commit.")                                             \
	X(FLUSH_ROWS, HISTOGRAM, "slated_flush_rows", NULL, NULL, NULL, ROWS, "Rows of a batch.")                      \
	X(POLL_SECONDS, HISTOGRAM, "slated_poll_seconds", "seconds", NULL, NULL, QUERY,                                \
	  "How long asking the database for events took.")                                                             \
	X(DELIVERIES, COUNTER, "slated_deliveries", NULL, "channel", "outcome", NONE, "Deliveries that have ended.")   \
	X(ATTEMPTS, COUNTER, "slated_delivery_attempts", NULL, "channel", NULL, NONE,                                  \
	  "Attempts to send a message, digests too.")                                                                  \
	X(HELD, GAUGE, "slated_deliveries_held", NULL, "channel", "state", NONE,                                       \
	  "Deliveries in hand; others may wait in the database.")                                                      \
	X(CHANNEL_FAILING, GAUGE, "slated_channel_failing", NULL, "channel", NULL, NONE,                               \
	  "1 while a channel fails so that only single attempts are made.")                                            \
	X(DIGESTS, COUNTER, "slated_channel_digests", NULL, "channel", NULL, NONE,                                     \
	  "Messages delivered that stood for several deliveries.")                                                     \
	X(HOOK_RUNS, COUNTER, "slated_hook_runs", NULL, "rule", "outcome", NONE,                                       \
	  "Hooks of reassessment rules that answered or failed.")                                                      \
	X(ADAPTER_TICKETS, COUNTER, "slated_adapter_tickets", NULL, "adapter", NULL, NONE,                             \
	  "Tickets read from an attached system, each time.")                                                          \
	X(ADAPTER_ITEMS, COUNTER, "slated_adapter_items", NULL, "adapter", NULL, NONE,                                 \
	  "Changes taken over from an attached system.")                                                               \
	X(ADAPTER_DIFFERENCES, COUNTER, "slated_adapter_differences", NULL, "adapter", NULL, NONE,                     \
	  "Tickets that a comparison with an attached system found different and repaired.")                           \
	X(ADAPTER_ERRORS, COUNTER, "slated_adapter_errors", NULL, "adapter", NULL, NONE,                               \
	  "What could not be taken over; sla.adapter_error says why.")                                                 \
	X(ADAPTER_WAITING, GAUGE, "slated_adapter_waiting", NULL, "adapter", NULL, NONE,                               \
	  "Changes of an attached system that waited at the last look.")                                               \
	X(DATABASE_UP, GAUGE, "slated_database_up", NULL, "connection", NULL, NONE,                                    \
	  "1 while the connection to the database stands.")                                                            \
	X(LEASE_HELD, GAUGE, "slated_lease_held", NULL, NULL, NULL, NONE,                                              \
	  "1 while this daemon holds leases of shards.")                                                               \
	X(SHARDS_OWNED, GAUGE, "slated_shards_owned", NULL, NULL, NULL, NONE,                                          \
	  "Shards of tickets that this daemon looks after, of 256.")                                                   \
	X(READY, GAUGE, "slated_ready", NULL, NULL, NULL, NONE, "1 while /-/ready answers with 200.")                  \
	X(RELOADS, COUNTER, "slated_reloads", NULL, "outcome", NULL, NONE, "Reloads of the configuration.")            \
	X(CONFIGURATION, INFO, "slated_configuration", NULL, "digest", NULL, NONE, "The configuration in force.")      \
	X(BUILD, INFO, "slated_build", NULL, "version", NULL, NONE, "This daemon's version.")                          \
	X(NEXT_TIMER, GAUGE, "slated_next_timer_timestamp_seconds", "seconds", NULL, NULL, NONE,                       \
	  "When the next level, breach or ladder step comes; absent where none does.")                                 \
	X(START_TIME, GAUGE, "slated_start_time_seconds", "seconds", NULL, NULL, NONE, "When this daemon began.")      \
	X(HEARTBEAT_SUCCESS, GAUGE, "slated_heartbeat_last_success_timestamp_seconds", "seconds", NULL, NULL, NONE,    \
	  "When the heartbeat was last heard, 0: not yet; absent without a heartbeat.")                                \
	X(HEARTBEAT_INTERVAL, GAUGE, "slated_heartbeat_interval_seconds", "seconds", NULL, NULL, NONE,                 \
	  "How often the heartbeat is sent; absent without a heartbeat.")                                              \
	X(PROCESS_CPU, COUNTER, "process_cpu_seconds", "seconds", NULL, NULL, NONE,                                    \
	  "Time spent on processors, the system's included.")                                                          \
	X(PROCESS_MEMORY, GAUGE, "process_resident_memory_bytes", "bytes", NULL, NULL, NONE, "Resident memory.")       \
	X(PROCESS_FDS, GAUGE, "process_open_fds", NULL, NULL, NULL, NONE, "Open file descriptors.")                    \
	X(PROCESS_FDS_MAX, GAUGE, "process_max_fds", NULL, NULL, NULL, NONE, "File descriptors that may be open.")     \
	X(PROCESS_START, GAUGE, "process_start_time_seconds", "seconds", NULL, NULL, NONE, "When the process began.")

enum metrics_id {
#define METRICS_ID(id, ...) METRICS_##id,
	METRICS_TABLE(METRICS_ID)
#undef METRICS_ID
	    METRICS_COUNT,
};

#define METRICS_TEXT_TYPE        "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* 0 or -ENOMEM. */
int metrics_new(struct metrics **ret) __attribute__((warn_unused_result));
/* Takes NULL. */
void metrics_free(struct metrics *metrics);

/* The values of a family's labels stand in their order, NULL where it has none; they are copied. A series begins to
 * exist, with 0, when it is first named. Where memory is out for that the sample is lost: counting never fails. */

/* Of a counter; `by` may be 0, which only names the series. */
void metrics_add(struct metrics *metrics, enum metrics_id id, const char *first, const char *second, double by);

/* Of a gauge, or of a counter that somebody else keeps. */
void metrics_set(struct metrics *metrics, enum metrics_id id, const char *first, const char *second, double value);

/* Of a histogram. */
void metrics_observe(struct metrics *metrics, enum metrics_id id, double value);

/* Forgets all series of a family: of what may not be there any more. */
void metrics_forget(struct metrics *metrics, enum metrics_id id);

/* Writes all of them: as OpenMetrics 1.0, or in Prometheus' text format 0.0.4. */
void metrics_write(const struct metrics *metrics, bool openmetrics, struct text *text);

/* Whether a header Accept (or NULL) asks for OpenMetrics 1.0 rather than for plain text. RFC 9110, section 12.5.1. */
bool metrics_prefers_openmetrics(const char *accept);

#endif
