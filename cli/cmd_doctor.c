/* doctor: every check in order, as a table for people and as a list for monitoring. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/doctor.h"
#include "cli/progress.h"
#include "cli/show.h"

static const char *const words[] = { "ok", "not asked", "warning", "error" };

static const struct check {
	const char *id;
	void (*run)(struct doctor *d);
} checks[] = {
	{ "configuration", doctor_configuration },
	{ "agent", doctor_agent },
	{ "policy", doctor_policy },
	{ "keys", doctor_keys },
	{ "hook users", doctor_users },
	{ "repositories", doctor_repositories },
	{ "spool", doctor_spool },
	{ "disks", doctor_disks },
	{ "clock", doctor_clock },
	{ "toolchains", doctor_toolchains },
	{ "credentials", doctor_credentials },
	{ "roles", doctor_roles },
};

void doctor_say(struct doctor *d, enum well well, const char *why, const char *mend,
		const char *what, ...)
{
	va_list ap;
	char *text;

	va_start(ap, what);
	text = xvasprintf(what, ap);
	va_end(ap);
	d->count[well]++;
	json_array_append_new(d->items, json_pack(
		"{s:s, s:s, s:o, s:o, s:o}", "id", d->check, "state", words[well], "text",
		show_string(text), "why", well > WELL_NOT_ASKED && why ? show_string(why) :
		json_null(), "mend", well != WELL_OK && mend ? show_string(mend) : json_null()));
	free(text);
}

/* ---- for people ---- */

/* text in lines that fit, each behind `indent` blanks; a command is never broken. */
static void wrap(const struct term *t, const char *text, unsigned indent)
{
	struct buf safe = BUF_INIT;
	size_t room = t->width > indent + 20 ? t->width - indent : 0, at = 0;

	buf_adds(&safe, text);
	for (char *word = strtok(safe.len ? safe.data : NULL, " "); word;
	     word = strtok(NULL, " ")) {
		size_t n = term_width(word);

		if (at && room && at + 1 + n > room) {
			printf("\n%*s", (int)indent, "");
			at = 0;
		}
		if (at)
			putchar(' ');
		show_escaped(word);
		at += n + (at > 0);
	}
	putchar('\n');
	buf_clear(&safe);
}

static void print_row(const struct doctor *d, const json_t *item, const char *before)
{
	const struct term *t = &d->cli->out;
	const char *id = show_text(item, "id"), *why = show_text(item, "why");
	const char *mend = show_text(item, "mend");
	struct buf state = BUF_INIT;
	enum { STATE = 15, TEXT = 29 };

	term_state(&state, t, show_text(item, "state"), NULL);
	printf("%-*s%s", STATE, strcmp(id, before) == 0 ? "" : id, buf_str(&state));
	buf_reset(&state);
	term_state(&state, &(struct term) { .ascii = t->ascii }, show_text(item, "state"), NULL);
	printf("%*s", TEXT - STATE - (int)term_width(buf_str(&state)), "");
	wrap(t, show_text(item, "text"), TEXT);
	if (*why) {
		printf("%*s%swhy%s  ", TEXT, "", term_color(t, ROLE_IDLE), term_plain(t));
		wrap(t, why, TEXT + 5);
	}
	if (*mend) {
		printf("%*s%smend%s ", TEXT, "", term_color(t, ROLE_IDLE), term_plain(t));
		if (ps_starts(mend, "penstock "))
			printf("%s", cli_self(d->cli));
		show_escaped(mend + (ps_starts(mend, "penstock ") ? strlen("penstock") : 0));
		putchar('\n');
	}
	buf_clear(&state);
}

/* The first error's command, else the first warning's. */
static void next_line(const struct doctor *d)
{
	static const char *const worst[] = { "error", "warning" };
	size_t i;
	json_t *item;

	for (size_t k = 0; k < PS_NELEM(worst); k++)
		json_array_foreach(d->items, i, item)
			if (strcmp(show_text(item, "state"), worst[k]) == 0) {
				show_next(d->cli, show_text(item, "mend"));
				return;
			}
}

static void print_all(const struct doctor *d, bool all)
{
	const char *before = "";
	size_t i;
	json_t *item;

	json_array_foreach(d->items, i, item) {
		if (!all && strcmp(show_text(item, "state"), "ok") == 0)
			continue;
		print_row(d, item, before);
		before = show_text(item, "id");
	}
	printf("%s%zu ok, %zu warnings, %zu errors, %zu not asked\n", *before ? "\n" : "",
	       d->count[WELL_OK], d->count[WELL_WARNING], d->count[WELL_ERROR],
	       d->count[WELL_NOT_ASKED]);
	next_line(d);
}

enum { OPT_QUIET, OPT_STRICT };

static int doctor_exec(struct cli *cli, const struct cmd_args *a)
{
	struct doctor d = { .cli = cli, .items = json_array(), .status = client_status(cli) };
	struct progress p;
	bool bad;

	progress_begin(&p, cli, "looking", PS_NELEM(checks));
	for (size_t i = 0; i < PS_NELEM(checks); i++) {
		progress_at(&p, i, checks[i].id);
		d.check = checks[i].id;
		checks[i].run(&d);
	}
	progress_clear(&p);
	bad = d.count[WELL_ERROR] || (a->opt[OPT_STRICT] && d.count[WELL_WARNING]);
	if (cli->json) {
		json_t *doc = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:O}", "id", "doctor",
					"state", d.count[WELL_ERROR] ? "error" :
					d.count[WELL_WARNING] ? "warning" : "ok", "ok",
					(json_int_t)d.count[WELL_OK], "warnings",
					(json_int_t)d.count[WELL_WARNING], "errors",
					(json_int_t)d.count[WELL_ERROR], "not_asked",
					(json_int_t)d.count[WELL_NOT_ASKED], "items", d.items);

		show_json(doc);
		json_decref(doc);
	} else {
		print_all(&d, !a->opt[OPT_QUIET]);
	}
	config_free(d.cfg);
	json_decref(d.status);
	json_decref(d.items);
	return bad ? CLI_NO : CLI_OK;
}

const struct cmd cmd_doctor = {
	.name = "doctor", .usage = "[--quiet] [--strict]", .group = "Administer",
	.help = "Look at all that an instance needs: what is wrong, why it matters, what mends it",
	.more = "Works with the agent and without. As root it also tries what each account of "
		"hook_users may reach.\n"
		"Exit code 1: something is broken (with --strict: or not as it should be). --json "
		"is for monitoring.",
	.example = "doctor --quiet",
	.needs = CMD_INSTANCE,
	.opts = { [OPT_QUIET] = { "quiet", 'q', NULL, "only what is not well" },
		  [OPT_STRICT] = { "strict", 0, NULL, "a warning gives exit code 1, too" } },
	.exec = doctor_exec,
};
