/*
 * messages – the one table of everything that penstock's programs say to each other.
 *
 * A shape is a row of fields: F(kind, name, limit-or-shape, "what it says"). Structs, encoding,
 * decoding, limits and docs/wire.md all come from these rows, so none can drift from another.
 *
 * kinds  STR   text, required, at most `limit` bytes, no NUL      OSTR  the same, may be absent
 * (NULL)
 *        BIN   bytes (struct wire_bin)                            U64 / I64 / BOOL  absent means 0
 *        STRS  list of texts (at most WIRE_LIST_MAX)              LIST  list of the named shape
 *
 * A new field goes to the end and is optional (OSTR or a number whose 0 means "as before"): core
 * speaks this version and the one before; unknown fields are skipped.
 */
#ifndef PS_MESSAGES_H
#define PS_MESSAGES_H

enum { WIRE_VERSION = 1, WIRE_TEXT = 65536, WIRE_PATH = 4096, WIRE_ID = 128,
       WIRE_LIST_MAX = 100000 };

/* ---- shapes that appear inside messages ---- */

#define WIRE_ref_line(F)                                                                      \
	F(STR, ref, PS_REF_MAX, "name as the pusher gave it")                                 \
	F(STR, old, PS_OID_HEX_MAX, "value before, as claimed; all zeros: none")              \
	F(STR, new, PS_OID_HEX_MAX, "value after; all zeros: deleted")                        \
	F(OSTR, target, PS_REF_MAX, "the ref behind a symbolic one; absent: ref itself")      \
	F(OSTR, seen, PS_OID_HEX_MAX, "value read from the ref store then; zeros: no ref; absent: not read") \
	F(U64, ordinal, 0, "place in the push, from 0")

#define WIRE_ref_value(F)                                                            \
	F(STR, ref, PS_REF_MAX, "name")                                              \
	F(STR, oid, PS_OID_HEX_MAX, "value; all zeros: not there")                   \
	F(OSTR, target, PS_REF_MAX, "the ref behind a symbolic one")                 \
	F(OSTR, path, WIRE_TEXT, "by its reflog: its values since then, in order, up to oid") \
	F(U64, log, 0, "bytes of its reflog up to there, and 1; 0: none that tells")  \
	F(U64, since, 0, "bytes of its reflog that were known, and 1, as asked")

#define WIRE_ref_log(F)                                                              \
	F(STR, ref, PS_REF_MAX, "name")                                              \
	F(U64, log, 0, "bytes of its reflog that are known, and 1; 0: how long is it?")

#define WIRE_tree_input(F)                                                           \
	F(STR, path, WIRE_PATH, "relative to the project")                           \
	F(STR, oid, PS_OID_HEX_MAX, "git object name of the tree or blob")           \
	F(BOOL, is_dir, 0, "tree (else blob)")

#define WIRE_file(F)                                                                 \
	F(STR, path, WIRE_PATH, "relative path")                                     \
	F(STR, digest, PS_DIGEST_HEX, "SHA-256 of the bytes, in the content store")  \
	F(BIN, bytes, WIRE_TEXT * 16, "verdict: the bytes, while they are not there; empty: they are")

#define WIRE_pipeline(F)                                                             \
	F(STR, key, WIRE_PATH, "pipelines/X")                                        \
	F(STR, name, WIRE_PATH, "name in the project file")                          \
	F(OSTR, language, 64, "python, scala")                                       \
	F(OSTR, oid, PS_OID_HEX_MAX, "tree of its folder; absent: no such folder")   \
	F(OSTR, wheel, WIRE_PATH, "expected file name; absent: cannot be told")      \
	F(STR, reduced, WIRE_TEXT * 8, "the project file reduced to this pipeline")  \
	F(STRS, instances, 0, "names of its config instances")                       \
	F(OSTR, problem, WIRE_TEXT, "why it cannot be built; absent: it can")        \
	F(BOOL, tests, 0, "it has unit tests: code/test/TestSuite.py")               \
	F(OSTR, reduced_digest, PS_DIGEST_HEX, "verdict: SHA-256 of reduced, which is empty then")

