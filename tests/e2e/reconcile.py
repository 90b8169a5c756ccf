#!/usr/bin/python3
"""Looks at repositories: what moved without a hook is found, what did not is left alone, and a
repository that went, came back, moved or was copied is noticed. No Spark.

    tests/e2e/reconcile.py [WORD...]     cwd is the build folder
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import Instance, check, clean_env, main, run, wait  # noqa: E402

ZERO = "0" * 40
ENV = clean_env(GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@x", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@x")


def git(repo, *args, expect=0):
    return run("git", "-C", repo, *args, env=ENV, expect=expect).stdout.strip()


def commit(repo, text):
    """A new root commit in a bare repository, by no push."""
    tree = run("git", "-C", repo, "mktree", env=ENV, stdin="").stdout.strip()
    return git(repo, "commit-tree", tree, "-m", text)


def pass_over(agent, *args):
    return agent.json("reconcile", *args)


def quiet(agent):
    """Until a pass lists nothing: file times that are seconds old prove something."""
    wait("a pass lists nothing", lambda: pass_over(agent)["listed"] == 0, every=0.5)


def facts(agent):
    return agent.json("status")["reconcile"]


def adopted(agent, name):
    repo = agent.repository(name)
    git(repo, "update-ref", "refs/heads/main", commit(repo, name))
    pass_over(agent)
    return repo


def moved_without_a_hook():
    with Instance() as agent:
        repo = agent.repository("a")
        check(not agent.events(), "the first look makes no event")
        one, two = commit(repo, "one"), commit(repo, "two")
        git(repo, "update-ref", "refs/heads/main", one)
        check(pass_over(agent)["events"] == 1, "a movement by nobody is found")
        git(repo, "update-ref", "refs/heads/deep/er/still", two)
        git(repo, "update-ref", "refs/heads/main", two)
        check(pass_over(agent)["events"] == 2, "also far below refs/")
        git(repo, "pack-refs", "--all")
        check(pass_over(agent)["events"] == 0, "packing refs moves nothing")
        git(repo, "update-ref", "-d", "refs/heads/deep/er/still")
        check(pass_over(agent)["events"] == 1, "a deletion from packed-refs is found")
        events = agent.events("refs/heads/main")
        check([(e["old"], e["new"]) for e in events] == [(ZERO, one), (one, two)], "they join")
        check({e["kind"] for e in events} == {"gap"} and events[-1]["state"] == "held", "held, by nobody")


def only_what_changed_is_listed():
    with Instance() as agent:
        repos = [adopted(agent, f"g/{i}") for i in range(5)]
        quiet(agent)
        before = facts(agent)
        check(pass_over(agent) == {"id": "reconcile", "state": "done", "repositories": 5, "listed": 0, "events": 0,
                                   "problems": 0, "trouble": []}, "nothing to do: none is listed")
        after = facts(agent)
        check(after["listed"] == before["listed"] and after["statted"] == before["statted"] + 5 and
              after["frames"] == before["frames"] + 1, "five asked about in one frame")
        git(repos[3], "update-ref", "refs/tags/v1", "refs/heads/main")
        check(pass_over(agent)["listed"] == 1, "the one that changed is listed")
        check([e["repository"] for e in agent.events("refs/tags/v1")] == ["g/3"], "its event")
        check(pass_over(agent, "--full")["listed"] == 5, "--full lists all")
        check(pass_over(agent, "g/2")["repositories"] == 1, "one by name")
        check(pass_over(agent, repos[2])["listed"] == 1, "one by path")
        agent.penstock("reconcile", "nobody", expect=1)


def timed(look_every):
    agent = Instance()
    with open(agent.dir + "/penstock.yml") as f:
        yml = f.read()
    check("    budget: 4s " in yml, "the line to add to")
    with open(agent.dir + "/penstock.yml", "w") as f:
        f.write(yml.replace("    budget: 4s ", f"    look_every: {look_every}\n    budget: 4s "))
    return agent


def by_itself():
    with timed("1s") as agent:
        repo = agent.repository("a")
        git(repo, "update-ref", "refs/heads/main", commit(repo, "one"))
        wait("the timer finds it", lambda: agent.events("refs/heads/main"))


def gone_and_back():
    with Instance() as agent:
        repo = adopted(agent, "a")
        os.rename(repo, repo + ".away")     # outside of what is searched: no such name ends in .git
        shutil.move(repo + ".away", agent.dir + "/away")
        pass_over(agent)
        status = agent.json("status")
        check([(r["id"], r["state"]) for r in status["reconcile"]["repositories"]] == [("a", "gone")], "it is gone")
        check(any("is not there since" in w for w in status["warnings"]), "and status says so")
        events = agent.events()
        check(pass_over(agent)["events"] == 0 and agent.events() == events, "its events stay")
        shutil.move(agent.dir + "/away", repo)
        git(repo, "update-ref", "refs/heads/x", "refs/heads/main")
        check(pass_over(agent)["events"] == 1, "back: looks go on")
        check(not facts(agent)["repositories"], "nothing is wrong any more")


def renamed():
    with Instance() as agent:
        repo = adopted(agent, "a")
        n = len(agent.events())
        to = os.path.dirname(repo) + "/b.git"
        os.rename(repo, to)
        wait("it is found at its new path", lambda: (pass_over(agent), not facts(agent)["repositories"])[1])
        check({e["repository"] for e in agent.events()} == {"b"} and len(agent.events()) == n, "it keeps its history")
        git(to, "update-ref", "refs/heads/x", "refs/heads/main")
        check(pass_over(agent)["events"] == 1, "and goes on")


def copied():
    """cp -r: the known path stays what it is, the copy is named in status until it has an id of its own."""
    with Instance() as agent:
        repo = adopted(agent, "a")
        n, copy = len(agent.events()), os.path.dirname(repo) + "/copy.git"
        shutil.copytree(repo, copy, symlinks=True)
        pass_over(agent)
        trouble = facts(agent)["repositories"]
        check([r["path"] for r in trouble] == [copy] and "--new-id" in trouble[0]["reason"], f"noticed: {trouble}")
        check({e["repository"] for e in agent.events()} == {"a"} and len(agent.events()) == n, "the original stays")
        agent.penstock("install", "--new-id", copy)
        check(git(copy, "config", "penstock.id") != git(repo, "config", "penstock.id"), "two ids")
        pass_over(agent)
        check(not facts(agent)["repositories"], "nothing is wrong any more")
        git(copy, "update-ref", "refs/heads/x", "refs/heads/main")
        check(pass_over(agent)["events"] == 1 and agent.events()[-1]["repository"] == "copy", "it has its own events")


def pushed_into_a_copy():
    """Accepted and kept; the pusher reads what to do; once the copy has an id of its own it is an event as any other."""
    with Instance() as agent:
        repo = adopted(agent, "a")
        n, main, copy = len(agent.events()), "refs/heads/main", os.path.dirname(repo) + "/copy.git"
        shutil.copytree(repo, copy, symlinks=True)
        clone = agent.example(copy)
        p = clone.push("+HEAD:" + main)
        pushed = clone.git("rev-parse", "HEAD").stdout.strip()
        check("it is a copy; run: penstock install --new-id " + copy in p.text and "event kept" in p.text, f"told: {p.text}")
        words = wait("status says what waits", lambda: [
            e for e in agent.json("status")["spool"]["entries"] if e["state"] == "waiting"])
        check(words[0]["id"] == copy and "--new-id" in words[0]["reason"], f"by name: {words}")
        check(len(agent.events()) == n and agent.json("status")["spool"]["aside"] == 0, "nothing is made of it, nothing lost")
        git(repo, "update-ref", "refs/heads/x", main)
        check(pass_over(agent)["events"] == 1, "others go on")
        agent.penstock("install", "--new-id", copy)
        e = wait("its event", lambda: [e for e in agent.events(main) if e["repository"] == "copy"])[-1]
        check((e["new"], e["kind"]) == (pushed, "sure") and "ana" in e["pusher"], f"whole: {e}")
        wait("the spool is empty", lambda: agent.json("status")["spool"]["waiting"] == 0)


def on_purpose():
    with Instance() as agent:
        repo = agent.repository("a", install=False)
        value = commit(repo, "there before")
        git(repo, "update-ref", "refs/heads/main", value)
        agent.penstock("install", repo)
        check(not agent.events(), "a baseline makes no event")
        agent.penstock("adopt", repo, "refs/heads/nobody", expect=1)
        agent.penstock("adopt", repo, "refs/heads/main")
        e = agent.events()[0]
        check((e["old"], e["new"]) == (ZERO, value) and e["pusher"], "adopt makes one, by whoever asked")
        wait("it acts", lambda: agent.events()[0]["state"] == "done")
        check("events already" in agent.penstock("adopt", repo, "refs/heads/main", expect=1).stderr, "once")


def pairs(agent, ref):
    return [(e["old"], e["new"]) for e in agent.events(ref)]


def there_and_back():
    """What leaves no difference leaves an entry in the reflog, where the repository keeps one."""
    with Instance() as agent:
        main, kept, bare = "refs/heads/main", adopted(agent, "kept"), agent.repository("bare", install=False)
        git(bare, "config", "core.logAllRefUpdates", "false")
        git(bare, "update-ref", main, commit(bare, "first"))
        agent.penstock("install", bare)
        for repo, name, more in ((kept, "kept", 2), (bare, "bare", 0)):
            first, other = git(repo, "rev-parse", main), commit(repo, "other")
            before = [e for e in agent.events(main) if e["repository"] == name]
            git(repo, "update-ref", main, other)
            git(repo, "update-ref", main, first)
            check(pass_over(agent)["events"] == more, f"{name}: {more} movements are found")
            new = [e for e in agent.events(main) if e["repository"] == name][len(before):]
            check([(e["old"], e["new"]) for e in new] == [(first, other), (other, first)][:more], f"they join: {new}")
            check([e["state"] for e in new] == ["superseded", "held"][:more] and not any(e["pusher"] for e in new),
                  f"nobody's: only the last could act, and is held: {new}")
        check(pass_over(agent)["events"] == 0, "once")
        git(kept, "update-ref", "refs/tags/t", commit(kept, "t1"))
        t1, t2 = git(kept, "rev-parse", "refs/tags/t"), commit(kept, "t2")
        git(kept, "update-ref", "refs/tags/t", t2)
        pass_over(agent)
        check(pairs(agent, "refs/tags/t") == [(ZERO, t1), (t1, t2)], "of a new ref from its first entry on")
        git(kept, "update-ref", "-d", "refs/tags/t")
        git(kept, "update-ref", "refs/tags/t", t1)
        pass_over(agent)
        check(pairs(agent, "refs/tags/t")[2:] == [(t2, t1)], "a log goes with its ref: one gap")


def log_that_lies():
    """A log that was cut or edited breaks no chain."""
    with Instance() as agent:
        repo, main = adopted(agent, "a"), "refs/heads/main"
        log = repo + "/logs/" + main
        values = [git(repo, "rev-parse", main)] + [commit(repo, str(i)) for i in range(8)]
        edits = (lambda t: t[:100], lambda t: t[:-30], lambda t: "", lambda t: t.replace(values[4][:8], "f" * 8),
                 lambda t: "garbage\n" + t + "garbage\n", lambda t: t * 2)
        for i, edit in enumerate(edits):
            git(repo, "update-ref", main, values[i + 1])
            with open(log) as f:
                text = f.read()
            with open(log, "w") as f:
                f.write(edit(text))
            pass_over(agent)
            chain = pairs(agent, main)
            check(chain[-1][1] == values[i + 1] and all(a[1] == b[0] for a, b in zip(chain, chain[1:])), f"{i}: {chain}")
            check(len(chain) == i + 2, f"{i}: one movement, one event: {chain}")
        os.unlink(log)
        git(repo, "update-ref", main, values[7])
        pass_over(agent)
        for value in values[8], values[7]:
            git(repo, "update-ref", main, value)
        check(pass_over(agent)["events"] == 2, "and it is read again from where it ended")


def report_lost_and_undone():
    """The pusher's report never came and his ref is back where it was: the reflog has it, the intent says who."""
    with Instance() as agent:
        repo, main = adopted(agent, "a"), "refs/heads/main"
        first = git(repo, "rev-parse", main)
        n = len(agent.events(main))
        os.unlink(repo + "/hooks/post-receive")
        with open(repo + "/hooks/post-receive", "w") as f:
            f.write(f"#!/bin/sh\ngit update-ref {main} {first}\n")
        os.chmod(repo + "/hooks/post-receive", 0o755)
        clone = agent.example(repo)
        clone.push("+HEAD:" + main)
        pushed = clone.git("rev-parse", "HEAD").stdout.strip()
        wait("both movements are known", lambda: len(agent.events(main)) == n + 2)
        his, undone = agent.events(main)[n:]
        check((his["new"], his["kind"]) == (pushed, "inferred") and "ana" in his["pusher"], f"his: {his}")
        check((undone["new"], undone["kind"], undone["state"]) == (first, "gap", "held"), f"nobody's: {undone}")


