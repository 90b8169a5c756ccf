/*
 * config – penstock.yml as structs, read by tables, every mistake at its line and column.
 *
 * config_parse() never stops at the first mistake: all findings go to `out`, sorted by the caller.
 * Errors (unknown key, wrong type, unknown team, fabric or environment, a name twice, a circle of
 * teams) leave *cfg NULL; warnings (a rule shadowed by an earlier one, `deploy: auto` reaching a
 * fabric whose owners are not everybody) do not. A configuration is immutable once made.
 * DESIGN section 7 is the format. Positions are kept: mapping and `which` name the rule's line.
 */
#ifndef PS_CONFIG_H
#define PS_CONFIG_H

#include "common/base/diag.h"
#include "common/base/err.h"

struct buf;

struct conf_pos { unsigned line, col; };

struct conf_names { char **v; size_t n; };
void conf_names_clear(struct conf_names *names);
bool conf_names_has(const struct conf_names *names, const char *name);

struct conf_team {
	char *name;
	struct conf_pos pos;
	struct conf_names members;	/* logins */
	struct conf_names includes;	/* other teams */
};

enum conf_provider { CONF_LOCAL, CONF_DATABRICKS, CONF_AIRFLOW, CONF_PROVIDER_COUNT };

/* A credential is a reference, never a value: where the parent finds it. */
enum conf_secret_kind { CONF_SECRET_NONE, CONF_SECRET_FILE, CONF_SECRET_ENV,
			CONF_SECRET_CREDENTIAL };
struct conf_secret { enum conf_secret_kind kind; char *where; };

/* Where in the file (in characters, [from, to)) such a reference stands: the policy blanks it. */
struct conf_span { size_t from, to; enum conf_secret_kind kind; };

/* How a remote provider is asked: agent/deploy/http/http.h. */
struct conf_http {
	char *proxy, *ca;		/* NULL: none; the system's certificates */
	unsigned per_second;		/* calls; 0: no limit */
	int64_t retry_ms;		/* before the second try; doubles */
	int64_t patience_ms;		/* for one call with all its tries */
};

/* What jobs of a workspace of Databricks find in its secret scopes. */
enum { CONF_SCOPED_MAX = 16 };	/* of one fabric */
struct conf_scoped {
	char *scope, *key;
	struct conf_secret value;
	struct conf_names readers;	/* users, groups, service principals */
	struct conf_pos pos;
};

struct conf_fabric {
	char *name;
	struct conf_pos pos;
	int64_t id;			/* the fabricUID that jobs name */
	char *owner;			/* team */
	enum conf_provider provider;
	bool self_approval;
	char *emergency;		/* team: may approve alone, at any time; NULL: none */
	int64_t drift_ms;		/* how often somebody looks at it; 0: nobody */
	unsigned runs;			/* limits.runs: at the same time; 0: as the slots allow */
	char *host;			/* databricks: URL; airflow: URL; NULL for local */
	struct conf_http http;
	char *volume;			/* databricks: folder for artifacts; NULL: DBFS */
	char *client_id, *scope;	/* databricks oauth */
	struct conf_scoped *scoped;	/* databricks: secrets */
	size_t nscoped;
	char *user;			/* airflow: client_secret is his password; NULL: a token, or
					 * nobody asks */
	char *dags;			/* airflow: its dags folder */
	/* airflow: URL of what writes there, and its user; NULL: none */
	char *uploader, *uploader_user;
	int64_t load_ms;		/* airflow: it must have read a DAG within that time */
	bool wait_active_runs;		/* airflow: nothing is changed under a run */
	struct conf_secret token, client_secret, uploader_password;
};

enum conf_deploy { CONF_DEPLOY_AUTO, CONF_DEPLOY_APPROVE, CONF_DEPLOY_MANUAL };

/* Who may do something: a team, or the people named; neither: as the key's default says. */
struct conf_who { char *team; struct conf_names people; };

/* A job made from another one (common/plan/derive.h says how). */
struct conf_derive {
	char *from, *as;
	char *config;			/* the instance its tasks run with; NULL: as in the other */
	bool enabled, enforce_schedule;
	char *schedule, *patch;		/* JSON objects; NULL: none given */
	struct conf_pos pos;
};

/* Times at which deployments may begin: window.h. */
struct conf_window { struct conf_names days; char *from, *to, *zone; struct conf_pos pos; };

