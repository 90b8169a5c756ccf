#!/usr/bin/python3
"""Durable events per second from 1, 8 and 64 open connections, and what a hook costs a push.

Against a real agent on the disk of this machine, with real synced writes. In each round the same load goes to a
core that commits for many at once (as shipped) and to one that commits each operation alone
(PENSTOCK_STORE_BATCH=1, in test builds only). The load is load_events.c; its comment says what one push is.
Beside it, without a goal: the same words from real hook processes, and the whole `git push` with hooks and without.
"""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agent import Failed, Instance, clean_env, run, wait  # noqa: E402
from bench import ROUNDS, SECONDS, Bench, program  # noqa: E402

CONNECTIONS = (1, 8, 64)
MODES = (("one commit for many", {}), ("one commit each", {"PENSTOCK_STORE_BATCH": "1"}))
ZERO = "0" * 40


def fsync_ms(folder, n=200):
    """What this disk takes to make 4 KiB durable: the store's floor for a commit."""
    fd, path = tempfile.mkstemp(dir=folder)
    took = []
    for _ in range(n):
        os.write(fd, b"x" * 4096)
        began = time.monotonic()
        os.fdatasync(fd)
        took.append((time.monotonic() - began) * 1000)
    os.close(fd)
    os.unlink(path)
    return sorted(took)[n // 2]


class Place:
    """An agent, a repository, two commits to move refs between."""

    def __init__(self, env):
        self.a = Instance(env=env)
        self.repo = self.a.repository("load")
        clone = self.a.clone(self.repo)
        self.oids = []
        for n in "ab":
            clone.write("README", n)
            self.oids.append(clone.commit(n))
        self.clone = clone
        self.a.start()
        clone.push(f"{self.oids[1]}:refs/heads/both")     # the objects are there, and so is the repository's row
        self.a.wait_event("refs/heads/both")

    def forget(self):
        """The refs go as nobody's pushes would leave them: from scratch, agent and all."""
        self.a.stop()
        self.a.remove()


def cpu_s(pid):
    """Seconds that a process has computed."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def load(b, env, n):
    """What load_events says, and core's own seconds in "cpu"; None when it failed."""
    p = Place(env)
    try:
        core = p.a.role("core")
        before = cpu_s(core)
        got = subprocess.run([program("load_events"), os.path.join(p.a.dir, "run", "hook.sock"), p.repo, *p.oids,
                              str(n), str(SECONDS)], capture_output=True, text=True, timeout=600, env=clean_env())
        if got.returncode != 0:
            b.fail(f"load_events with {n}: exit {got.returncode}: {got.stderr}{got.stdout}")
            return None
        told = {**json.loads(got.stdout), "cpu": cpu_s(core) - before}
        settle(b, p, n, told["events"])
        return told
    finally:
        p.forget()


def settle(b, p, n, events):
    """In the end core has one event for each report, and each ref's last one is what the ref store holds."""
    def newest():
        return max(int(e["id"][1:]) for e in p.a.items("events", "-n", "5"))
    try:
        wait("every report has its place", lambda: newest() > events, every=0.2)      # one more is Place's
    except Failed:
        b.fail(f"{n} connections: {events} reports were acknowledged, core has {newest() - 1} events")
        return

    def differ():
        tips = {}
        for e in p.a.items("events", "-n", "1000"):
            tips.setdefault(e["ref"], e["new"])
        refs = run("git", "-C", p.repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/load-*",
                   env=clean_env()).stdout.split()
        return [r for r, oid in zip(refs[::2], refs[1::2]) if tips.get(r, oid) != oid]
    if differ():
        b.fail(f"{n} connections: last events do not say where their refs are: {differ()}")
    if newest() != events + 1:
        b.fail(f"{n} connections: {events} reports were acknowledged, core has {newest() - 1} events")


def hooks(b, p, n):
    """Pushes per second of n real pairs of hook processes at once, each pair started as git starts it."""
    done, until = [0] * n, time.monotonic() + SECONDS
    # a parent that is a receive-pack by name, and starts both hooks
    script = os.path.join(p.a.base, "git-receive-pack")
    if not os.path.exists(script):
        with open(script, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\ncd \"$1\" || exit 1\nprintf '%s %s %s\\n' \"$2\" \"$3\" \"$4\" | hooks/pre-receive >&2 || exit 1\n"
                    "printf '%s\\n' \"$3\" > \"$4.lock\" && mv \"$4.lock\" \"$4\" || exit 1\n"
                    "printf '%s %s %s\\n' \"$2\" \"$3\" \"$4\" | hooks/post-receive >&2\n")
        os.chmod(script, 0o755)

    def one(i):
        old, ref = ZERO, f"refs/heads/hook-{i}"
        while time.monotonic() < until:
            new = p.oids[done[i] % 2]
            q = subprocess.run([script, p.repo, old, new, ref], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               env=clean_env(PENSTOCK_AS="ana", GIT_DIR="."))
            if q.returncode != 0 or "event kept" in q.stderr or "not recorded" in q.stderr:
                b.fail(f"hooks of {ref}: exit {q.returncode}: {q.stderr}")
                return
            old = new
            done[i] += 1
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(done) / (time.monotonic() - began)


def pushes(p, count=8):
    """Median milliseconds of `git push` of one small commit, with hooks and without."""
    bare = os.path.join(p.a.base, "bare.git")
    if not os.path.exists(bare):
        run("git", "init", "-q", "--bare", bare, env=clean_env())
    took = {"with": [], "without": []}
    for i in range(count):
        p.clone.commit(f"timed {i}")
        for word, url in (("with", p.repo), ("without", bare)):
            began = time.monotonic()
            p.clone.git("push", "-q", url, "HEAD:refs/heads/timed")
            took[word].append((time.monotonic() - began) * 1000)
    return {w: sorted(v)[len(v) // 2] for w, v in took.items()}


def main():
    b = Bench("events", "acknowledged durable events per second, on this disk")
    for _ in range(ROUNDS):
        for n in CONNECTIONS:
            for word, env in MODES:
                told = load(b, env, n)
                if told:
                    b.add(f"{n} connections, {word}", told["events"] / told["seconds"], "1/s")
                    if n == CONNECTIONS[-1]:
                        b.add(f"core's own time for an event, {word}", told["cpu"] * 1000 / told["events"], "ms")
                        b.add(f"from report to acknowledgement, {word}", told["median_ms"], "ms")
        p = Place({})
        try:
            b.add("fdatasync of 4 KiB", fsync_ms(p.a.dir), "ms")
            for n in CONNECTIONS[:2]:
                b.add(f"real hook processes, {n} at once", hooks(b, p, n), "1/s")
            for word, ms in pushes(p).items():
                b.add(f"git push {word} hooks", ms, "ms")
        finally:
            p.forget()
    for n in CONNECTIONS if not b.bad else ():
        b.ratio(f"{n} connections: for many against each", f"{n} connections, {MODES[0][0]}", f"{n} connections, {MODES[1][0]}",
                goal=8 if n == 64 else None)
    return b.end()


if __name__ == "__main__":
    sys.exit(main())
