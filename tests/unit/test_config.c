/* Units of common/config: every mistake at its place, in one run; and what a good file becomes. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/config/config.h"

/* A file that is right; rows put their own lines in front of it or instead of it. */
#define TEAMS "teams: { all: { members: [ana, bo] }, few: { members: [bo] } }\n"
#define FABRICS "fabrics: { dev: { id: 1, owner: all, provider: local } }\n"
#define RULES "environments:\n  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: auto }\n"
#define GOOD TEAMS FABRICS RULES

static struct config *parse(const char *text, size_t n, struct buf *findings)
{
	struct diag_list out = DIAG_LIST_INIT;
	struct config *c = NULL;
	struct ps_err err;

	assert_int_equal(config_parse(&c, "p", text, n, &out, &err), 0);
	assert_true((c == NULL) == (out.errors > 0));
	diag_sort(&out);
	diag_print(findings, &out, 0);
	diag_clear(&out);
	return c;
}

static const struct row { const char *name, *text, *findings; } rows[] = {
	{ "good", GOOD, "" },
	{ "empty", "", "p:1:1: error: the file is empty: nothing is configured [PS-CONF-008]\n" },
	{ "comment only", "# nothing\n", "p:1:1: error: the file is empty: nothing is configured [PS-CONF-008]\n" },
	{ "not a map", "- a\n", "p:1:1: error: the configuration must be a map of keys [PS-CONF-007]\n" },
	{ "syntax", "teams: {\n  a: [\n", "p:3:1: error: not YAML: did not find expected node content, "
	  "while parsing a flow node [PS-CONF-001]\n" },
	{ "not utf-8", "teams: {}\n# caf\xff!\n", "p:2:6: error: not YAML: invalid leading UTF-8 octet [PS-CONF-001]\n" },
	{ "lines as editors count", "teams: {}\n# x\xe2\x80\xa8" "teams: {}\n",
	  "p:2:5: error: 'teams' is given twice, first in line 1 [PS-CONF-004]\n" },
	{ "two documents", "teams: {}\n---\nteams: {}\n",
	  "p:2:1: error: a second document in the file [PS-CONF-001]\n" },
	{ "alias", "teams: *x\n", "p:1:8: error: alias 'x' names no anchor before it [PS-CONF-001]\n" },
	{ "alias circle", "teams: &x { a: *x }\n",
	  "p:1:16: error: alias 'x' names no anchor before it [PS-CONF-001]\n" },
	{ "deep", "teams: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
	  "p:1:39: error: nested deeper than 32 [PS-CONF-002]\n" },
	{ "key is a list", "[a]: b\n", "p:1:1: error: a key must be a text [PS-CONF-007]\n" },
	{ "unknown key", GOOD "team: {}\n",
	  "p:5:1: error: unknown key 'team' in the configuration, the nearest is 'teams' [PS-CONF-005]\n" },
	{ "swapped letters", TEAMS "fabrics: { dev: { id: 1, ownre: all, owner: all, provider: local } }\n" RULES,
	  "p:2:26: error: unknown key 'ownre' in a fabric, the nearest is 'owner' [PS-CONF-005]\n" },
	{ "far key", GOOD "colour: red\n",
	  "p:5:1: error: unknown key 'colour' in the configuration [PS-CONF-005]\n" },
	{ "merge key", GOOD "<<: {}\n", "p:5:1: error: unknown key '<<' in the configuration [PS-CONF-005]\n" },
	{ "retention", GOOD "retention: { artifacts: 30d, logs_size: 1M, rollbacks: 3 }\n", "" },
	{ "retention, too short", GOOD "retention: { logs: 1m }\n",
	  "p:5:20: error: 'logs' must be from 3600000ms to 315360000000ms, not '1m' [PS-CONF-010]\n" },
	{ "disk", GOOD "disk: { wait: 80, intake_only: 95, reserve: 1M }\n", "" },
	{ "notify", GOOD "notify:\n  chat: { webhook: { url: 'https://x.example/h', secret: { env: S } }, events: [failed],"
	  " environments: [dev], retry: 1s, tries: 3 }\n  oncall: { mail: { to: [a@b.c], from: p@b.c } }\n", "" },
	{ "notify: neither", GOOD "notify: { x: { events: [failed] } }\n",
	  "p:5:14: error: a notification needs 'webhook' or 'mail', and has none [PS-CONF-008]\n" },
	{ "notify: both", GOOD "notify: { x: { mail: { to: [a@b.c], from: p@b.c }, webhook: { url: 'http://x', secret: { env: S } } } }\n",
	  "p:5:22: error: a notification needs 'webhook' or 'mail', not both [PS-CONF-023]\n" },
	{ "notify: an option for an address", GOOD "notify: { x: { mail: { to: [-oQ@b.c], from: p@b.c } } }\n",
	  "p:5:22: error: an address is plain: oncall@example.net [PS-CONF-020]\n" },
	{ "notify: another event", GOOD "notify: { x: { mail: { to: [a@b.c], from: p@b.c }, events: [build] } }\n",
	  "p:5:61: error: unknown 'build' in 'events' [PS-CONF-009]\n" },
	{ "notify: no such environment", GOOD "notify: { x: { mail: { to: [a@b.c], from: p@b.c }, environments: [q] } }\n",
	  "p:5:67: error: unknown environment 'q' [PS-CONF-017]\n" },
	{ "later in a rule", TEAMS FABRICS "environments:\n"
	  "  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: auto, also: true, patch: {} }\n",
	  "p:4:70: error: 'also' is not in this version [PS-CONF-006]\n"
	  "p:4:82: error: 'patch' is not in this version [PS-CONF-006]\n" },
	{ "verify and rollback", TEAMS FABRICS "environments:\n"
	  "  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: auto, rollback: auto,\n"
	  "      verify: { run: jobs/x, config: prod, timeout: 5m } }\n", "" },
	{ "verify by nothing", TEAMS FABRICS "environments:\n"
	  "  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: auto, rollback: often,\n"
	  "      verify: { config: prod, timeout: 2d } }\n",
	  "p:4:80: error: 'rollback' must be one of auto, by_hand, not 'often' [PS-CONF-009]\n"
	  "p:5:15: error: 'verify' has no 'run' [PS-CONF-008]\n"
	  "p:5:40: error: 'timeout' must be from 1000ms to 86400000ms, not '2d' [PS-CONF-010]\n" },
	{ "rules", GOOD "rules:\n  - { rules: [PS-JOB-02], refs: [heads/x], severity: fatal }\n  - { severity: off }\n",
	  "p:6:15: error: unknown 'PS-JOB-02' in 'rules', the nearest is 'PS-JOB-021' [PS-CONF-009]\n"
	  "p:6:34: error: pattern 'heads/x' does not begin with 'refs/', like 'refs/heads/main' [PS-CONF-013]\n"
	  "p:6:54: error: 'severity' must be one of error, newly, warning, off, not 'fatal' [PS-CONF-009]\n"
	  "p:7:5: error: an item of 'rules' has no 'rules' [PS-CONF-008]\n" },
	{ "duplicate key", GOOD "builders: {}\nbuilders: {}\n",
	  "p:6:1: error: 'builders' is given twice, first in line 5 [PS-CONF-004]\n" },
	{ "team twice", "teams: { all: { members: [ana, bo] },\n  all: { members: [kim] } }\n" FABRICS RULES,
	  "p:2:3: error: 'all' is given twice, first in line 1 [PS-CONF-004]\n" },
	{ "environment twice", GOOD "  - { name: dev, refs: [refs/heads/x], fabric: dev, deploy: auto }\n",
	  "p:5:13: error: environment 'dev' is given twice, first in line 4 [PS-CONF-018]\n" },
	{ "fabric id twice", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: local }\n"
	  "  b: { id: 1, owner: all, provider: local }\n" RULES,
	  "p:4:12: error: fabric id '1' is given twice, first in line 3 [PS-CONF-018]\n" },
	{ "member twice", "teams: { all: { members: [ana, bo, ana] } }\n" FABRICS RULES,
	  "p:1:36: error: 'ana' is in 'members' twice [PS-CONF-018]\n" },
	{ "wrong types", "teams: []\nfabrics: x\nenvironments: {}\nbuilders: { default: [] }\n",
	  "p:1:8: error: 'teams' must be a map of names [PS-CONF-007]\n"
	  "p:2:10: error: 'fabrics' must be a map of names [PS-CONF-007]\n"
	  "p:3:15: error: 'environments' must be a list [PS-CONF-007]\n"
	  "p:4:22: error: 'default' must be a map of keys [PS-CONF-007]\n" },
	{ "list wanted", "teams: { all: { members: ana } }\n",
	  "p:1:26: error: 'members' must be a list: [one, two] [PS-CONF-007]\n" },
	{ "value wanted", GOOD "builders: { default: { slots: [1] } }\n",
	  "p:5:31: error: 'slots' must be a single value [PS-CONF-007]\n" },
	{ "no value", GOOD "builders: { default: { slots: } }\n",
	  "p:5:31: error: 'slots' has no value [PS-CONF-007]\n" },
	{ "missing", TEAMS "fabrics: { dev: { id: 1 } }\n" RULES,
	  "p:2:17: error: a fabric has no 'owner' [PS-CONF-008]\n"
	  "p:2:17: error: a fabric has no 'provider' [PS-CONF-008]\n" },
	{ "unknown team", TEAMS "fabrics: { dev: { id: 1, owner: al, provider: local } }\n" RULES,
	  "p:2:33: error: unknown team 'al', the nearest is 'all' [PS-CONF-015]\n" },
	{ "unknown fabric", TEAMS FABRICS
	  "environments:\n  - { name: dev, refs: [refs/heads/main], fabric: prod, deploy: auto }\n",
	  "p:4:51: error: unknown fabric 'prod' [PS-CONF-016]\n" },
	{ "unknown environment", TEAMS FABRICS
	  "environments:\n  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: auto, after: deb }\n",
	  "p:4:77: error: unknown environment 'deb', the nearest is 'dev' [PS-CONF-017]\n" },
	{ "listen", GOOD "api: { listen: '0.0.0.0:80' }\n",
	  "p:5:16: error: 'listen' must be an address of this machine alone, like 127.0.0.1:8730 or [::1]:8730, "
	  "not '0.0.0.0:80' [PS-CONF-022]\n" },
	{ "listen, no port", GOOD "api: { listen: 127.0.0.1 }\n",
	  "p:5:16: error: 'listen' must be an address of this machine alone, like 127.0.0.1:8730 or [::1]:8730, "
	  "not '127.0.0.1' [PS-CONF-022]\n" },
	{ "listen, port", GOOD "api: { listen: '[::1]:65536' }\n",
	  "p:5:16: error: 'listen' must be an address of this machine alone, like 127.0.0.1:8730 or [::1]:8730, "
	  "not '[::1]:65536' [PS-CONF-022]\n" },
	{ "listen, another host", GOOD "api: { listen: '127.0.0.1.example.net:80' }\n",
	  "p:5:16: error: 'listen' must be an address of this machine alone, like 127.0.0.1:8730 or [::1]:8730, "
	  "not '127.0.0.1.example.net:80' [PS-CONF-022]\n" },
	{ "listen here", GOOD "api: { listen: '127.0.0.1:8730' }\n", "" },
	{ "circle of teams", "teams:\n  a: { includes: [b] }\n  b: { includes: [c] }\n  c: { includes: [b] }\n",
	  "p:3:3: error: teams that include each other in a circle: b, c, b [PS-CONF-019]\n" },
	{ "team in itself", "teams: { a: { includes: [a] } }\n",
	  "p:1:10: error: teams that include each other in a circle: a, a [PS-CONF-019]\n" },
	{ "circle of after", TEAMS FABRICS "environments:\n"
	  "  - { name: x, refs: [refs/heads/x], fabric: dev, deploy: auto, after: y }\n"
	  "  - { name: y, refs: [refs/heads/y], fabric: dev, deploy: auto, after: x }\n",
	  "p:4:5: error: environments that come after each other in a circle: x, y, x [PS-CONF-019]\n" },
	{ "bad word", TEAMS FABRICS
	  "environments:\n  - { name: dev, refs: [refs/heads/main], fabric: dev, deploy: autos }\n",
	  "p:4:64: error: 'deploy' must be one of auto, approve, manual, not 'autos', the nearest is 'auto' "
	  "[PS-CONF-009]\n" },
	{ "numbers", GOOD "builders: { default: { slots: -1, processes: 9, memory: 64X, time: 30 } }\n",
	  "p:5:31: error: 'slots' must be a whole number, not '-1' [PS-CONF-010]\n"
	  "p:5:46: error: 'processes' must be from 16 to 65536, not '9' [PS-CONF-010]\n"
	  "p:5:57: error: 'memory' must be a size like 64M or 4G, not '64X' [PS-CONF-011]\n"
	  "p:5:68: error: 'time' must be a time like 500ms, 4s or 10m, not '30' [PS-CONF-012]\n" },
	{ "odd numbers", GOOD "builders: { default: { slots: 010, processes: '16', time: 99999999999999999999s, disk: 9999999999G } }\n",
	  "p:5:31: error: 'slots' must be a whole number, not '010' [PS-CONF-010]\n"
	  "p:5:47: error: 'processes' must be a whole number, not '16' [PS-CONF-010]\n"
	  "p:5:59: error: 'time' must be a time like 500ms, 4s or 10m, not '99999999999999999999s' [PS-CONF-012]\n"
	  "p:5:88: error: 'disk' must be a size like 64M or 4G, not '9999999999G' [PS-CONF-011]\n" },
	{ "limits of a time", GOOD "repositories: { default: { budget: 2h } }\n",
	  "p:5:36: error: 'budget' must be from 500ms to 60000ms, not '2h' [PS-CONF-010]\n" },
	{ "yes is no bool", GOOD "identity: { trusted_caller: yes }\n",
	  "p:5:29: error: 'trusted_caller' must be true or false, not 'yes' [PS-CONF-007]\n" },
	{ "bad patterns", TEAMS FABRICS
	  "environments:\n  - { name: dev, projects: [sales], refs: [main, 'refs/heads/[ab]'], fabric: dev, deploy: auto }\n",
	  "p:4:29: error: pattern 'sales' is not REPOSITORY:PROJECT, like 'sales/*:**' [PS-CONF-013]\n"
	  "p:4:44: error: pattern 'main' does not begin with 'refs/', like 'refs/heads/main' [PS-CONF-013]\n"
	  "p:4:50: error: pattern 'refs/heads/[ab]' may only have the wildcards '*', '**' and '?' [PS-CONF-013]\n" },
	{ "secret inlined", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: databricks,\n"
	  "         databricks: { host: 'https://me:pw@h', token: dapi123 } }\n" RULES,
	  "p:4:30: error: 'host' has a user or password inside: write the address alone, and the credential by "
	  "file, env or credential [PS-CONF-014]\n"
	  "p:4:56: error: 'token' must not be in this file: write { file: PATH }, { env: NAME } or "
	  "{ credential: NAME } [PS-CONF-014]\n" },
	{ "secret twice", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: databricks,\n"
	  "         databricks: { host: 'https://h', token: { file: /a, env: B } } }\n" RULES,
	  "p:4:50: error: 'token' must not be in this file: write { file: PATH }, { env: NAME } or "
	  "{ credential: NAME } [PS-CONF-014]\n" },
	{ "secret anchored", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: databricks,\n"
	  "         databricks: { host: 'https://h', token: { file: &a /a } } }\n" RULES,
	  "p:4:58: error: where 'token' is found must stand on one line, without anchor or alias [PS-CONF-014]\n" },
	{ "dags folder", TEAMS "fabrics:\n  dev: { id: 2, owner: all, provider: airflow, airflow: { host: 'http://127.0.0.1', "
	  "dags: dags } }\n" RULES,
	  "p:3:91: error: 'dags' must be an absolute path, or sftp://USER@HOST/PATH [PS-CONF-021]\n" },
	{ "secrets", TEAMS "fabrics:\n  dev:\n    id: 2\n    owner: all\n    provider: databricks\n    databricks:\n"
	  "      host: https://w\n      token: { env: A }\n      secrets:\n"
	  "        - { scope: s, key: k, value: { file: /x }, readers: [analysts, kim] }\n"
	  "        - { scope: s, key: k, value: { env: B } }\n        - { scope: 's s', key: k, value: { env: B } }\n"
	  "        - { scope: s, key: x, value: 'in clear' }\n" RULES,
	  "p:12:11: error: the secret 'k' of 's' is there twice, first in line 11 [PS-CONF-018]\n"
	  "p:13:11: error: 'scope' and 'key' are up to 128 letters, digits, and '-_.@' [PS-CONF-009]\n"
	  "p:14:38: error: 'value' must not be in this file: write { file: PATH }, { env: NAME } or { credential: NAME } [PS-CONF-014]\n" },
	{ "uploader", TEAMS "fabrics:\n  dev: { id: 2, owner: all, provider: airflow, airflow: { host: 'http://127.0.0.1',\n"
	  "    dags: 'sftp://h/x', uploader: { url: 'https://u' } } }\n"
	  "  b: { id: 3, owner: all, provider: airflow, airflow: { host: 'http://127.0.0.1', uploader: { url: 'https://u' } } }\n"
	  "  c: { id: 4, owner: all, provider: airflow, airflow: { host: 'http://127.0.0.1', dags: 'hdfs://h/x',\n"
	  "    uploader: { url: 'https://u', user: u } } }\n"
	  "  d: { id: 5, owner: all, provider: airflow, airflow: { host: 'http://127.0.0.1', dags: /x,\n"
	  "    uploader: { url: 'http://u.example.net', user: u, password: { env: A } } } }\n" RULES,
	  "p:4:11: error: 'dags' must be an absolute path, or hdfs://HOST/PATH; with an 'uploader' nothing else [PS-CONF-021]\n"
	  "p:5:93: error: 'uploader' needs 'dags': the folder that it shall write into [PS-CONF-008]\n"
	  "p:7:15: error: 'uploader' has 'user' without 'password' [PS-CONF-008]\n"
	  "p:9:15: warning: 'uploader' gets the credential in clear: https:// keeps it [PS-CONF-022]\n" },
	{ "provider block", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: local, airflow: { host: 'http://h' } }\n"
	  "  b: { id: 2, owner: all, provider: airflow }\n" RULES,
	  "p:3:55: error: 'airflow' does not belong to a fabric of provider 'local' [PS-CONF-023]\n"
	  "p:4:6: error: a fabric has no 'airflow' for its provider [PS-CONF-008]\n" },
	{ "credential in clear", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: databricks,\n"
	  "         databricks: { host: 'http://h.example.net', token: { env: B } } }\n" RULES,
	  "p:4:30: error: 'host' would get the credential in clear: write https:// [PS-CONF-022]\n" },
	{ "no volume", TEAMS "fabrics:\n  dev: { id: 1, owner: all, provider: databricks,\n"
	  "         databricks: { host: 'http://127.0.0.1:8', token: { env: B }, volume: /Volumes/c/s } }\n" RULES,
	  "p:4:79: error: 'volume' must be a volume or a folder in one: /Volumes/CATALOG/SCHEMA/VOLUME [PS-CONF-021]\n" },
	{ "no credential", TEAMS "fabrics: { dev: { id: 1, owner: all, provider: databricks, databricks: { host: 'https://h' } } }\n" RULES,
	  "p:2:72: error: 'databricks' needs 'token' or 'oauth', and has none [PS-CONF-008]\n" },
	{ "paths and names", GOOD "toolchains: { 'a b': { prefix: /x }, c: { prefix: opt/x } }\n",
	  "p:5:15: error: 'a b' is not a name for a toolchain: letters, digits, '.', '_' and '-', at most 64 "
	  "[PS-CONF-020]\n"
	  "p:5:51: error: 'prefix' must be an absolute path, not 'opt/x' [PS-CONF-021]\n" },
	{ "derive", TEAMS FABRICS "environments:\n  - name: dev\n    refs: [refs/heads/main]\n    fabric: dev\n"
	  "    deploy: auto\n    jobs:\n      derive:\n        - { from: job_a, patch: {} }\n",
	  "p:10:11: error: a derived job has no 'as' [PS-CONF-008]\n"
	  "p:10:19: error: 'from' must be a job like jobs/NAME, not 'job_a' [PS-CONF-020]\n"
	},
	{ "derived twice", TEAMS FABRICS "environments:\n  - name: dev\n    refs: [refs/heads/main]\n    fabric: dev\n"
	  "    deploy: auto\n    jobs:\n      derive:\n        - { from: jobs/a, as: jobs/b }\n"
	  "        - { from: jobs/c, as: jobs/b }\n",
	  "p:11:11: error: 'jobs/b' is derived twice, first in line 10 [PS-CONF-018]\n" },
	{ "derive's JSON", TEAMS FABRICS "environments:\n  - name: dev\n    refs: [refs/heads/main]\n    fabric: dev\n"
	  "    deploy: auto\n    jobs:\n      derive:\n        - { from: jobs/a, as: jobs/b, patch: x, schedule: { timezone: UTC } }\n"
	  "        - { from: jobs/a, as: jobs/c, patch: [], schedule: { timezone_id: [] } }\n",
	  "p:10:46: error: 'patch' must be a map [PS-CONF-007]\n"
	  "p:10:61: error: unknown key 'timezone' in 'schedule' [PS-CONF-005]\n"
	  "p:11:46: error: 'patch' must be a map [PS-CONF-007]\n"
	  "p:11:75: error: 'timezone_id' must be a text [PS-CONF-007]\n" },
	{ "identity from what the pusher sets", GOOD "repositories: { roots: [\n"
	  "  { path: a, identity: 'env:GIT_PUSH_OPTION_0', hook_users: [git] },\n"
	  "  { path: b, identity: 'env:LC_WHO', hook_users: [git] },\n"
	  "  { path: c, identity: 'env:LANG', hook_users: [git] },\n"
	  "  { path: d, identity: 'env:LANGER', hook_users: [git] } ] }\n",
	  "p:6:24: error: 'identity' must name a variable that the host sets; GIT_PUSH_OPTION_0 is the pusher's to "
	  "choose [PS-CONF-009]\n"
	  "p:7:24: error: 'identity' must name a variable that the host sets; LC_WHO is the pusher's to choose "
	  "[PS-CONF-009]\n"
	  "p:8:24: error: 'identity' must name a variable that the host sets; LANG is the pusher's to choose "
	  "[PS-CONF-009]\n" },
	{ "identity", GOOD "repositories: { roots: [ { path: a, identity: 'env:A-B', hook_users: [git] },\n"
	  "  { path: b, identity: gitlb, hook_users: [git] } ] }\n",
	  "p:5:47: error: 'identity' must name a variable, like env:REMOTE_USER [PS-CONF-009]\n"
	  "p:6:24: error: 'identity' must be one of uid, gitolite, gitlab, gitea, ghes, http, env, not 'gitlb', "
	  "the nearest is 'gitlab' [PS-CONF-009]\n" },
	{ "role", GOOD "roles: { cores: { user: x } }\n",
	  "p:5:10: error: 'cores' is not a role, the nearest is 'core' [PS-CONF-009]\n"
	  "p:5:10: error: 'roles' names the user of 1 of core, gate, build and deploy; name all four, or leave "
	  "'roles' out [PS-CONF-024]\n" },
	{ "roles missing", GOOD "roles: { core: { user: x } }\n",
	  "p:5:10: error: 'roles' names the user of 1 of core, gate, build and deploy; name all four, or leave "
	  "'roles' out [PS-CONF-024]\n" },
	{ "roles", GOOD "roles: { core: { user: a }, gate: { user: b }, build: { user: c }, deploy: { user: d } }\n", "" },
	{ "roles and trusted caller", GOOD "roles: { core: { user: a }, gate: { user: b }, build: { user: c }, "
	  "deploy: { user: d } }\nidentity: { trusted_caller: true }\n",
	  "p:6:29: error: 'trusted_caller' is for one person's own instance and has no place beside 'roles' "
	  "(line 5); remove one of them [PS-CONF-024]\n" },
	{ "columns are characters", "teams: { all: { members: [\"n\xc3\xa9\xc3\xa9\", bo, bo] } }\n",
	  "p:1:38: error: 'bo' is in 'members' twice [PS-CONF-018]\n" },
	{ "control character", "teams: { all: { members: [\"a\\0b\", bo] } }\n",
	  "p:1:27: error: a line break or control character in a value [PS-CONF-007]\n" },
	{ "shadowed", GOOD "  - { name: late, projects: ['a:**'], refs: [refs/heads/main], fabric: dev, deploy: manual }\n",
	  "p:5:5: warning: environment 'late' is never reached: 'dev' (line 4) takes its refs first [PS-CONF-031]\n" },
	{ "not shadowed", GOOD "  - { name: late, refs: [refs/heads/main, refs/heads/x], fabric: dev, deploy: manual }\n", "" },
	{ "project shadowed", GOOD "projects: { '**:**': { id: 1 }, 'sales/etl:.': { id: 2 } }\n",
	  "p:5:33: warning: 'sales/etl:.' is never reached: '**:**' (line 5) takes its projects first [PS-CONF-031]\n" },
	{ "toolchain's rule", GOOD "builders: { toolchains: [ { projects: [sales], environments: [prod],\n"
	  "  languages: [perl], use: 'a b' }, { refs: [x] } ] }\n",
	  "p:5:40: error: pattern 'sales' is not REPOSITORY:PROJECT, like 'sales/*:**' [PS-CONF-013]\n"
	  "p:5:63: error: unknown environment 'prod' [PS-CONF-017]\n"
	  "p:6:15: error: unknown 'perl' in 'languages' [PS-CONF-009]\n"
	  "p:6:27: error: 'a b' is not a name for use: letters, digits, '.', '_' and '-', at most 64 "
	  "[PS-CONF-020]\n"
	  "p:6:36: error: an item of 'toolchains' has no 'use' [PS-CONF-008]\n"
	  "p:6:38: error: unknown key 'refs' in an item of 'toolchains' [PS-CONF-005]\n" },
	{ "toolchain's rule shadowed", GOOD "builders: { toolchains: [ { environments: [dev], use: a },\n"
	  "  { projects: ['s:**'], environments: [dev], languages: [python], use: b }, { use: c } ] }\n",
	  "p:6:3: warning: toolchain 'b' is never reached by this rule: 'a' (line 5) takes its projects first "
	  "[PS-CONF-031]\n" },
	{ "auto past the owners", TEAMS "fabrics: { dev: { id: 1, owner: few, provider: local } }\n" RULES,
	  "p:4:5: warning: environment 'dev' deploys without approval to fabric 'dev', whose owners 'few' are not "
	  "everybody: 'ana' is none of them [PS-CONF-032]\n" },
	{ "ten mistakes",
	  "teams:\n"
	  "  developers: { member: [ana], includes: [suport] }\n"
	  "  support: { members: kim }\n"
	  "fabrics:\n"
	  "  dev: { id: x, owner: developers, provider: locl }\n"
	  "environments:\n"
	  "  - { name: prod, refs: [v*], fabric: production, deploy: approve, approvals: 99 }\n"
	  "  - { refs: [refs/heads/main], fabric: dev, deploy: auto }\n"
	  "builders: { default: { time: 4 minutes } }\n",
	  "p:2:17: error: unknown key 'member' in a team, the nearest is 'members' [PS-CONF-005]\n"
	  "p:2:43: error: unknown team 'suport', the nearest is 'support' [PS-CONF-015]\n"
	  "p:3:23: error: 'members' must be a list: [one, two] [PS-CONF-007]\n"
	  "p:5:14: error: 'id' must be a whole number, not 'x' [PS-CONF-010]\n"
	  "p:5:46: error: 'provider' must be one of local, databricks, airflow, not 'locl', the nearest is 'local' "
	  "[PS-CONF-009]\n"
	  "p:7:26: error: pattern 'v*' does not begin with 'refs/', like 'refs/heads/main' [PS-CONF-013]\n"
	  "p:7:39: error: unknown fabric 'production' [PS-CONF-016]\n"
	  "p:7:79: error: 'approvals' must be from 1 to 9, not '99' [PS-CONF-010]\n"
	  "p:8:5: error: an environment has no 'name' [PS-CONF-008]\n"
	  "p:9:30: error: 'time' must be a time like 500ms, 4s or 10m, not '4 minutes' [PS-CONF-012]\n" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct buf findings = BUF_INIT;
	struct config *c = parse(row->text, strlen(row->text), &findings);

	assert_string_equal(buf_str(&findings), row->findings);
	config_free(c);
	buf_clear(&findings);
}

