/* zone – see zone.h. */
#include <config.h>

#include "common/base/zone.h"

#include <ctype.h>
#include <fcntl.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

enum { DAY = 86400, HEADER = 44, FILE_MAX_BYTES = 256 * 1024, NAME_LEN = 64, RULE_LEN = 64 };

/* M3.5.0/2 (last Sunday of March), J60 (never 29 February), or 59 (0-based); at seconds of that
 * day. */
struct turn {
	char kind;
	int month, week, day;
	int64_t at;
};

struct zone {
	int64_t *times; /* of the changes, rising */
	int64_t *after; /* offset from each on */
	size_t n;
	int64_t before; /* offset before the first */
	bool rule;      /* behind the last one */
	bool has_dst;
	int64_t standard, dst;
	struct turn start, end;
};

/* ---- days ---- */

/* Of a date of the Gregorian calendar, since 1970-01-01. */
static int64_t day_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t year_of(int64_t utc)
{
	int64_t day = floor_div(utc, DAY), y = 1970 + floor_div(day * 400, 146097);

	while (day_of(y + 1, 1, 1) <= day)
		y++;
	while (day_of(y, 1, 1) > day)
		y--;
	return y;
}

static bool is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* ---- the rule at the end of a file ---- */

static bool number(const char **s, int *n)
{
	if (!isdigit((unsigned char)**s))
		return false;
	for (*n = 0; isdigit((unsigned char)**s) && *n < 10000; (*s)++)
		*n = *n * 10 + **s - '0';
	return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool clock_at(const char **s, int64_t *out)
{
	int part[3] = { 0, 0, 0 }, sign = **s == '-' ? -1 : 1;

	if (**s == '-' || **s == '+')
		(*s)++;
	for (int i = 0; i < 3; i++) {
		if (i && **s != ':')
			break;
		*s += i > 0;
		if (!number(s, &part[i]))
			return false;
	}
	*out = sign * (part[0] * 3600LL + part[1] * 60 + part[2]);
	return part[0] <= 167 && part[1] < 60 && part[2] < 60;
}

static bool abbreviation(const char **s)
{
	const char *from = *s;

	if (**s == '<') {
		*s += strcspn(*s, ">");
		return *(*s)++ == '>';
	}
	while (isalpha((unsigned char)**s))
		(*s)++;
	return *s - from >= 3;
}

static bool turn_at(const char **s, struct turn *t)
{
	bool good;

	*t = (struct turn){ .kind = '0', .at = 2 * 3600 };
	if (*(*s)++ != ',')
		return false;
	if (**s == 'M') {
		t->kind = *(*s)++;
		good = number(s, &t->month) && *(*s)++ == '.' && number(s, &t->week) &&
		       *(*s)++ == '.' && number(s, &t->day) && t->month >= 1 && t->month <= 12 &&
		       t->week >= 1 && t->week <= 5 && t->day <= 6;
	} else {
		if (**s == 'J')
			t->kind = *(*s)++;
		good = number(s, &t->day) && t->day <= 365 && (t->kind != 'J' || t->day >= 1);
	}
	if (good && **s == '/') {
		(*s)++;
		good = clock_at(s, &t->at);
	}
	return good;
}

static bool read_rule(struct zone *z, const char *s)
{
	int64_t west;
	bool good = abbreviation(&s) && clock_at(&s, &west);

	z->rule = good;
	if (!good || !*s) {
		z->standard = good ? -west : 0;
		return good;
	}
	z->standard = -west;
	z->dst = z->standard + 3600;
	z->has_dst = good = abbreviation(&s);
	if (good && *s && *s != ',') {
		good = clock_at(&s, &west);
		z->dst = -west;
	}
	return good && turn_at(&s, &z->start) && turn_at(&s, &z->end) && !*s;
}

/* When it turns in that year, by a clock that is `offset` east of UTC before. */
static int64_t turns(const struct turn *t, int64_t year, int64_t offset)
{
	int64_t day = day_of(year, 1, 1), first;
	int month_days, weekday;

	if (t->kind == 'J') {
		day += t->day - 1 + (is_leap(year) && t->day >= 60);
	} else if (t->kind == 'M') {
		first = day_of(year, t->month, 1);
		month_days = (int)(day_of(t->month == 12 ? year + 1 : year, t->month % 12 + 1, 1) -
				   first);
		weekday =
			(int)((first % 7 + 7 + 4) % 7); /* 1970-01-01 was a Thursday, Sunday is 0 */
		day = (t->day - weekday + 7) % 7 + (t->week - 1) * 7;
		while (day >= month_days)
			day -= 7;
		day += first;
	} else {
		day += t->day;
	}
	return day * DAY + t->at - offset;
}

static int64_t by_rule(const struct zone *z, int64_t utc)
{
	int64_t year, on, off;

	if (!z->has_dst)
		return z->standard;
	year = year_of(utc + z->standard);
	on = turns(&z->start, year, z->standard);
	off = turns(&z->end, year, z->dst);
	if (on < off)
		return utc >= on && utc < off ? z->dst : z->standard;
	return utc >= off && utc < on ? z->standard : z->dst;
}

/* ---- the file ---- */

static int64_t big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = *p & 0x80 ? UINT64_MAX : 0;

	while (n--)
		v = v << 8 | *p++;
	return (int64_t)v;
}