#define WIRE_job(F)                                                                  \
	F(STR, key, WIRE_PATH, "jobs/X")                                             \
	F(STR, name, WIRE_PATH, "name in the project file")                          \
	F(STR, provider, 64, "databricks or airflow, from the scheduler")            \
	F(I64, fabric_id, 0, "fabricUID; 0: none")                                   \
	F(LIST, files, file, "templates, relative to the job's folder; configurations/...")              \
	F(OSTR, problem, WIRE_TEXT, "why it cannot be deployed; absent: it can")     \
	F(OSTR, scheduler, WIRE_PATH, "as written in the project file")              \
	F(BOOL, enabled, 0, "by the project file")

#define WIRE_project(F)                                                              \
	F(STR, path, WIRE_PATH, "folder; '.' for the top")                           \
	F(STR, oid, PS_OID_HEX_MAX, "tree of the folder")                            \
	F(STR, name, WIRE_PATH, "name")                                              \
	F(STR, version, WIRE_PATH, "version, as text")                               \
	F(STR, language, 64, "python, scala, sql")                                   \
	F(OSTR, problem, WIRE_TEXT, "why it cannot be built; absent: it can")        \
	F(LIST, pipelines, pipeline, "in key order")                                 \
	F(LIST, shared, tree_input, "inputs of every pipeline")                      \
	F(LIST, jobs, job, "in key order")

#define WIRE_artifact(F)                                                             \
	F(STR, digest, PS_DIGEST_HEX, "SHA-256")                                     \
	F(STR, path, WIRE_PATH, "path on the fabric, relative to FileStore")         \
	F(BOOL, there, 0, "an earlier deployment has put it there")

#define WIRE_rendered(F)                                                             \
	F(STR, key, WIRE_PATH, "jobs/X")                                             \
	F(STR, digest, PS_DIGEST_HEX, "rendered bytes, in the content store")        \
	F(STR, name, WIRE_PATH, "as people see it on the fabric")                    \
	F(OSTR, remote, WIRE_ID, "the provider's own id; absent: none is known")     \
	F(OSTR, imported, WIRE_PATH, "remote is of a job that another tool made and called so") \
	F(OSTR, written, PS_DIGEST_HEX, "release that wrote it last, as core knows; absent: none") \
	F(BOOL, same, 0, "in force already, by the plan: nothing to do")

/* What a look has found of one job. */
#define WIRE_found_job(F)                                                            \
	F(STR, digest, PS_DIGEST_HEX, "of the definition in force; empty: none")     \
	F(OSTR, definition, 1 << 20, "that one, where it is not the one asked for") \
	F(OSTR, remote, WIRE_ID, "the provider's own id")                            \
	F(OSTR, by, WIRE_ID, "who changed it last, where the provider tells")        \
	F(BOOL, paused, 0, "it does not start by itself")

#define WIRE_task(F)                                                                 \
	F(STR, key, WIRE_PATH, "task_key")                                           \
	F(STR, package, WIRE_PATH, "package_name")                                   \
	F(STR, entry, WIRE_PATH, "entry_point")                                      \
	F(STR, wheel, WIRE_PATH, "wheel, relative to FileStore")                     \
	F(STR, digest, PS_DIGEST_HEX, "SHA-256 that the wheel must have")            \
	F(STRS, parameters, 0, "argv of the entry point")                            \
	F(STRS, after, 0, "tasks that must have passed")

#define WIRE_test_case(F)                                                            \
	F(STR, path, WIRE_PATH, "pipelines/X/code/test/FILE::CLASS::NAME")           \
	F(STR, outcome, 32, "passed, failed, error, skipped")                        \
	F(BOOL, flaky, 0, "passed only when tried again")                            \
	F(I64, took_ms, 0, "time")                                                   \
	F(OSTR, message, WIRE_TEXT, "what it says")                                  \
	F(OSTR, trace, WIRE_TEXT, "first lines of its trace")

#define WIRE_toolchain(F)                                                            \
	F(STR, name, WIRE_ID, "name")                                                \
	F(OSTR, prefix, WIRE_PATH, "folder; absent: there is none of that name")     \
	F(OSTR, digest, PS_DIGEST_HEX, "digest of its files and packages; absent: it cannot be used") \
	F(OSTR, problem, WIRE_TEXT, "why not; what to do")

#define WIRE_clean_item(F)                                                           \
	F(STR, kind, 32, "artifact, log, export; output: deploy's")                                    \
	F(STR, name, WIRE_PATH, "digest; b31.log, x7; entry of the folder")          \
	F(I64, size, 0, "bytes on disk")                                             \
	F(I64, mtime, 0, "ms since 1970; a younger one of that name stays")

