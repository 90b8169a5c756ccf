#!/usr/bin/python3
"""A thousand deployments to a workspace, in each of which something goes wrong at a random place.

    tests/e2e/faults.py [CASE]          PENSTOCK_FAULTS=N: so many, default 100; PENSTOCK_SEED=N: from that seed on

A connection that ends without an answer, throttling, an answer that is lost after the effect, a token that is over, a
deploying process killed before and after each word of its journal: at the end of each the workspace equals the plan, every
job is there once, and no job names a wheel, a script or a configuration file that is not there. A failing one is said with its seed.
"""
import collections
import os
import random
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import Failed, check, main  # noqa: E402
from deployer import CLIENT, Deployer  # noqa: E402
from workspace import Workspace  # noqa: E402

HOW_MANY = int(os.environ.get("PENSTOCK_FAULTS", "100"))
SEED = int(os.environ.get("PENSTOCK_SEED", "1"))
KEYS = [f"jobs/job_{n}" for n in range(6)]
FAULTS = {
    "drop": {"fault": "drop"},
    "lost answer": {"fault": "drop", "after": True},
    "cut answer": {"fault": "cut"},
    "429": {"fault": "throttled"},
    "503": {"fault": "unavailable"},
    "503 of a gateway": {"fault": "html"},
    "503 of a gateway after the effect": {"fault": "html", "after": True},
    "expired token": {"fault": "expired"},
}
KILLS = ("begin", "begun", "done", "noted")


class World:
    """A workspace and a deployer, until the end of the case."""

    def __init__(self, **more):
        self.more = more

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="penstock-test.")
        self.w = Workspace(os.path.join(self.dir.name, "workspace"), client=CLIENT).start()
        self.d = Deployer(self.dir.name, self.w, **self.more)
        self.d.start()
        return self.w, self.d

    def __exit__(self, *what):
        self.d.__exit__(*what)
        self.w.stop()
        self.dir.cleanup()


def next_release(d, r, n):
    """Some jobs come, some change, some go, some orphans are pruned."""
    jobs = {k: r.randint(1, 3) for k in KEYS if r.random() < 0.7} or {KEYS[0]: 1}
    gone = [k for k, v in d.known.items() if k not in jobs and v["orphan"] and r.random() < 0.3]
    wheels = [f"w{i}-1.0" for i in range(r.randint(1, 3))]
    large = r.random() < 0.05   # more than one block
    d.want(jobs, wheels, f"1.0-{n:x}", gone, size=1_500_000 if large else 100)
    return 4 + 3 * len(wheels) + 2 * (len(jobs) + len(d.known)) + 3 * len(d.scripts + d.configured)


def one(w, d, n, struck):
    r = random.Random(n)
    calls = next_release(d, r, n)
    what = r.choice([*FAULTS, *KILLS])
    kill = (r.randint(1, 14), what) if what in KILLS else None
    if not kill:
        w.faults({"match": "* /api/*", "nth": r.randint(1, calls), **FAULTS[what]})
    end, tries = d.deploy(kill)
    struck[what] += 1 if kill else w.struck()[0]
    if not kill:
        w.faults()
    check(end["state"] == "deployed", f"{end['state']}: {end.get('reason')}")
    d.check()
    return tries


def faults():
    struck, tries, began = collections.Counter(), collections.Counter(), time.monotonic()
    with World() as (w, d):
        d.scripts = KEYS[:2]        # these grant rights too, others in each version
        d.configured = KEYS[1:3]
        for n in range(SEED, SEED + HOW_MANY):
            if n % 100 == 0:        # a look at everything takes longer the more there is
                w.reset()
                d.forget()
            try:
                tries[one(w, d, n, struck)] += 1
            except Exception as e:
                raise Failed(f"seed {n}: {e}") from e
        made = len(w.calls("POST", "/api/2.2/jobs/create"))
        calls = len(w.calls())
    check(min(struck[what] for what in [*FAULTS, *KILLS]) > 0 or HOW_MANY < 200, f"not all struck: {dict(struck)}")
    print(f"     {HOW_MANY} deployments from seed {SEED}, {calls} calls, {made} creates, {time.monotonic() - began:.0f} s; struck: "
          + ", ".join(f"{what} {struck[what]}" for what in sorted(struck)) + "; tries: "
          + ", ".join(f"{k}: {v}" for k, v in sorted(tries.items())))


