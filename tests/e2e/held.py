#!/usr/bin/python3
"""Held events: what holds them, who may let them go, and what becomes of them then. No Spark.

    tests/e2e/held.py [WORD...]     cwd is the build folder
"""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import Instance, check, clean_env, main, run, wait  # noqa: E402

ENV = clean_env(GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@x", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@x")


def git(repo, *args):
    return run("git", "-C", repo, *args, env=ENV).stdout.strip()


def commit(repo, text):
    tree = run("git", "-C", repo, "mktree", env=ENV, stdin="").stdout.strip()
    return git(repo, "commit-tree", tree, "-m", text)


def refused(agent, words, *args):
    p = agent.penstock(*args, expect=1)
    check(words in p.stderr, f"refused with '{words}', not: {p.stderr}")


def one(agent, ref):
    return agent.events(ref)[-1]


def moved(agent, ref):
    repo = agent.repository("a")
    git(repo, "update-ref", ref, commit(repo, "one"))
    agent.penstock("reconcile")
    check(one(agent, ref)["state"] == "held", "nobody saw it: held")
    return repo, one(agent, ref)["id"]


def owners_let_go():
    with Instance() as agent:
        repo, e = moved(agent, "refs/tags/v1")          # goes to production, of prod_support
        why = agent.penstock("why", e).stdout
        check(f"release-hold {e}" in why, "why names the command")
        run("git", "-C", repo, "update-ref", "refs/heads/main", "refs/tags/v1", env=ENV)
        agent.penstock("reconcile")
        main_event = one(agent, "refs/heads/main")["id"]
        agent.penstock("--as", "ana", "release-hold", main_event, "-m", "mine to let go")
        wait("it went on", lambda: one(agent, "refs/heads/main")["state"] == "done")
        item = one(agent, "refs/heads/main")
        check("(as ana)" in item["released_by"] and item["released_text"] == "mine to let go", "who and why are kept")
        check("let go by" in agent.penstock("why", main_event).stdout, "why tells it")
        refused(agent, "is not held: it is done", "release-hold", main_event)
        refused(agent, "there is no event e999", "release-hold", "e999")


def who_could():
    """Refused for who owns nothing there, with the names of those who could."""
    with Instance() as agent:
        _, e = moved(agent, "refs/tags/v1")
        p = agent.penstock("--as", "ana", "release-hold", e, expect=None)
        check(p.returncode == 1 and "prod_support (kim, lee)" in p.stderr, f"who could is named: {p.stderr}")
        agent.penstock("--as", "kim", "release-hold", e)


def superseded():
    with Instance() as agent:
        repo, e = moved(agent, "refs/heads/main")
        git(repo, "update-ref", "refs/heads/main", commit(repo, "two"))
        agent.penstock("reconcile")
        newer = one(agent, "refs/heads/main")["id"]
        refused(agent, f"{e} is superseded by {newer}", "release-hold", e)


def not_who_pushed():
    """Accepted without judgement, so held; who pushed it cannot let it go, somebody else can."""
    agent = Instance()
    agent.start()
    repo = agent.repository("a")
    agent.stop()
    os.unlink(agent.dir + "/state/policy")
    clone = agent.base + "/c"
    run("git", "-c", "init.defaultBranch=main", "init", "-q", clone, env=ENV)
    run("git", "-C", clone, "commit", "-q", "--allow-empty", "-m", "x", env=ENV)
    run("git", "-C", clone, "push", "-q", "file://" + repo, "main", env=ENV)
    agent.start()
    wait("its event is there", lambda: agent.events("refs/heads/main"))
    e = one(agent, "refs/heads/main")
    check(e["state"] == "held" and "without judgement" in e["reason"], "held")
    refused(agent, "may have pushed", "release-hold", e["id"])
    agent.penstock("--as", "ana", "release-hold", e["id"])
    wait("it went on", lambda: one(agent, "refs/heads/main")["state"] == "done")
    agent.stop()
    agent.remove()


def restored_copy():
    """More than twenty refs at once, or more than a tenth: one item, let go as one."""
    with Instance() as agent:
        repo = agent.repository("a")
        a = commit(repo, "a")
        for i in range(30):
            git(repo, "update-ref", f"refs/heads/b{i}", a)
        agent.penstock("reconcile")
        first = agent.events()
        check(len(first) == 30 and {e["held_with"] for e in first} == {first[0]["id"]}, "thirty new ones are one item")
        shutil.copytree(repo, agent.base + "/old")
        b = commit(repo, "b")
        for i in range(3):
            git(repo, "update-ref", f"refs/heads/b{i}", b)
        agent.penstock("reconcile")
        three = agent.events()[30:]
        check(len(three) == 3 and {e["held_with"] for e in three} == {None}, "three of thirty are a tenth, not more")
        for i in range(30):
            git(repo, "update-ref", f"refs/heads/b{i}", b)
        agent.penstock("reconcile")
        shutil.rmtree(repo)
        shutil.copytree(agent.base + "/old", repo)
        wait("the old copy is seen", lambda: (agent.penstock("reconcile"), len(agent.items("events", "-n", "200")) == 90)[1])
        back = [e for e in agent.items("events", "-n", "200") if int(e["id"][1:]) > 60]
        head = min((e["id"] for e in back), key=lambda i: int(i[1:]))
        check({e["state"] for e in back} == {"held"} and {e["held_with"] for e in back} == {head}, "restored: one item")
        last = max((e["id"] for e in back), key=lambda i: int(i[1:]))
        agent.penstock("release-hold", last)
        agent.penstock("release-hold", head, "-m", "restored on purpose")
        check(not agent.items("events", "--state", "held"), "all were let go")


if __name__ == "__main__":
    main(owners_let_go, who_could, superseded, not_who_pushed, restored_copy)
