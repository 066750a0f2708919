/* By itself, as term.h makes macros of words such as "columns". */
#include "top_term.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

/* newterm() tells as much, but loses memory over a terminal that it does not know. */
bool
top_term_is_known(void)
{
	int error;
	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return false;
	(void)del_curterm(cur_term);
	return true;
}