/* A project of a ref that was pushed, for the forecast. */
#define WIRE_outlook(F)                                                              \
	F(STR, ref, PS_REF_MAX, "that would move")                                   \
	F(U64, project, 0, "what it holds: place in projects")                       \
	F(U64, line, 0, "of text, from 0: says where it maps; the forecast takes its place")

#define WIRE_SHAPES(X)                                                               \
	X(ref_line) X(ref_value) X(ref_log) X(tree_input) X(file) X(pipeline) X(job) X(project) \
	X(artifact) X(rendered) X(found_job) X(task) X(test_case) X(clean_item) X(outlook) \
	X(toolchain)

/* ---- hook → core, and the answers ---- */

/* pre-receive. The pidfd of receive-pack comes with the first byte. */
#define WIRE_intent(F)                                                               \
	F(STR, push, WIRE_ID, "push id: machine, boot, pid and start of receive-pack") \
	F(STR, repository, WIRE_PATH, "real path of the repository")                 \
	F(OSTR, pusher, WIRE_ID, "name from the host's identity; absent: unknown")   \
	F(OSTR, as, WIRE_ID, "PENSTOCK_AS, where the caller is trusted")             \
	F(STR, boot, WIRE_ID, "boot id")                                             \
	F(U64, stamp, 0, "CLOCK_BOOTTIME in ns")                                     \
	F(U64, pid, 0, "receive-pack")                                               \
	F(U64, pid_start, 0, "its start time, clock ticks since boot")               \
	F(U64, budget_ms, 0, "what is left of the budget for core")                  \
	F(OSTR, object_dir, WIRE_PATH, "quarantine: GIT_OBJECT_DIRECTORY")           \
	F(OSTR, alternates, WIRE_PATH * 4, "GIT_ALTERNATE_OBJECT_DIRECTORIES")       \
	F(OSTR, verdict, 32, "set when the gate program has judged already; skip: penstock.skip was granted")         \
	F(LIST, refs, ref_line, "the commands of the push")                          \
	F(U64, uid, 0, "spool only: not believed, the file's owner is")              \
	F(U64, begun, 0, "CLOCK_BOOTTIME in ns: no seen value was read before; 0: stamp") \
	F(BOOL, dry_run, 0, "push option penstock.dry-run: judge, let nothing in")   \
	F(BOOL, skip, 0, "push option penstock.skip")

/* post-receive. */
#define WIRE_report(F)                                                               \
	F(STR, push, WIRE_ID, "push id")                                             \
	F(STR, repository, WIRE_PATH, "real path of the repository")                 \
	F(OSTR, pusher, WIRE_ID, "as in the intent")                                 \
	F(OSTR, as, WIRE_ID, "as in the intent")                                     \
	F(STR, boot, WIRE_ID, "boot id")                                             \
	F(U64, stamp, 0, "CLOCK_BOOTTIME in ns")                                     \
	F(LIST, refs, ref_line, "what git says has moved")                           \
	F(U64, pid, 0, "receive-pack")                                               \
	F(U64, pid_start, 0, "its start time")

/* core's answer to intent and report; also what the gate program tells the hook. */
#define WIRE_answer(F)                                                               \
	F(STR, verdict, 32, "accept, refuse, undecided; for a report: kept, or keep: in the spool")         \
	F(STR, text, WIRE_TEXT * 8, "whole lines for the pusher")                    \
	F(LIST, refs, ref_line, "commands with seen and target filled in")

#define WIRE_not_understood(F) F(STR, what, WIRE_TEXT, "the type that was not known")

/* ---- core ↔ gate ---- */

#define WIRE_judge(F)                                                                \
	F(U64, id, 0, "asked by core, echoed in the answer")                         \
	F(STR, repository, WIRE_PATH, "real path")                                   \
	F(STR, name, WIRE_PATH, "name below its root")                               \
	F(OSTR, object_dir, WIRE_PATH, "quarantine")                                 \
	F(OSTR, alternates, WIRE_PATH * 4, "quarantine")                             \
	F(U64, deadline_ms, 0, "time left")                                          \
	F(LIST, refs, ref_line, "commands")                                          \
	F(OSTR, pusher, WIRE_ID, "whose rights count; absent: nobody is known")      \
	F(BOOL, dry_run, 0, "as in the intent")                                      \
	F(BOOL, skip, 0, "as in the intent")

