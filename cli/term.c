#include "config.h"

#include "cli/term.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "common/base/clock.h"
#include "common/base/escape.h"

enum { COLS_MAX = 16, CUT_MIN = 8, GAP = 2 };

static bool env_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v;
}

static unsigned columns(int fd)
{
	struct winsize ws;
	const char *env = getenv("COLUMNS");

	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	if (env && atoi(env) > 0)
		return (unsigned)atoi(env);
	return 80;
}

bool term_init(struct term *r, int fd, const char *when)
{
	const char *term = getenv("TERM");

	r->tty = isatty(fd) == 1;
	r->width = r->tty ? columns(fd) : 0;
	r->ascii = env_set("PENSTOCK_ASCII") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	if (ps_streq(when, "always"))
		r->color = true;
	else if (ps_streq(when, "never") || env_set("NO_COLOR"))
		r->color = false;
	else
		r->color = env_set("CLICOLOR_FORCE") || (r->tty && !ps_streq(term, "dumb"));
	return !when || ps_streq(when, "always") || ps_streq(when, "never") ||
		ps_streq(when, "auto");
}

const char *term_color(const struct term *r, enum role role)
{
	static const char *const ansi[] = {
		[ROLE_NONE] = "", [ROLE_GOOD] = "\033[32m", [ROLE_BAD] = "\033[31m",
			[ROLE_RUN] = "\033[36m",
		[ROLE_WAIT] = "\033[33m", [ROLE_IDLE] = "\033[2m", [ROLE_ODD] = "\033[35m",
	};

	return r->color ? ansi[role] : "";
}

const char *term_plain(const struct term *r)
{
	return r->color ? "\033[0m" : "";
}

/* The next character of s: its bytes and its columns. s is UTF-8 (escaped before it comes here). */
static size_t glyph(const char *s, size_t *cols)
{
	size_t left = strlen(s), n = utf8_len((const unsigned char *)s, left);
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	wchar_t c;
	int w;

	if (n == 0) {
		*cols = 1;
		return 1;
	}
	c = (wchar_t)((unsigned char)s[0] & first[n]);
	for (size_t i = 1; i < n; i++)
		c = (wchar_t)((unsigned)c << 6 | ((unsigned char)s[i] & 0x3f));
	w = wcwidth(c);
	*cols = w < 0 ? 1 : (size_t)w;
	return n;
}

size_t term_width(const char *text)
{
	size_t width = 0, cols;

	while (*text) {
		text += glyph(text, &cols);
		width += cols;
	}
	return width;
}

/* Bytes of the longest start of text that takes at most width columns. */
static size_t fitting(const char *text, size_t width)
{
	size_t n = 0, used = 0, cols;

	while (text[n]) {
		size_t bytes = glyph(text + n, &cols);

		if (used + cols > width)
			break;
		used += cols;
		n += bytes;
	}
	return n;
}

void term_cut(struct buf *out, const struct term *r, const char *text, size_t width, bool middle)
{
	const char *dots = r->ascii ? ".." : "…";
	size_t have = term_width(text), mark = r->ascii ? 2 : 1, head, tail;

	if (have <= width) {
		buf_adds(out, text);
		return;
	}
	width = width > mark ? width - mark : 0;
	tail = middle ? width / 2 : 0;
	head = width - tail;
	buf_add(out, text, fitting(text, head));
	buf_adds(out, dots);
	while (tail && term_width(text) > tail) {
		size_t cols;

		text += glyph(text, &cols);
	}
	if (tail)
		buf_adds(out, text);
}

int64_t term_parse_time(const char *iso)
{
	struct tm tm = { 0 };
	const char *rest = iso ? strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t ms = 0;

	if (!rest)
		return -1;
	if (*rest == '.')
		ms = strtol(rest + 1, NULL, 10) % 1000;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

void term_time(struct buf *out, const struct term *r, const char *iso, int64_t now_ms)
{
	int64_t at = term_parse_time(iso);
	char text[CLOCK_TEXT];

	if (at < 0)
		buf_adds(out, "-");
	else if (r->tty)
		buf_adds(out, clock_age(text, now_ms > at ? now_ms - at : 0));
	else
		buf_adds(out, clock_text(text, at));
}

void term_span(struct buf *out, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 10)
		buf_addf(out, "%lld.%lld s", (long long)s, (long long)(ms % 1000 / 100));
	else if (s < 60)
		buf_addf(out, "%lld s", (long long)s);
	else if (s < 3600)
		buf_addf(out, "%lld m %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		buf_addf(out, "%lld h %lld m", (long long)(s / 3600), (long long)(s / 60 % 60));
}

static void add_escaped(struct buf *out, const char *text)
{
	escape_buf(out, text, strlen(text), false);
}

static void state_text(struct buf *out, const struct term *r, const char *state, const char *reason)
{
	const struct look *look = state_look(state);

	if (r->ascii)
		buf_addch(out, look->ascii);
	else
		buf_adds(out, look->symbol);
	buf_addch(out, ' ');
	add_escaped(out, state);
	if (reason && *reason && (ps_streq(state, "waiting") || ps_streq(state, "queued"))) {
		buf_adds(out, ": ");
		add_escaped(out, reason);
	} else if (reason && *reason && ps_streq(state, "mixed")) {
		buf_adds(out, " (");
		add_escaped(out, reason);
		buf_addch(out, ')');
	}
}

void term_state(struct buf *out, const struct term *r, const char *state, const char *reason)
{
	buf_adds(out, term_color(r, state_look(state)->role));
	state_text(out, r, state, reason);
	buf_adds(out, term_plain(r));
}

/* The text of one cell, escaped, without colour. free() it. */
static char *cell(const struct term *r, const struct column *col, const json_t *item,
		  int64_t now_ms)
{
	const json_t *v = json_object_get(item, col->key);
	const char *text = json_string_value(v);
	struct buf b = BUF_INIT;

	if (!v || json_is_null(v) || (text && !*text)) {
		buf_adds(&b, r->ascii ? "-" : "–");
	} else if (col->kind == COL_TIME) {
		term_time(&b, r, text, now_ms);
	} else if (col->kind == COL_SPAN) {
		term_span(&b, json_integer_value(v));
	} else if (col->kind == COL_STATE) {
		state_text(&b, r, text ? text : "unknown",
			   json_string_value(json_object_get(item, "reason")));
	} else if (col->kind == COL_OID && text) {
		escape_buf(&b, text, r->tty && strlen(text) > 12 ? 12 : strlen(text), false);
	} else if (col->kind == COL_LIST && json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			const char *one = json_string_value(json_array_get(v, i));

			buf_adds(&b, i ? ", " : "");
			add_escaped(&b, one ? one : "?");
		}
		if (json_array_size(v) == 0)
			buf_adds(&b, r->ascii ? "-" : "–");
	} else if (json_is_integer(v)) {
		buf_addf(&b, "%lld", (long long)json_integer_value(v));
	} else if (json_is_boolean(v)) {
		buf_adds(&b, json_is_true(v) ? "yes" : "no");
	} else {
		add_escaped(&b, text ? text : "?");
	}
	return buf_steal(&b);
}