def refused_uploads():
    """An upload answered 401, 403, 409 or 500 never leads to a job that points to it."""
    for volume, where in ((None, "/api/2.0/dbfs/"), ("/Volumes/main/jobs/wheels", "/api/2.0/fs/files/")):
        with World(volume=volume) as (w, d):
            for n, status in enumerate((401, 403, 409, 500)):
                d.want({"jobs/a": n + 1}, ["a-1.0"], f"1.0-{n}")
                w.faults({"match": f"{'PUT' if volume else 'POST'} {where}*", "fault": "answer", "status": status,
                          "body": {"error_code": "X", "message": "no"}})
                end, _ = d.deploy()
                check(end["state"] == "failed" and str(status) in end["reason"], f"{status}: {end}")
                check(not [j for j in w.jobs() if j["settings"]["max_concurrent_runs"] == n + 1], f"{status}: a job")
                d.check_libraries()
                w.faults()
                end, _ = d.deploy()
                check(end["state"] == "deployed", f"{end}")
                d.check()


def refused_files():
    """The same of a script and a configuration file that a job brings with it."""
    for kind, told in (("scripts", "the script of 'script'"), ("configured", "the configuration file 'prod.json'")):
        with World() as (w, d):
            setattr(d, kind, ("jobs/a",))
            for n, status in enumerate((401, 403, 409, 500)):
                d.want({"jobs/a": n + 1}, ["a-1.0"], f"1.0-{n}")
                w.faults({"match": "POST /api/2.0/dbfs/move", "from": 2, "fault": "answer", "status": status,      # 1: the wheel's
                          "body": {"error_code": "X", "message": "no"}})
                end, _ = d.deploy()
                check(end["state"] == "failed" and str(status) in end["reason"] and told in end["reason"], f"{end}")
                check(not [j for j in w.jobs() if j["settings"]["max_concurrent_runs"] == n + 1], f"{status}: a job")
                d.check_libraries()
                w.faults()
                end, _ = d.deploy()
                check(end["state"] == "deployed", f"{end}")
                d.check()


def no_create_twice():
    """Killed after the create and before the journal has it: found by its stamp."""
    with World() as (w, d):
        d.want({"jobs/a": 1}, ["a-1.0"], "1.0-1")
        end, tries = d.deploy((4, "done"))
        check(end["state"] == "deployed" and tries == 2, f"{end}, {tries}")
        check(len(w.calls("POST", "/api/2.2/jobs/create")) == 1, "made twice")
        d.check()
        d.known.clear()         # and with a store that has lost the id
        d.want({"jobs/a": 2}, ["a-1.0"], "1.0-2")
        check(d.deploy()[0]["state"] == "deployed", "not found by its stamp")
        check(len(w.calls("POST", "/api/2.2/jobs/create")) == 1, "made twice without the id")
        d.check()


def token_ends_while_uploading():
    with World() as (w, d):
        w.faults({"match": "POST /api/2.0/dbfs/add-block", "nth": 2, "fault": "expired"})
        d.want({"jobs/a": 1}, ["a-1.0"], "1.0-1", size=3_500_000)
        end, tries = d.deploy()
        check(end["state"] == "deployed" and tries == 1 and w.struck() == [1], f"{end}, {tries}, {w.struck()}")
        check(len(w.calls("POST", "/oidc/v1/token")) == 2, "no second token")
        d.check()


def few_calls():
    """200 jobs and 200 wheels, one changed: at most two uploads and one job write."""
    with World() as (w, d):
        path = "prophecy/artifacts/dev/execution/7234/%s/pipeline/w%d-1.0-py3-none-any.whl"
        wheels = [{"path": path % ("1.0-a", n), "digest": d.put(b"wheel %d" % n), "size": 7 + len(str(n)) - 1} for n in range(200)]
        jobs = [{"key": f"jobs/j{n}", "digest": d.put(d.definition(f"jobs/j{n}", 1, wheels[n]["path"]))} for n in range(200)]
        d.ask(wheels, jobs)
        began = time.monotonic()
        check(d.deploy()[0]["state"] == "deployed", "the first")
        first, took = len(w.calls()), time.monotonic() - began
        d.check()
        wheels[7] = {"path": path % ("1.0-b", 7), "digest": d.put(b"another"), "size": 7}
        jobs[7] = {"key": "jobs/j7", "digest": d.put(d.definition("jobs/j7", 1, wheels[7]["path"]))}
        d.ask(wheels, jobs)
        d.there = {a["path"] for i, a in enumerate(wheels) if i != 7}
        began = time.monotonic()
        check(d.deploy()[0]["state"] == "deployed", "the second")
        later = w.calls()[first:]
        uploads = [c for c in later if c["path"].startswith("/api/2.0/dbfs/") and c["method"] == "POST"]
        writes = [c for c in later if c["method"] == "POST" and "/jobs/" in c["path"]]
        print(f"     200 jobs and wheels: {first} calls in {took:.1f} s; one changed: {len(later)} calls in "
              f"{time.monotonic() - began:.1f} s, {len(uploads)} of an upload, {len(writes)} job write")
        check(len(uploads) <= 2 and len(writes) == 1, f"{uploads} {writes}")
        d.check()


if __name__ == "__main__":
    main(no_create_twice, token_ends_while_uploading, refused_uploads, refused_files, few_calls, faults)