#define WIRE_verdict(F)                                                              \
	F(U64, id, 0, "as asked")                                                    \
	F(STR, verdict, 32, "accept, refuse, undecided")                             \
	F(STR, text, WIRE_TEXT * 8, "whole lines for the pusher")                    \
	F(OSTR, repository_id, WIRE_ID, "penstock.id of the repository")             \
	F(U64, errors, 0, "findings that refuse")                                    \
	F(U64, warnings, 0, "findings that do not")                                  \
	F(LIST, refs, ref_line, "commands with seen and target filled in")           \
	F(OSTR, problem, WIRE_TEXT, "undecided: what was being done when time ran out, or our failure") \
	F(U64, stamp, 0, "CLOCK_BOOTTIME in ns just before the refs were read; 0: not told") \
	F(U64, units, 0, "project files and entries looked at")                      \
	F(U64, known, 0, "of those, as remembered")                                  \
	F(U64, reads, 0, "files read for rules")                                     \
	F(BOOL, skipped, 0, "accepted because of penstock.skip: to be held")         \
	F(LIST, projects, project, "accepted, or would be: what refs that map hold, if there was time") \
	F(LIST, outlook, outlook, "of these: which ref holds which")

#define WIRE_look(F)                                                                 \
	F(U64, id, 0, "asked by core")                                               \
	F(STR, repository, WIRE_PATH, "real path")                                   \
	F(STRS, refs, 0, "only these; empty: all but refs/penstock/")                \
	F(LIST, logs, ref_log, "in the order of their names; of others: how long is it?") \
	F(BOOL, fresh, 0, "refs not in logs are new: their reflogs from the first byte on")

#define WIRE_looked(F)                                                               \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why it could not be read")                      \
	F(OSTR, repository_id, WIRE_ID, "penstock.id")                               \
	F(LIST, refs, ref_value, "values now")                                       \
	F(U64, stamp, 0, "CLOCK_BOOTTIME in ns just before the refs were read; 0: not told") \
	F(OSTR, mark, WIRE_ID, "as in marked, read before the refs; absent: it cannot be relied on")

/* Has anything moved since the last look? Answered by stat alone, many repositories at once. */
#define WIRE_mark(F)                                                                 \
	F(U64, id, 0, "asked by core")                                               \
	F(STRS, repositories, 0, "real paths")

#define WIRE_marked(F)                                                               \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why nothing could be read")                     \
	F(STRS, marks, 0, "one each, in the order asked; '-': not there; '?': look, a mark cannot be relied on") \
	F(STRS, holders, 0, "one each: another agent whose lease lies in it; '': ours does")

#define WIRE_find(F) F(U64, id, 0, "asked by core")

#define WIRE_found(F)                                                                \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why not all could be found")                    \
	F(STRS, repositories, 0, "real paths of those below the roots that have our hook")

#define WIRE_survey(F)                                                               \
	F(U64, id, 0, "asked by core")                                               \
	F(STR, repository, WIRE_PATH, "real path")                                   \
	F(STR, oid, PS_OID_HEX_MAX, "commit or tag")                                 \
	F(STR, content, WIRE_PATH, "content store for job templates")

#define WIRE_surveyed(F)                                                             \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why it could not be read")                      \
	F(OSTR, commit, PS_OID_HEX_MAX, "the commit behind a tag")                   \
	F(LIST, projects, project, "every project of the tree")

#define WIRE_export(F)                                                               \
	F(U64, id, 0, "asked by core")                                               \
	F(STR, repository, WIRE_PATH, "real path")                                   \
	F(STR, oid, PS_OID_HEX_MAX, "commit")                                        \
	F(STR, project, WIRE_PATH, "project path")                                   \
	F(LIST, inputs, tree_input, "what to write, relative to the project")        \
	F(STR, reduced, WIRE_TEXT * 8, "bytes of pbt_project.yml to write")          \
	F(STR, dest, WIRE_PATH, "folder to make; replaced when it is there")

#define WIRE_keep(F)                                                                 \
	F(U64, id, 0, "asked by core")                                               \
	F(STR, repository, WIRE_PATH, "real path")                                   \
	F(STR, oid, PS_OID_HEX_MAX, "refs/penstock/keep/<oid>")                      \
	F(BOOL, drop, 0, "remove it instead")

