#!/usr/bin/python3
"""Ten thousand that wait: what core holds in memory, and how long people wait for `status`, `queue` and `why`, with ten
thousand demands in line beside the same with a hundred. The store is filled by SQL while the agent is down."""
import json
import os
import re
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
from agent import Instance  # noqa: E402
from bench import ROUNDS, Bench  # noqa: E402

FEW, MANY, LIMIT_MB = 100, 10000, 60
SURVEY = json.dumps({"path": ".", "filler": "x" * 4000})


def fill(path, n):
    """n pushes of 50 repositories, each with a demand for a build of its own that waits for a slot."""
    db = sqlite3.connect(path)
    rows = range(1, n + 1)
    oid = "a" * 40
    with db:
        db.executemany("INSERT INTO repository (id, uid, path, name, adopted_ms) VALUES (?, ?, ?, ?, 1)",
                       [(i, f"u{i}", f"/nowhere/r{i}.git", f"r{i}") for i in range(1, 51)])
        db.executemany("INSERT INTO event (id, repository, ref, seq, old, new, kind, k, pusher, state, boot, stamp, at_ms,"
                       " surveyed) VALUES (?, ?, ?, 1, ?, ?, 'sure', 0, 'ana', 'open', 'b', 1, ?, 1)",
                       [(i, i % 50 + 1, f"refs/heads/b{i}", "0" * 40, oid, i) for i in rows])
        db.executemany("INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state,"
                       " since_ms, survey, toolchain, created_ms, look) VALUES (?, ?, ?, '.', ?, ?, 'development',"
                       " 'development', 'waiting', ?, ?, 't', ?, 0)",
                       [(i, i, i % 50 + 1, f"refs/heads/b{i}", oid, i, SURVEY, i) for i in rows])
        db.executemany("INSERT INTO build (id, key, repository, project, commit_oid, pipeline, spec, state, since_ms, slot,"
                       " fence, lease_ms, toolchain, prefix, created_ms, turn) VALUES (?, ?, ?, '.', ?, 'pipelines/a', ?,"
                       " 'queued', ?, -1, 0, 0, 't', '/t', ?, ?)",
                       [(i, f"{i:064x}", i % 50 + 1, oid, SURVEY, i, i, i // 50) for i in rows])
        db.executemany("INSERT INTO demand_build (demand, build, pipeline) VALUES (?, ?, 'pipelines/a')",
                       [(i, i) for i in rows])
    db.close()


def core_of(parent):
    for pid in subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=True).stdout.split():
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            if f.read().strip() == "penstock-core":
                return pid
    raise RuntimeError("no core")


def pss_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def timed(b, row, call):
    begun = time.monotonic()
    out = call()
    b.add(row, (time.monotonic() - begun) * 1000, unit="ms")
    return out


def measure(b, n):
    with Instance() as a:
        a.stop()
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:	# nothing is claimed: the line stays as long as it is
            f.write(re.sub(r"slots: \d+", "slots: 0", text))
        fill(os.path.join(a.dir, "state", "store.db"), n)
        a.start()
        core = core_of(a.parent.pid)
        for _ in range(ROUNDS):
            timed(b, f"status, {n} waiting", lambda: a.json("status"))
            queue = timed(b, f"queue, {n} waiting", lambda: a.json("queue"))
            why = timed(b, f"why of the last in line, {n} waiting", lambda: a.json("why", f"b{n}"))
            b.add(f"core, {n} waiting", pss_mb(core), unit="MB")
        if queue["waiting"] != n:
            b.fail(f"{queue['waiting']} wait, not {n}")
        if why["ahead"] != n - 1 or why["reason"] != "builder":
            b.fail(f"b{n}: {why['ahead']} ahead, reason {why['reason']}")
        if pss_mb(core) >= LIMIT_MB:
            b.fail(f"core has {pss_mb(core):.1f} MB with {n} waiting; {LIMIT_MB} is the limit")


def main():
    b = Bench("queue", f"{MANY} that wait beside {FEW}")
    for n in (FEW, MANY):
        measure(b, n)
    for row in ("status", "queue", "why of the last in line", "core"):
        b.ratio(row, f"{row}, {MANY} waiting", f"{row}, {FEW} waiting")
    return b.end()


sys.exit(main())
