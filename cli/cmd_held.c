/* release-hold: let held events go. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { OPT_TEXT, OPT_ALONE };

static int release_hold_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_pack("{s:s?, s:b}", "text", a->opt[OPT_TEXT], "alone",
				 a->opt[OPT_ALONE] != NULL), *doc;
	struct buf path = BUF_INIT;
	char *next;
	int code;

	buf_adds(&path, "/events");
	client_part(&path, a->arg[0]);
	buf_adds(&path, "/release");
	code = client_post(cli, buf_str(&path), body, &doc);
	json_decref(body);
	buf_clear(&path);
	if (code)
		return code;
	if (cli->json) {
		show_json(doc);
	} else {
		next = xasprintf("penstock why %s", a->arg[0]);
		printf("%s: ", show_text(doc, "id"));
		show_escaped(show_text(doc, "text"));
		putchar('\n');
		show_next(cli, next);
		free(next);
	}
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_release_hold = {
	.name = "release-hold", .usage = "EVENT [-m TEXT] [--alone]", .group = "Releases",
	.help = "Let a held event go, or all that are held with it as one",
	.more = "For owners of every fabric the event may reach, or the admin, and never for who "
		"may have pushed it.\n"
		"Only an event that is still the last of its ref acts; the others are superseded. "
		"Events that are\n"
		"held as one are let go by the first of them; --alone takes only the one that is "
		"named.",
	.example = "release-hold e88 -m 'restored on purpose'",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "message", 'm', "TEXT", "why; kept with the event" },
		  { "alone", 0, NULL, "only this event, not those held with it" } },
	.exec = release_hold_exec,
};
