/* rules – what the gate checks, from its own table: a list, one rule whole, or docs/rules.md. */
#include "config.h"

#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/term.h"
#include "common/gate/rules.h"

enum { OPT_MARKDOWN };

/* In the order of enum conf_level. */
static const char *const means[] = {
	"refuses the push; what the ref's old side has too is a warning (existing_errors: warn)",
	"refuses only the push that breaks it, whatever existing_errors says",
	"is told and refuses nothing",
	"is not looked for unless penstock.yml turns it on",
};

static json_t *as_json(const struct rule *r)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", r->code, "state",
			 conf_level_word(r->level), "text", r->text, "why", r->why, "example",
			 r->example, "fix", r->fix);
}

static void print_json(void)
{
	json_t *items = json_array(), *doc;

	for (size_t i = 0; i < RULE_COUNT; i++)
		json_array_append_new(items, as_json(&rule_table[i]));
	doc = json_pack("{s:o}", "items", items);
	show_json(doc);
	json_decref(doc);
}

static void print_one(struct cli *cli, const struct rule *r)
{
	json_t *doc = as_json(r);

	if (cli->json)
		show_json(doc);
	else
		printf("%s: %s\n\n  level    %s: %s\n  why      %s\n  example  %s\n  fix      %s\n",
		       r->code, r->text, conf_level_word(r->level), means[r->level], r->why,
		       r->example, r->fix);
	json_decref(doc);
}

static void print_list(void)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		printf("%-12s  %-7s  %s\n", rule_table[i].code,
		       conf_level_word(rule_table[i].level), rule_table[i].text);
	fprintf(stderr, "next: penstock rules CODE\n");
}

/* '|' would end the cell of a table. */
static void print_cell(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_markdown(void)
{
	printf("# Rules of the gate\n\n"
	       "Made from common/config/rule_rows.h by `penstock rules --markdown`. An "
	       "administrator may set another\nlevel per rule and ref: `rules:` in "
	       "penstock.yml(5).\n\n| level | a finding |\n|---|---|\n");
	for (size_t i = 0; i < PS_NELEM(means); i++)
		printf("| %s | %s |\n", conf_level_word((enum conf_level)i), means[i]);
	printf("\n| code | level | what holds | why | what breaks it | how to mend it |\n"
	       "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct rule *r = &rule_table[i];
		const char *const cells[] = { r->text, r->why, r->example, r->fix };

		printf("| %s | %s |", r->code, conf_level_word(r->level));
		for (size_t k = 0; k < PS_NELEM(cells); k++) {
			putchar(' ');
			print_cell(cells[k]);
			printf(" |");
		}
		putchar('\n');
	}
}

static int rules_exec(struct cli *cli, const struct cmd_args *a)
{
	const struct rule *r = a->n ? rule_find(a->arg[0]) : NULL;

	if (a->n && !r)
		return cli_fail(cli, CLI_NO, "penstock rules", "there is no rule '%s'", a->arg[0]);
	if (r)
		print_one(cli, r);
	else if (a->opt[OPT_MARKDOWN])
		print_markdown();
	else if (cli->json)
		print_json();
	else
		print_list();
	return CLI_OK;
}

const struct cmd cmd_rules = {
	.name = "rules", .usage = "[CODE]", .group = "Look",
	.help = "List what the gate checks, or explain one rule",
	.more = "Each finding of a push or of 'penstock check' ends with the code of its rule.",
	.example = "rules PS-JOB-033", .needs = CMD_NOTHING, .max = 1,
	.opts = { [OPT_MARKDOWN] = { "markdown", 0, NULL, "all of them, as docs/rules.md" } },
	.exec = rules_exec,
};