struct conf_environment {
	char *name;
	struct conf_pos pos;		/* where the rule begins: `which` prints it */
	struct conf_names projects;	/* patterns repository:project, default '**:**' */
	struct conf_names refs;		/* patterns */
	char *fabric;
	enum conf_deploy deploy;
	unsigned approvals;
	int64_t approval_lapses_ms;	/* an approval counts so long; default 7 days */
	struct conf_window *windows;	/* none: always */
	size_t nwindows;
	int64_t priority;		/* in line; higher goes first, default 0 */
	struct conf_who push;		/* may move these refs; rights.h knows the default */
	char *after;			/* environment; NULL */
	char *verify_run, *verify_config;	/* verify: job to run and its instance; NULL */
	int64_t verify_timeout_ms;
	bool rollback_auto;		/* rollback: auto | by_hand; by what failed to verify */
	char *fabric_name;		/* tests.fabric_name; NULL: the one of all */
	bool jobs_own;			/* default true */
	struct conf_derive *derive;
	size_t nderive;
};

struct conf_project {
	char *pattern;			/* repository:project */
	struct conf_pos pos;
	int64_t id;			/* value of __PROJECT_ID_PLACEHOLDER__; 0: none given */
	char *owner, *customer, *control_plane, *url;	/* NULL: none given */
};

enum conf_identity { CONF_ID_UID, CONF_ID_GITOLITE, CONF_ID_GITLAB, CONF_ID_GITEA, CONF_ID_GHES,
		     CONF_ID_HTTP, CONF_ID_ENV };

struct conf_root {
	/* absolute, as written; a relative one is below the instance */
	char *path;
	struct conf_pos pos;
	enum conf_identity identity;
	char *identity_env;		/* NAME of env:NAME */
	struct conf_names hook_users;	/* logins, or decimal uids */
};

/* What becomes of a movement whose pusher nobody knows. */
enum conf_unknown { CONF_UNKNOWN_HOLD, CONF_UNKNOWN_REFUSE, CONF_UNKNOWN_ACCEPT };

struct conf_repo_defaults {
	bool existing_errors_warn;	/* existing_errors: warn | refuse */
	int64_t budget_ms;		/* default 4000 */
	bool on_timeout_accept;		/* on_timeout: accept | refuse; default accept */
	enum conf_unknown unknown_pusher;	/* unknown_pusher; default hold */
	struct conf_who skip;		/* may push with penstock.skip; default nobody */
	int64_t look_every_ms;		/* look_every: have refs moved? default 60 s */
	int64_t list_every_ms;		/* list_every: all refs, changed or not; default 6 h */
};

struct conf_toolchain { char *name, *prefix; struct conf_pos pos; };
/* Which toolchain a project is built with: the first rule that matches says; none: the default. */
struct conf_toolchain_rule {
	struct conf_names projects;	/* patterns repository:project, default '**:**' */
	struct conf_names environments, languages;	/* none: all */
	char *use;			/* one of toolchains, or one that was or will be made */
	struct conf_pos pos;
};

enum { CONF_ROLES = 4 };		/* core, gate, build, deploy: all of them, or no row */
struct conf_role { char *name, *user; struct conf_pos pos; };

struct conf_builder { unsigned slots; int64_t time_ms, quiet_ms; int64_t memory, disk,
		      output; unsigned processes; };

struct conf_tests { unsigned retries; char *fabric_name; bool parse_dags; };	/* of projects */

/* What a finding of a rule does: refuses; refuses only when this push brings it, whatever
 * existing_errors says; is told; is not looked for. */
enum conf_level { CONF_LEVEL_ERROR, CONF_LEVEL_NEWLY, CONF_LEVEL_WARNING, CONF_LEVEL_OFF };

struct conf_rule {
	struct conf_names codes, refs;
	enum conf_level level;
	struct conf_pos pos;
};

/* Who is told, and how: a webhook (url) or a mail (to). */
struct conf_notify {
	char *name;
	struct conf_pos pos;
	char *url;			/* NULL: a mail */
	struct conf_secret secret;	/* of the webhook: signs what is sent */
	struct conf_names to;
	char *from, *sendmail;		/* of the mail */
	/* approval, deployed, failed, rolled_back, drift; none: all */
	struct conf_names events;
	struct conf_names environments;	/* none: all */
	int64_t retry_ms;		/* before the second try; doubles up to an hour */
	unsigned tries;
};

/* How full a disk may be, in percent, and what the store keeps for when it is full. */
struct conf_disk { unsigned wait, intake_only; int64_t reserve; };

/* How long what is kept is kept, and how much of it. */
struct conf_retention {
	int64_t every_ms, artifacts_ms, artifacts_max, logs_ms, logs_max, exports_ms, aside_ms,
		rows_ms;
	unsigned rollbacks;
};