/* The answer to export and keep. */
#define WIRE_done(F)                                                                 \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why it was not done")

/* ---- core ↔ build ---- */

#define WIRE_build_start(F)                                                          \
	F(U64, build, 0, "number")                                                   \
	F(U64, fence, 0, "claim; answers of an older one are dropped")               \
	F(U64, slot, 0, "from 0; gives the sandbox its uid")                         \
	F(STR, export, WIRE_PATH, "folder laid out as /build; eaten by the build")   \
	F(STR, pipeline, WIRE_PATH, "pipelines/X")                                   \
	F(OSTR, wheel, WIRE_PATH, "expected file name")                              \
	F(STR, prefix, WIRE_PATH, "toolchain")                                       \
	F(STR, log, WIRE_PATH, "log file")                                           \
	F(LIST, inputs, tree_input, "what the export must be")                       \
	F(OSTR, project_digest, PS_DIGEST_HEX, "SHA-256 of pbt_project.yml in the key") \
	F(OSTR, toolchain, PS_DIGEST_HEX, "toolchain digest in the key")              \
	F(OSTR, sealed, PS_DIGEST_HEX, "the key's artifact; other bytes are kept out") \
	F(BOOL, check, 0, "only compare with it: nothing is sealed")

#define WIRE_build_end(F)                                                            \
	F(U64, build, 0, "number")                                                   \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, state, 32, "passed, failed, cancelled; again: our own fault, may be tried again") \
	F(OSTR, reason, WIRE_TEXT, "first cause, or which limit hit")                \
	F(OSTR, digest, PS_DIGEST_HEX, "artifact")                                   \
	F(OSTR, name, WIRE_PATH, "file name of the artifact")                        \
	F(U64, size, 0, "bytes")                                                     \
	F(OSTR, last_lines, WIRE_TEXT, "end of the log")

/* Are these files Python? They are compiled, and nothing of them is run. */
#define WIRE_parse(F)                                                                \
	F(U64, id, 0, "asked by core")                                               \
	F(LIST, files, file, "in the content store; paths as people shall read them")

#define WIRE_parsed(F)                                                               \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why nobody could look")                         \
	F(STRS, found, 0, "PATH:LINE:COLUMN: what is wrong, one of a file at most")

#define WIRE_test_start(F)                                                           \
	F(U64, test, 0, "number")                                                    \
	F(U64, fence, 0, "claim; answers of an older one are dropped")               \
	F(U64, slot, 0, "from 0; gives the sandbox its uid")                         \
	F(STR, export, WIRE_PATH, "the pipeline's folder, laid out as /build; eaten by the tests") \
	F(STR, pipeline, WIRE_PATH, "pipelines/X")                                   \
	F(STR, digest, PS_DIGEST_HEX, "artifact that is tested, in the content store") \
	F(STR, fabric_name, WIRE_ID, "FABRIC_NAME of the tests")                     \
	F(STR, prefix, WIRE_PATH, "toolchain")                                       \
	F(STR, log, WIRE_PATH, "log file")                                           \
	F(LIST, inputs, tree_input, "what the export must be")                       \
	F(OSTR, project_digest, PS_DIGEST_HEX, "SHA-256 of pbt_project.yml in the key") \
	F(OSTR, toolchain, PS_DIGEST_HEX, "toolchain digest in the key")             \
	F(U64, retries, 0, "how often those that failed are run again")

#define WIRE_test_end(F)                                                             \
	F(U64, test, 0, "number")                                                    \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, state, 32, "passed, failed, cancelled; again: our own fault, may be tried again") \
	F(OSTR, reason, WIRE_TEXT, "first cause, or which limit hit")                \
	F(BOOL, flaky, 0, "passed, and some test only when tried again")             \
	F(U64, passed, 0, "number of tests")                                         \
	F(U64, failed, 0, "number of tests")                                         \
	F(U64, errors, 0, "number of tests")                                         \
	F(U64, skipped, 0, "number of tests")                                        \
	F(LIST, cases, test_case, "those that are kept")                             \
	F(OSTR, last_lines, WIRE_TEXT, "end of the log")

/* ---- retention: core decides, build and deploy list and remove what is their own ---- */

