/* config_keys – every key of penstock.yml, as tables. A new key is a row here and nothing else. */
#include <config.h>

#include "common/config/config_read.h"
#include "common/config/window.h"

static const char *const provider_words[] = { "local", "databricks", "airflow", NULL };
static const char *const rollback_words[] = { "auto", "by_hand", NULL };
static const char *const deploy_words[] = { "auto", "approve", "manual", NULL };
static const char *const identity_words[] = {
	"uid", "gitolite", "gitlab", "gitea", "ghes", "http", "env", NULL,
};
static const char *const unknown_words[] = { "hold", "refuse", "accept", NULL };
static const char *const warn_or_refuse[] = { "warn", "refuse", NULL };
static const char *const accept_or_refuse[] = { "accept", "refuse", NULL };
static const char *const level_words[] = { "error", "newly", "warning", "off", NULL };
static const char *const rule_codes[] = {
#define RULE(id, code, level, text, why, example, fix) code,
#include "common/config/rule_rows.h"
#undef RULE
	NULL,
};
static const char *const schedule_words[] = { "quartz_cron_expression", "timezone_id", NULL };
static const char *const notify_words[] = { "approval", "deployed", "failed", "rolled_back",
					   "drift", NULL };
static const char *const language_words[] = { "python", "scala", "sql", NULL };
static const char *const role_words[] = { "core", "gate", "build", "deploy", NULL };

#define GB (1LL << 30)
#define MINUTE_MS 60000LL
#define END { .name = NULL }
#define LATER(n) { .name = (n), .type = CONF_LATER }

/* teams: { NAME: { members, includes } } */
#define AT(field) .offset = offsetof(struct conf_team, field)
static const struct conf_key team_keys[] = {
	{ .name = "members", .type = CONF_STRINGS, AT(members) },
	{ .name = "includes", .type = CONF_STRINGS, AT(includes), .refers = CONF_A_TEAM },
	END,
};
#undef AT
static const struct conf_table team_table = {
	.what = "a team", .keys = team_keys, .size = sizeof(struct conf_team),
	.name = offsetof(struct conf_team, name), .pos = offsetof(struct conf_team, pos),
	.defines = CONF_A_TEAM,
};

#define AT(field) .offset = offsetof(struct conf_scoped, field)
static const struct conf_key scoped_keys[] = {
	{ .name = "scope", .type = CONF_STRING, AT(scope), .flags = CONF_REQUIRED },
	{ .name = "key", .type = CONF_STRING, AT(key), .flags = CONF_REQUIRED },
	{ .name = "value", .type = CONF_SECRET, AT(value), .flags = CONF_REQUIRED },
	{ .name = "readers", .type = CONF_STRINGS, AT(readers) },
	END,
};
#undef AT
static const struct conf_table scoped_table = {
	.what = "a secret", .keys = scoped_keys, .size = sizeof(struct conf_scoped),
	.pos = offsetof(struct conf_scoped, pos),
};

/* fabrics: { NAME: { id, owner, provider, self_approval, <provider>: {...} } } */
#define AT(field) .offset = offsetof(struct conf_fabric, field)
static const struct conf_key oauth_keys[] = {
	{ .name = "client_id", .type = CONF_STRING, AT(client_id), .flags = CONF_REQUIRED },
	{ .name = "client_secret", .type = CONF_SECRET, AT(client_secret), .flags = CONF_REQUIRED },
	{ .name = "scope", .type = CONF_STRING, AT(scope), .fallback = "all-apis" },
	END,
};
static const struct conf_table oauth_table = { .what = "'oauth'", .keys = oauth_keys };
static const struct conf_key databricks_keys[] = {
	{ .name = "host", .type = CONF_URL, AT(host), .flags = CONF_REQUIRED },
	{ .name = "token", .type = CONF_SECRET, AT(token) },
	{ .name = "oauth", .type = CONF_TABLE, .table = &oauth_table },
	{ .name = "volume", .type = CONF_PATH, AT(volume) },
	{ .name = "secrets", .type = CONF_ITEMS, AT(scoped),
	  .count = offsetof(struct conf_fabric, nscoped), .table = &scoped_table },
	END,
};
static const struct conf_table databricks_table = { .what = "'databricks'",
						    .keys = databricks_keys };