static const char full[] =
	"teams:\n"
	"  developers:   { members: [ana, bo], includes: [prod_support] }\n"
	"  prod_support: { members: [kim, lee] }\n"
	"fabrics:\n"
	"  development:\n"
	"    id: 1174\n"
	"    owner: developers\n"
	"    provider: databricks\n"
	"    databricks: { host: https://dev.example.net, token: { file: /etc/penstock/dev.token } }\n"
	"  qa:\n"
	"    { id: 2210, owner: developers, provider: local, self_approval: true }\n"
	"  production:\n"
	"    id: 4004\n"
	"    owner: prod_support\n"
	"    provider: databricks\n"
	"    databricks: { host: https://prod.example.net, oauth: { client_id: abc, client_secret: { credential: prod } },\n"
	"                  volume: /Volumes/main/jobs/wheels }\n"
	"    http: { proxy: http://proxy:3128, ca: /etc/ssl/own.pem, per_second: 5, retry: 1s, patience: 3m }\n"
	"environments:\n"
	"  - name: production\n"
	"    projects: ['sales/*:**']\n"
	"    refs: [refs/tags/v*, 'refs/tags/*/*']\n"
	"    fabric: production\n"
	"    deploy: approve\n"
	"    approvals: 2\n"
	"    push: prod_support\n"
	"    after: qa\n"
	"    jobs:\n"
	"      own: false\n"
	"      derive:\n"
	"        - { from: jobs/job_development, as: jobs/job_production, config: prod, enabled: false,\n"
	"            enforce_schedule: true, schedule: { timezone_id: UTC },\n"
	"            patch: { a: [1, -0.5e3, '1', yes, 01, true, ~], \"b\\\"\": {} } }\n"
	"  - { name: qa, refs: ['refs/heads/release/**'], fabric: qa, deploy: auto }\n"
	"  - { name: development, refs: [refs/heads/main], fabric: development, deploy: auto }\n"
	"projects:\n"
	"  'sales/etl:.': { id: 7234, owner: developers, customer: dev, control_plane: execution, url: https://prophecy.example.net }\n"
	"repositories:\n"
	"  roots: [{ path: /srv/git, identity: gitolite, hook_users: [git, 998] }, { path: r, identity: env:WHO, hook_users: [git] }]\n"
	"  default: { existing_errors: refuse, budget: 2s, on_timeout: refuse, unknown_pusher: accept }\n"
	"builders: { default: { slots: 4, time: 1h, quiet: 90s, memory: 512M, processes: 100, disk: 1G, output: 2M },\n"
	"  toolchains: [ { projects: ['sales/*:**'], environments: [qa, production], use: old },\n"
	"    { languages: [scala], use: jvm }, { projects: ['**:lab'], use: new } ] }\n"
	"toolchains: { spark: { prefix: /opt/spark } }\n"
	"identity: { trusted_caller: true }\n";