def two_agents():
    """Two agents with one repository: the lease says whose it is, the other one keeps off and says so."""
    one, two = timed("1s"), timed("1s")
    with open(two.dir + "/penstock.yml") as f:
        yml = f.read()
    root = [line for line in yml.split("\n") if "path: repos" in line]
    check(len(root) == 1, "the root to change")
    with open(two.dir + "/penstock.yml", "w") as f:
        f.write(yml.replace("path: repos", f"path: {one.dir}/repos"))
    with one:
        repo = adopted(one, "a")
        lease = repo + "/penstock.lease"
        wait("it has a lease", lambda: os.path.exists(lease))
        with open(lease) as f:
            text = f.read()
        check(text.split("\n")[0] == "penstock-lease 1" and one.dir in text, f"whose: {text}")
        said = os.stat(lease)
        wait("it is renewed", lambda: os.stat(lease).st_mtime_ns > said.st_mtime_ns)
        check(os.stat(lease).st_ino == said.st_ino and not facts(one)["repositories"], "without writing it again")
        with two:
            trouble = wait("the second sees it", lambda: facts(two)["repositories"])
            check(trouble[0]["state"] == "held" and one.dir in trouble[0]["reason"], f"status: {trouble}")
            check(any(f"taken by another agent since" in w for w in two.json("status")["warnings"]), "a warning")
            check(one.dir in two.penstock("reconcile").stdout, "reconcile names it")
            main = "refs/heads/main"
            new = commit(repo, "next")
            git(repo, "update-ref", main, new)
            wait("both have the event", lambda: pass_over(two) and all(
                a.events(main) and a.events(main)[-1]["new"] == new for a in (one, two)))
            for agent in one, two:
                agent.penstock("release-hold", agent.events(main)[-1]["id"])
            wait("it goes on in the first", lambda: one.events(main)[-1]["state"] == "done")
            e = two.events(main)[-1]
            check(e["state"] == "open" and not e["surveyed"], f"and not in the second: {e}")
            why = two.penstock("why", e["id"]).stdout
            check("taken by another agent" in why and one.dir in why, f"why says so: {why}")
            one.stop()
            wait("the second takes it over", lambda: not facts(two)["repositories"])
            wait("and its event goes on", lambda: two.events(main)[-1]["state"] == "done")
            one.start()
            trouble = wait("now the first keeps off", lambda: facts(one)["repositories"])
            check(two.dir in trouble[0]["reason"], f"and says why: {trouble}")