static const struct conf_key uploader_keys[] = {
	{ .name = "url", .type = CONF_URL, AT(uploader), .flags = CONF_REQUIRED },
	{ .name = "user", .type = CONF_STRING, AT(uploader_user) },
	{ .name = "password", .type = CONF_SECRET, AT(uploader_password) },
	END,
};
static const struct conf_table uploader_table = { .what = "'uploader'", .keys = uploader_keys };
static const struct conf_key airflow_keys[] = {
	{ .name = "host", .type = CONF_URL, AT(host), .flags = CONF_REQUIRED },
	{ .name = "token", .type = CONF_SECRET, AT(token) },
	{ .name = "user", .type = CONF_STRING, AT(user) },
	{ .name = "password", .type = CONF_SECRET, AT(client_secret) },
	{ .name = "dags", .type = CONF_STRING, AT(dags) },
	{ .name = "uploader", .type = CONF_TABLE, .table = &uploader_table },
	/* a step of a deployment that is silent for ten minutes is taken for lost */
	{ .name = "load", .type = CONF_TIME, AT(load_ms), .min = 1000, .max = 8 * MINUTE_MS,
	  .fallback = "6m" },
	{ .name = "wait_active_runs", .type = CONF_BOOL, AT(wait_active_runs),
	  .fallback = "false" },
	END,
};
static const struct conf_table airflow_table = { .what = "'airflow'", .keys = airflow_keys };
static const struct conf_key http_keys[] = {
	{ .name = "proxy", .type = CONF_URL, AT(http.proxy) },
	{ .name = "ca", .type = CONF_PATH, AT(http.ca) },
	{ .name = "per_second", .type = CONF_UNSIGNED, AT(http.per_second), .min = 0, .max = 1000,
	  .fallback = "10" },
	{ .name = "retry", .type = CONF_TIME, AT(http.retry_ms), .min = 1, .max = MINUTE_MS,
	  .fallback = "500ms" },
	{ .name = "patience", .type = CONF_TIME, AT(http.patience_ms), .min = 1000,
	  .max = 5 * MINUTE_MS, .fallback = "2m" },
	END,
};
static const struct conf_table http_table = { .what = "'http'", .keys = http_keys };
static const struct conf_key limits_keys[] = {
	{ .name = "runs", .type = CONF_UNSIGNED, AT(runs), .min = 0, .max = 256, .fallback = "0" },
	END,
};
static const struct conf_table limits_table = { .what = "'limits'", .keys = limits_keys };
static const struct conf_key fabric_keys[] = {
	{ .name = "id", .type = CONF_INT, AT(id), .flags = CONF_REQUIRED, .min = 1,
	  .max = INT64_MAX, .defines = CONF_A_FABRIC_ID },
	{ .name = "owner", .type = CONF_NAME, AT(owner), .flags = CONF_REQUIRED,
	  .refers = CONF_A_TEAM },
	{ .name = "provider", .type = CONF_WORD, AT(provider), .flags = CONF_REQUIRED,
	  .words = provider_words },
	{ .name = "self_approval", .type = CONF_BOOL, AT(self_approval), .fallback = "false" },
	{ .name = "emergency", .type = CONF_NAME, AT(emergency), .refers = CONF_A_TEAM },
	{ .name = "limits", .type = CONF_TABLE, .table = &limits_table },
	{ .name = "drift", .type = CONF_TIME, AT(drift_ms), .min = 0, .max = 24 * 60 * MINUTE_MS,
	  .fallback = "10m" },
	{ .name = "http", .type = CONF_TABLE, .table = &http_table },
	{ .name = "databricks", .type = CONF_TABLE, .table = &databricks_table },
	{ .name = "airflow", .type = CONF_TABLE, .table = &airflow_table },
	END,
};
#undef AT
static const struct conf_table fabric_table = {
	.what = "a fabric", .keys = fabric_keys, .size = sizeof(struct conf_fabric),
	.name = offsetof(struct conf_fabric, name), .pos = offsetof(struct conf_fabric, pos),
	.defines = CONF_A_FABRIC, .check = conf_check_fabric,
};