#define WIRE_clean(F)                                                                \
	F(U64, id, 0, "echoed in the answer")                                        \
	F(I64, artifacts_before, 0, "ms since 1970: older ones may go")              \
	F(I64, artifacts_max, 0, "bytes of all; 0: no limit")                        \
	F(I64, logs_before, 0, "as above")                                           \
	F(I64, logs_max, 0, "as above")                                              \
	F(I64, exports_before, 0, "as above")                                        \
	F(STRS, keep, 0, "names of what stays")                                      \
	F(LIST, remove, clean_item, "these go now; empty: list what may go")

#define WIRE_cleaned(F)                                                              \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "the first")                                     \
	F(LIST, items, clean_item, "what may go")                                    \
	F(U64, files, 0, "removed")                                                  \
	F(U64, bytes, 0, "freed")

#define WIRE_toolchain_query(F)                                                      \
	F(U64, id, 0, "asked by core")                                               \
	F(OSTR, name, WIRE_ID, "absent: the one that builds use")

#define WIRE_toolchain_info(F)                                                       \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why there is none; what to do")                 \
	F(OSTR, name, WIRE_ID, "name")                                               \
	F(OSTR, prefix, WIRE_PATH, "folder")                                         \
	F(OSTR, digest, PS_DIGEST_HEX, "digest of its files and packages")           \
	F(OSTR, sandbox_problem, WIRE_TEXT, "why no sandbox can be made")            \
	F(LIST, all, toolchain, "every one that is there or that a rule names")

#define WIRE_run_start(F)                                                            \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(U64, slot, 0, "gives the sandbox its uid")                                 \
	F(STR, fabric_dir, WIRE_PATH, "folder of the local fabric")                  \
	F(STR, prefix, WIRE_PATH, "toolchain")                                       \
	F(STR, log_dir, WIRE_PATH, "one log file per task, <task key>.log")          \
	F(LIST, tasks, task, "in dependency order")                                  \
	F(STRS, passed, 0, "those of them that stay passed: a repair")

#define WIRE_task_state(F)                                                           \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, task, WIRE_PATH, "task_key")                                          \
	F(STR, state, 32, "queued, running, passed, failed, upstream failed, skipped, cancelled, unknown") \
	F(I64, at_ms, 0, "wall time")                                                \
	F(OSTR, last, WIRE_TEXT, "last line of its output")                          \
	F(OSTR, reason, WIRE_TEXT, "first cause")                                    \
	F(OSTR, url, WIRE_PATH, "its page at the provider")

#define WIRE_run_end(F)                                                              \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, state, 32, "passed, failed, cancelled, unknown")                               \
	F(OSTR, reason, WIRE_TEXT, "first cause")

/* Ends work under way: its processes, its sandbox, its temporary files; of a run at a provider, there. The answer is the end of that
 * work with state cancelled, unless another end was on its way already. Work that is not (any more)
 * there is answered the same; a claim that is not the one named is left alone. */
#define WIRE_cancel(F)                                                               \
	F(STR, kind, 32, "build, test, run")                                               \
	F(U64, id, 0, "number")                                                      \
	F(U64, fence, 0, "claim")                                                    \
	F(OSTR, reason, WIRE_TEXT, "who wants it and why")                           \
	F(OSTR, export, WIRE_PATH, "folder that goes with it")                       \
	F(OSTR, log, WIRE_PATH, "log file, where it is said")

/* ---- core ↔ deploy ---- */

#define WIRE_deploy_start(F)                                                         \
	F(U64, deployment, 0, "number")                                              \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, fabric, WIRE_ID, "name")                                              \
	F(STR, fabric_dir, WIRE_PATH, "folder of a local fabric")                    \
	F(STR, repository, WIRE_PATH, "name")                                        \
	F(STR, project, WIRE_PATH, "path; '.' for the top")                          \
	F(STR, release, PS_DIGEST_HEX, "release id")                                 \
	F(STR, content, WIRE_PATH, "content store")                                  \
	F(LIST, artifacts, artifact, "put first")                                    \
	F(LIST, jobs, rendered, "put as one set, then switched to")                  \
	F(LIST, orphans, rendered, "of the set too: not wanted any more, paused")     \
	F(LIST, gone, rendered, "orphans of before that go away")                    \
	F(BOOL, careful, 0, "asked for before the store was restored: look at the fabric first") \
	F(OSTR, known, PS_DIGEST_HEX, "careful: release that core knows to be in force as a whole; absent: none") \
	F(BIN, manifest, 8 << 20, "of the release: its digest is the id")            \
	F(OSTR, signature, 128, "Ed25519 over the manifest, hex; absent: refused")   \
	F(OSTR, signed_by, 16, "id of the key")

