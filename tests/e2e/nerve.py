#!/usr/bin/python3
"""Push → intent → report → event, with a real git, a real agent, and both of them ended at bad moments.

Judged by git's own refs: for each ref the events in order must join, end at what git says, and be as
many as there were movements. The store is read directly, so no view can hide a row.
"""
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.getcwd()
HERE = os.path.dirname(os.path.abspath(__file__))
ZERO = "0" * 40
LIMIT = 60 if "ASAN_OPTIONS" in os.environ else 20
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
       "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x", "LC_ALL": "C.UTF-8",
       **{k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "PENSTOCK_FAILPOINT_LOG")}}


def children_of(pid):
    out = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/stat") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                        out += [int(p)] + children_of(int(p))
            except OSError:
                pass
    return out


def until(what, check, limit=LIMIT):
    end = time.monotonic() + limit
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)


class Nerve(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="ps-nerve-"))
        self.agent, self.commits, self.log = None, 0, ""
        self.inst, self.work = self.dir + "/i", self.dir + "/w"
        self.repo = self.inst + "/repos/r.git"
        self.penstock("init", self.inst)
        with open(self.inst + "/penstock.yml") as f:
            yml = f.read().replace("budget: 4s", "budget: 2s")
        with open(self.inst + "/penstock.yml", "w") as f:
            f.write(yml)
        self.git("init", "-q", "--bare", self.repo)
        self.git("init", "-q", "-b", "main", self.work)
        self.commit()

    def tearDown(self):
        self.kill_all()
        if os.path.exists(self.dir + "/log"):
            with open(self.dir + "/log") as f:
                self.log = f.read()
        shutil.rmtree(self.dir)

    def run(self, result=None):
        """A case that fails shows what the agent wrote."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            sys.stderr.write(self.log)

    # ---- programs ----

    def penstock(self, *args, check=True):
        p = subprocess.run([BUILD + "/penstock", *(["-C", self.inst] if args[0] != "init" else []), *args],
                           env=ENV, capture_output=True, text=True)
        if check and p.returncode != 0:
            raise AssertionError(f"{args}: {p.returncode}\n{p.stdout}{p.stderr}")
        return p.stdout

    def start(self):
        log = open(self.dir + "/log", "a")
        self.agent = subprocess.Popen([BUILD + "/penstockd", self.inst], env=ENV, stdout=log, stderr=log)
        log.close()
        until("the door is open", self.door_open)

    def door_open(self):
        self.assertIsNone(self.agent.poll(), "penstockd ended")
        try:
            with socket.socket(socket.AF_UNIX) as s:
                fd = os.open(self.inst + "/run", os.O_PATH)
                try:
                    s.connect(f"/proc/self/fd/{fd}/hook.sock")
                finally:
                    os.close(fd)
            return True
        except OSError:
            return False

    def processes(self):
        return [self.agent.pid] + children_of(self.agent.pid)

    def core(self):
        for pid in children_of(self.agent.pid):
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == "penstock-core":
                    return pid
        raise AssertionError("no core")

    def kill_all(self):
        if not self.agent:
            return
        pids = self.processes()
        for sig in (signal.SIGSTOP, signal.SIGKILL):       # stopped first: nobody restarts anybody
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
        self.agent.wait()
        until("all roles are gone", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
        self.agent = None

    # ---- git ----

    def git(self, *args, **kw):
        return subprocess.run(["git", *args], check=True, env=ENV, capture_output=True, text=True, **kw).stdout.strip()

    def commit(self):
        self.commits += 1               # two of one second must not be the same commit
        self.git("-C", self.work, "commit", "-q", "--allow-empty", "-m", str(self.commits))
        return self.git("-C", self.work, "rev-parse", "HEAD")

    def value(self, ref="refs/heads/main"):
        p = subprocess.run(["git", "-C", self.repo, "rev-parse", "-q", "--verify", ref], env=ENV,
                           capture_output=True, text=True)
        return p.stdout.strip() or ZERO

    def push(self, *args, env=None, ok=True, limit=None):
        begun = time.monotonic()
        p = subprocess.run(["git", "-C", self.work, "push", "-q", "file://" + self.repo, *(args or ["main"])],
                           env={**ENV, **(env or {})}, capture_output=True, text=True, timeout=120)
        if limit and "ASAN_OPTIONS" not in os.environ:
            self.assertLess(time.monotonic() - begun, limit, p.stderr)
        self.assertEqual(p.returncode == 0, ok, p.stderr)
        return [line[8:].rstrip() for line in p.stderr.splitlines() if line.startswith("remote: ")]

    def sleeping_hook(self):
        """A wrapper calls ours and then another hook that waits for a word on a fifo."""
        fifo, hooks = self.dir + "/go", self.repo + "/hooks"
        os.mkfifo(fifo)
        os.mkdir(hooks + "/ours")
        os.rename(hooks + "/pre-receive", hooks + "/ours/pre-receive")
        shutil.copy(hooks + "/penstock.hook", hooks + "/ours/")
        with open(hooks + "/pre-receive", "w") as f:
            f.write(f"#!/bin/sh\nhooks/ours/pre-receive || exit 1\nread x <{fifo}\n")
        os.chmod(hooks + "/pre-receive", 0o755)
        return fifo

    def push_in_background(self, *args):
        return subprocess.Popen(["git", "-C", self.work, "push", "-q", "file://" + self.repo, *(args or ["main"])],
                                env=ENV, stderr=subprocess.DEVNULL)

    # ---- the store ----

    def rows(self, sql, *args):
        db = sqlite3.connect(f"file:{self.inst}/state/store.db?mode=ro", uri=True, timeout=10)
        try:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(sql, args)]
        finally:
            db.close()

    def events(self, ref=None):
        return self.rows("SELECT * FROM event WHERE ref = coalesce(?, ref) ORDER BY repository, ref, seq", ref)

    def settled(self):
        """All pushes over and settled, the spool empty."""
        spool = [n for n in os.listdir(self.inst + "/state/spool") if n.endswith(".msg")]
        return not spool and not self.rows("SELECT 1 FROM push WHERE ended = 0")

    def check(self, **movements):
        """movements: last part of the ref → how many events. Chains join and end where git is."""
        until("everything is settled", self.settled)
        self.assertFalse(self.rows("SELECT * FROM intent WHERE state = 'open'"))
        for name, n in movements.items():
            ref = "refs/heads/" + name
            v = self.events(ref)
            self.assertEqual(len(v), n, [(e["old"][:7], e["new"][:7], e["kind"]) for e in v])
            for a, b in zip(v, v[1:]):
                self.assertEqual(a["new"], b["old"])
            for i, e in enumerate(v):
                self.assertEqual(e["seq"], i + 1)
            tail = self.rows("SELECT tail FROM ref WHERE name = ?", ref)[0]["tail"]
            self.assertEqual(tail, self.value(ref))
            if v:
                self.assertEqual(v[-1]["new"], tail)

    def keep_reflogs(self):
        self.git("-C", self.repo, "config", "core.logAllRefUpdates", "always")

    def check_reflog(self, name="main"):
        """The events of the ref are what git's own log of it says."""
        with open(f"{self.repo}/logs/refs/heads/{name}") as f:
            log = [tuple(line.split()[:2]) for line in f]
        self.assertEqual([(e["old"], e["new"]) for e in self.events("refs/heads/" + name)], log)

    # ---- what must hold ----

    def test_push(self):
        self.start()
        self.penstock("install", self.repo)
        a = self.commit()
        lines = self.push()
        self.check(main=1)
        e = self.events()[0]
        self.assertEqual((e["old"], e["new"], e["kind"], e["k"]), (ZERO, a, "sure", 0))
        self.assertIsNotNone(e["pusher"])
        self.assertNotEqual(e["state"], "held", e["reason"])
        self.assertTrue(any(f"e{e['id']}" in line for line in lines), lines)
        self.assertLessEqual(len(lines), 12)
        b = self.commit()
        self.push("main", "main:refs/heads/x")
        self.check(main=2, x=1)
        self.push(":refs/heads/x")
        self.check(main=2, x=2)
        gone = self.events("refs/heads/x")[-1]
        self.assertEqual((gone["new"], gone["state"]), (ZERO, "done"))
        self.push("main:refs/heads/x", env={"PENSTOCK_AS": "ana"})
        self.check(x=3)
        self.assertTrue(self.events("refs/heads/x")[-1]["pusher"].endswith("(as ana)"))
        item = json.loads(self.penstock("--json", "events"))["items"][-1]
        self.assertEqual((item["ref"], item["old"], item["new"]), ("refs/heads/main", ZERO, a))
        self.assertEqual(self.value(), b)
        self.push("main:refs/penstock/keep/x", ok=False)

    def test_agent_down(self):
        """Judged by the gate program, kept in the spool; its event arrives once, also a first of all."""
        self.start()
        self.kill_all()
        self.penstock("install", self.repo)
        self.assertIn("agent not running; event kept", self.push())
        self.start()
        self.check(main=1)
        e = self.events()[0]
        self.assertEqual((e["kind"], e["old"]), ("sure", ZERO))
        self.assertNotEqual(e["state"], "held", e["reason"])
        self.kill_all()
        self.commit()
        self.push()
        self.commit()
        self.push()
        self.start()
        self.check(main=3)
        self.assertEqual({e["kind"] for e in self.events()}, {"sure"})

    def test_never_started(self):
        """No policy yet: accepted, not judged, held."""
        self.penstock("install", self.repo)
        if os.path.exists(self.inst + "/state/policy"):
            os.unlink(self.inst + "/state/policy")
        self.assertIn("no policy: not judged, event held", self.push())
        self.start()
        self.check(main=1)
        self.assertEqual(self.events()[0]["state"], "held")

    def test_stopped(self):
        """A stopped core's socket still accepts connections; the push is answered within its budget."""
        self.start()
        self.penstock("install", self.repo)
        self.push()
        until("settled", self.settled)
        for pids in ([self.core()], self.processes()):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            self.commit()
            lines = self.push(limit=2 + 1.2 + 0.8)
            # a disk that is busy may not have it by the end of the budget, and that is said
            kept = "agent not running; event kept"
            self.assertTrue({kept, kept + ", not yet synced"} & set(lines), lines)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            until("settled", self.settled)
        self.check(main=3)
        self.assertEqual({e["kind"] for e in self.events()}, {"sure"})

    def test_client_killed(self):
        """The ref moves though post-receive never runs; core has the event when receive-pack ends."""
        self.start()
        self.penstock("install", self.repo)
        self.push()
        fifo = self.sleeping_hook()
        a = self.commit()
        p = self.push_in_background()
        with open(fifo, "w") as go:
            p.send_signal(signal.SIGKILL)
            p.wait()
            self.assertEqual(len(self.events()), 1)
            go.write("\n")
        until("the ref moved", lambda: self.value() == a)
        until("its event is there", lambda: len(self.events()) == 2, limit=5)
        self.check(main=2)
        e = self.events()[-1]
        self.assertEqual((e["kind"], e["new"]), ("inferred", a))
        self.assertIsNotNone(e["pusher"])

    def test_there_and_back_by_killed_clients(self):
        self.start()
        self.penstock("install", self.repo)
        self.push()
        a = self.value()
        fifo = self.sleeping_hook()
        b = self.commit()
        for value in (b, a, b):
            p = self.push_in_background(f"+{value}:refs/heads/main")
            with open(fifo, "w") as go:
                p.send_signal(signal.SIGKILL)
                p.wait()
                go.write("\n")
            until("the ref moved", lambda v=value: self.value() == v)
        self.check(main=4)

    def test_alias(self):
        """A push names the symbolic ref alone; its target moves, once, also when the client is killed."""
        self.start()
        self.keep_reflogs()
        self.penstock("install", self.repo)
        self.push()
        self.git("-C", self.repo, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
        self.commit()
        self.push("main:refs/heads/alias")
        self.check(main=2)
        fifo = self.sleeping_hook()
        a = self.commit()
        p = self.push_in_background("main:refs/heads/alias")
        with open(fifo, "w") as go:
            p.send_signal(signal.SIGKILL)
            p.wait()
            go.write("\n")
        until("the ref moved", lambda: self.value() == a)
        self.check(main=3)
        self.assertEqual(self.events("refs/heads/alias"), [])
        self.assertEqual([e["kind"] for e in self.events()], ["sure", "sure", "inferred"])
        self.check_reflog()

    def test_alias_beside_its_target(self):
        """The gate refuses that; where nobody judges, git reports both names, and one ref moved once."""
        self.start()
        self.keep_reflogs()
        self.penstock("install", self.repo)
        self.push()
        self.git("-C", self.repo, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
        self.commit()
        self.push("main", "main:refs/heads/alias", ok=False)
        self.check(main=1)
        self.push("main:refs/heads/alias")          # now core knows what the alias is
        self.commit()
        self.kill_all()
        os.unlink(self.inst + "/state/policy")
        self.push("main", "main:refs/heads/alias")
        self.start()
        self.check(main=3)
        self.assertEqual(self.events("refs/heads/alias"), [])
        self.assertEqual(self.events()[-1]["state"], "held")
        self.check_reflog()

    def test_atomic_with_a_refused_partner(self):
        """Nothing moves, so nothing is an event: two intents that look like lost reports are void."""
        self.start()
        self.keep_reflogs()
        self.penstock("install", self.repo)
        self.commit()
        self.push("main", "main:refs/heads/x")
        self.git("-C", self.repo, "config", "receive.denyNonFastForwards", "true")
        self.git("-C", self.work, "branch", "old", "HEAD~1")
        self.commit()
        self.push("--atomic", "main", "+old:refs/heads/x", ok=False)
        self.check(main=1, x=1)
        self.push("main")
        self.push(":refs/heads/x")
        self.kill_all()
        self.push("main:refs/heads/x")
        self.start()
        self.check(main=2, x=3)
        self.check_reflog()

    def test_agent_killed_during_a_push(self):
        """After the intent is stored, before the ref moves: the report is spooled, one event comes."""
        self.start()
        self.penstock("install", self.repo)
        self.push()
        fifo = self.sleeping_hook()
        a = self.commit()
        p = self.push_in_background()
        with open(fifo, "w") as go:
            self.kill_all()
            go.write("\n")
        p.wait()
        self.assertEqual(self.value(), a)
        self.start()
        self.check(main=2)
        self.assertEqual(self.events()[-1]["kind"], "sure")

    def test_both_killed_during_a_push(self):
        self.start()
        self.penstock("install", self.repo)
        self.push()
        fifo = self.sleeping_hook()
        a = self.commit()
        p = self.push_in_background()
        with open(fifo, "w") as go:
            self.kill_all()
            p.send_signal(signal.SIGKILL)
            p.wait()
            go.write("\n")
        until("the ref moved", lambda: self.value() == a)
        self.start()
        self.check(main=2)
        self.assertEqual(self.events()[-1]["kind"], "inferred")

    def test_refused_after_pre_receive(self):
        """A ref that git itself refuses leaves an intent that looks like a lost report."""
        self.start()
        self.penstock("install", self.repo)
        a = self.commit()
        self.push()
        self.git("-C", self.repo, "config", "receive.denyNonFastForwards", "true")
        self.git("-C", self.work, "reset", "-q", "--hard", "HEAD~1")
        self.commit()
        self.push("+main", ok=False)
        self.check(main=1)
        self.assertEqual(self.value(), a)
        self.assertEqual(self.rows("SELECT state FROM intent ORDER BY push")[-1]["state"], "void")

    def test_looks(self):
        """A first look is a baseline; what moved without anybody saying so is one held gap per ref."""
        a = self.git("-C", self.work, "rev-parse", "HEAD")
        self.git("-C", self.work, "push", "-q", self.repo, "main", "main:refs/heads/y")
        self.penstock("install", self.repo)
        self.start()
        until("adopted", lambda: self.rows("SELECT 1 FROM repository WHERE adopted_ms > 0"))
        self.check(main=0, y=0)
        self.kill_all()
        b = self.commit()
        self.git("-C", self.repo, "fetch", "-q", self.work, "main")
        self.git("-C", self.repo, "update-ref", "refs/heads/main", b)
        self.git("-C", self.repo, "update-ref", "refs/heads/z", b)
        self.git("-C", self.repo, "update-ref", "-d", "refs/heads/y")
        self.start()
        until("three gaps", lambda: len(self.events()) == 3)
        self.check(main=1, y=1, z=1)
        self.assertEqual({(e["kind"], e["pusher"]) for e in self.events()}, {("gap", None)})
        self.assertEqual([(e["old"], e["new"]) for e in self.events("refs/heads/main")], [(a, b)])
        self.assertEqual({e["state"] for e in self.events() if e["new"] != ZERO}, {"held"})


def all_at_once():
    """Each case has an instance of its own and mostly waits: four at a time, told apart at the end."""
    names = unittest.TestLoader().getTestCaseNames(Nerve)
    running, failed = {}, 0
    while names or running:
        while names and len(running) < 4:
            name, out = names.pop(), tempfile.TemporaryFile("w+")
            running[name] = out, subprocess.Popen([sys.executable, __file__, "Nerve." + name], stdout=out,
                                                  stderr=subprocess.STDOUT)
        for name, (out, p) in list(running.items()):
            if p.poll() is None:
                continue
            print(("ok   " if p.returncode == 0 else "FAIL ") + name)
            if p.returncode != 0:
                failed += 1
                out.seek(0)
                print(out.read())
            out.close()
            del running[name]
        time.sleep(0.02)
    return failed


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(1 if all_at_once() else 0)
    unittest.main(verbosity=1)
