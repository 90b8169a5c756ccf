#include "config.h"

#include "cli/progress.h"

#include "common/base/clock.h"
#include "common/base/escape.h"

enum { BAR = 20, MS = 1000000, DRAW_MS = 200, TELL_MS = 30000, SHORT_MS = 500 };

void progress_begin(struct progress *p, struct cli *cli, const char *what, size_t total)
{
	*p = (struct progress) { .cli = cli, .what = what, .total = total,
				 .begun_ns = clock_boot_ns() };
	/* what is over at once shows none */
	p->next_ns = p->begun_ns + (int64_t)(cli->err.tty ? SHORT_MS : TELL_MS) * MS;
}

/* "▓▓▓▓░░░░  412/1000  ~8 s left" */
static void add_bar(struct buf *b, const struct progress *p, size_t done, int64_t now)
{
	const struct term *t = &p->cli->err;
	size_t full = done * BAR / p->total;

	buf_adds(b, term_color(t, ROLE_RUN));
	for (size_t i = 0; i < BAR; i++)
		buf_adds(b, t->ascii ? i < full ? "#" : "." : i < full ? "▓" : "░");
	buf_addf(b, "%s  %zu/%zu", term_plain(t), done, p->total);
	if (done) {
		int64_t took = (now - p->begun_ns) / MS;

		buf_adds(b, "  ~");
		term_span(b, took * (int64_t)(p->total - done) / (int64_t)done);
		buf_adds(b, " left");
	}
}

void progress_at(struct progress *p, size_t done, const char *on)
{
	const struct term *t = &p->cli->err;
	int64_t now = clock_boot_ns();
	struct buf b = BUF_INIT, name = BUF_INIT;

	if (now < p->next_ns || p->cli->json)
		return;
	p->next_ns = now + (int64_t)(t->tty ? DRAW_MS : TELL_MS) * MS;
	if (on)
		escape_buf(&name, on, strlen(on), false);
	if (t->tty) {
		buf_addf(&b, "\r\033[K%s  ", p->what);
		if (p->total)
			add_bar(&b, p, done, now);
		if (name.len && t->width > 76) {
			buf_adds(&b, "  ");
			term_cut(&b, t, buf_str(&name), t->width - 74, true);
		}
	} else {
		buf_addf(&b, "%s: %zu%s", p->what, done, p->total ? "" : " so far");
		if (p->total)
			buf_addf(&b, " of %zu", p->total);
		buf_addf(&b, "%s%s\n", name.len ? ", " : "", buf_str(&name));
	}
	fputs(buf_str(&b), stderr);
	p->drawn = t->tty;
	buf_clear(&b);
	buf_clear(&name);
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