/* environments: [ { name, projects, refs, fabric, deploy, approvals, push, after, jobs } ] */
#define AT(field) .offset = offsetof(struct conf_derive, field)
static const struct conf_key derive_keys[] = {
	{ .name = "from", .type = CONF_KEY, AT(from), .flags = CONF_REQUIRED },
	{ .name = "as", .type = CONF_KEY, AT(as), .flags = CONF_REQUIRED },
	{ .name = "config", .type = CONF_NAME, AT(config) },
	{ .name = "enabled", .type = CONF_BOOL, AT(enabled), .fallback = "true" },
	{ .name = "enforce_schedule", .type = CONF_BOOL, AT(enforce_schedule),
	  .fallback = "false" },
	{ .name = "schedule", .type = CONF_JSON, AT(schedule), .words = schedule_words },
	{ .name = "patch", .type = CONF_JSON, AT(patch) },
	END,
};
#undef AT
static const struct conf_table derive_table = {
	.what = "a derived job", .keys = derive_keys, .size = sizeof(struct conf_derive),
	.pos = offsetof(struct conf_derive, pos),
};
#define AT(field) .offset = offsetof(struct conf_window, field)
static const struct conf_key window_keys[] = {
	{ .name = "days", .type = CONF_STRINGS, AT(days), .words = window_days },
	{ .name = "from", .type = CONF_STRING, AT(from), .fallback = "00:00" },
	{ .name = "to", .type = CONF_STRING, AT(to), .fallback = "24:00" },
	{ .name = "zone", .type = CONF_STRING, AT(zone), .flags = CONF_REQUIRED },
	END,
};
#undef AT
static const struct conf_table window_table = {
	.what = "a window", .keys = window_keys, .size = sizeof(struct conf_window),
	.pos = offsetof(struct conf_window, pos), .check = conf_check_window,
};
#define AT(field) .offset = offsetof(struct conf_environment, field)
static const struct conf_key jobs_keys[] = {
	{ .name = "own", .type = CONF_BOOL, AT(jobs_own), .fallback = "true" },
	{ .name = "derive", .type = CONF_ITEMS, AT(derive),
	  .count = offsetof(struct conf_environment, nderive), .table = &derive_table },
	END,
};
static const struct conf_table jobs_table = { .what = "'jobs'", .keys = jobs_keys };
static const struct conf_key tests_here_keys[] = {
	{ .name = "fabric_name", .type = CONF_NAME, AT(fabric_name) },
	END,
};
static const struct conf_table tests_here_table = { .what = "'tests'", .keys = tests_here_keys };
static const struct conf_key verify_keys[] = {
	{ .name = "run", .type = CONF_KEY, AT(verify_run), .flags = CONF_REQUIRED },
	{ .name = "config", .type = CONF_NAME, AT(verify_config) },
	{ .name = "timeout", .type = CONF_TIME, AT(verify_timeout_ms), .min = 1000,
	  .max = 24 * 60 * MINUTE_MS, .fallback = "30m" },
	END,
};
static const struct conf_table verify_table = { .what = "'verify'", .keys = verify_keys };
static const struct conf_key environment_keys[] = {
	{ .name = "name", .type = CONF_NAME, AT(name), .flags = CONF_REQUIRED,
	  .defines = CONF_AN_ENVIRONMENT },
	{ .name = "projects", .type = CONF_PROJECTS, AT(projects), .fallback = "**:**" },
	{ .name = "refs", .type = CONF_REFS, AT(refs), .flags = CONF_REQUIRED },
	{ .name = "fabric", .type = CONF_NAME, AT(fabric), .flags = CONF_REQUIRED,
	  .refers = CONF_A_FABRIC },
	{ .name = "deploy", .type = CONF_WORD, AT(deploy), .flags = CONF_REQUIRED,
	  .words = deploy_words },
	{ .name = "approvals", .type = CONF_UNSIGNED, AT(approvals), .min = 1, .max = 9,
	  .fallback = "1" },
	{ .name = "approval_lapses", .type = CONF_TIME, AT(approval_lapses_ms), .min = MINUTE_MS,
	  .max = 3650 * 24 * 60 * MINUTE_MS, .fallback = "7d" },
	{ .name = "windows", .type = CONF_ITEMS, AT(windows),
	  .count = offsetof(struct conf_environment, nwindows), .table = &window_table },
	{ .name = "priority", .type = CONF_INT, AT(priority), .min = -100, .max = 100,
	  .fallback = "0" },
	{ .name = "push", .type = CONF_WHO, AT(push), .refers = CONF_A_TEAM },
	{ .name = "after", .type = CONF_NAME, AT(after), .refers = CONF_AN_ENVIRONMENT },
	{ .name = "verify", .type = CONF_TABLE, .table = &verify_table },
	{ .name = "rollback", .type = CONF_EITHER, AT(rollback_auto), .words = rollback_words,
	  .fallback = "by_hand" },
	{ .name = "jobs", .type = CONF_TABLE, .table = &jobs_table },
	{ .name = "tests", .type = CONF_TABLE, .table = &tests_here_table },
	LATER("also"), LATER("patch"),
	END,
};
#undef AT
static const struct conf_table environment_table = {
	.what = "an environment", .keys = environment_keys, .size = sizeof(struct conf_environment),
	.pos = offsetof(struct conf_environment, pos),
};