/* What is in force there? Changes nothing. */
#define WIRE_observe(F)                                                              \
	F(U64, id, 0, "asked by core")                                               \
	F(STR, fabric, WIRE_ID, "name")                                              \
	F(STR, fabric_dir, WIRE_PATH, "folder of a local fabric")                    \
	F(STR, repository, WIRE_PATH, "name")                                        \
	F(STR, project, WIRE_PATH, "path; '.' for the top")                          \
	F(STR, content, WIRE_PATH, "content store")                                  \
	F(LIST, jobs, rendered, "as they were put there")

#define WIRE_observed(F)                                                             \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why it could not be seen")                      \
	F(LIST, jobs, found_job, "one for each job asked for")

#define WIRE_step_begin(F)                                                           \
	F(U64, deployment, 0, "number")                                              \
	F(U64, fence, 0, "claim")                                                    \
	F(U64, step, 0, "from 1")                                                    \
	F(STR, what, WIRE_PATH, "artifact PATH, jobs DIGEST, switch DIGEST, job KEY, pause KEY, remove KEY, verify DIGEST")

/* core has the step on disk: go on. */
#define WIRE_step_ok(F)                                                              \
	F(U64, deployment, 0, "number")                                              \
	F(U64, step, 0, "as told")                                                   \
	F(BOOL, stop, 0, "the claim is lost: end without doing it")

#define WIRE_step_done(F)                                                            \
	F(U64, deployment, 0, "number")                                              \
	F(U64, fence, 0, "claim")                                                    \
	F(U64, step, 0, "as told")                                                   \
	F(STR, outcome, 32, "done, failed, unknown")                                 \
	F(OSTR, detail, WIRE_TEXT, "already there; or the cause")                    \
	F(OSTR, job, WIRE_PATH, "done: key of the one job that is as planned now")   \
	F(OSTR, remote, WIRE_ID, "its id at the provider")

#define WIRE_deploy_end(F)                                                           \
	F(U64, deployment, 0, "number")                                              \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, state, 32, "deployed, failed, unknown, stopped")                      \
	F(OSTR, reason, WIRE_TEXT, "first cause")                                    \
	F(OSTR, unverified, WIRE_TEXT, "deployed: why the fabric is not as planned; absent: it is")

/* Start a job at its provider, or go on looking after a run of it. Asked twice with one token it runs
 * once. */
#define WIRE_remote_run(F)                                                           \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, fabric, WIRE_ID, "name")                                              \
	F(STR, repository, WIRE_PATH, "name")                                        \
	F(STR, project, WIRE_PATH, "path; '.' for the top")                          \
	F(STR, release, PS_DIGEST_HEX, "release id")                                 \
	F(STR, content, WIRE_PATH, "content store")                                  \
	F(STR, job, WIRE_PATH, "jobs/X")                                             \
	F(STR, name, WIRE_PATH, "as people see it on the fabric")                    \
	F(STR, digest, PS_DIGEST_HEX, "its definition, in the content store")        \
	F(OSTR, job_id, WIRE_ID, "the provider's own id of the job")                 \
	F(STR, token, 64, "of this run alone")                                       \
	F(OSTR, remote, WIRE_ID, "the provider's own id of the run; absent: it is not known to have begun") \
	F(OSTR, config, WIRE_PATH, "config instance of all tasks; absent: as the job says") \
	F(STRS, names, 0, "parameters")                                              \
	F(STRS, values, 0, "theirs, as many")                                        \
	F(U64, repair, 0, "1: start it again from what failed; 2: that has begun")   \
	F(OSTR, cancel, WIRE_TEXT, "it shall end: who wants it and why")

/* A look at it, or the first word of it. It is in the store before anything else is asked. */
#define WIRE_remote_seen(F)                                                          \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(OSTR, remote, WIRE_ID, "the provider's own id; absent: not known yet")     \
	F(OSTR, url, WIRE_PATH, "its page there")                                    \
	F(U64, repair, 0, "2: it goes on from what failed")                          \
	F(OSTR, problem, WIRE_TEXT, "why it cannot be seen; absent: it was seen")    \
	F(BOOL, lost, 0, "nobody looks after it any more: ask again")

