/* Those who work on tickets: transactions with a few changes each, some of which are open for long or rolled back. */
#ifndef SLATED_SIM_PEOPLE_H
#define SLATED_SIM_PEOPLE_H

#include "database.h"

struct people;

/* At most `tickets` are opened. They begin at once. */
struct people *people_new(struct world *world, struct database *database, unsigned tickets);
void people_free(struct people *people);
/* Nothing new; what is open comes to its end. */
void people_stop(struct people *people);
void people_go_on(struct people *people);
/* The database has ended all transactions. */
void people_lose_all(struct people *people);

#endif
