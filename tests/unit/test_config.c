/* What needs several files, secrets or the loaded structs; refusals of single files are in tests/config. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "slated/calendar.h"
#include "slated/config.h"
#include "slated/policy.h"

#define NOW ((struct instant){INT64_C(1772798400000000)}) /* 2026-03-06T12:00:00Z */

static char folder[] = "/tmp/slated-config-XXXXXX";
static struct config_problems problems;
static struct config *config;

static void
folder_make(void)
{
	char path[256];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/conf.d", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void
folder_remove(void)
{
	char command[256];

	config_free(config);
	config_problems_clear(&problems);
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(config, .init = folder_make, .fini = folder_remove);

static void
file_write(const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

static int
load(unsigned flags)
{
	char path[256];

	snprintf(path, sizeof path, "%s/slated.conf", folder);
	return config_load(path, NOW, flags, &problems, &config);
}

/* Every problem as a line, without the folder. */
static char *
problems_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *stream = open_memstream(&text, &len);

	for (size_t i = 0; i < problems.n; i++) {
		const struct config_problem *problem = &problems.items[i];
		const char *slash = strrchr(problem->file, '/');
		bool main_file = strncmp(problem->file, folder, strlen(folder)) == 0;

		fprintf(stream, "%s:%u: %s: %s\n", main_file ? slash + 1 : problem->file, problem->line,
		        problem->setting, problem->message);
	}
	cr_assert_eq(fclose(stream), 0);
	return text;
}

static void
expect_problems(const char *expect)
{
	char *text = problems_text();

	cr_expect_str_eq(text, expect);
	free(text);
}

Test(config, files_in_conf_d_come_in_name_order)
{
	file_write("slated.conf",
	           "policies = ( { name = \"first\"; targets = (); } );\noutbox = { concurrency = 5; };\n", 0600);
	file_write("conf.d/20.conf", "policies = ( { name = \"third\"; targets = (); } );\n", 0600);
	file_write("conf.d/10.conf",
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"08:00-09:00\"; }; }; };\n"
	           "policies = ( { name = \"second\"; targets = ( { metric = \"update\"; within = \"1h\"; } ); } );\n",
	           0600);
	file_write("conf.d/.30.conf", "nonsense", 0600);
	file_write("conf.d/30.conf~", "nonsense", 0600);
	cr_assert_eq(load(0), 0);
	cr_assert_eq(config->policies->n_policies, 3);
	cr_expect_str_eq(config->policies->policies[0].name, "first");
	cr_expect_str_eq(config->policies->policies[1].name, "second");
	cr_expect_str_eq(config->policies->policies[2].name, "third");
	cr_expect_eq(config->policies->n_calendars, 1);
	cr_expect_eq(config->concurrency, 5);
	cr_expect_eq(config->heartbeat_every.us, 60 * US_PER_S);
	cr_expect_eq(config->policies->n_severities, 4);
	cr_expect_eq(policy_set_severity(config->policies, "severity 3"), 2);
}

Test(config, what_two_files_give_is_refused_with_both_places)
{
	file_write("slated.conf",
	           "severities = ( { name = \"bad\"; } );\n"
	           "policies = ( { name = \"gold\"; targets = (); } );\n"
	           "outbox = { concurrency = 5; };\n"
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"08:00-09:00\"; }; }; };\n",
	           0600);
	file_write("conf.d/a.conf",
	           "outbox = { concurrency = 6; };\n"
	           "policies = ( { name = \"gold\"; targets = (); } );\n"
	           "severities = ( { name = \"worse\"; } );\n"
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"08:00-09:00\"; }; }; };\n",
	           0600);
	file_write("conf.d/b.conf", "polices = ();\nx = ;\n", 0600);
	cr_assert_eq(load(0), -EINVAL);

	char expect[1024];
	snprintf(expect, sizeof expect,
	         "conf.d/a.conf:1: outbox.concurrency: is already given at %s/slated.conf:3\n"
	         "conf.d/a.conf:2: policies[0].name: policy \"gold\" is already defined at %s/slated.conf:2\n"
	         "conf.d/a.conf:3: severities: severities stand in one file only, and are already at %s/slated.conf:1\n"
	         "conf.d/a.conf:4: calendars.c: calendar \"c\" is already defined at %s/slated.conf:4\n"
	         "conf.d/b.conf:2: : syntax error\n",
	         folder, folder, folder, folder);
	expect_problems(expect);
}

Test(config, stored_source_reads_back_the_same)
{
	struct config *again = NULL;

	file_write("slated.conf",
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"08:00-09:00\"; }; }; };\n", 0600);
	file_write("conf.d/a.conf", "policies = ( { name = \"gold\"; targets = (); } );", 0600);
	cr_assert_eq(load(0), 0);
	cr_assert_eq(config_load_text(config->source, strlen(config->source), NOW, &problems, &again), 0);
	cr_expect_str_eq(again->source, config->source);
	cr_expect_str_eq(again->digest, config->digest);
	cr_expect_eq(strlen(config->digest), 64);
	cr_expect_eq(again->policies->n_policies, 1);
	cr_expect_null(strstr(config->source, folder), "the source text depends on the folder");
	config_free(again);

	file_write("conf.d/a.conf", "policies = ( { name = \"golf\"; targets = (); } );", 0600);
	again = config;
	cr_assert_eq(load(0), 0);
	cr_expect_str_neq(config->digest, again->digest);
	config_free(again);
}

Test(config, secrets_come_from_credentials_and_files)
{
	file_write("slated.conf",
	           "database = { conninfo = \"dbname=x\"; password_file = \"pw\"; };\n"
	           "http = { token_credential = \"token\"; };\n"
	           "channels = { ops = { type = \"webhook\"; url = \"http://127.0.0.1/\"; secret_credential = \"ops\"; "
	           "}; };\n",
	           0600);
	file_write("pw", "sesame \n", 0600);
	file_write("token", "t0ken", 0644);
	file_write("ops", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nold and plain\n", 0600);
	cr_assert_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	cr_assert_eq(load(0), 0);
	cr_expect_str_eq(config->password, "sesame");
	cr_expect_str_eq(config->token, "t0ken");
	cr_assert_eq(config->channels[0].n_secrets, 2);
	cr_expect_str_eq(config->channels[0].secrets[0], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	cr_expect_str_eq(config->channels[0].secrets[1], "old and plain");
	config_free(config);

	cr_assert_eq(load(CONFIG_NO_SECRETS | CONFIG_DATABASE_SECRET), 0);
	cr_expect_str_eq(config->password, "sesame");
	cr_expect_null(config->token);
	cr_expect_eq(config->channels[0].n_secrets, 0);
}

Test(config, secrets_that_cannot_be_had_are_refused)
{
	file_write("slated.conf",
	           "database = { password_file = \"pw\"; };\n"
	           "http = { token_credential = \"empty\"; };\n"
	           "channels = {\n"
	           "    a = { type = \"webhook\"; url = \"http://127.0.0.1/\"; secret_file = \"bad\"; };\n"
	           "    b = { type = \"pagerduty\"; routing_key_credential = \"nowhere\"; };\n"
	           "    c = { type = \"slack\"; url_file = \"bad\"; };\n"
	           "};\n",
	           0600);
	file_write("pw", "sesame\n", 0640);
	file_write("empty", "\n", 0600);
	file_write("bad", "whsec_###\n", 0600);
	cr_assert_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	cr_assert_eq(load(0), -EINVAL);
	expect_problems(
	    "slated.conf:1: database.password_file: \"pw\" can be read by others (mode 0640): make it 0600\n"
	    "slated.conf:2: http.token_credential: \"empty\" is empty\n"
	    "slated.conf:4: channels.a.secret_file: secret 1: what follows whsec_ is not base64\n"
	    "slated.conf:5: channels.b.routing_key_credential: \"nowhere\": No such file or directory\n"
	    "slated.conf:6: channels.c.url_file: does not hold an http:// or https:// address\n");
	config_problems_clear(&problems);

	cr_assert_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	file_write("slated.conf", "http = { token_credential = \"token\"; };\n", 0600);
	cr_assert_eq(load(0), -EINVAL);
	cr_expect_eq(problems.n, 1);
}

Test(config, a_file_that_is_not_there_is_a_problem)
{
	cr_assert_eq(load(0), -EINVAL);
	expect_problems("slated.conf:0: : No such file or directory\n");
}

Test(config, programs_start_at_the_folder_of_their_file)
{
	char expect[256];

	file_write("slated.conf", "channels = { a = { type = \"exec\"; command = [ \"/bin/true\", \"x\" ]; }; };\n",
	           0600);
	file_write("conf.d/a.conf", "channels = { b = { type = \"exec\"; command = \"page\"; fallback = \"a\"; }; };\n",
	           0600);
	cr_assert_eq(load(0), 0);
	cr_expect_str_eq(config_channel(config, "a")->command[0], "/bin/true");
	cr_expect_str_eq(config_channel(config, "a")->command[1], "x");
	snprintf(expect, sizeof expect, "%s/conf.d/page", folder);
	cr_expect_str_eq(config_channel(config, "b")->command[0], expect);
	cr_expect_str_eq(config_channel(config, "b")->fallback, "a");
	cr_expect_null(config_channel(config, "c"));
}

#ifdef HAVE_FEEDS

static bool
open_at(struct calendar *calendar, const char *text)
{
	struct instant at;

	cr_assert_eq(instant_parse(text, strlen(text), &at), 0);
	return calendar_open(calendar, at);
}

Test(config, feeds_close_dates_and_spans, .timeout = 60)
{
	file_write("slated.conf",
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"00:00-24:00\"; };\n"
	           "    holiday_feeds = \"a.ics\"; }; };\n",
	           0600);
	file_write("a.ics",
	           "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
	           "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20241225\r\nDTEND;VALUE=DATE:20241227\r\n"
	           "RRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20271225\r\nRDATE;VALUE=DATE:20270301,20270401\r\n"
	           "SUMMARY:Christmas\r\nEND:VEVENT\r\n"
	           "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;VALUE=DATE:20281225\r\nDTSTART;VALUE=DATE:20281228\r\n"
	           "SUMMARY:Moved\r\nEND:VEVENT\r\n"
	           "BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=Europe/Berlin:20260306T120000\r\n"
	           "DTEND;TZID=Europe/Berlin:20260306T140000\r\nEND:VEVENT\r\n"
	           "BEGIN:VEVENT\r\nUID:3\r\nDTSTART:20260307T120000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
	           "BEGIN:VEVENT\r\nUID:4\r\nDTSTART;VALUE=DATE:20260309\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n"
	           "END:VCALENDAR\r\n",
	           0600);
	static const struct {
		const char *at;
		bool expect;
	} rows[] = {
	    {"2026-12-24T23:59:59Z", true},  {"2026-12-25T00:00:00Z", false}, {"2026-12-26T23:59:59Z", false},
	    {"2026-12-27T00:00:00Z", true},  {"2027-12-25T12:00:00Z", true},  {"2027-03-01T12:00:00Z", false},
	    {"2027-04-01T12:00:00Z", false}, {"2028-12-25T12:00:00Z", true},  {"2028-12-28T12:00:00Z", false},
	    {"2026-03-06T10:59:59Z", true},  {"2026-03-06T11:00:00Z", false}, {"2026-03-06T13:00:00Z", true},
	    {"2026-03-07T12:30:00Z", false}, {"2026-03-07T13:00:00Z", true},  {"2026-03-09T12:00:00Z", true},
	};
	int r = load(0);
	expect_problems("");
	cr_assert_eq(r, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(open_at(config->policies->calendars[0], rows[i].at), rows[i].expect, "%s", rows[i].at);
}

Test(config, feeds_with_faults_are_refused)
{
	static const struct {
		const char *feed;
		const char *expect;
	} rows[] = {
	    {"nonsense", "is no iCalendar file"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	     "event \"A\" has no DTSTART"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nDTSTART;TZID=Mars/Base:20260306T120000\r\nEND:VEVENT\r\n"
	     "END:VCALENDAR\r\n",
	     "no time zone \"Mars/Base\" on this system"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nDTSTART:20260306T120000Z\r\nDTEND:20260306T110000Z\r\n"
	     "END:VEVENT\r\nEND:VCALENDAR\r\n",
	     "event \"A\" ends before it begins, or never"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nDTSTART;VALUE=DATE:20260410\r\n"
	     "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	     "event \"A\" has an RRULE that is malformed or never comes"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nDTSTART:20260410T120000Z\r\nDURATION:PT1M\r\n"
	     "RRULE:FREQ=HOURLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	     "event \"A\" recurs more than once a day"},
	    {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:A\r\nDTSTART;VALUE=DATE:20260410\r\nDTEND;VALUE=DATE:20560410"
	     "\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	     "closes more than 20000 days"},
	};

	file_write("slated.conf",
	           "calendars = { c = { timezone = \"UTC\"; hours = { daily = \"00:00-24:00\"; };\n"
	           "    holiday_feeds = \"a.ics\"; }; };\n",
	           0600);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		file_write("a.ics", rows[i].feed, 0600);
		cr_assert_eq(load(0), -EINVAL, "row %zu", i);
		cr_assert_eq(problems.n, 1);
		cr_expect_eq(problems.items[0].line, 2);
		cr_expect_str_eq(problems.items[0].setting, "calendars.c.holiday_feeds");
		cr_expect_not_null(strstr(problems.items[0].message, rows[i].expect), "%s", problems.items[0].message);
		config_problems_clear(&problems);
	}
}

#endif
