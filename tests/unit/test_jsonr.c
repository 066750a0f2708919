#include <criterion/criterion.h>
#include <string.h>

#include "slated/jsonr.h"

Test(jsonr, member)
{
	static const struct {
		const char *json, *expect; /* how the value begins; NULL: none */
	} rows[] = {
	    {"{\"at\": 1}", "1}"},
	    {" {\n\"at\"\t:\r[2]}", "[2]}"},
	    {"{\"at\":\"a\",\"at\":\"b\"}", "\"a\""},
	    {"{\"a\": \"\\\"at\\\": 3, \\\\\", \"at\": 4}", "4}"},
	    {"{\"a\": {\"at\": 5}, \"b\": [{\"at\": 6}, []], \"c\": \"}\", \"at\": {\"at\": 7}}", "{\"at\": 7}}"},
	    {"{\"\": -1.5e3, \"t\": null, \"att\": true, \"at\": 8}", "8}"},
	    {"{}", NULL},
	    {"{ }", NULL},
	    {"{\"a\": {\"at\": 9}}", NULL},
	    {"{\"a\": \"at\"}", NULL},
	    {"[\"at\", 10]", NULL},
	    {"\"at\"", NULL},
	    {"null", NULL},
	    {"", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value = jsonr_member(rows[i].json, "at");
		if (rows[i].expect == NULL)
			cr_expect_null(value, "row %zu", i);
		else
			cr_expect(value && strncmp(value, rows[i].expect, strlen(rows[i].expect)) == 0, "row %zu", i);
	}
}

/* A text that is cut off has no value, or one within it. */
Test(jsonr, cut_off)
{
	static const char whole[] = "{\"a\": [\"\\\\\", {\"b\": \"\\\"\"}], \"at\": \"x\"}";
	char text[sizeof(whole)];
	for (size_t n = 0; n < sizeof(whole); n++) {
		memcpy(text, whole, n);
		text[n] = '\0';
		const char *value = jsonr_member(text, "at");
		cr_expect(value == NULL || (value >= text && value <= text + n), "%zu bytes", n);
	}
}