/* projects: { REPOSITORY:PROJECT: { id, owner, customer, control_plane, url } }, patterns */
#define AT(field) .offset = offsetof(struct conf_project, field)
static const struct conf_key project_keys[] = {
	{ .name = "id", .type = CONF_INT, AT(id), .min = 1, .max = INT64_MAX },
	{ .name = "owner", .type = CONF_NAME, AT(owner), .refers = CONF_A_TEAM },
	{ .name = "customer", .type = CONF_STRING, AT(customer) },
	{ .name = "control_plane", .type = CONF_STRING, AT(control_plane) },
	{ .name = "url", .type = CONF_URL, AT(url) },
	END,
};
#undef AT
static const struct conf_table project_table = {
	.what = "a project block", .keys = project_keys, .size = sizeof(struct conf_project),
	.name = offsetof(struct conf_project, pattern), .pos = offsetof(struct conf_project, pos),
	.pattern = true,
};

/* repositories: { roots: [...], default: {...} } */
#define AT(field) .offset = offsetof(struct conf_root, field)
static const struct conf_key root_keys[] = {
	{ .name = "path", .type = CONF_PATH, AT(path), .flags = CONF_REQUIRED | CONF_RELATIVE,
	  .defines = CONF_A_ROOT },
	{ .name = "identity", .type = CONF_IDENTITY, .flags = CONF_REQUIRED,
	  .words = identity_words },
	{ .name = "hook_users", .type = CONF_STRINGS, AT(hook_users), .flags = CONF_REQUIRED },
	END,
};
#undef AT
static const struct conf_table root_table = {
	.what = "a root", .keys = root_keys, .size = sizeof(struct conf_root),
	.pos = offsetof(struct conf_root, pos),
};
/* rules: [ { rules, refs, severity } ]: the first item that names rule and ref decides */
#define AT(field) .offset = offsetof(struct conf_rule, field)
static const struct conf_key rule_keys[] = {
	{ .name = "rules", .type = CONF_STRINGS, AT(codes), .flags = CONF_REQUIRED,
	  .words = rule_codes },
	{ .name = "refs", .type = CONF_REFS, AT(refs), .fallback = "refs/**" },
	{ .name = "severity", .type = CONF_WORD, AT(level), .flags = CONF_REQUIRED,
	  .words = level_words },
	END,
};
#undef AT
static const struct conf_table rule_table = {
	.what = "an item of 'rules'", .keys = rule_keys, .size = sizeof(struct conf_rule),
	.pos = offsetof(struct conf_rule, pos),
};

#define AT(field) .offset = offsetof(struct config, field)
static const struct conf_key repo_default_keys[] = {
	{ .name = "existing_errors", .type = CONF_EITHER, AT(repo.existing_errors_warn),
	  .words = warn_or_refuse, .fallback = "warn" },
	{ .name = "budget", .type = CONF_TIME, AT(repo.budget_ms), .min = 500, .max = 60000,
	  .fallback = "4s" },
	{ .name = "on_timeout", .type = CONF_EITHER, AT(repo.on_timeout_accept),
	  .words = accept_or_refuse, .fallback = "accept" },
	{ .name = "unknown_pusher", .type = CONF_WORD, AT(repo.unknown_pusher),
	  .words = unknown_words, .fallback = "hold" },
	{ .name = "skip", .type = CONF_WHO, AT(repo.skip), .refers = CONF_A_TEAM },
	{ .name = "look_every", .type = CONF_TIME, AT(repo.look_every_ms), .min = 1000,
	  .max = 60 * MINUTE_MS, .fallback = "60s" },
	{ .name = "list_every", .type = CONF_TIME, AT(repo.list_every_ms), .min = MINUTE_MS,
	  .max = 7 * 24 * 60 * MINUTE_MS, .fallback = "6h" },
	END,
};
static const struct conf_table repo_default_table = { .what = "'default'",
						      .keys = repo_default_keys };