static void a_full_file_becomes_structs(void **state)
{
	struct buf findings = BUF_INIT;
	struct config *c = parse(full, strlen(full), &findings);
	const struct conf_environment *e;
	const struct conf_fabric *f;

	(void)state;
	assert_string_equal(buf_str(&findings), "");
	assert_int_equal(c->nteams, 2);
	assert_true(config_is_member(c, "developers", "lee"));
	assert_false(config_is_member(c, "prod_support", "ana"));
	assert_false(config_is_member(c, "nobody", "ana"));
	f = config_fabric_by_id(c, 4004);
	assert_int_equal(f->client_secret.kind, CONF_SECRET_CREDENTIAL);
	assert_string_equal(f->scope, "all-apis");
	assert_string_equal(f->volume, "/Volumes/main/jobs/wheels");
	assert_string_equal(f->http.proxy, "http://proxy:3128");
	assert_string_equal(f->http.ca, "/etc/ssl/own.pem");
	assert_int_equal(f->http.per_second, 5);
	assert_int_equal(f->http.retry_ms, 1000);
	assert_int_equal(f->http.patience_ms, 180000);
	assert_int_equal(config_fabric_by_id(c, 1174)->http.per_second, 10);
	assert_int_equal(config_fabric_by_id(c, 1174)->http.patience_ms, 120000);
	assert_string_equal(config_fabric(c, "development")->token.where, "/etc/penstock/dev.token");
	assert_string_equal(config_fabric(c, "production")->client_id, "abc");
	assert_true(config_fabric(c, "qa")->self_approval);
	assert_int_equal(c->nsecrets, 2);
	e = config_environment(c, "production");
	assert_int_equal(e->pos.line, 20);
	assert_int_equal(e->pos.col, 5);
	assert_int_equal(e->refs.n, 2);
	assert_int_equal(e->deploy, CONF_DEPLOY_APPROVE);
	assert_int_equal(e->approvals, 2);
	assert_string_equal(e->push.team, "prod_support");
	assert_string_equal(e->after, "qa");
	assert_false(e->jobs_own);
	assert_int_equal(e->nderive, 1);
	assert_string_equal(e->derive[0].as, "jobs/job_production");
	assert_string_equal(e->derive[0].config, "prod");
	assert_false(e->derive[0].enabled);
	assert_int_equal(e->derive[0].pos.line, 31);
	assert_true(e->derive[0].enforce_schedule);
	assert_string_equal(e->derive[0].schedule, "{\"timezone_id\":\"UTC\"}");
	assert_string_equal(e->derive[0].patch, "{\"a\":[1,-0.5e3,\"1\",\"yes\",\"01\",true,null],"
			    "\"b\\\"\":{}}");
	e = config_environment(c, "qa");
	assert_true(e->jobs_own);
	assert_int_equal(e->approvals, 1);
	assert_string_equal(e->projects.v[0], "**:**");
	assert_null(e->push.team);
	assert_int_equal(config_project(c, "sales/etl", ".")->id, 7234);
	assert_null(config_project(c, "sales/etl", "sub"));
	assert_string_equal(config_toolchain(c, "sales/etl", ".", "qa", "python")->use, "old");
	assert_null(config_toolchain(c, "sales/etl", ".", "development", "python"));
	assert_null(config_toolchain(c, "sales/etl", ".", NULL, NULL));
	assert_string_equal(config_toolchain(c, "sales/etl", "lab", "development", "sql")->use, "new");
	assert_string_equal(config_toolchain(c, "x", "lab", "qa", "scala")->use, "jvm");
	assert_true(config_needs_default_toolchain(c));
	assert_int_equal(c->roots[0].identity, CONF_ID_GITOLITE);
	assert_int_equal(c->roots[1].identity, CONF_ID_ENV);
	assert_string_equal(c->roots[1].identity_env, "WHO");
	assert_false(c->repo.existing_errors_warn);
	assert_false(c->repo.on_timeout_accept);
	assert_int_equal(c->repo.budget_ms, 2000);
	assert_int_equal(c->repo.unknown_pusher, CONF_UNKNOWN_ACCEPT);
	assert_int_equal(c->builder.slots, 4);
	assert_int_equal(c->builder.time_ms, 3600000);
	assert_int_equal(c->builder.quiet_ms, 90000);
	assert_int_equal(c->builder.memory, 512 << 20);
	assert_int_equal(c->builder.output, 2 << 20);
	assert_string_equal(c->toolchains[0].prefix, "/opt/spark");
	assert_true(c->trusted_caller);
	assert_int_equal(strlen(c->digest), 64);
	config_free(c);
	buf_clear(&findings);
}