struct config {
	char digest[65];		/* SHA-256 of the bytes: the policy digest */
	struct conf_team *teams; size_t nteams;
	struct conf_fabric *fabrics; size_t nfabrics;
	struct conf_environment *environments; size_t nenvironments;
	struct conf_project *projects; size_t nprojects;
	struct conf_tests tests;
	struct conf_root *roots; size_t nroots;
	struct conf_repo_defaults repo;
	struct conf_toolchain *toolchains; size_t ntoolchains;
	struct conf_builder builder;	/* builders.default */
	struct conf_toolchain_rule *toolchain_rules; size_t ntoolchain_rules;
	struct conf_disk disk;
	struct conf_retention retention;
	bool trusted_caller;		/* identity: { trusted_caller: true } */
	struct conf_pos trusted_pos;
	char *api_listen;		/* api: { listen }: a loopback address and port; NULL */
	struct conf_rule *rules; size_t nrules;
	struct conf_notify *notify; size_t nnotify;
	struct conf_role *roles; size_t nroles;	/* none: every role keeps the caller's user */
	struct conf_span *secrets; size_t nsecrets;
};

/* Parses bytes of the file `path` (used in findings). *cfg is set only when out got no error;
 * free with config_free(). Returns 0 also when there are findings; negative only for our own
 * failure. */
int config_parse(struct config **cfg, const char *path, const char *bytes, size_t n,
		 struct diag_list *out, struct ps_err *err) PS_MUSTCHECK;
/* Reads the file and parses it; a file that cannot be read is an error, not a finding. Findings
 * name it relative to its folder. */
int config_load(struct config **cfg, const char *path, struct diag_list *out,
		struct ps_err *err) PS_MUSTCHECK;
void config_free(struct config *cfg);		/* NULL is fine */

const struct conf_team *config_team(const struct config *c, const char *name);
const struct conf_fabric *config_fabric(const struct config *c, const char *name);
const struct conf_fabric *config_fabric_by_id(const struct config *c, int64_t id);
const struct conf_notify *config_notify(const struct config *c, const char *name);
const struct conf_environment *config_environment(const struct config *c, const char *name);
/* The project block whose pattern matches first; NULL when none does. */
const struct conf_project *config_project(const struct config *c, const char *repo,
					  const char *project);
/* The rule that says which toolchain a project (its language as its file has it; NULL: not known)
 * is built with for an environment; NULL: none, it is the default. */
const struct conf_toolchain_rule *config_toolchain(const struct config *c, const char *repo,
						   const char *project, const char *environment,
						   const char *language);
/* May a project be built with the default? false: a rule takes them all. */
bool config_needs_default_toolchain(const struct config *c);
/* The level of a rule on a ref (NULL: on no particular one), by the first item that names both;
 * fallback when none does. */
enum conf_level config_rule_level(const struct config *c, const char *code, const char *ref,
				  enum conf_level fallback);
/* Is the rule anything but off on some ref, by an item that names it? */
bool config_rule_is_named(const struct config *c, const char *code);
/* Is this login in the team, directly or through includes? */
bool config_is_member(const struct config *c, const char *team, const char *login);
/* The root that holds the real path `repo_path`; *name (free it) is the repository's name: the path
 * below the root without ".git" at the end. NULL when it is below no root. base: instance folder,
 * against which relative root paths are meant. */
const struct conf_root *config_root_of(const struct config *c, const char *base,
				       const char *repo_path, char **name);
/* May a process of this uid speak for a hook in this root? Entries of hook_users are logins or
 * uids. */
bool config_root_admits(const struct conf_root *r, uint32_t uid);
/* The real path of a root: below base when relative; as written while it does not exist. free()
 * it. */
char *config_root_path(const struct conf_root *r, const char *base);
/* identity.trusted_caller is for one person's own instance: PS_ECONFIG under /etc/penstock or when
 * the store belongs to another uid than ours. 0 when it is not asked for. */
int config_check_trust(const struct config *c, const char *instance, uint32_t store_uid,
		       struct ps_err *err) PS_MUSTCHECK;
/* Appends a text of one line as YAML: plain where every reader takes it for that text, else in
 * single quotes. */
void config_text(struct buf *out, const char *s);
/* The commented penstock.yml that `penstock init dir` writes. prefix: a toolchain's, or NULL. */
void config_initial(struct buf *out, const char *login, uint32_t uid, const char *dir,
		    const char *prefix);
const char *conf_provider_word(enum conf_provider p);
const char *conf_deploy_word(enum conf_deploy d);
const char *conf_level_word(enum conf_level l);

#endif
