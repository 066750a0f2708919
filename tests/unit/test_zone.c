/* Time zones: every installed one against zdump(8), footers against the C library's TZ, broken bytes. */
#include "slated/zone.h"

#include "zone_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* A period of one offset: from `at`, in seconds, to the next one's. */
struct piece {
	int64_t at;
	int32_t offset;
};

struct history {
	char name[64];
	struct piece pieces[512];
	size_t n;
};

static int32_t
history_offset(const struct history *history, int64_t second)
{
	size_t i = history->n - 1;

	while (i > 0 && history->pieces[i].at > second)
		i--;
	return history->pieces[i].offset;
}

/* The instants around piece `i`'s beginning that read `wall`, by trying every offset near; or, where none does, the
 * gap's transition. */
static void
history_instants(const struct history *history, size_t i, int64_t wall, int64_t *ret_first, int64_t *ret_second)
{
	size_t from = i < 3 ? 0 : i - 3;
	size_t to = i + 3 < history->n ? i + 3 : history->n;
	int64_t first = INT64_MAX;
	int64_t second = INT64_MIN;
	int64_t gap = INT64_MAX;

	for (size_t j = from; j < to; j++) {
		int64_t t = wall - history->pieces[j].offset;
		if (history_offset(history, t) == history->pieces[j].offset) {
			first = t < first ? t : first;
			second = t > second ? t : second;
		}
		int64_t at = history->pieces[j].at;
		if (j > from && wall >= at + history->pieces[j - 1].offset && wall < at + history->pieces[j].offset)
			gap = at < gap ? at : gap;
	}
	*ret_first = first != INT64_MAX ? first : gap;
	*ret_second = second != INT64_MIN ? second : gap;
}

static bool
zone_reads(const struct zone *zone, const struct history *history, size_t i, int64_t wall)
{
	int64_t first, second;

	history_instants(history, i, wall, &first, &second);
	struct wall local = {wall * US_PER_S};
	int64_t got_first = zone_instant(zone, local, ZONE_FIRST).us;
	int64_t got_second = zone_instant(zone, local, ZONE_SECOND).us;
	cr_expect(got_first == first * US_PER_S && got_second == second * US_PER_S,
	          "%s: wall %" PRId64 ": %" PRId64 " and %" PRId64 ", not %" PRId64 " and %" PRId64, history->name,
	          wall, got_first, got_second, first * US_PER_S, second * US_PER_S);
	return got_first == first * US_PER_S && got_second == second * US_PER_S;
}

#define YEARS_FROM 1995
#define YEARS_TO   2060

static int64_t
second_of_year(int year)
{
	struct date date;

	cr_assert_eq(date_from_civil(year, 1, 1, &date), 0);
	return date.day * INT64_C(86400);
}

/* Everything that is to be known of a zone: its changes, none left out and none too many, both offsets around each, and
 * the walls around. */
static void
check_history(const struct history *history)
{
	static const int32_t steps[] = {-90000, -86400, -7200, -3601, -3600, -1800, -1, 0, 1, 1800, 3599, 3600, 86400};
	struct zone *zone = zone_load(history->name);

	cr_assert_not_null(zone, "%s", history->name);
	struct instant at = {second_of_year(YEARS_FROM) * US_PER_S};
	cr_expect_eq(zone_offset(zone, at), history->pieces[0].offset, "%s: at the beginning", history->name);
	for (size_t i = 1; i < history->n; i++) {
		at = zone_next_change(zone, at);
		cr_expect_eq(at.us, history->pieces[i].at * US_PER_S, "%s: change %zu at %" PRId64 ", not %" PRId64,
		             history->name, i, at.us, history->pieces[i].at * US_PER_S);
		int32_t before = zone_offset(zone, (struct instant){at.us - 1});
		cr_expect_eq(before, history->pieces[i - 1].offset, "%s: before change %zu", history->name, i);
		cr_expect_eq(zone_offset(zone, at), history->pieces[i].offset, "%s: after change %zu", history->name,
		             i);
		cr_expect_eq(zone_wall(zone, at).us, at.us + history->pieces[i].offset * US_PER_S, "%s", history->name);
		for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
			int64_t t = history->pieces[i].at + steps[j];
			bool fits = zone_reads(zone, history, i, t + history->pieces[i - 1].offset) &&
			            zone_reads(zone, history, i, t + history->pieces[i].offset);
			if (!fits)
				break;
		}
	}
	at = zone_next_change(zone, at);
	cr_expect_geq(at.us, second_of_year(YEARS_TO) * US_PER_S, "%s: a change too many", history->name);
	zone_free(zone);
}

