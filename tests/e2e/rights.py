#!/usr/bin/python3
"""Who may move which refs, tags that stay, and push options: pushes of several people, git is the judge. No Spark.

    tests/e2e/rights.py [CASE...]     cwd is the build folder

The repositories are of a shared account (gitolite's variable says who), so that one test can be many people.
"""
import json
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import BUILD, Failed, Instance, Push, check, clean_env, main, plain_toolchain, run, wait  # noqa: E402

MAIN, TAG = "refs/heads/main", "refs/tags/v1.0.0"
ZERO = "0" * 40
ONLY = "environment production takes pushes of prod_support only [PS-PUSH-004]"
STAYS = "penstock releases what is tagged so, and a released tag stays as it is [PS-PUSH-005]"


class Shared(Instance):
    """init's configuration, with a root of gitolite's and what a test changes in it."""

    def __init__(self, *changes, push="prod_support", toolchain=None):
        super().__init__(toolchain)
        root = "    - { path: shared, identity: gitolite, hook_users: ['%d'] }\n" % os.getuid()
        os.makedirs(os.path.join(self.dir, "shared"))
        self.change(("    - path: repos ", root + "    - path: repos "),
                    ("    fabric: production\n", f"    fabric: production\n    push: {push}\n"), *changes)

    def change(self, *pairs):
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for old, new in pairs:
            check(text.count(old) == 1, f"{old!r} stands once in penstock.yml")
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        if self.parent:
            self.penstock("reload")

    def shared(self, name="sales"):
        path = os.path.join(self.dir, "shared", name + ".git")
        run("git", "-c", "init.defaultBranch=main", "init", "-q", "--bare", path, env=clean_env())
        self.penstock("install", path)
        return path


class YesSayer:
    """The agent is down, and the repository's gate program says yes to everything: what the pusher's shell may do."""

    def __init__(self, instance, repo):
        self.instance, self.path = instance, os.path.join(repo, "hooks", "penstock.hook")

    def __enter__(self):
        self.instance.stop()
        forged = os.path.join(self.instance.base, "says-yes")
        with open(forged, "w", encoding="utf-8") as f:
            f.write(YES % os.path.join(HERE, "..", "support"))
        os.chmod(forged, 0o755)
        with open(self.path, encoding="utf-8") as f:
            self.true = f.read()
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("\n".join(self.true.split("\n")[:2] + [forged, ""]))

    def __exit__(self, kind, value, trace):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(self.true)
        self.instance.start()


class Person:
    """Pushes as one name, by gitolite's word. Without a name: as nobody."""

    def __init__(self, clone, name):
        self.clone, self.name = clone, name

    def push(self, *refs, expect=0, options=()):
        env = {"GL_USER": self.name} if self.name else {}
        words = [w for o in options for w in ("-o", o)]
        p = Push(run("git", "-C", self.clone.path, "push", *words, "origin", *refs, env=clean_env(**env), expect=None))
        check((p.code == 0) == (expect == 0), f"{self.name} pushes {refs}: exit {p.code}\n{p.all}")
        return p

    def refused(self, line, *refs, options=()):
        """Refused with exactly this error; returns all lines."""
        p = self.push(*refs, expect=1, options=options)
        errors = [x for x in p.lines if re.match(r"(\S+:\d+:\d+: )?error: ", x) and "[" in x]
        check(errors == ["error: " + line], f"{self.name}: one error, '{line}', not: {errors}\n{p.text}")
        return p


def at(repo, ref):
    return run("git", "-C", repo, "rev-parse", "-q", "--verify", ref, env=clean_env(), expect=None).stdout.strip() or ZERO


def people(clone):
    return [Person(clone, n) for n in ("bo", "kim", "lee", "eve", None)]