struct grid {
	size_t ncols, nrows;
	char **cells;			/* nrows * ncols, titles first */
	size_t width[COLS_MAX];
	bool hidden[COLS_MAX];
};

static size_t grid_width(const struct grid *g)
{
	size_t sum = 0;

	for (size_t c = 0; c < g->ncols; c++)
		if (!g->hidden[c])
			sum += g->width[c] + (sum ? GAP : 0);
	return sum;
}

/* Leaves columns out, then narrows the widest that may be cut, until the line fits. */
static void grid_fit(struct grid *g, const struct column *cols, size_t width)
{
	while (grid_width(g) > width) {
		size_t drop = COLS_MAX, cut = COLS_MAX;

		for (size_t c = 0; c < g->ncols; c++) {
			if (g->hidden[c])
				continue;
			if (cols[c].drop && (drop == COLS_MAX || cols[c].drop < cols[drop].drop))
				drop = c;
			if ((cols[c].kind == COL_NAME || cols[c].kind == COL_TEXT ||
			     cols[c].kind == COL_LIST) &&
			    g->width[c] > CUT_MIN &&
			    (cut == COLS_MAX || g->width[c] > g->width[cut]))
				cut = c;
		}
		if (drop < COLS_MAX)
			g->hidden[drop] = true;
		else if (cut < COLS_MAX)
			g->width[cut]--;
		else
			return;
	}
}

static void grid_print(struct buf *out, const struct term *r, const struct column *cols,
		       const struct grid *g, const json_t *items)
{
	for (size_t row = 0; row < g->nrows; row++) {
		struct buf line = BUF_INIT;
		size_t at = 0, want = 0;

		for (size_t c = 0; c < g->ncols; c++) {
			struct buf b = BUF_INIT;
			const char *tint = row == 0 ? term_color(r, ROLE_IDLE) : "";

			if (g->hidden[c])
				continue;
			for (; at < want; at++)		/* blanks only where something follows */
				buf_addch(&line, ' ');
			term_cut(&b, r, g->cells[row * g->ncols + c], g->width[c],
				 cols[c].kind == COL_NAME);
			if (row > 0 && cols[c].kind == COL_STATE)
				tint = term_color(r, state_look(json_string_value(json_object_get(
					json_array_get(items, row - 1), cols[c].key)))->role);
			buf_addf(&line, "%s%s%s", tint, buf_str(&b), *tint ? term_plain(r) : "");
			at += term_width(buf_str(&b));
			want += g->width[c] + GAP;
			buf_clear(&b);
		}
		buf_addf(out, "%s\n", buf_str(&line));
		buf_clear(&line);
	}
}

void term_table(struct buf *out, const struct term *r, const struct column *cols,
		  const json_t *items, int64_t now_ms)
{
	struct grid g = { .nrows = json_array_size(items) + 1 };

	while (g.ncols < COLS_MAX && cols[g.ncols].title)
		g.ncols++;
	g.cells = xcalloc(g.nrows * g.ncols, sizeof(*g.cells));
	for (size_t row = 0; row < g.nrows; row++) {
		for (size_t c = 0; c < g.ncols; c++) {
			char *text = row == 0 ? xstrdup(cols[c].title)
					      : cell(r, &cols[c], json_array_get(items, row - 1),
						     now_ms);
			size_t w = term_width(text);

			g.cells[row * g.ncols + c] = text;
			if (w > g.width[c])
				g.width[c] = w;
		}
	}
	if (r->width)
		grid_fit(&g, cols, r->width);
	grid_print(out, r, cols, &g, items);
	for (size_t i = 0; i < g.nrows * g.ncols; i++)
		free(g.cells[i]);
	free(g.cells);
}
