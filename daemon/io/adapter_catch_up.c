/* Deadlines wait, at a start and whenever all is read anew, until what has changed in the products meanwhile has been
 * taken over: a ticket may have been answered while nobody looked. */
#include "adapter_internal.h"
#include "slated/config.h"
#include "slated/log.h"

/* A product that does not answer for so long is not waited for, nor one that has still so much to read after so long:
 * to miss a deadline is worse than to tell of one that was met. */
#define SILENCE_US  (10 * US_PER_S)
#define PATIENCE_US (2 * US_PER_MIN)
#define LOOK_EACH   ((struct duration){US_PER_S})

void
adapters_look(struct adapters *all)
{
	if (!all->catching_up)
		return;
	for (const struct adapter *a = all->first; a != NULL; a = a->next)
		if (a->behind)
			return;
	all->catching_up = false;
	timer_unset(all->patience);
	all->hooks.caught_up(all->hooks.arg);
}

void
adapter_end_wait(struct adapter *a)
{
	a->behind = false;
	adapters_look(a->all);
}

void
adapter_note_waiting(struct adapter *a, int64_t first, int64_t last)
{
	if (!a->behind)
		return;
	if (!a->marked) {
		a->marked = true;
		a->mark = last;
	}
	if (first != 0 && first <= a->mark)
		return;
	log_info("what had changed in an attached system has been taken over", log_text("adapter", a->settings->name));
	adapter_end_wait(a);
}

void
adapters_on_patience(void *arg)
{
	struct adapters *all = arg;
	const int64_t now = loop_ticks(all->loop);
	timer_set(all->patience, LOOK_EACH);
	for (struct adapter *a = all->first; a != NULL; a = a->next) {
		if (!a->behind || (now - a->answered_at < SILENCE_US && now - all->behind_since < PATIENCE_US))
			continue;
		adapter_tell(a, "what has changed there could not be read in time; deadlines go on without it");
		adapter_end_wait(a);
	}
}

void
adapter_join(struct adapter *a)
{
	a->answered_at = loop_ticks(a->all->loop);
	a->behind = a->all->catching_up;
	a->marked = false;
}

bool
adapters_catch_up(struct adapters *all)
{
	if (all == NULL || all->first == NULL)
		return false;
	all->catching_up = true;
	all->behind_since = loop_ticks(all->loop);
	timer_set(all->patience, LOOK_EACH);
	for (struct adapter *a = all->first; a != NULL; a = a->next) {
		adapter_join(a);
		a->turn_at = 0; /* whose deadlines are near is asked anew */
		if (a->step == STEP_REST)
			timer_set(a->timer, (struct duration){0});
	}
	return true;
}