def failing_looks():
    """A repository that cannot be looked at is not tried in every pass."""
    agent = timed("1s")
    with agent:
        repo = adopted(agent, "a")
        copy = os.path.dirname(repo) + "/copy.git"
        shutil.copytree(repo, copy, symlinks=True)
        wait("noticed", lambda: (pass_over(agent), facts(agent)["repositories"])[1])
        before = facts(agent)
        after = wait("ten passes by themselves", lambda: next(
            (f for f in [facts(agent)] if f["passes"] >= before["passes"] + 10), None), every=0.2)
        tries = after["listed"] - before["listed"]
        check(1 <= tries <= 5, f"it is tried less and less: {tries} of {after['passes'] - before['passes']} passes")
        check(pass_over(agent)["problems"] == 1, "who asks gets another try")


def push_that_lives():
    """A ref that a push under way may move is left alone; when that push is over, it is settled."""
    with Instance() as agent:
        repo = agent.repository("a")
        one, two = commit(repo, "one"), commit(repo, "two")
        git(repo, "update-ref", "refs/heads/main", one)
        git(repo, "update-ref", "refs/tags/new", two)
        pass_over(agent)
        quiet(agent)
        gate, go = agent.base + "/in", agent.base + "/go"
        os.mkfifo(go)
        with open(repo + "/hooks/update", "w") as f:        # runs when pre-receive is over
            f.write(f"#!/bin/sh\ntouch {gate}\nread line <{go}\n")
        os.chmod(repo + "/hooks/update", 0o755)
        clone = agent.clone(repo)
        clone.git("fetch", "-q", "origin", "refs/tags/new:refs/tags/new")
        push = subprocess.Popen(["git", "-C", clone.path, "push", "-qf", "origin", "refs/tags/new:refs/heads/main"],
                                env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait("the push is under way", lambda: os.path.exists(gate))
        three = commit(repo, "three")
        n = len(agent.events("refs/heads/main"))
        git(repo, "update-ref", "refs/heads/main", three)
        check(pass_over(agent)["listed"] == 1 and len(agent.events("refs/heads/main")) == n, "left alone")
        quiet_for = facts(agent)["listed"]
        check(pass_over(agent)["listed"] == 1 and facts(agent)["listed"] == quiet_for + 1, "and looked at again")
        with open(go, "w") as f:
            f.write("\n")
        push.wait()
        check(push.returncode != 0, "git refuses it: the ref has moved meanwhile")
        wait("settled when it is over", lambda: len(agent.events("refs/heads/main")) > n)
        e = agent.events("refs/heads/main")[-1]
        check((e["old"], e["new"], e["kind"]) == (one, three, "gap"), f"by nobody: {e}")


def kept():
    """A force-push and gc cannot take what is queued; when nobody needs it, it is let go."""
    with Instance() as agent:
        repo = agent.repository("a")
        clone = agent.example(repo)
        clone.push("main")
        first = git(repo, "rev-parse", "main")
        keeps = lambda: git(repo, "for-each-ref", "--format=%(objectname)", "refs/penstock/keep").split()  # noqa: E731
        wait("it is kept", lambda: keeps() == [first])
        check("penstock" not in git(agent.base, "ls-remote", "file://" + repo), "hidden from clients")
        agent.penstock("pause", "all", "-m", "test", expect=None)
        clone.git("commit", "-q", "--amend", "-m", "another")
        clone.push("+main")
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        second = git(repo, "rev-parse", "main")
        wait("the second is kept", lambda: second in keeps())
        if first in keeps():
            git(repo, "cat-file", "-e", first)
        wait("the first is let go", lambda: keeps() == [second])


def set_aside():
    """What is no message of a hook does not block the spool, and status says why it lies aside."""
    with Instance() as agent:
        spool = agent.dir + "/state/spool"
        with open(spool + "/torn.msg", "w") as f:
            f.write("abc")
        wait("status tells it", lambda: agent.json("status")["spool"]["aside"] == 1)
        status = agent.json("status")
        check(status["spool"]["entries"][0]["id"] == "torn.msg" and status["spool"]["entries"][0]["reason"], "with reason")
        check(any("set aside" in w for w in status["warnings"]), "and warns")


if __name__ == "__main__":
    main(moved_without_a_hook, only_what_changed_is_listed, by_itself, gone_and_back, renamed, copied, pushed_into_a_copy, on_purpose, kept,
         there_and_back, log_that_lies, report_lost_and_undone, two_agents,
         failing_looks, push_that_lives,
         set_aside)
