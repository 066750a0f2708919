/* The token in a reply's text that asks for an escalation. */
#include <criterion/criterion.h>
#include <string.h>

#include "slated/engine.h"

Test(token, requests)
{
	static const struct {
		const char *text;
		bool requests;
	} rows[] = {
	    {"#escalate", true},
	    {"please #ESCALATE!", true},
	    {"a\n  #escalate", true},
	    {"x#escalate", true},
	    {"#escalate me", true},
	    {"#escalate\r\n", true},
	    {"#escalated", false},
	    {"#escalate-me", false},
	    {"#escalate_", false},
	    {"#escalate2", false},
	    {"> #escalate", false},
	    {"\t > #escalate", false},
	    {"escalate", false},
	    {"# escalate", false},
	    {"#escalat\xc3\xa9", false},
	    {"#escalate\xc3\xa9", false},
	    {"#escalate\xe2\x80\xa6", true},
	    {"> a\n#escalate", true},
	    {"", false},
	    {"#escalated #escalate", true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(event_text_requests(rows[i].text, strlen(rows[i].text)) == rows[i].requests, "\"%s\"",
		          rows[i].text);
}