static const struct conf_key repositories_keys[] = {
	{ .name = "roots", .type = CONF_ITEMS, AT(roots), .count = offsetof(struct config, nroots),
	  .table = &root_table },
	{ .name = "default", .type = CONF_TABLE, .table = &repo_default_table },
	END,
};
static const struct conf_table repositories_table = { .what = "'repositories'",
						      .keys = repositories_keys };

/* builders: { default: {...} } – limits are each build's, slots the machine's */
static const struct conf_key builder_keys[] = {
	{ .name = "slots", .type = CONF_UNSIGNED, AT(builder.slots), .min = 0, .max = 256,
	  .fallback = "1" },
	{ .name = "time", .type = CONF_TIME, AT(builder.time_ms), .min = 1000,
	  .max = 24 * 60 * MINUTE_MS, .fallback = "30m" },
	{ .name = "quiet", .type = CONF_TIME, AT(builder.quiet_ms), .min = 1000,
	  .max = 24 * 60 * MINUTE_MS, .fallback = "10m" },
	{ .name = "memory", .type = CONF_SIZE, AT(builder.memory), .min = GB / 16, .max = 1024 * GB,
	  .fallback = "4G" },
	{ .name = "processes", .type = CONF_UNSIGNED, AT(builder.processes), .min = 16,
	  .max = 65536, .fallback = "512" },
	{ .name = "disk", .type = CONF_SIZE, AT(builder.disk), .min = GB / 16, .max = 1024 * GB,
	  .fallback = "4G" },
	{ .name = "output", .type = CONF_SIZE, AT(builder.output), .min = 1 << 20, .max = 64 * GB,
	  .fallback = "64M" },
	END,
};
static const struct conf_table builder_table = { .what = "'default'", .keys = builder_keys };
/* builders.toolchains: [ { projects, environments, languages, use } ]: the first match decides */
#undef AT
#define AT(field) .offset = offsetof(struct conf_toolchain_rule, field)
static const struct conf_key toolchain_rule_keys[] = {
	{ .name = "projects", .type = CONF_PROJECTS, AT(projects), .fallback = "**:**" },
	{ .name = "environments", .type = CONF_STRINGS, AT(environments),
	  .refers = CONF_AN_ENVIRONMENT },
	{ .name = "languages", .type = CONF_STRINGS, AT(languages), .words = language_words },
	/* one that `toolchain make` is still to make is no mistake here */
	{ .name = "use", .type = CONF_NAME, AT(use), .flags = CONF_REQUIRED },
	END,
};
#undef AT
static const struct conf_table toolchain_rule_table = {
	.what = "an item of 'toolchains'", .keys = toolchain_rule_keys,
	.size = sizeof(struct conf_toolchain_rule),
	.pos = offsetof(struct conf_toolchain_rule, pos),
};
#define AT(field) .offset = offsetof(struct config, field)
static const struct conf_key builders_keys[] = {
	{ .name = "default", .type = CONF_TABLE, .table = &builder_table },
	{ .name = "toolchains", .type = CONF_ITEMS, AT(toolchain_rules),
	  .count = offsetof(struct config, ntoolchain_rules), .table = &toolchain_rule_table },
	END,
};
static const struct conf_table builders_table = { .what = "'builders'", .keys = builders_keys };

/* tests: { retries, fabric_name, parse_dags } – of every project */
static const struct conf_key tests_keys[] = {
	{ .name = "retries", .type = CONF_UNSIGNED, AT(tests.retries), .min = 0, .max = 5,
	  .fallback = "1" },
	{ .name = "fabric_name", .type = CONF_NAME, AT(tests.fabric_name), .fallback = "default" },
	{ .name = "parse_dags", .type = CONF_BOOL, AT(tests.parse_dags), .fallback = "true" },
	END,
};
static const struct conf_table tests_table = { .what = "'tests'", .keys = tests_keys };