/* core has that in the store: go on. */
#define WIRE_remote_ok(F)                                                            \
	F(U64, run, 0, "number")                                                     \
	F(U64, fence, 0, "claim")                                                    \
	F(BOOL, stop, 0, "the claim is lost: end without a word")

/* Tell somebody outside what has happened: one entry of notify. */
#define WIRE_post(F)                                                                 \
	F(U64, id, 0, "number of the letter")                                        \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, target, WIRE_ID, "name of the entry")                                 \
	F(STR, kind, 32, "approval, deployed, failed, rolled_back, drift")           \
	F(STR, uid, WIRE_ID, "always the same for this letter")                      \
	F(STR, payload, WIRE_TEXT * 4, "a JSON object")

#define WIRE_posted(F)                                                               \
	F(U64, id, 0, "number of the letter")                                        \
	F(U64, fence, 0, "claim")                                                    \
	F(STR, state, 32, "done; again: it may be tried once more; failed: it may not") \
	F(U64, after_ms, 0, "again: not before that time; 0: as you like")           \
	F(OSTR, problem, WIRE_TEXT, "what came of it")

/* ---- parent ↔ roles ---- */

/* First thing a role says, to the parent and to core. */
#define WIRE_hello(F)                                                                \
	F(STR, role, 32, "core, gate, build, deploy")                                \
	F(U64, pid, 0, "process")                                                    \
	F(STR, program, WIRE_ID, "version of the program")                           \
	F(STRS, facts, 0, "what the role can and lacks, for status")

/* Its work has begun with the first configuration: the agent is ready when all have said so. */
#define WIRE_started(F) F(STR, role, 32, "core, gate, build, deploy")

/* Reload: offered to every role; taken by all or by none. The key is a descriptor. */
#define WIRE_config_offer(F)                                                         \
	F(U64, id, 0, "number of the offer")                                         \
	F(BIN, yaml, 4 << 20, "bytes of penstock.yml")                               \
	F(STR, digest, PS_DIGEST_HEX, "policy digest")                               \
	F(BOOL, key, 0, "to core: the key that signs releases comes with it")

/* Before an offer: an open credential that it names, as a descriptor; to deploy alone. */
#define WIRE_credential(F)                                                           \
	F(U64, id, 0, "number of the offer")                                         \
	F(STR, name, WIRE_ID, "whose: notify NAME, fabric NAME")

#define WIRE_config_answer(F)                                                        \
	F(U64, id, 0, "as offered")                                                  \
	F(OSTR, problem, WIRE_TEXT, "why it cannot be taken")

#define WIRE_config_take(F)                                                          \
	F(U64, id, 0, "as offered")                                                  \
	F(BOOL, drop, 0, "somebody refused: forget it")

/* A new connection to another role comes with it, as a descriptor; before the first offer: a socket
 * of the service manager that listens in place of one of core's own. */
#define WIRE_connect(F) F(STR, role, 32, "who is at the other end; hook, api: who will call there")

#define WIRE_stop(F) F(OSTR, why, WIRE_TEXT, "said in the log")

/* core → parent: somebody asked by the API. */
#define WIRE_ask_parent(F)                                                           \
	F(U64, id, 0, "echoed in told")                                              \
	F(STR, what, 32, "reload, stop, roles")

#define WIRE_told(F)                                                                 \
	F(U64, id, 0, "as asked")                                                    \
	F(OSTR, problem, WIRE_TEXT, "why not, lines of findings")                    \
	F(OSTR, text, WIRE_TEXT, "answer")

#define WIRE_MESSAGES(X)                                                             \
	X(intent) X(report) X(answer) X(not_understood)                              \
	X(judge) X(verdict) X(look) X(looked) X(mark) X(marked) X(find) X(found) X(survey) X(surveyed) X(export) X(keep) X(done) \
	X(build_start) X(build_end) X(test_start) X(test_end) X(parse) X(parsed) X(toolchain_query) X(toolchain_info) X(clean) X(cleaned)             \
	X(run_start) X(task_state) X(run_end) X(cancel)                              \
	X(deploy_start) X(observe) X(observed) X(step_begin) X(step_ok) X(step_done) X(deploy_end) X(remote_run) X(remote_seen) X(remote_ok) X(post) X(posted)          \
	X(hello) X(started) X(credential) X(config_offer) X(config_answer) X(config_take) X(connect) X(stop)  \
	X(ask_parent) X(told)

#endif