/* The counts of a header, in the order of the file. */
enum { IS_UT, IS_STD, LEAPS, TIMES, TYPES, CHARS, COUNTS };

static bool header(const unsigned char *p, size_t n, size_t count[COUNTS])
{
	if (n < HEADER || memcmp(p, "TZif", 4) != 0)
		return false;
	for (size_t i = 0; i < COUNTS; i++) {
		count[i] = (size_t)(uint32_t)big_endian(p + 20 + i * 4, 4);
		if (count[i] > FILE_MAX_BYTES)
			return false;
	}
	return true;
}

static size_t block_size(const size_t c[COUNTS], size_t width)
{
	return c[TIMES] * (width + 1) + c[TYPES] * 6 + c[CHARS] + c[LEAPS] * (width + 4) +
	       c[IS_STD] + c[IS_UT];
}

static bool read_block(struct zone *z, const unsigned char *p, const size_t c[COUNTS], size_t width)
{
	const unsigned char *which = p + c[TIMES] * width, *types = which + c[TIMES];

	if (!c[TYPES])
		return false;
	z->times = xcalloc(c[TIMES], sizeof(*z->times));
	z->after = xcalloc(c[TIMES], sizeof(*z->after));
	z->before = big_endian(types, 4);
	for (size_t i = 0; i < c[TIMES]; i++) {
		if (which[i] >= c[TYPES])
			return false;
		z->times[i] = big_endian(p + i * width, width);
		z->after[i] = big_endian(types + which[i] * 6, 4);
		if (i && z->times[i] <= z->times[i - 1])
			return false;
	}
	z->n = c[TIMES];
	return true;
}

/* "\n<rule>\n"; an empty one says nothing. */
static bool read_footer(struct zone *z, const unsigned char *p, size_t n)
{
	char rule[RULE_LEN];
	size_t len = 0;

	while (n > len + 1 && p[len + 1] != '\n')
		len++;
	if (n < 2 || *p != '\n' || len >= sizeof(rule) || n <= len + 1)
		return false;
	memcpy(rule, p + 1, len);
	rule[len] = '\0';
	return !len || read_rule(z, rule);
}

static bool read_file(struct zone *z, const unsigned char *p, size_t n)
{
	size_t c[COUNTS], width = 4, skip;

	if (!header(p, n, c))
		return false;
	if (p[4] >= '2') { /* the second block has all of it, in 64 bits */
		skip = HEADER + block_size(c, 4);
		if (skip >= n || !header(p + skip, n - skip, c))
			return false;
		p += skip;
		n -= skip;
		width = 8;
	}
	p += HEADER;
	n -= HEADER;
	skip = block_size(c, width);
	if (skip > n || !read_block(z, p, c, width))
		return false;
	return width == 4 || read_footer(z, p + skip, n - skip);
}

int zone_read(struct zone **out, const unsigned char *bytes, size_t n, struct ps_err *err)
{
	struct zone *z = xcalloc(1, sizeof(*z));

	if (!read_file(z, bytes, n)) {
		zone_free(z);
		return ps_err_set(err, PS_EINVAL, "not a file of the time zone database");
	}
	*out = z;
	return 0;
}

int zone_rule(struct zone **out, const char *rule, struct ps_err *err)
{
	struct zone *z = xcalloc(1, sizeof(*z));

	if (!read_rule(z, rule)) {
		zone_free(z);
		return ps_err_set(err, PS_EINVAL, "'%s' is no rule of a time zone", rule);
	}
	*out = z;
	return 0;
}

static bool is_name(const char *name)
{
	return *name && strlen(name) <= NAME_LEN && fs_is_clean_relative(name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_/") ==
		       strlen(name);
}

int zone_open(struct zone **out, const char *name, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	char *path;
	int rc;

	if (strcmp(name, "UTC") == 0)
		return zone_rule(out, "UTC0", err);
	if (!is_name(name))
		return ps_err_set(err, PS_ENOENT, "'%s' is no time zone", name);
	path = fs_join("/usr/share/zoneinfo", name);
	rc = fs_read(&b, AT_FDCWD, path, FILE_MAX_BYTES, NULL);
	if (rc == 0)
		rc = zone_read(out, (const unsigned char *)buf_str(&b), b.len, NULL);
	if (rc < 0)
		rc = ps_err_set(err, PS_ENOENT, "'%s' is no time zone that this machine knows",
				name);
	buf_clear(&b);
	free(path);
	return rc;
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->times);
	free(z->after);
	free(z);
}

int64_t zone_offset(const struct zone *z, int64_t utc)
{
	size_t from = 0, to = z->n;

	while (from < to) { /* the first change behind utc */
		size_t mid = from + (to - from) / 2;

		if (z->times[mid] <= utc)
			from = mid + 1;
		else
			to = mid;
	}
	if (z->rule && from == z->n)
		return by_rule(z, utc);
	return from ? z->after[from - 1] : z->before;
}

struct zone_local zone_local(const struct zone *z, int64_t utc)
{
	int64_t local = utc + zone_offset(z, utc), day = floor_div(local, DAY);

	return (struct zone_local){ .day = day,
				    .weekday = (unsigned)((day % 7 + 7 + 3) % 7),
				    .minute = (unsigned)((local - day * DAY) / 60) };
}