static void absent_keys_have_defaults(void **state)
{
	struct buf findings = BUF_INIT;
	struct config *c = parse(GOOD, strlen(GOOD), &findings);

	(void)state;
	assert_true(c->repo.existing_errors_warn);
	assert_true(c->repo.on_timeout_accept);
	assert_int_equal(c->repo.budget_ms, 4000);
	assert_int_equal(c->repo.unknown_pusher, CONF_UNKNOWN_HOLD);
	assert_int_equal(c->builder.slots, 1);
	assert_int_equal(c->builder.time_ms, 30 * 60000);
	assert_int_equal(c->builder.quiet_ms, 10 * 60000);
	assert_int_equal(c->builder.memory, 4LL << 30);
	assert_int_equal(c->builder.processes, 512);
	assert_int_equal(c->builder.disk, 4LL << 30);
	assert_int_equal(c->builder.output, 64 << 20);
	assert_false(c->trusted_caller);
	assert_int_equal(c->nroles, 0);
	config_free(c);
}

/* What init writes has no finding, whoever the caller is. */
static void the_initial_file_is_clean(void **state)
{
	static const char *const logins[] = { "ana", "kim", "jo", "root", "1000", "o'neil x", "null", "-x" };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(logins); i++) {
		struct buf text = BUF_INIT, findings = BUF_INIT;
		struct config *c;

		config_initial(&text, logins[i], 1000, "/tmp/a\nb", i % 2 ? "/opt/it's here" : NULL);
		c = parse(buf_str(&text), text.len, &findings);
		assert_string_equal(buf_str(&findings), "");
		assert_true(config_is_member(c, "developers", logins[i]));
		assert_true(config_is_member(c, "developers", "kim"));
		assert_true(conf_names_has(&c->roots[0].hook_users, logins[i]));
		assert_string_equal(c->roots[0].path, "repos");
		assert_int_equal(config_fabric(c, "production")->id, 4004);
		assert_int_equal(config_fabric(c, "airflow")->provider, CONF_AIRFLOW);
		assert_string_equal(config_environment(c, "production")->derive[0].config, "prod");
		assert_null(config_environment(c, "production")->after);
		assert_null(config_environment(c, "production")->push.team);
		assert_string_equal(config_project(c, "x", ".")->control_plane, "execution");
		assert_true(c->trusted_caller);
		assert_int_equal(c->ntoolchains, i % 2);
		config_free(c);
		buf_clear(&text);
		buf_clear(&findings);
	}
}

