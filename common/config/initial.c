/* initial – the penstock.yml that `penstock init` writes: complete, commented, without a
 * finding. */
#include <config.h>

#include "common/config/config.h"

#include "common/base/buf.h"
#include "common/base/escape.h"

void config_text(struct buf *out, const char *s)
{
	size_t safe =
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/");

	if (s[0] && !s[safe] && s[0] != '-' && s[0] != '.' && !ps_streq(s, "null")) {
		buf_adds(out, s);
		return;
	}
	buf_addch(out, '\'');
	for (; *s; s++) {
		buf_addch(out, *s);
		if (*s == '\'')
			buf_addch(out, '\'');
	}
	buf_addch(out, '\'');
}

static void add_teams(struct buf *out, const char *login)
{
	static const char *const others[] = { "ana", "bo" };

	buf_adds(out, "teams:                              # a team may include other teams\n"
		      "  developers:\n    members: [");
	config_text(out, login);
	for (size_t i = 0; i < PS_NELEM(others); i++)
		if (!ps_streq(login, others[i]))
			buf_addf(out, ", %s", others[i]);
	buf_adds(out, "]\n"
		      "    includes: [prod_support]\n"
		      "  prod_support:\n    members: [kim, lee]\n");
}

static const char fabrics[] =
	"fabrics:                            # where pipelines run; id is the fabricUID that jobs name\n"
	"  development:\n"
	"    id: 1174\n"
	"    owner: developers\n"
	"    provider: local                 # local | databricks | airflow\n"
	"  production:\n"
	"    id: 4004\n"
	"    owner: prod_support             # its members approve what goes there\n"
	"    provider: local\n"
	"  airflow:\n"
	"    id: 5005\n"
	"    owner: developers\n"
	"    provider: airflow\n"
	"    airflow: { host: 'http://127.0.0.1:8080' }\n";

static const char environments[] =
	"environments:                       # first match wins; * stays within one path part, ** "
		"crosses\n"
	"  - name: production\n"
	"    refs: [refs/tags/v*]\n"
	"    fabric: production\n"
	"    deploy: approve                 # auto | approve | manual\n"
	"    approvals: 1\n"
	"    jobs:\n"
	"      own: true                     # jobs whose fabricUID is this fabric's id\n"
	"      derive:                       # and this one, made for production from the "
		"development job\n"
	"        - from: jobs/job_development\n"
	"          as: jobs/job_production\n"
	"          config: prod\n"
	"          enabled: true\n"
	"  - name: development\n"
	"    refs: [refs/heads/main]\n"
	"    fabric: development\n"
	"    deploy: auto\n"
	"  - name: airflow\n"
	"    refs: [refs/heads/airflow]\n"
	"    fabric: airflow\n"
	"    deploy: auto\n";

static const char projects[] =
	"projects:                           # REPOSITORY:PROJECT patterns; values for "
		"placeholders\n"
	"  '**:**':\n"
	"    id: 7234\n"
	"    owner: developers\n"
	"    customer: dev\n"
	"    control_plane: execution\n"
	"    url: https://prophecy.example.net\n";

static const char defaults[] =
	"  default:\n"
	"    existing_errors: warn           # what was wrong before this push: warn | refuse\n"
	"    budget: 4s                      # longest wait inside git push\n"
	"    on_timeout: accept              # budget spent: accept (the event is held) | refuse\n"
	"    unknown_pusher: hold            # hold | refuse | accept\n";

static const char builders[] =
	"builders:\n"
	"  default:\n"
	"    slots: 1                        # builds at the same time\n"
	"    time: 30m                       # limits of each build\n"
	"    quiet: 10m\n"
	"    memory: 4G\n"
	"    processes: 512\n"
	"    disk: 4G\n"
	"    output: 64M\n"
	"  # toolchains:                    # the first that matches decides; else the default\n"
	"  #   - { projects: ['lab/*:**'], use: spark4 }   # penstock toolchain make spark4 FILE\n";

static const char identity[] =
	"identity:\n"
	"  trusted_caller: true              # you speak as any member (penstock --as kim): for one\n"
	"                                    # person's own instance, never for a shared one\n";

void config_initial(struct buf *out, const char *login, uint32_t uid, const char *dir,
		    const char *prefix)
{
	buf_adds(out, "# penstock.yml of the instance ");
	escape_buf(out, dir, strlen(dir), false);
	buf_adds(out, "\n# `penstock config check` reads it, `penstock reload` puts it in "
		 "force.\n\n");
	add_teams(out, login);
	buf_addf(out, "\n%s\n%s\n%s\n", fabrics, environments, projects);
	buf_adds(out, "repositories:\n"
		      "  roots:                            # `penstock install` takes repositories "
		 "below these\n"
		      "    - path: repos                   # relative: below this folder\n"
		      "      identity: uid                 # the pusher is the account that runs git\n"
		      "      hook_users: [");
	config_text(out, login);
	buf_addf(out, "]%*s# logins or uids whose hooks are heard; yours is %u\n",
		 strlen(login) < 15 ? (int)(16 - strlen(login)) : 1, "", uid);
	buf_addf(out, "%s\n%s\n%s", defaults, builders, identity);
	if (!prefix)
		return;
	buf_adds(out, "\ntoolchains:                         # prefixes that builds and runs stand on\n"
		      "  default: { prefix: ");
	config_text(out, prefix);
	buf_adds(out, " }\n");
}
