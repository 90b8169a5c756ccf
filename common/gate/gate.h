/*
 * gate – may these refs move, and is what they bring sound.
 *
 * Called by a gate worker, by the gate program (`penstock check --pre-receive`) and by `penstock
 * check`. A refusal is a verdict, an error (negative) is our own failure to decide. Every ref is
 * judged and every finding is told at once; equal trees are judged once. Only errors refuse. A
 * finding that the old side has too (same code, same key) is a warning: a repository that is
 * already wrong stays pushable (`existing_errors: warn`).
 */
#ifndef PS_GATE_H
#define PS_GATE_H

#include "common/base/buf.h"
#include "common/base/diag.h"
#include "common/config/config.h"
#include "common/gate/rules_counts.h"
#include "common/tree/repo.h"
#include "common/tree/tree_scan.h"

struct memo;
struct outlook;

enum gate_verdict { GATE_ACCEPT, GATE_REFUSE, GATE_UNDECIDED };

/* "accept", "refuse", "undecided": the words of the wire. */
const char *gate_verdict_word(enum gate_verdict v);

/* An accepted push has at most twelve lines: of pre-receive, and of post-receive. */
enum { GATE_LINES_MAX = 8, GATE_LINES_POST = 4, GATE_DIAGS_MAX = 50, GATE_TEXT_MAX = 256 * 1024 };

struct gate_command {			/* one line of pre-receive's stdin */
	const char *old_oid, *new_oid;	/* as claimed; all zeros: create, delete */
	const char *ref;
};

/* Who pushes, as far as that is believed; what a name may prove is in config/rights.h. */
struct gate_who { const char *name; };	/* NULL: nobody knows */

struct gate_input {
	/* opened with the quarantine, if the objects are in one; the caller's */
	struct repo *repo;
	const char *repo_name;		/* as in patterns and history: "sales/etl" */
	const struct gate_command *commands;
	size_t ncommands;
	/* NULL: rules and mapping that need it are left out, one line says so */
	const struct config *config;
	int64_t deadline_ns;		/* by clock_boot_ns(); 0: none */
	struct memo *memo;		/* what was judged before; NULL: nothing is known */
	const struct gate_who *who;	/* NULL: nobody asks for rights, they are left out */
	/* push options: the verdict is told and nothing let in; what is wrong with the content does
	 * not refuse, if the configuration lets this pusher ask for it */
	bool dry_run, skip;
	/* filled with what refs that map hold, when all is accepted; NULL: nobody asks */
	struct outlook *outlook;
};

struct gate_ref {			/* what was found for one command, same index */
	char *target;			/* the ref that would move, symbolic refs resolved */
	/* its value in the ref store now; zeros: absent; "": not read */
	char seen[TREE_OID];
	enum gate_verdict verdict;
	/* of the new value, "" when it is no commit or a deletion */
	char commit[TREE_OID];
	char tree[TREE_OID];
	struct diag_list findings;	/* of this ref, sorted */
};

struct gate_mapped { size_t ref, project, line; };

struct gate_result {
	enum gate_verdict verdict;	/* refuse beats undecided beats accept */
	struct gate_ref *refs;
	size_t nrefs;
	struct diag_list all;		/* of all refs, sorted, each once */
	/* undecided: what was being done when time ran out; else NULL */
	char *slow;
	struct rules_counts counts;	/* how much work it was */
	bool skipped;			/* accepted as penstock.skip asked: to be held */
	/* whole lines for the pusher, escaped, at most GATE_TEXT_MAX bytes */
	struct buf text;
	/* which line of it, from 0, says where a project of a ref maps, in order */
	struct gate_mapped mapped[GATE_LINES_MAX];
	size_t nmapped;
};

/* What cannot be decided is a verdict too. gate_result_clear(). */
void gate_judge(const struct gate_input *in, struct gate_result *out);
void gate_result_clear(struct gate_result *r);

/* What `penstock check` asks. Exactly one of folder and rev is judged. */
struct gate_check {
	/* a folder: its repository's work tree, else the folder itself */
	const char *path;
	const char *rev;		/* judged instead of the files when not NULL */
	/* the old side, a revision; NULL: the upstream of the branch, if there is one */
	const char *against;
	bool all_new;			/* there is no old side */
	bool fresh;			/* nothing is remembered (remembered.h), before or after */
	const struct config *config;	/* NULL as above */
	/* as if for this ref; NULL: what the upstream is called there, else none in particular */
	const char *ref;
	/* as if pushed by him, to the repository of that name (NULL: rules for all of them count);
	 * NULL: rights are left out */
	const struct gate_who *who;
	const char *repo_name;
};

struct gate_checked {
	struct diag_list found;		/* sorted, with their lines */
	size_t nprojects;
	char *against;			/* the old side as it may be typed; NULL: all was new */
	struct rules_counts counts;
	struct tree_dir_counts asked;	/* of the system, for a folder */
	char *not_kept;			/* why nothing is remembered for the next time, or NULL */
	int64_t look_ns, now_ns, old_ns;	/* spent on looking at files, on each side */
};

/* gate_checked_clear() always. */
int gate_check(const struct gate_check *c, struct gate_checked *out,
	       struct ps_err *err) PS_MUSTCHECK;
void gate_checked_clear(struct gate_checked *c);

#endif
