/* Rows of the tables of commands that work on one ticket. */
#ifndef SLATED_SLATECTL_TICKET_ROWS_H
#define SLATED_SLATECTL_TICKET_ROWS_H

#include "command.h"

#define TICKET_ABOUT                                                                                                   \
	"TICKET is its external id; where there is no such, its number in sla.ticket, with or without \"#\".\n"

#define TICKET_SOURCE(at)                                                                                              \
	{                                                                                                              \
		"source", "NAME", "of the ticket system, where several have a ticket of that id", VALUE_TEXT, at       \
	}
#define TICKET_NAME(at)                                                                                                \
	{                                                                                                              \
		NULL, "TICKET", NULL, VALUE_TEXT, at, .needed = true                                                   \
	}

#endif