def who_may_move_what():
    with Shared() as a:
        repo = a.shared()
        clone = a.example(repo)
        one = clone.git("rev-parse", "HEAD").stdout.strip()
        bo, kim, lee, eve, _ = people(clone)
        bo.refused(f"bo (developers) may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        check(at(repo, TAG) == ZERO, "nothing is there")
        bo.push(f"HEAD:{MAIN}")
        kim.push(f"HEAD:{TAG}")
        check(at(repo, TAG) == at(repo, MAIN) == one, "kim may, and bo may push main")
        two = clone.commit("two")
        bo.refused(f"bo (developers) may not move v1.0.0: {ONLY}", f"+HEAD:{TAG}")
        bo.refused(f"bo (developers) may not delete v1.0.0: {ONLY}", f":{TAG}")
        eve.refused("eve (in no team) may not move main: environment development takes pushes of developers only "
                    "[PS-PUSH-004]", f"HEAD:{MAIN}")
        eve.push("HEAD:refs/heads/topic")               # maps nowhere: everybody's
        check((at(repo, TAG), at(repo, MAIN), at(repo, "refs/heads/topic")) == (one, one, two), "only topic moved")
        lee.push(f"HEAD:{MAIN}")                        # developers by what the team includes
        check(at(repo, MAIN) == two, "lee may push main")


def one_ref_is_enough():
    """One finding for each ref that may not move, and nothing of the push is let in."""
    with Shared() as a:
        repo = a.shared()
        bo = Person(a.example(repo), "bo")
        p = bo.push(f"HEAD:{MAIN}", "HEAD:refs/tags/v1", "HEAD:refs/tags/v2", expect=1)
        found = sorted(x for x in p.lines if "PS-PUSH-004" in x)
        check(found == [f"error: bo (developers) may not create {t}: {ONLY}" for t in ("v1", "v2")], p.text)
        check(p.lines[0] == "error: sales refused, nothing was changed: 2 errors in v1, v2", p.text)
        check(at(repo, MAIN) == ZERO and a.events() == [], "nothing moved")


def the_tree_gives_no_right():
    """Whatever is in the tree: a configuration of one's own, or no project at all."""
    with Shared() as a:
        repo = a.shared()
        clone = a.clone(repo)
        bo, kim, _, eve, _ = people(clone)
        clone.write("README.md", "no project\n")
        clone.commit("empty")
        bo.refused(f"bo (developers) may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        eve.push(f"HEAD:{MAIN}")                        # nothing in it goes to development
        clone.write("penstock.yml", "environments: [{ name: production, refs: [refs/tags/v*], push: [bo] }]\n")
        clone.commit("mine")
        bo.refused(f"bo (developers) may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        kim.push(f"HEAD:{TAG}")
        kim.push(f":{TAG}")                             # nothing was ever released by it
        check(at(repo, TAG) == ZERO, "a tag without project goes")


def projects_of_their_own():
    """A rule for some projects binds the refs of trees that hold, or held, one of them."""
    with Shared(("    fabric: production\n    push:", "    fabric: production\n    projects: ['**:secret']\n    push:")) as a:
        repo = a.shared()
        clone = a.example(repo)
        bo, kim, *_ = people(clone)
        bo.push(f"HEAD:{TAG}")
        clone.write("secret/pbt_project.yml", "name: s\nversion: '1'\nlanguage: sql\npipelines: {}\njobs: {}\n")
        clone.write("secret/dbt_project.yml", "name: s\n")
        clone.commit("secret")
        bo.refused(f"bo (developers) may not create v2: {ONLY}", "HEAD:refs/tags/v2")
        kim.push("HEAD:refs/tags/v2")
        bo.refused(f"bo (developers) may not delete v2: {ONLY}", ":refs/tags/v2")
        bo.refused(f"bo (developers) may not move v2: {ONLY}", "+HEAD~1:refs/tags/v2")


def core_has_the_last_word():
    """What went past the gate is held, not released."""
    with Shared() as a:
        repo = a.shared()
        bo = Person(a.example(repo), "bo")
        with YesSayer(a, repo):
            bo.push(f"HEAD:{TAG}")
        check(at(repo, TAG) != ZERO, "git let it in")
        e = a.wait_event(TAG, states=("held",))
        check(e["reason"] == f"bo (developers) may not move {TAG}: environment production takes pushes of prod_support only",
              f"held for want of the right: {e}")
        check("toolchain" not in a.penstock("why", e["id"]).stdout, "nothing was asked for")
        a.penstock("--as", "ana", "release-hold", e["id"], expect=1)
        a.penstock("--as", "kim", "release-hold", e["id"], "-m", "it is right all the same")
        wait("it waits for what builds", lambda: "toolchain" in a.penstock("why", e["id"]).stdout, limit=60)


def a_tag_is_released_once():
    """By core's own books, too: from another commit it is held, and a newer movement takes its place."""
    with Shared(toolchain=plain_toolchain()) as a:
        repo = a.shared()
        clone = a.example(repo)
        for pipeline in os.listdir(os.path.join(clone.path, "pipelines")):
            shutil.rmtree(os.path.join(clone.path, "pipelines", pipeline, "code", "test"), ignore_errors=True)
        clone.commit("No tests: nobody here could run them")
        kim = Person(clone, "kim")
        kim.push(f"HEAD:{TAG}")
        one = at(repo, TAG)
        wait("it is released", lambda: "approval" in a.penstock("why", TAG).stdout, every=0.2)
        clone.commit("two")
        with YesSayer(a, repo):
            kim.push(f"+HEAD:{TAG}")
        e = a.wait_event(TAG, new=at(repo, TAG), states=("held",))
        check(e["reason"] == f"{TAG} was released before, from another commit", f"held: {e}")
        with YesSayer(a, repo):
            kim.push(f"+{one}:{TAG}")
        wait("back where it was", lambda: [x["state"] for x in a.events(TAG)][1:] in (["superseded", "open"], ["superseded", "done"]))


def people_by_name():
    with Shared(push="[kim, bo]") as a:
        repo = a.shared()
        bo, _, lee, *_ = people(a.example(repo))
        lee.refused("lee (prod_support) may not create v1.0.0: environment production takes pushes of kim, bo only "
                    "[PS-PUSH-004]", f"HEAD:{TAG}")
        bo.push(f"HEAD:{TAG}")
        check(at(repo, TAG) != ZERO, "bo may")


def agent_down():
    """The gate program says the same, with the hook's word for who it is, or the account's."""
    a = Shared()
    try:
        a.start()
        repo, own = a.shared(), a.repository("own")
        clone = a.example(repo)
        bo, kim, _, eve, nobody = people(clone)
        a.stop()
        bo.refused(f"bo (developers) may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        eve.refused("eve (in no team) may not create main: environment development takes pushes of developers only "
                    "[PS-PUSH-004]", f"HEAD:{MAIN}")
        nobody.refused(f"an unknown pusher may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        kim.push(f"HEAD:{TAG}")
        me = run("id", "-un").stdout.strip()
        clone.git("remote", "set-url", "origin", own)
        # no variable counts where the account does; PENSTOCK_AS does, in one person's own instance
        kim.refused(f"{me} (developers) may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        clone.who = "lee"
        clone.push(f"HEAD:{TAG}")
        check(at(own, TAG) != ZERO, "lee may")
        check(at(repo, TAG) != ZERO and at(repo, MAIN) == ZERO, "kim's tag alone")
    finally:
        a.stop()
        a.remove()


def unknown_pushers():
    with Shared() as a:
        repo = a.shared()
        nobody = people(a.example(repo))[-1]
        nobody.refused(f"an unknown pusher may not create v1.0.0: {ONLY}", f"HEAD:{TAG}")
        nobody.push(f"HEAD:{MAIN}")                     # unknown_pusher: hold
        e = a.events(MAIN)
        check(len(e) == 1 and e[0]["state"] == "held", f"held: {e}")
        a.change(("unknown_pusher: hold", "unknown_pusher: refuse"))
        want = "nobody knows who you are, and unknown_pusher is refuse [PS-PUSH-006]"
        for down in (False, True):
            if down:
                a.stop()
            p = nobody.refused(want, "HEAD:refs/heads/x", "HEAD:refs/heads/y")
            check(any(x.startswith("warning: pusher unknown: GL_USER is not set") for x in p.lines), p.text)
            check(at(repo, "refs/heads/x") == ZERO, "nothing moved")


def released_tags_stay():
    with Shared() as a:
        repo = a.shared()
        clone = a.example(repo)
        _, kim, _, eve, _ = people(clone)
        kim.push(f"HEAD:{TAG}", "HEAD:refs/tags/nightly")
        one = at(repo, TAG)
        two = clone.commit("two")
        p = kim.refused(f"v1.0.0 may not be moved: {STAYS}", f"+HEAD:{TAG}")
        check("hint: raise the version and push a new tag" in p.text, p.text)
        kim.refused(f"v1.0.0 may not be deleted: {STAYS}", f":{TAG}")
        check(at(repo, TAG) == one, "it stays")
        eve.push("+HEAD:refs/tags/nightly")             # no environment has it
        check(at(repo, "refs/tags/nightly") == two, "other tags are their owner's business")
        e = a.wait_event("refs/tags/nightly", new=two)
        check(e["state"] == "done" and "maps nowhere" in e["reason"], f"core leaves it alone too: {e}")
        a.change(("builders:\n", "rules: [{ rules: [PS-PUSH-005], refs: [refs/tags/v1.0.0], severity: warning }]\nbuilders:\n"))
        p = kim.push(f"+HEAD:{TAG}")
        check(f"warning: v1.0.0 may not be moved: {STAYS}" in p.lines, p.text)
        check(at(repo, TAG) == two, "the admin has said so")


def tags_and_versions():
    with Shared() as a:
        repo = a.shared()
        kim = people(a.example(repo))[1]
        wrong = "pbt_project.yml:3:10: warning: tag {} says version {}, the project says 1.0.0 [PS-PUSH-003]"
        for tag, version in (("v1.0.0", None), ("v1", None), ("v1.0.1", "1.0.1"), ("v10", "10"), ("vacation", None)):
            p = kim.push(f"HEAD:refs/tags/{tag}")
            found = [x for x in p.lines if "PS-PUSH" in x]
            check(found == ([wrong.format(tag, version)] if version else []), f"{tag}: {p.text}")
        a.change(("builders:\n", "rules: [{ rules: [PS-PUSH-003], severity: error }]\nbuilders:\n"))
        p = kim.push("HEAD:refs/tags/v2.0.0", expect=1)
        check("pbt_project.yml:3:10: error: tag v2.0.0 says version 2.0.0, the project says 1.0.0 [PS-PUSH-003]" in p.lines,
              p.text)
        check(at(repo, "refs/tags/v2.0.0") == ZERO, "refused where the admin wants it")


YES = """#!/usr/bin/python3
import socket, sys
sys.path.insert(0, %r)
sys.dont_write_bytecode = True
import wire
fd = int(sys.argv[sys.argv.index("--result-fd") + 1])
wire.send(socket.socket(fileno=fd), "verdict", id=0, verdict="accept", text="", refs=[])
"""
DRY = "hint: penstock.dry-run: nothing is wrong and nothing was changed; git says declined because you asked for a dry run"


def dry_run():
    with Shared() as a:
        repo = a.shared()
        clone = a.example(repo)
        bo = Person(clone, "bo")

        def dry(first, last, *refs):
            p = bo.push(*refs, expect=1, options=["penstock.dry-run"])
            said = [x for x in p.lines if x]
            check(said[0] == first and said[-1] == last, f"from '{first}' to '{last}':\n{p.text}")
            check(at(repo, MAIN) == ZERO and at(repo, TAG) == ZERO, "nothing moved")
            return p
        for down in (False, True):
            if down:
                a.stop()
            p = dry("success: sales would be accepted, 1 ref", DRY, f"HEAD:{MAIN}")
            check("main: . -> development (auto)" in p.lines, p.text)
            p = dry("error: sales refused, nothing was changed: 1 error in v1.0.0", "hint: penstock.dry-run: nothing was changed",
                    f"HEAD:{TAG}")
            check(f"error: bo (developers) may not create v1.0.0: {ONLY}" in p.lines, p.text)
        os.unlink(os.path.join(a.dir, "state", "policy"))
        dry("no policy: not judged", "hint: penstock.dry-run: nothing was changed", f"HEAD:{MAIN}")
        a.start()
        a.penstock("reconcile")
        check(a.events() == [], f"no event came of it: {a.events()}")
        bo.push(f"HEAD:{MAIN}", options=["penstock.dry-run=false", "ci.skip"])
        check(at(repo, MAIN) != ZERO, "not asked for")
        p = bo.push("HEAD:refs/heads/x", options=["penstock.dryrun"])
        check("warning: push option 'penstock.dryrun' is not known; penstock knows penstock.dry-run and penstock.skip"
              in p.lines, p.text)
        p = bo.push("HEAD:refs/heads/y", expect=1, options=["penstock.dry-run=please"])
        check("warning: push option 'penstock.dry-run=please' is true or false; taken as true" in p.lines, p.text)
        check(at(repo, "refs/heads/y") == ZERO, "in doubt nothing moves")


def skip():
    with Shared(("    unknown_pusher: hold ", "    skip: prod_support\n    unknown_pusher: hold ")) as a:
        repo = a.shared()
        clone = a.example(repo)
        bo, kim, _, _, nobody = people(clone)
        clone.edit("pbt_project.yml", "    name: sales_report\n", "")
        broken = clone.commit("broken")
        for who in (bo, nobody):
            p = who.push(f"HEAD:{MAIN}", expect=1, options=["penstock.skip"])
            name = "bo (developers)" if who.name else "an unknown pusher"
            check(f"warning: penstock.skip: {name} may not, it is for prod_support; judged as ever" in p.lines, p.text)
        check(at(repo, MAIN) == ZERO, "judged as ever")
        p = kim.push(f"HEAD:{MAIN}", options=["penstock.skip"])
        check("warning: penstock.skip: findings do not count, the event is held until an owner lets it go" in p.lines, p.text)
        check(any("warning: " in x and "PS-PROJ-008" in x for x in p.lines), f"it is told all the same: {p.text}")
        check(at(repo, MAIN) == broken, "let in")
        e = a.events(MAIN)
        check(len(e) == 1 and e[0]["state"] == "held" and "penstock.skip" in e[0]["reason"], f"held: {e}")
        for who, expect in (("kim", 1), ("bo", 0)):     # not by who pushed it; development is of the developers
            a.penstock("--as", who, "release-hold", e[0]["id"], "-m", "we know", expect=expect)
        wait("it goes on", lambda: a.events(MAIN)[0]["state"] != "held")
        kim.push(f"HEAD:{TAG}", options=["penstock.skip"])
        kim.refused(f"v1.0.0 may not be deleted: {STAYS}", f":{TAG}", options=["penstock.skip"])    # no right comes of it
        a.stop()
        p = kim.push("HEAD:refs/tags/v1.0.1", options=["penstock.skip"])
        check(at(repo, "refs/tags/v1.0.1") == broken, "the gate program lets it in as well")
        a.start()
        e = a.wait_event("refs/tags/v1.0.1", states=("held",))
        check("penstock.skip" in e["reason"], f"held for the same reason: {e}")


def nobody_skips_by_default():
    with Shared() as a:
        repo = a.shared()
        clone = a.example(repo)
        clone.edit("pbt_project.yml", "    name: sales_report\n", "")
        clone.commit("broken")
        p = people(clone)[1].push(f"HEAD:{MAIN}", expect=1, options=["penstock.skip"])
        check("warning: penstock.skip: kim (prod_support) may not, it is for nobody; judged as ever" in p.lines, p.text)
        check(at(repo, MAIN) == ZERO, "refused")


def check_says_it_before():
    """penstock check on a laptop, with nothing but the policy file."""
    with Shared() as a:
        repo = a.shared()
        clone = a.example(repo)
        policy = os.path.join(a.base, "policy")
        a.penstock("policy", "export", policy)

        def ask(*words, expect):
            p = run(os.path.join(BUILD, "penstock"), "check", "--policy", policy, *words, clone.path, expect=expect,
                    env=clean_env())
            return p.stdout
        want = f"error: bo (developers) may not push v1.0.0: {ONLY}\n"
        check(ask("--ref", TAG, "--as", "bo", expect=1) == want, "the line of the push but for the verb")
        check(ask("--ref", TAG, "--as", "kim", expect=0) == "", "kim may")
        check(ask("--ref", TAG, expect=0) == "", "of nobody nothing is said")
        check(ask("--ref", MAIN, "--as", "eve", expect=1).startswith("error: eve (in no team) may not push main: "), "main")
        check("says version 2.0, the project says 1.0.0 [PS-PUSH-003]" in ask("--ref", "refs/tags/v2.0", expect=0), "the tag")
        items = json.loads(ask("--ref", TAG, "--as", "bo", "--format", "json", expect=1))["items"]
        check([i["id"] for i in items] == ["PS-PUSH-004"], f"{items}")
        sarif = json.loads(ask("--ref", TAG, "--as", "bo", "--format", "sarif", expect=1))["runs"][0]["results"]
        check([("locations" in r, r["ruleId"]) for r in sarif] == [(False, "PS-PUSH-004")], f"{sarif}")
        check(ask("--ref", TAG, "--as", "bo", "--format", "github", expect=1) ==
              f"::error title=PS-PUSH-004::{want[len('error: '):-len(' [PS-PUSH-004]') - 1]}\n", "for workflows")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(BUILD, "penstock-hook")):
        raise Failed("cwd is no build folder")
    main(who_may_move_what, one_ref_is_enough, the_tree_gives_no_right, projects_of_their_own,
         core_has_the_last_word, a_tag_is_released_once, people_by_name, agent_down,
         unknown_pushers, released_tags_stay, tags_and_versions, dry_run, skip, nobody_skips_by_default,
         check_says_it_before)
