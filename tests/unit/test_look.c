/* Where the outbox looks for deliveries. That all are found, whatever it looks at first, is shown by the simulation. */
#include <criterion/criterion.h>

#include "outbox_look.h"

enum { NEWS = 1, ALL, FORGET };

#define LIMIT 500

/* Each row is a look after the one before it, of one story. */
struct step {
	const char *name;
	int told;        /* before the look: 0: nothing */
	size_t n_full;   /* channels at the look */
	bool due;        /* whether there is a look */
	int64_t begin;   /* behind which position */
	size_t claimed;  /* LIMIT: as many as it may */
	int64_t reached; /* the greatest position that was claimed, 0: none */
	bool fails;
};

static void
play(const struct step *steps, size_t n)
{
	struct look look = {0};
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps[i];
		if (step->told == NEWS)
			look_for_news(&look);
		else if (step->told == ALL)
			look_for_all(&look);
		else if (step->told == FORGET)
			look_forget(&look);
		cr_assert_eq(look_is_due(&look, step->n_full), step->due, "%s", step->name);
		if (!step->due)
			continue;
		int64_t begin = look_begin(&look, LIMIT, step->n_full);
		cr_assert_eq(begin, step->begin, "%s: begins behind %lld", step->name, (long long)begin);
		if (step->fails)
			continue;
		if (step->reached > 0)
			look_found(&look, step->reached);
		look_end(&look, step->claimed);
	}
}

#define PLAY(steps) play(steps, sizeof(steps) / sizeof((steps)[0]))

Test(look, goes_on_where_it_was)
{
	static const struct step steps[] = {
	    {"nobody told of any", 0, 0, false, 0, 0, 0, false},
	    {"all at first", ALL, 0, true, 0, LIMIT, 300000, false},
	    {"there are more", 0, 0, true, 300000, LIMIT, 300500, false},
	    {"the rest", 0, 0, true, 300500, 7, 300507, false},
	    {"nothing is left", 0, 0, false, 0, 0, 0, false},
	    {"news may have been written earlier", NEWS, 0, true, 300507 - LOOK_BEHIND, 1, 300508, false},
	    {"an earlier one", NEWS, 0, true, 300508 - LOOK_BEHIND, 1, 290000, false},
	    {"does not move it back", NEWS, 0, true, 300508 - LOOK_BEHIND, 0, 0, false},
	    {"the sweep looks at all", ALL, 0, true, 0, 1, 50000, false},
	    {"few have been written since", NEWS, 0, true, 0, 0, 0, false},
	};
	PLAY(steps);
}

Test(look, full_channels_are_waited_for)
{
	static const struct step steps[] = {
	    {"all at first", ALL, 0, true, 0, LIMIT, 300000, false},
	    {"the channel became full by it", 0, 1, false, 0, 0, 0, false},
	    {"for others there may be news", NEWS, 1, true, 300000 - LOOK_BEHIND, LIMIT, 300500, false},
	    {"others have more", 0, 1, true, 300500, 3, 300900, false},
	    {"others have none", 0, 1, false, 0, 0, 0, false},
	    {"news are among the last", NEWS, 1, true, -LOOK_AMONG, 1, 301000, false},
	    {"and again", NEWS, 1, true, -LOOK_AMONG, LIMIT, 301500, false},
	    {"more than that", 0, 1, true, 301500, 2, 301502, false},
	    {"a second became full", 0, 2, false, 0, 0, 0, false},
	    {"the sweep looks at all", ALL, 2, true, 0, 0, 0, false},
	    {"one has room, so at all", 0, 1, true, 0, LIMIT, 300700, false},
	    {"both have", 0, 0, true, 0, 20, 300720, false},
	    {"none is full, so from further behind", NEWS, 0, true, 300720 - LOOK_BEHIND, 0, 0, false},
	};
	PLAY(steps);
}

Test(look, what_is_not_known_is_looked_for)
{
	static const struct step steps[] = {
	    {"all at first", ALL, 1, true, 0, 4, 300000, false},
	    {"another session", FORGET, 1, false, 0, 0, 0, false},
	    {"nothing is known of what it left", NEWS, 1, true, 300000 - LOOK_BEHIND, 0, 0, false},
	    {"this one was looked through", NEWS, 1, true, -LOOK_AMONG, 0, 0, true},
	    {"one that failed tells nothing", 0, 1, false, 0, 0, 0, false},
	    {"nor of what it left", NEWS, 1, true, 300000 - LOOK_BEHIND, 0, 0, true},
	    {"one at all that failed", ALL, 1, true, 0, 0, 0, true},
	    {"begins again", NEWS, 1, true, 0, LIMIT, 300000, false},
	};
	PLAY(steps);
}