static const struct conf_key toolchain_keys[] = {
	{ .name = "prefix", .type = CONF_PATH, .offset = offsetof(struct conf_toolchain, prefix),
	  .flags = CONF_REQUIRED },
	END,
};
static const struct conf_table toolchain_table = {
	.what = "a toolchain", .keys = toolchain_keys, .size = sizeof(struct conf_toolchain),
	.name = offsetof(struct conf_toolchain, name), .pos = offsetof(struct conf_toolchain, pos),
	.defines = CONF_A_TOOLCHAIN,
};

static const struct conf_key role_keys[] = {
	{ .name = "user", .type = CONF_NAME, .offset = offsetof(struct conf_role, user),
	  .flags = CONF_REQUIRED },
	END,
};
static const struct conf_table role_table = {
	.what = "a role", .keys = role_keys, .size = sizeof(struct conf_role),
	.name = offsetof(struct conf_role, name), .pos = offsetof(struct conf_role, pos),
		.words = role_words,
};

#define DAYS (3650 * 24 * 60 * MINUTE_MS)
static const struct conf_key retention_keys[] = {
	{ .name = "every", .type = CONF_TIME, AT(retention.every_ms), .min = MINUTE_MS,
	  .max = DAYS, .fallback = "1h" },
	{ .name = "artifacts", .type = CONF_TIME, AT(retention.artifacts_ms),
	  .min = 60 * MINUTE_MS, .max = DAYS, .fallback = "180d" },
	{ .name = "artifacts_size", .type = CONF_SIZE, AT(retention.artifacts_max), .min = 0,
	  .max = 1024 * 1024 * GB, .fallback = "20G" },
	{ .name = "rollbacks", .type = CONF_UNSIGNED, AT(retention.rollbacks), .min = 1,
	  .max = 1000, .fallback = "10" },
	{ .name = "logs", .type = CONF_TIME, AT(retention.logs_ms), .min = 60 * MINUTE_MS,
	  .max = DAYS, .fallback = "90d" },
	{ .name = "logs_size", .type = CONF_SIZE, AT(retention.logs_max), .min = 0,
	  .max = 1024 * 1024 * GB, .fallback = "5G" },
	{ .name = "exports", .type = CONF_TIME, AT(retention.exports_ms), .min = 60 * MINUTE_MS,
	  .max = DAYS, .fallback = "1d" },
	{ .name = "aside", .type = CONF_TIME, AT(retention.aside_ms), .min = 60 * MINUTE_MS,
	  .max = DAYS, .fallback = "30d" },
	{ .name = "rows", .type = CONF_TIME, AT(retention.rows_ms), .min = 60 * MINUTE_MS,
	  .max = DAYS, .fallback = "365d" },
	END,
};
static const struct conf_table retention_table = { .what = "'retention'",
						   .keys = retention_keys };

static const struct conf_key disk_keys[] = {
	{ .name = "wait", .type = CONF_UNSIGNED, AT(disk.wait), .min = 1, .max = 100,
	  .fallback = "90" },
	{ .name = "intake_only", .type = CONF_UNSIGNED, AT(disk.intake_only), .min = 1, .max = 100,
	  .fallback = "97" },
	{ .name = "reserve", .type = CONF_SIZE, AT(disk.reserve), .min = 0, .max = GB,
	  .fallback = "16M" },
	END,
};
static const struct conf_table disk_table = { .what = "'disk'", .keys = disk_keys };