static void hook_users_are_logins_or_uids(void **state)
{
	char *names[] = { (char *)"root", (char *)"4242", (char *)"no-such-login-here" };
	struct conf_root r = { .hook_users = { names, PS_NELEM(names) } };

	(void)state;
	assert_true(config_root_admits(&r, 0));
	assert_true(config_root_admits(&r, 4242));
	assert_false(config_root_admits(&r, 4243));
}

static void roots_name_repositories(void **state)
{
	static const struct { const char *path, *name; size_t root; } cases[] = {
		{ "/nowhere/git/etl.git", "etl", 0 },
		{ "/nowhere/git/sales/etl.git/", "sales/etl", 0 },
		{ "/nowhere/git/work/.git", "work", 0 },
		{ "/nowhere/git/deep/x.git", "x", 1 },
		{ "/nowhere/base/repos/a", "a", 2 },
		{ "/nowhere/git", NULL, 0 },
		{ "/nowhere/git/.git", NULL, 0 },
		{ "/nowhere/gitother/x", NULL, 0 },
	};
	static const char yaml[] = GOOD
		"repositories: { roots: [\n"
		"  { path: /nowhere/git, identity: uid, hook_users: [git] },\n"
		"  { path: /nowhere/git/deep/, identity: uid, hook_users: [git] },\n"
		"  { path: repos, identity: uid, hook_users: [git] } ] }\n";
	struct buf findings = BUF_INIT;
	struct config *c = parse(yaml, strlen(yaml), &findings);

	(void)state;
	assert_string_equal(buf_str(&findings), "");
	for (size_t i = 0; i < PS_NELEM(cases); i++) {
		char *name = NULL;
		const struct conf_root *r = config_root_of(c, "/nowhere/base", cases[i].path, &name);

		if (!cases[i].name) {
			assert_null(r);
			continue;
		}
		assert_ptr_equal(r, &c->roots[cases[i].root]);
		assert_string_equal(name, cases[i].name);
		free(name);
	}
	config_free(c);
}

