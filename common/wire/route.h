/*
 * route – who says which message to whom: one row for each message and pair of programs.
 *
 * Three things come from these rows: the failure points of frames, the "from → to" of docs/wire.md,
 * and what the kill loop must see. A point stands where a message is about to leave
 * (`frame.send.TYPE.WHO`) and where it has come whole and nobody has looked at it yet
 * (`frame.recv.TYPE.WHO`); `PROGRAM --failpoints` lists those of the program's own rows alone.
 *
 * Somebody who sends or receives what no row has writes "unlisted" to the log of failure points:
 * the kill loop fails then. So a new message is a row in messages.h and rows here.
 */
#ifndef PS_ROUTE_H
#define PS_ROUTE_H

#include "common/wire/msg.h"

/* Who speaks, and in which program he runs. A worker, a job and a deploying process are forked. */
#define WIRE_SPEAKERS(S)                                                              \
	S(hook, "penstock-hook")                                                      \
	S(program, "penstock")		/* the gate program */                        \
	S(parent, "penstockd")                                                        \
	S(core, "penstock-core")                                                      \
	S(gate, "penstock-gate")                                                      \
	S(worker, "penstock-gate")                                                    \
	S(build, "penstock-build")                                                    \
	S(job, "penstock-build")                                                      \
	S(deploy, "penstock-deploy")                                                  \
	S(deploying, "penstock-deploy")                                               \
	S(stranger, "")			/* of another version: none of our programs */

#define WIRE_ROUTES(R)                                                                \
	R(intent, hook, core) R(report, hook, core) R(answer, core, hook)             \
	R(not_understood, core, stranger)                                             \
	R(verdict, program, hook)                                                     \
	R(judge, core, gate) R(judge, gate, worker)                                   \
	R(verdict, worker, gate) R(verdict, gate, core)                               \
	R(look, core, gate) R(look, gate, worker)                                     \
	R(looked, worker, gate) R(looked, gate, core)                                 \
	R(mark, core, gate) R(mark, gate, worker)                                     \
	R(marked, worker, gate) R(marked, gate, core)                                 \
	R(find, core, gate) R(find, gate, worker)                                     \
	R(found, worker, gate) R(found, gate, core)                                   \
	R(survey, core, gate) R(survey, gate, worker)                                 \
	R(surveyed, worker, gate) R(surveyed, gate, core)                             \
	R(export, core, gate) R(export, gate, worker)                                 \
	R(keep, core, gate) R(keep, gate, worker)                                     \
	R(done, worker, gate) R(done, gate, core)                                     \
	R(build_start, core, build)                                                   \
	R(build_end, job, build) R(build_end, build, core)                            \
	R(test_start, core, build)                                                    \
	R(test_end, job, build) R(test_end, build, core)                              \
	R(parse, core, build)                                                         \
	R(parsed, job, build) R(parsed, build, core)                                  \
	R(toolchain_query, core, build)                                               \
	R(toolchain_info, job, build) R(toolchain_info, build, core)                  \
	R(clean, core, build)                                                         \
	R(cleaned, job, build) R(cleaned, build, core)                                \
	R(clean, core, deploy)                                                        \
	R(cleaned, deploying, deploy) R(cleaned, deploy, core)                        \
	R(run_start, core, build)                                                     \
	R(task_state, job, build) R(task_state, build, core)                          \
	R(run_end, job, build) R(run_end, build, core)                                \
	R(cancel, core, build)                                                        \
	R(remote_run, core, deploy)                                                   \
	R(remote_seen, deploying, deploy) R(remote_seen, deploy, core)                \
	R(remote_ok, core, deploy) R(remote_ok, deploy, deploying)                    \
	R(task_state, deploying, deploy) R(task_state, deploy, core)                  \
	R(run_end, deploying, deploy) R(run_end, deploy, core)                        \
	R(cancel, core, deploy) R(cancel, deploy, deploying)                          \
	R(deploy_start, core, deploy)                                                 \
	R(observe, core, deploy)                                                      \
	R(observed, deploying, deploy) R(observed, deploy, core)                      \
	R(step_begin, deploying, deploy) R(step_begin, deploy, core)                  \
	R(step_ok, core, deploy) R(step_ok, deploy, deploying)                        \
	R(step_done, deploying, deploy) R(step_done, deploy, core)                    \
	R(deploy_end, deploying, deploy) R(deploy_end, deploy, core)                  \
	R(hello, core, parent) R(hello, gate, parent) R(hello, build, parent)         \
	R(hello, deploy, parent)                                                      \
	R(hello, gate, core) R(hello, build, core) R(hello, deploy, core)             \
	R(started, core, parent) R(started, gate, parent) R(started, build, parent)   \
	R(started, deploy, parent)                                                    \
	R(post, core, deploy) R(posted, deploying, deploy) R(posted, deploy, core)    \
	R(credential, parent, deploy)                                                 \
	R(config_offer, parent, core) R(config_offer, parent, gate)                   \
	R(config_offer, parent, build) R(config_offer, parent, deploy)                \
	R(config_answer, core, parent) R(config_answer, gate, parent)                 \
	R(config_answer, build, parent) R(config_answer, deploy, parent)              \
	R(config_take, parent, core) R(config_take, parent, gate)                     \
	R(config_take, parent, build) R(config_take, parent, deploy)                  \
	R(connect, parent, core)                                                      \
	R(stop, parent, core) R(stop, parent, gate) R(stop, parent, build)            \
	R(stop, parent, deploy)                                                       \
	R(ask_parent, core, parent) R(told, parent, core)

#define WIRE_SPEAKER(who, program) SPEAKER_##who,
enum speaker { SPEAKER_NONE, WIRE_SPEAKERS(WIRE_SPEAKER) SPEAKER_COUNT };
#undef WIRE_SPEAKER

/* Says who this process is: before failpoint_main(), and again in a forked child that is another.
 * Without it (units) frames have no points. */
void route_as(enum speaker who);
/* The speaker of that name; SPEAKER_NONE. */
enum speaker route_speaker(const char *name);
/* True when a test armed that point to fail; errno is set then. Cheap where nothing is armed. */
bool route_send_fails(enum msg_type type);
bool route_recv_fails(enum msg_type type);
/* "hook → core, gate → core" for the documentation. */
void route_document(FILE *out, enum msg_type type);
/* How many rows a message has. */
size_t route_count(enum msg_type type);

#endif
