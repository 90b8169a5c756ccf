#!/usr/bin/python3
"""Repositories with SHA-256 objects: judged, built, deployed, watched and kept as any other. No Spark.

Exit status 77 where no sandbox can be made.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import acts  # noqa: E402
from agent import BUILD, check, clean_env, main, run, wait  # noqa: E402

MAIN = "refs/heads/main"


class Agent(acts.Agent):
    def repository(self, name, install=True, objects="sha256"):
        return super().repository(name, install, objects)


def refs(repo, below="refs"):
    p = run("git", "-C", repo, "for-each-ref", "--format=%(refname) %(objectname)", below, env=clean_env())
    return dict(l.split() for l in p.stdout.splitlines())


def from_push_to_fabric():
    with Agent() as a:
        c = a.project()
        repo = os.path.join(a.dir, "repos", "sales.git")
        tip = c.commit()
        check(len(tip) == 64, tip)
        p = c.push("HEAD:" + MAIN)
        e = a.wait_event(MAIN)
        check(e["new"] == tip and e["old"] == "0" * 64 and e["kind"] == "sure", e)
        check(any(e["id"] in l for l in p.lines), p.all)
        check({b["state"] for b in a.builds()} == {"passed"} and len(a.builds()) == 2, a.builds())
        check(a.jobs("development", "sales"), "nothing was deployed")
        # a tag of the same content: nothing is built
        c.git("tag", "-am", "one", "v1.0")
        c.push("v1.0")
        t = a.wait_event("refs/tags/v1.0", states=("open", "done"))
        check(t["new"] == c.git("rev-parse", "v1.0").stdout.strip(), t)
        wait("the tag's demands are there", lambda: "approv" in a.penstock("why", "refs/tags/v1.0", expect=None).stdout)
        check(len(a.builds()) == 2, a.builds())
        # the kept commit outlives its branch and a gc
        wait("the tag's commit is kept", lambda: refs(repo, "refs/penstock/keep"))
        check("refs/penstock" not in c.git("ls-remote", "origin").stdout, "keep refs are told")


def mistakes_are_found_in_the_quarantine():
    with Agent() as a:
        c = a.project()
        repo = os.path.join(a.dir, "repos", "sales.git")
        c.push("HEAD:" + MAIN)
        before = refs(repo)
        c.edit("pbt_project.yml", "language: python", "language: [")
        c.commit("a mistake")
        p = c.push("HEAD:" + MAIN, expect=1)
        check(any("pbt_project.yml:" in l and "error:" in l for l in p.lines), p.all)
        after = {r: o for r, o in refs(repo).items() if not r.startswith("refs/penstock/")}
        check(after == {r: o for r, o in before.items() if not r.startswith("refs/penstock/")}, after)
        # the same on the laptop, against what was fetched
        c.git("fetch", "-q", "origin")
        c.git("branch", "-q", "--set-upstream-to=origin/main")
        said = subprocess.run([os.path.join(BUILD, "penstock"), "check", c.path], capture_output=True, text=True,
                              env=clean_env())
        check(said.returncode == 1 and "pbt_project.yml:" in said.stdout + said.stderr, said.stdout + said.stderr)


def server_side_movements_are_seen():
    with Agent() as a:
        c = a.project()
        repo = os.path.join(a.dir, "repos", "sales.git")
        one = c.commit("one")
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        two = c.commit("two")
        c.push("HEAD:refs/heads/side")
        a.wait_event("refs/heads/side", states=("done", "open"))
        run("git", "-C", repo, "update-ref", MAIN, two, env=clean_env())
        a.penstock("reconcile", expect=None)
        wait("the movement is an event", lambda: [e for e in a.events(MAIN) if (e["old"], e["new"]) == (one, two)])


if __name__ == "__main__":
    acts.can_sandbox()
    main(from_push_to_fabric, mistakes_are_found_in_the_quarantine, server_side_movements_are_seen)