static void trust_is_for_ones_own_instance(void **state)
{
	struct config c = { .trusted_caller = true, .trusted_pos = { 9, 3 } };
	struct ps_err err;

	(void)state;
	assert_int_equal(config_check_trust(&c, "/nowhere/instance", geteuid(), &err), 0);
	assert_int_equal(config_check_trust(&c, "/etc/penstock", geteuid(), &err), PS_ECONFIG);
	assert_int_equal(config_check_trust(&c, "/etc/penstock/a", geteuid(), &err), PS_ECONFIG);
	assert_int_equal(config_check_trust(&c, "/nowhere/instance", geteuid() + 1, &err), PS_ECONFIG);
	assert_non_null(strstr(err.msg, "line 9"));
	c.trusted_caller = false;
	assert_int_equal(config_check_trust(&c, "/etc/penstock", geteuid() + 1, &err), 0);
}

/* Bytes turned, dropped, doubled: findings or a configuration, never a crash (see check-asan). */
static void mutants_never_crash(void **state)
{
	unsigned seed = 5, good = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct buf text = BUF_INIT, findings = BUF_INIT;
		struct config *c;

		buf_add(&text, full, strlen(full));
		for (int k = (int)((unsigned)rand_r(&seed) % 4); k >= 0; k--) {
			size_t at = (unsigned)rand_r(&seed) % text.len;
			static const char odd[] = "{}[]:,'\"&*!|>#-\n\t \0\xff%@?0x";

			if (k % 3 == 0)
				text.data[at] = odd[(unsigned)rand_r(&seed) % (sizeof(odd) - 1)];
			else if (k % 3 == 1)
				memmove(text.data + at, text.data + at + 1, text.len - at - 1);
			else
				text.data[at] = (char)rand_r(&seed);
		}
		c = parse(text.data, text.len, &findings);
		good += c != NULL;
		config_free(c);
		buf_clear(&text);
		buf_clear(&findings);
	}
	assert_true(good > 10);
}

