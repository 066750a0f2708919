#include "outbox_look.h"

void
look_for_news(struct look *look)
{
	look->news = true;
}

void
look_for_all(struct look *look)
{
	look->news = look->all = true;
}

void
look_forget(struct look *look)
{
	look->left = LEFT_UNKNOWN;
}

bool
look_is_due(const struct look *look, size_t n_full)
{
	return look->news || n_full < look->n_full || (look->left == LEFT_MORE && n_full == look->n_full);
}

static int64_t
behind(const struct look *look, size_t n_full)
{
	if (look->all || n_full < look->n_full)
		return 0;
	if (!look->news)
		return look->claimed_to;
	if (n_full > 0 && look->left == LEFT_FULL)
		return -LOOK_AMONG;
	return look->claimed_to > LOOK_BEHIND ? look->claimed_to - LOOK_BEHIND : 0;
}

int64_t
look_begin(struct look *look, size_t limit, size_t n_full)
{
	int64_t begin = behind(look, n_full);
	*look = (struct look){.asked = limit, .claimed_to = begin == 0 ? 0 : look->claimed_to, .n_full = n_full};
	return begin;
}

void
look_found(struct look *look, int64_t position)
{
	if (position > look->claimed_to)
		look->claimed_to = position;
}

void
look_end(struct look *look, size_t n_claimed)
{
	look->left = n_claimed == look->asked ? LEFT_MORE : LEFT_FULL;
}