#undef AT
/* notify: { NAME: { webhook | mail, events, environments, retry, tries } } */
#define AT(field) .offset = offsetof(struct conf_notify, field)
static const struct conf_key webhook_keys[] = {
	{ .name = "url", .type = CONF_URL, AT(url), .flags = CONF_REQUIRED },
	{ .name = "secret", .type = CONF_SECRET, AT(secret), .flags = CONF_REQUIRED },
	END,
};
static const struct conf_table webhook_table = { .what = "'webhook'", .keys = webhook_keys };
static const struct conf_key mail_keys[] = {
	{ .name = "to", .type = CONF_STRINGS, AT(to), .flags = CONF_REQUIRED },
	{ .name = "from", .type = CONF_STRING, AT(from), .flags = CONF_REQUIRED },
	{ .name = "sendmail", .type = CONF_PATH, AT(sendmail), .fallback = "/usr/sbin/sendmail" },
	END,
};
static const struct conf_table mail_table = { .what = "'mail'", .keys = mail_keys };
static const struct conf_key notify_keys[] = {
	{ .name = "webhook", .type = CONF_TABLE, .table = &webhook_table },
	{ .name = "mail", .type = CONF_TABLE, .table = &mail_table },
	{ .name = "events", .type = CONF_STRINGS, AT(events), .words = notify_words },
	{ .name = "environments", .type = CONF_STRINGS, AT(environments),
	  .refers = CONF_AN_ENVIRONMENT },
	{ .name = "retry", .type = CONF_TIME, AT(retry_ms), .min = 100, .max = 60 * MINUTE_MS,
	  .fallback = "10s" },
	{ .name = "tries", .type = CONF_UNSIGNED, AT(tries), .min = 1, .max = 100,
	  .fallback = "12" },
	END,
};
#undef AT
static const struct conf_table notify_table = {
	.what = "a notification", .keys = notify_keys, .size = sizeof(struct conf_notify),
	.name = offsetof(struct conf_notify, name), .pos = offsetof(struct conf_notify, pos),
	.check = conf_check_notify,
};

#define AT(field) .offset = offsetof(struct config, field)
static const struct conf_key identity_keys[] = {
	{ .name = "trusted_caller", .type = CONF_BOOL, AT(trusted_caller), .fallback = "false" },
		END,
};
static const struct conf_table identity_table = { .what = "'identity'", .keys = identity_keys };

static const struct conf_key api_keys[] = {
	{ .name = "listen", .type = CONF_STRING, AT(api_listen) },
	END,
};
static const struct conf_table api_table = { .what = "'api'", .keys = api_keys,
					     .check = conf_check_api };

static const struct conf_key top_keys[] = {
	{ .name = "teams", .type = CONF_ROWS, AT(teams), .count = offsetof(struct config, nteams),
	  .table = &team_table },
	{ .name = "fabrics", .type = CONF_ROWS, AT(fabrics),
	  .count = offsetof(struct config, nfabrics), .table = &fabric_table },
	{ .name = "environments", .type = CONF_ITEMS, AT(environments),
	  .count = offsetof(struct config, nenvironments), .table = &environment_table },
	{ .name = "projects", .type = CONF_ROWS, AT(projects),
	  .count = offsetof(struct config, nprojects), .table = &project_table },
	{ .name = "repositories", .type = CONF_TABLE, .table = &repositories_table },
	{ .name = "builders", .type = CONF_TABLE, .table = &builders_table },
	{ .name = "tests", .type = CONF_TABLE, .table = &tests_table },
	{ .name = "toolchains", .type = CONF_ROWS, AT(toolchains),
	  .count = offsetof(struct config, ntoolchains), .table = &toolchain_table },
	{ .name = "disk", .type = CONF_TABLE, .table = &disk_table },
	{ .name = "retention", .type = CONF_TABLE, .table = &retention_table },
	{ .name = "identity", .type = CONF_TABLE, .table = &identity_table },
	{ .name = "api", .type = CONF_TABLE, .table = &api_table },
	{ .name = "roles", .type = CONF_ROWS, AT(roles), .count = offsetof(struct config, nroles),
	  .table = &role_table },
	{ .name = "rules", .type = CONF_ITEMS, AT(rules), .count = offsetof(struct config, nrules),
	  .table = &rule_table },
	{ .name = "notify", .type = CONF_ROWS, AT(notify),
	  .count = offsetof(struct config, nnotify), .table = &notify_table },
	END,
};
#undef AT

const struct conf_table conf_top = { .what = "the configuration", .keys = top_keys };

const char *conf_provider_word(enum conf_provider p)
{
	return provider_words[p];
}

const char *conf_deploy_word(enum conf_deploy d)
{
	return deploy_words[d];
}

const char *conf_level_word(enum conf_level l)
{
	return level_words[l];
}