static void bounds_are_findings(void **state)
{
	struct buf text = BUF_INIT, findings = BUF_INIT;

	(void)state;
	buf_adds(&text, "teams: { a: { members: [");
	for (int i = 0; i < 100001; i++)
		buf_adds(&text, "a,");
	assert_null(parse(text.data, text.len, &findings));
	assert_non_null(strstr(buf_str(&findings), "more than 100000 values in one file [PS-CONF-002]"));
	buf_reset(&text);
	buf_reset(&findings);
	buf_adds(&text, "teams: { a: &m [");
	for (int i = 0; i < 101; i++)
		buf_addf(&text, "], a%d: %s", i, i ? "*m, b: [" : "&m [");
	assert_null(parse(text.data, text.len, &findings));
	buf_reset(&text);
	buf_reset(&findings);
	for (int i = 0; i < (1 << 20) + 1; i++)
		buf_addch(&text, '#');
	assert_null(parse(text.data, text.len, &findings));
	assert_string_equal(buf_str(&findings), "p:1:1: error: larger than 1048576 bytes [PS-CONF-002]\n");
	buf_clear(&text);
	buf_clear(&findings);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_full_file_becomes_structs),
		cmocka_unit_test(absent_keys_have_defaults),
		cmocka_unit_test(the_initial_file_is_clean),
		cmocka_unit_test(hook_users_are_logins_or_uids),
		cmocka_unit_test(roots_name_repositories),
		cmocka_unit_test(trust_is_for_ones_own_instance),
		cmocka_unit_test(mutants_never_crash),
		cmocka_unit_test(bounds_are_findings),
	};
	struct CMUnitTest tests[PS_NELEM(rows) + PS_NELEM(others)];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[i] = (struct CMUnitTest) {
			.name = rows[i].name, .test_func = check_row, .initial_state = (void *)&rows[i],
		};
	memcpy(tests + PS_NELEM(rows), others, sizeof(others));
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