/* "NAME  Sun Mar 26 00:59:59 1995 UT = Sun Mar 26 00:59:59 1995 GMT isdst=1 gmtoff=0" */
static bool
read_zdump_line(char *line, const char **ret_name, int64_t *ret_second, int32_t *ret_offset)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month_name[4];
	int day, hour, minute, second, year, at = 0;
	struct date date;

	char *blank = strchr(line, ' ');
	const char *offset = strstr(line, "gmtoff=");
	if (blank == NULL || offset == NULL)
		return false;
	int n = sscanf(blank, " %*3s %3s %d %d:%d:%d %d UT%n", month_name, &day, &hour, &minute, &second, &year, &at);
	if (n != 6 || at == 0 || year < YEARS_FROM)
		return false;
	const char *month = strstr(months, month_name);
	cr_assert_not_null(month);
	cr_assert_eq(date_from_civil(year, (int)(month - months) / 3 + 1, day, &date), 0, "%s", line);
	*blank = '\0';
	*ret_name = line;
	*ret_second = date.day * INT64_C(86400) + hour * 3600 + minute * 60 + second;
	*ret_offset = (int32_t)strtol(offset + strlen("gmtoff="), NULL, 10);
	return true;
}

static char zone_names[1 << 16];

static int
note_zone(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)ftw;
	const char *name = path + strlen(zone_folder()) + 1;
	if (type != FTW_F || strncmp(name, "right/", 6) == 0 || strncmp(name, "posix/", 6) == 0)
		return 0;
	FILE *file = fopen(path, "rb");
	char magic[4] = "";
	bool is_zone = file != NULL && fread(magic, 1, 4, file) == 4 && memcmp(magic, "TZif", 4) == 0;
	if (file != NULL)
		(void)fclose(file); /* only read */
	if (is_zone) {
		cr_assert_lt(strlen(zone_names) + strlen(name) + 2, sizeof zone_names);
		strcat(strcat(zone_names, " "), name);
	}
	return 0;
}

Test(zone, agrees_with_zdump_on_every_installed_zone, .timeout = 120)
{
	static struct history history;
	static char command[sizeof zone_names + 100];
	const char *name = NULL;
	char line[512];
	size_t n_zones = 0;

	cr_assert_eq(nftw(zone_folder(), note_zone, 16, 0), 0);
	cr_assert_neq(zone_names[0], '\0', "no zones below %s", zone_folder());
	/* The first line of each zone is its offset at the beginning. */
	(void)snprintf(command, sizeof command, "LC_ALL=C zdump -v -c %d,%d %s", YEARS_FROM, YEARS_TO, zone_names);
	FILE *zdump = popen(command, "r");
	cr_assert_not_null(zdump);
	char expected[64] = "";
	for (const char *p = zone_names; *p != '\0'; p++)
		n_zones += *p == ' ';
	size_t n_checked = 0;
	while (fgets(line, sizeof line, zdump) != NULL) {
		int64_t second;
		int32_t offset;
		if (!read_zdump_line(line, &name, &second, &offset))
			continue;
		if (strcmp(name, expected) != 0) {
			if (history.n > 0) {
				check_history(&history);
				n_checked++;
			}
			cr_assert_lt(strlen(name), sizeof expected);
			strcpy(expected, name);
			strcpy(history.name, name);
			history.pieces[0] = (struct piece){INT64_MIN, offset};
			history.n = 1;
		}
		if (history.pieces[history.n - 1].offset != offset) {
			cr_assert_lt(history.n, sizeof history.pieces / sizeof *history.pieces);
			history.pieces[history.n++] = (struct piece){second, offset};
		}
	}
	if (history.n > 0) {
		check_history(&history);
		n_checked++;
	}
	cr_assert_eq(pclose(zdump), 0, "zdump");
	/* Zones that never change in those years have no line: their offset is compared with the C library's. */
	size_t n_changeless = 0;
	char *save = NULL;
	for (char *p = strtok_r(zone_names, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save)) {
		struct zone *zone = zone_load(p);
		cr_assert_not_null(zone, "%s", p);
		struct instant at = {second_of_year(YEARS_FROM) * US_PER_S};
		struct instant next = zone_next_change(zone, at);
		if (next.us >= second_of_year(YEARS_TO) * US_PER_S) {
			struct tm tm;
			time_t second = at.us / US_PER_S;
			cr_assert_eq(setenv("TZ", p, 1), 0);
			tzset();
			cr_assert_not_null(localtime_r(&second, &tm));
			cr_expect_eq(zone_offset(zone, at), tm.tm_gmtoff, "%s", p);
			n_changeless++;
		}
		zone_free(zone);
	}
	cr_expect_gt(n_zones, 300);
	cr_expect_geq(n_checked + n_changeless, n_zones, "%zu zones, %zu with changes, %zu without", n_zones, n_checked,
	              n_changeless);
}

/* Writing TZif files. */

struct file {
	unsigned char bytes[65536];
	size_t n;
};

static void
put(struct file *file, const void *bytes, size_t n)
{
	cr_assert_leq(file->n + n, sizeof file->bytes);
	memcpy(file->bytes + file->n, bytes, n);
	file->n += n;
}

static void
put_number(struct file *file, int64_t value, size_t width)
{
	for (size_t i = 0; i < width; i++) {
		unsigned char byte = (unsigned char)((uint64_t)value >> (8 * (width - 1 - i)));
		put(file, &byte, 1);
	}
}

struct contents {
	char version; /* '1' stands for the NUL of version 1 */
	int64_t times[4];
	unsigned char indices[4];
	size_t n_times;
	int32_t offsets[3];
	size_t n_types;
	const char *footer;
	/* what is wrong with it */
	uint32_t n_leap, n_std, n_ut;
	unsigned char std, ut, is_dst, designation;
	const char *tail;
};

static void
put_block(struct file *file, const struct contents *contents, size_t width)
{
	const char version = contents->version == '1' ? '\0' : contents->version;

	put(file, "TZif", 4);
	put(file, &version, 1);
	put(file, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	put_number(file, contents->n_ut, 4);
	put_number(file, contents->n_std, 4);
	put_number(file, contents->n_leap, 4);
	put_number(file, (int64_t)contents->n_times, 4);
	put_number(file, (int64_t)contents->n_types, 4);
	put_number(file, 4, 4);
	for (size_t i = 0; i < contents->n_times; i++)
		put_number(file, contents->times[i], width);
	put(file, contents->indices, contents->n_times);
	for (size_t i = 0; i < contents->n_types; i++) {
		put_number(file, contents->offsets[i], 4);
		put(file, &contents->is_dst, 1);
		put(file, &contents->designation, 1);
	}
	put(file, "XST", 4);
	for (size_t i = 0; i < contents->n_leap; i++) {
		put_number(file, 78796800 + (int64_t)i, width);
		put_number(file, 1, 4);
	}
	for (size_t i = 0; i < contents->n_std; i++)
		put(file, &contents->std, 1);
	for (size_t i = 0; i < contents->n_ut; i++)
		put(file, &contents->ut, 1);
}

static void
file_make(struct file *file, const struct contents *contents)
{
	file->n = 0;
	put_block(file, contents, 4);
	if (contents->version != '1') {
		put_block(file, contents, 8);
		put(file, "\n", 1);
		put(file, contents->footer, strlen(contents->footer));
		put(file, "\n", 1);
	}
	if (contents->tail != NULL)
		put(file, contents->tail, strlen(contents->tail));
}

static int
zone_make(const struct contents *contents, struct zone **ret)
{
	struct file *file = malloc(sizeof *file);
	cr_assert_not_null(file);
	file_make(file, contents);
	/* In a block of just its size, so that a sanitizer sees a byte too many. */
	unsigned char *exact = malloc(file->n);
	cr_assert_not_null(exact);
	memcpy(exact, file->bytes, file->n);
	int r = zone_new_tzif("made", exact, file->n, ret);
	free(exact);
	free(file);
	return r;
}

static struct zone *
zone_of_footer(const char *footer)
{
	struct contents contents = {.version = '3', .offsets = {0}, .n_types = 1, .footer = footer};
	struct zone *zone = NULL;

	cr_assert_eq(zone_make(&contents, &zone), 0, "%s", footer);
	return zone;
}

/* Every hour of some years, and of the same years 400 and 2000 later. */
Test(zone, footers_agree_with_the_c_library, .timeout = 60)
{
	static const char *const footers[] = {
	    "EST5EDT,M3.2.0,M11.1.0",
	    "<+03>-3",
	    "UTC0",
	    "<+0545>-5:45",
	    "XST-3:25:45",
	    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	    "IST-1GMT0,M10.5.0,M3.5.0/1",
	    "IST-2IDT,M3.4.4/26,M10.5.0",
	    "AEST-10AEDT,M10.1.0,M4.1.0/3",
	    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
	    "EST5EDT4:30,J60/3:30:15,J300/1",
	    "EST5EDT,59,299/-3",
	    "EST5EDT,J59,J60",
	    "EST5EDT,M2.5.1/0,M12.5.6/23:59:59",
	    "WGT3WGST,M3.5.0/-160,M10.5.0/160",
	};

	for (size_t i = 0; i < sizeof footers / sizeof *footers; i++) {
		struct zone *zone = zone_of_footer(footers[i]);
		cr_assert_eq(setenv("TZ", footers[i], 1), 0);
		tzset();
		for (int year = 2024; year < 2029; year++) {
			for (time_t t = second_of_year(year); t < second_of_year(year + 1); t += 1800) {
				struct tm tm;
				cr_assert_not_null(localtime_r(&t, &tm));
				for (int64_t cycles = -2; cycles <= 5; cycles += cycles == 1 ? 4 : 1) {
					struct instant at = {(t + cycles * 146097 * 86400) * US_PER_S};
					if (zone_offset(zone, at) != tm.tm_gmtoff)
						cr_assert_fail("%s: %lld and %lld cycles: %d, not %ld", footers[i],
						               (long long)t, (long long)cycles, zone_offset(zone, at),
						               tm.tm_gmtoff);
				}
			}
		}
		zone_free(zone);
	}
}

Test(zone, footer_can_say_all_year)
{
	static const struct {
		const char *footer;
		int32_t offset;
	} rows[] = {
	    {"EST5EDT,0/0,J365/25", -4 * 3600},
	    {"XXX3EDT4,0/0,J365/23", -4 * 3600},
	    {"AAA-5BBB,M1.1.1/-167,M12.5.0/167", 6 * 3600},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zone *zone = zone_of_footer(rows[i].footer);
		cr_expect_eq(zone_next_change(zone, (struct instant){0}).us, INT64_MAX, "%s", rows[i].footer);
		for (int year = 1900; year < 3000; year += 7) {
			struct instant at = {second_of_year(year) * US_PER_S};
			cr_expect_eq(zone_offset(zone, at), rows[i].offset, "%s in %d", rows[i].footer, year);
		}
		zone_free(zone);
	}
}

Test(zone, refuses_footers_that_are_no_rule)
{
	static const char *const footers[] = {
	    "EST",
	    "5",
	    "ES5",
	    "EST25",
	    "EST24:60",
	    "EST5:00:60",
	    "EST5 ",
	    " EST5",
	    "<+3>-3",
	    "<+03-3",
	    "<+0 3>-3",
	    "EST5EDT",
	    "EST5EDT4",
	    "EST5EDT,M3.2.0",
	    "EST5EDT,M3.2.0,",
	    "EST5EDT,M3.2.0,M11.1.0,",
	    "EST5EDT,M3.2.0,M11.1.0 ",
	    "EST5EDT,M13.1.0,M11.1.0",
	    "EST5EDT,M0.1.0,M11.1.0",
	    "EST5EDT,M3.0.0,M11.1.0",
	    "EST5EDT,M3.6.0,M11.1.0",
	    "EST5EDT,M3.2.7,M11.1.0",
	    "EST5EDT,M3.2,M11.1.0",
	    "EST5EDT,J0,M11.1.0",
	    "EST5EDT,J366,M11.1.0",
	    "EST5EDT,366,M11.1.0",
	    "EST5EDT,M3.2.0/168,M11.1.0",
	    "EST5EDT,M3.2.0/-168,M11.1.0",
	    "EST5EDT,M3.2.0/2:60,M11.1.0",
	    "EST5EDT,M3.2.0/,M11.1.0",
	    "EST99999999999999999999",
	    "EST5\nEST5",
	    "\n",
	};

	for (size_t i = 0; i < sizeof footers / sizeof *footers; i++) {
		struct contents contents = {.version = '3', .n_types = 1, .footer = footers[i]};
		struct zone *zone = NULL;
		cr_expect_eq(zone_make(&contents, &zone), -EINVAL, "\"%s\"", footers[i]);
		cr_expect_null(zone, "\"%s\"", footers[i]);
	}
}

/* The bare minimum, then one thing wrong or unusual in each row. */
Test(zone, checks_every_count_and_index)
{
	static const struct {
		const char *what;
		int r;
		struct contents given;
	} rows[] = {
	    {"version 1", 0, {.version = '1', .n_types = 1, .footer = ""}},
	    {"version 2", 0, {.version = '2', .n_types = 1, .footer = ""}},
	    {"version 4", 0, {.version = '4', .n_types = 1, .footer = "UTC0"}},
	    {"a version unheard of", -EINVAL, {.version = '5', .n_types = 1, .footer = ""}},
	    {"no version", -EINVAL, {.version = ' ', .n_types = 1, .footer = ""}},
	    {"no types", -EINVAL, {.version = '2', .footer = ""}},
	    {"an index of a type", 0, {.version = '2', .n_types = 2, .n_times = 1, .indices = {1}, .footer = ""}},
	    {"an index too large", -EINVAL, {.version = '2', .n_types = 2, .n_times = 1, .indices = {2}, .footer = ""}},
	    {"in order", 0, {.version = '2', .n_types = 1, .n_times = 2, .times = {-5, 5}, .footer = ""}},
	    {"out of order", -EINVAL, {.version = '2', .n_types = 1, .n_times = 2, .times = {5, -5}, .footer = ""}},
	    {"a time twice", -EINVAL, {.version = '2', .n_types = 1, .n_times = 2, .times = {5, 5}, .footer = ""}},
	    {"leap seconds", -EINVAL, {.version = '2', .n_types = 1, .n_leap = 1, .footer = ""}},
	    {"std for each type", 0, {.version = '2', .n_types = 2, .n_std = 2, .std = 1, .footer = ""}},
	    {"std for some types", -EINVAL, {.version = '2', .n_types = 2, .n_std = 1, .footer = ""}},
	    {"std neither 0 nor 1", -EINVAL, {.version = '2', .n_types = 1, .n_std = 1, .std = 2, .footer = ""}},
	    {"ut with std", 0, {.version = '2', .n_types = 1, .n_std = 1, .std = 1, .n_ut = 1, .ut = 1, .footer = ""}},
	    {"ut without std", -EINVAL, {.version = '2', .n_types = 1, .n_std = 1, .n_ut = 1, .ut = 1, .footer = ""}},
	    {"ut and no std at all", -EINVAL, {.version = '2', .n_types = 1, .n_ut = 1, .ut = 1, .footer = ""}},
	    {"ut for some types", -EINVAL, {.version = '2', .n_types = 2, .n_ut = 1, .footer = ""}},
	    {"dst neither 0 nor 1", -EINVAL, {.version = '2', .n_types = 1, .is_dst = 2, .footer = ""}},
	    {"the last designation", 0, {.version = '2', .n_types = 1, .designation = 3, .footer = ""}},
	    {"a designation too far", -EINVAL, {.version = '2', .n_types = 1, .designation = 4, .footer = ""}},
	    {"the least offset", 0, {.version = '2', .n_types = 1, .offsets = {-89999}, .footer = ""}},
	    {"an offset too small", -EINVAL, {.version = '2', .n_types = 1, .offsets = {-90000}, .footer = ""}},
	    {"the largest offset", 0, {.version = '2', .n_types = 1, .offsets = {93599}, .footer = ""}},
	    {"an offset too large", -EINVAL, {.version = '2', .n_types = 1, .offsets = {93600}, .footer = ""}},
	    {"bytes after the footer", -EINVAL, {.version = '2', .n_types = 1, .footer = "", .tail = "x"}},
	    {"bytes after version 1", -EINVAL, {.version = '1', .n_types = 1, .footer = "", .tail = "x"}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zone *zone = NULL;
		cr_expect_eq(zone_make(&rows[i].given, &zone), rows[i].r, "%s", rows[i].what);
		cr_expect_eq(zone != NULL, rows[i].r == 0, "%s", rows[i].what);
		zone_free(zone);
	}
}

Test(zone, refuses_every_truncation_of_real_files)
{
	static const char *const names[] = {"Europe/Dublin", "Asia/Kathmandu", "Africa/Casablanca"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[512];
		size_t n = 0;
		(void)snprintf(path, sizeof path, "%s/%s", zone_folder(), names[i]);
		unsigned char *bytes = file_load(path, &n);
		cr_assert_not_null(bytes, "%s", path);
		for (size_t k = 0; k < n; k++) {
			struct zone *zone = NULL;
			unsigned char *copy = malloc(k + 1);
			cr_assert_not_null(copy);
			memcpy(copy + 1, bytes, k);
			if (zone_new_tzif(names[i], copy + 1, k, &zone) != -EINVAL || zone != NULL)
				cr_assert_fail("%s: %zu bytes of %zu", names[i], k, n);
			free(copy);
		}
		free(bytes);
	}
}

/* No matter where the transitions lie, every instant has an offset and every wall an instant. */
Test(zone, bears_transitions_at_the_ends_of_time)
{
	static const struct contents rows[] = {
	    {.version = '2',
	     .n_types = 2,
	     .offsets = {0, 3600},
	     .n_times = 2,
	     .times = {INT64_MIN, INT64_MAX},
	     .indices = {1, 0},
	     .footer = "EST5EDT,M3.2.0,M11.1.0"},
	    {.version = '2',
	     .n_types = 2,
	     .offsets = {0, 3600},
	     .n_times = 3,
	     .times = {-(INT64_C(1) << 59), -9223372036855, -9223372036854},
	     .indices = {1, 0, 1},
	     .footer = "EST5EDT,M3.2.0,M11.1.0"},
	    {.version = '2',
	     .n_types = 2,
	     .offsets = {0, 3600},
	     .n_times = 2,
	     .times = {9223372036853, 9223372036854},
	     .indices = {1, 0},
	     .footer = "EST5EDT,M3.2.0,M11.1.0"},
	    {.version = '2',
	     .n_types = 2,
	     .offsets = {-89999, 93599},
	     .n_times = 4,
	     .times = {0, 1, 2, 3},
	     .indices = {1, 0, 1, 0},
	     .footer = ""},
	    {.version = '2', .n_types = 1, .footer = "EST5EDT,M3.2.0,M11.1.0"},
	    {.version = '2', .n_types = 1, .footer = "EST5EDT,J365/167,0/-167"},
	    {.version = '2', .n_types = 1, .footer = "EST24EDT-24,J1/0,J365/167"},
	};
	static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zone *zone = NULL;
		cr_assert_eq(zone_make(&rows[i], &zone), 0, "row %zu", i);
		for (size_t j = 0; j < sizeof ends / sizeof *ends; j++) {
			struct instant at = {ends[j]};
			int32_t offset = zone_offset(zone, at);
			cr_expect(offset > -90000 && offset < 93600, "row %zu", i);
			cr_expect_gt(zone_next_change(zone, at).us, at.us < INT64_MAX ? at.us : at.us - 1, "row %zu",
			             i);
			struct wall wall = {ends[j]};
			int64_t first = zone_instant(zone, wall, ZONE_FIRST).us;
			int64_t second = zone_instant(zone, wall, ZONE_SECOND).us;
			cr_expect_leq(first, second, "row %zu, wall %zu", i, j);
			if (ends[j] > -10 && ends[j] < 10)
				cr_expect(first > -2 * US_PER_DAY && second < 2 * US_PER_DAY, "row %zu, wall %zu", i,
				          j);
		}
		zone_free(zone);
	}
}

/* A slim file has no transitions where its footer does; a fat one of version 1 has nothing else. */
Test(zone, reads_slim_and_old_files)
{
	/* New York from 2007 on, and the last change before. */
	static const struct contents slim = {.version = '2',
	                                     .n_types = 2,
	                                     .offsets = {-18000, -14400},
	                                     .n_times = 2,
	                                     .times = {1162101600, 1173596400},
	                                     .indices = {0, 1},
	                                     .footer = "EST5EDT,M3.2.0,M11.1.0"};
	static const struct contents old = {.version = '1',
	                                    .n_types = 2,
	                                    .offsets = {-18000, -14400},
	                                    .n_times = 3,
	                                    .times = {1162101600, 1173596400, 1194156000},
	                                    .indices = {0, 1, 0}};
	struct zone *full = zone_load("America/New_York");
	struct zone *zones[2] = {NULL, NULL};

	cr_assert_eq(zone_make(&slim, &zones[0]), 0);
	cr_assert_eq(zone_make(&old, &zones[1]), 0);
	cr_assert_not_null(full);
	for (int64_t t = 1162101600; t < INT64_C(7000000000); t += 1800) {
		struct instant at = {t * US_PER_S};
		cr_assert_eq(zone_offset(zones[0], at), zone_offset(full, at), "%" PRId64, t);
		int32_t expect = t < 1205046000 ? zone_offset(full, at) : -18000;
		cr_assert_eq(zone_offset(zones[1], at), expect, "%" PRId64, t);
	}
	cr_expect_eq(zone_next_change(zones[1], (struct instant){INT64_C(1194156000) * US_PER_S}).us, INT64_MAX);
	zone_free(zones[0]);
	zone_free(zones[1]);
	zone_free(full);
}

Test(zone, fixed_offsets)
{
	static const struct {
		const char *given;
		int r;
		int32_t offset;
	} rows[] = {
	    {"UTC", 0, 0},
	    {"UTC-08:00", 0, -8 * 3600},
	    {"UTC+5", 0, 5 * 3600},
	    {"UTC+05", 0, 5 * 3600},
	    {"UTC+05:45", 0, 5 * 3600 + 45 * 60},
	    {"UTC-9:30", 0, -(9 * 3600 + 30 * 60)},
	    {"UTC+00:00", 0, 0},
	    {"UTC-23:59", 0, -(23 * 3600 + 59 * 60)},
	    {"", -EINVAL, 0},
	    {"U", -EINVAL, 0},
	    {"utc", -EINVAL, 0},
	    {"UTC5", -EINVAL, 0},
	    {"UTC+", -EINVAL, 0},
	    {"UTC+24", -EINVAL, 0},
	    {"UTC+005", -EINVAL, 0},
	    {"UTC+05:", -EINVAL, 0},
	    {"UTC+05:4", -EINVAL, 0},
	    {"UTC+05:60", -EINVAL, 0},
	    {"UTC+05:450", -EINVAL, 0},
	    {"UTC+0545", -EINVAL, 0},
	    {"UTC +5", -EINVAL, 0},
	    {"UTC+:30", -EINVAL, 0},
	    {"Europe/London", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zone *zone = NULL;
		cr_expect_eq(zone_new_fixed(rows[i].given, &zone), rows[i].r, "%s", rows[i].given);
		if (zone == NULL)
			continue;
		struct instant at = {INT64_C(1772442000000000)};
		cr_expect_str_eq(zone_name(zone), rows[i].given);
		cr_expect_eq(zone_offset(zone, at), rows[i].offset, "%s", rows[i].given);
		cr_expect_eq(zone_wall(zone, at).us, at.us + rows[i].offset * US_PER_S, "%s", rows[i].given);
		cr_expect_eq(zone_instant(zone, zone_wall(zone, at), ZONE_FIRST).us, at.us, "%s", rows[i].given);
		cr_expect_eq(zone_next_change(zone, at).us, INT64_MAX, "%s", rows[i].given);
		zone_free(zone);
	}
}
