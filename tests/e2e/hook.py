#!/usr/bin/python3
"""The hook program under a real git, with core and the gate program played by this test.

What must hold whatever the other side does: the push is answered within its budget, what core must
know reaches it or the spool, and the ref store is the only judge of what moved.
"""
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.getcwd()
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.dont_write_bytecode = True
import wire  # noqa: E402

HOOK = os.path.join(BUILD, "penstock-hook")
ZERO = "0" * 40
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
       "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x", "LC_ALL": "C.UTF-8"}
if "ASAN_OPTIONS" in os.environ:
    ENV["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]

# The gate program: says what it was given, then what the test wrote into its answer.
GATE = """#!/usr/bin/python3
import os, sys, time
sys.path.insert(0, {support!r})
sys.dont_write_bytecode = True
import json, wire, socket
with open({dir!r} + "/gate.json") as f:
    say = json.load(f)
with open({dir!r} + "/gate.seen", "w") as f:
    json.dump({{"argv": sys.argv[1:], "env": dict(os.environ), "stdin": sys.stdin.read()}}, f)
time.sleep(say.pop("sleep", 0))
if say:
    fd = int(sys.argv[sys.argv.index("--result-fd") + 1])
    wire.send(socket.socket(fileno=fd), "verdict", id=0, **say)
"""


class Core(threading.Thread):
    """Listens like core; answer(message) gives the fields of the answer, a type, or None for silence."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(8)
        self.answer, self.got, self.pidfds, self.held = answer, [], [], []
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        head, fds, _, _ = socket.recv_fds(conn, 4, 4)
        self.pidfds += fds
        try:
            while True:
                n = int.from_bytes(head, "big")
                body = b""
                while len(body) < n:
                    body += conn.recv(n - len(body))
                m = wire.unpack(body)
                self.got.append(m)
                say = self.answer(m)
                if say is None:
                    self.held.append(conn)
                    return
                if isinstance(say, str):
                    wire.send(conn, say, what=m["type"])
                else:
                    wire.send(conn, "answer", **say)
                head, more, _, _ = socket.recv_fds(conn, 4, 4)
                self.pidfds += more
                if not head:
                    break
        except OSError:
            pass
        conn.close()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for c in self.held:
            c.close()
        for fd in self.pidfds:
            os.close(fd)


def accepts(m):
    return {"verdict": "kept" if m["type"] == "report" else "accept", "text": f"said {m['type']}\n", "refs": []}


class HookTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ps-hook-")
        self.repo, self.work = self.dir + "/r.git", self.dir + "/w"
        self.spool, self.policy_path = self.dir + "/state/spool", self.dir + "/state/policy"
        os.makedirs(self.spool)
        os.chmod(self.spool, 0o3773)
        self.git("init", "-q", "--bare", self.repo)
        self.git("init", "-q", "-b", "main", self.work)
        self.commit()
        for name in ("pre-receive", "post-receive"):
            os.symlink(HOOK, f"{self.repo}/hooks/{name}")
        with open(self.repo + "/hooks/penstock.hook", "w") as f:
            f.write(f"{self.dir}/hook.sock\n{self.policy_path}\n{self.dir}/gate\n")
        with open(self.dir + "/gate", "w") as f:
            f.write(GATE.format(support=os.path.join(HERE, "..", "support"), dir=self.dir))
        os.chmod(self.dir + "/gate", 0o755)
        self.policy()
        self.core = None

    def tearDown(self):
        if self.core:
            self.core.close()
        shutil.rmtree(self.dir)

    def git(self, *args, env=None, **kw):
        return subprocess.run(["git", *args], check=True, env={**ENV, **(env or {})}, **kw)

    def commit(self):
        self.git("-C", self.work, "commit", "-q", "--allow-empty", "-m", "x")
        return self.head()

    def head(self):
        return subprocess.run(["git", "-C", self.work, "rev-parse", "HEAD"], check=True, env=ENV,
                              capture_output=True, text=True).stdout.strip()

    def ref(self, name="refs/heads/main"):
        out = subprocess.run(["git", "-C", self.repo, "rev-parse", "-q", "--verify", name], env=ENV,
                             capture_output=True, text=True).stdout.strip()
        return out or ZERO

    def policy(self, **kw):
        p = {"version": 1, "digest": "0" * 64, "budget_ms": 4000, "on_timeout_accept": True, "trusted_caller": False,
             "trusted_uid": os.getuid(), "spool": self.spool, "base": self.dir,
             "roots": [{"path": self.dir, "identity": 0}], "released": [], "config": "", **kw}
        with open(self.policy_path, "wb") as f:
            f.write(wire.pack(p))

    def listen(self, answer):
        self.core = Core(self.dir + "/hook.sock", answer)

    def gate_says(self, **kw):
        import json
        with open(self.dir + "/gate.json", "w") as f:
            json.dump(kw, f)

    def gate_saw(self):
        import json
        with open(self.dir + "/gate.seen") as f:
            return json.load(f)

    def push(self, *refspecs, env=None, limit=4.6):
        begun = time.monotonic()
        p = subprocess.run(["git", "-C", self.work, "push", "-q", "file://" + self.repo, *(refspecs or ["main"])],
                           env={**ENV, **(env or {})}, capture_output=True, text=True, timeout=60)
        took = time.monotonic() - begun
        if "ASAN_OPTIONS" not in os.environ:
            self.assertLess(took, limit, p.stderr)
        lines = [line[8:].rstrip() for line in p.stderr.splitlines() if line.startswith("remote: ")]
        return p.returncode == 0, lines

    def spooled(self):
        out = []
        for name in sorted(os.listdir(self.spool)):
            path = os.path.join(self.spool, name)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
            with open(path, "rb") as f:
                b = f.read()
            self.assertEqual(int.from_bytes(b[:4], "big"), len(b) - 4)
            out.append(wire.unpack(b[4:]))
        return sorted(out, key=lambda m: m["stamp"])

    # ---- core answers ----

    def test_core_accepts(self):
        self.listen(accepts)
        ok, lines = self.push("main", "main:refs/tags/v1")
        self.assertTrue(ok)
        self.assertEqual(lines, ["said intent", "said report"])
        intent, report = self.core.got
        self.assertEqual(intent["push"], report["push"])
        self.assertEqual([r["ref"] for r in intent["refs"]], ["refs/heads/main", "refs/tags/v1"])
        self.assertEqual(intent["refs"][0]["old"], ZERO)
        self.assertEqual(intent["refs"][1]["ordinal"], 1)
        self.assertEqual(report["refs"][0]["new"], self.ref())
        self.assertEqual(intent["repository"], os.path.realpath(self.repo))
        self.assertTrue(os.path.isabs(intent["object_dir"]))
        self.assertNotIn("pusher", intent)
        self.assertNotIn("as", intent)
        self.assertLessEqual(intent["budget_ms"], 2000)
        self.assertEqual(self.spooled(), [])
        # receive-pack has ended, and its pidfd says so
        self.assertEqual(len(self.core.pidfds), 1)
        self.assertTrue(select.select(self.core.pidfds, [], [], 0)[0])

    def test_core_refuses(self):
        self.listen(lambda m: {"verdict": "refuse", "text": "a.json:1:1: error: no [PS-X]\n", "refs": []})
        ok, lines = self.push()
        self.assertFalse(ok)
        self.assertIn("a.json:1:1: error: no [PS-X]", lines)
        self.assertEqual(self.ref(), ZERO)
        self.assertEqual(self.spooled(), [])

    def test_core_cannot_decide(self):
        """The gate program judges, and core is told on the same connection."""
        self.listen(lambda m: accepts(m) if "verdict" in m or m["type"] == "report" else
                    {"verdict": "undecided", "text": "", "refs": []})
        self.gate_says(verdict="accept", text="fine\n", stamp=7,
                       refs=[{"ref": "refs/heads/main", "old": ZERO, "new": self.head(), "seen": ZERO, "ordinal": 0}])
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertEqual(lines, ["fine", "said intent", "said report"])
        judged = self.core.got[1]
        self.assertEqual((judged["verdict"], judged["refs"][0]["seen"], judged["stamp"]), ("accept", ZERO, 7))
        self.assertEqual(len(self.core.pidfds), 2)
        self.assertEqual(self.spooled(), [])

    def test_not_understood_is_agent_down(self):
        self.listen(lambda m: "not_understood")
        self.gate_says(verdict="accept", text="", refs=[])
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertTrue(lines[-1].startswith(("agent not running; event kept", "event not recorded now")), lines)
        self.assertEqual(self.spooled()[0]["type"], "intent")   # a busy disk may keep one of the two from its time

    def test_core_of_a_newer_version(self):
        """What it says beside what this hook knows is passed over."""
        self.listen(lambda m: {**accepts(m), "version": 7, "mood": {"well": [1, None]}, "refs": [
            {"ref": "refs/heads/main", "old": ZERO, "new": ZERO, "ordinal": 0, "colour": "blue"}]})
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertEqual(lines, ["said intent", "said report"])
        self.assertEqual(self.spooled(), [])

    def test_core_answers_another_verdict(self):
        """One that this hook does not know: the gate program judges, and nothing is lost."""
        self.listen(lambda m: {"verdict": "perhaps", "text": "", "refs": []})
        self.gate_says(verdict="accept", text="fine\n", refs=[])
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertEqual(lines, ["fine", "agent could not record it; event kept"])
        self.assertEqual([m["type"] for m in self.spooled()], ["report"])

    # ---- core does not answer ----

    def test_agent_down(self):
        self.gate_says(verdict="accept", text="fine\n", refs=[
            {"ref": "refs/heads/main", "old": ZERO, "new": self.head(), "seen": ZERO, "ordinal": 0}])
        hosts = ("GL_USER", "GL_ID", "GL_USERNAME", "GITEA_PUSHER_NAME", "FORGEJO_PUSHER_NAME", "GITHUB_USER_LOGIN",
                 "REMOTE_USER", "REQUEST_METHOD", "WHO", "PENSTOCK_AS")
        self.policy(roots=[{"path": self.dir, "identity": 6, "identity_env": "WHO"}])
        ok, lines = self.push(env={"LD_PRELOAD": "", "PENSTOCK_X": "1", **{v: "kim" for v in hosts}})
        self.assertTrue(ok)
        self.assertEqual(lines, ["fine", "agent not running; event kept"])
        intent, report = self.spooled()
        self.assertEqual((intent["type"], report["type"]), ("intent", "report"))
        self.assertEqual(intent["push"], report["push"])
        self.assertEqual((intent["verdict"], intent["refs"][0]["seen"]), ("accept", ZERO))
        self.assertGreater(intent["pid_start"], 0)
        saw = self.gate_saw()
        self.assertEqual(saw["argv"][:4], ["check", "--pre-receive", "--policy", self.policy_path])
        self.assertEqual(saw["stdin"], f"{ZERO} {self.head()} refs/heads/main\n")
        for name in saw["env"]:
            self.assertTrue(name.startswith("GIT_") or name in ("LC_ALL", "LC_CTYPE"), name)
        self.assertIn("GIT_QUARANTINE_PATH", saw["env"])

    def test_gate_program_refuses(self):
        self.gate_says(verdict="refuse", text="no\n", refs=[])
        ok, lines = self.push()
        self.assertFalse(ok)
        self.assertIn("no", lines)
        self.assertEqual((self.ref(), self.spooled()), (ZERO, []))

    def test_core_stopped(self):
        """A stopped core's socket still accepts connections: the read limit must fire."""
        self.listen(lambda m: None)
        self.policy(budget_ms=2000)
        self.gate_says(verdict="accept", text="", refs=[])
        ok, lines = self.push(limit=3.8)        # 2 s for pre-receive at most, 1.2 s for post-receive
        self.assertTrue(ok)
        self.assertEqual(lines, ["agent not running; event kept"])
        self.assertEqual(len(self.spooled()), 2)

    def test_all_hang(self):
        self.listen(lambda m: None)
        self.gate_says(sleep=30)
        for accept in (True, False):
            self.policy(budget_ms=1500, on_timeout_accept=accept)
            ok, lines = self.push("HEAD:refs/heads/%s" % accept, limit=3.4)
            self.assertEqual(ok, accept, lines)
            self.assertTrue(any("not judged within" in line for line in lines), lines)
        self.assertEqual([m.get("verdict") for m in self.spooled()], ["timeout", None])

    def test_gate_program_gone(self):
        os.unlink(self.dir + "/gate")
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertEqual(self.spooled()[0]["verdict"], "timeout")

    def test_no_policy(self):
        os.unlink(self.policy_path)
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertEqual(lines[0], "no policy: not judged, event held")
        self.assertEqual([m.get("verdict") for m in self.spooled()], ["none", None])

    def test_nothing_can_be_kept(self):
        os.rmdir(self.spool)
        os.unlink(self.policy_path)
        ok, lines = self.push()
        self.assertTrue(ok)
        self.assertTrue(lines[1].startswith("event not recorded now; the next reconcile will find it"), lines)

    def test_spool_fails(self):
        self.gate_says(verdict="accept", text="", refs=[])
        log = self.dir + "/log"
        if subprocess.run([HOOK, "--failpoints"], capture_output=True).stdout == b"":
            self.skipTest("failpoints are compiled out")
        for point in ("spool.write", "spool.fsync", "spool.rename"):
            ok, lines = self.push("HEAD:refs/heads/" + point, env={"PENSTOCK_FAILPOINTS": point + "=ENOSPC",
                                                                 "PENSTOCK_FAILPOINT_LOG": log})
            self.assertTrue(ok)
            self.assertIn("No space left on device", lines[-1])
        self.assertEqual(self.spooled(), [])
        ok, lines = self.push("HEAD:refs/heads/x", env={"PENSTOCK_FAILPOINTS": "spool.syncfs=EIO"})
        self.assertEqual(lines, ["agent not running; event kept, not yet synced"])

    # ---- who and what ----

    def test_as_only_for_the_trusted_caller(self):
        self.listen(accepts)
        self.push("HEAD:refs/heads/a", env={"PENSTOCK_AS": "kim"})
        self.policy(trusted_caller=True, trusted_uid=os.getuid() + 1)
        self.push("HEAD:refs/heads/b", env={"PENSTOCK_AS": "kim"})
        self.policy(trusted_caller=True)
        self.push("HEAD:refs/heads/c", env={"PENSTOCK_AS": "kim"})
        self.assertEqual([m.get("as") for m in self.core.got], [None] * 4 + ["kim"] * 2)

    def test_identity_env(self):
        self.listen(accepts)
        self.policy(roots=[{"path": self.dir, "identity": 6, "identity_env": "WHO"}])
        self.push(env={"WHO": "bo", "GL_USER": "kim"})
        self.assertEqual(self.core.got[0]["pusher"], "bo")

    def test_unknown_pusher_is_told_once(self):
        self.listen(accepts)
        self.policy(roots=[{"path": self.dir, "identity": 1}])
        ok, lines = self.push(env={"WHO": "bo"})
        self.assertEqual((ok, lines), (True, ["warning: pusher unknown: GL_USER is not set", "said intent", "said report"]))
        self.assertEqual([m.get("pusher") for m in self.core.got], [None] * 2)

    def test_refusals_as_the_host_wants_them(self):
        """GitLab alone, each line that says something, by core, by the gate program and by time."""
        gitlab = {"GL_ID": "user-1", "GL_USERNAME": "bo"}
        roots = [{"path": self.dir, "identity": 2}]
        self.policy(roots=roots)
        self.gate_says(verdict="refuse", text="a:1: error: no\n\nhint: yes", refs=[])
        want = ["GL-HOOK-ERR: a:1: error: no", "", "GL-HOOK-ERR: hint: yes"]
        self.assertEqual(self.push(env=gitlab)[1][:3], want)
        self.gate_says(sleep=30)
        self.policy(roots=roots, budget_ms=1000, on_timeout_accept=False)
        ok, lines = self.push(env=gitlab)
        self.assertFalse(ok)
        self.assertTrue(lines[0].startswith("GL-HOOK-ERR: error: refused, not judged within"), lines)
        self.assertTrue(lines[1].startswith("GL-HOOK-ERR: hint: "), lines)
        self.listen(lambda m: {"verdict": "refuse", "text": "a:1: error: no\n\nhint: yes\n", "refs": []})
        self.policy(roots=roots)
        self.assertEqual(self.push(env=gitlab)[1][:3], want)
        self.policy(roots=[{"path": self.dir, "identity": 3}])
        self.assertEqual(self.push(env={"GITEA_PUSHER_NAME": "bo"})[1][:3], ["a:1: error: no", "", "hint: yes"])

    def test_environment_cannot_move_the_bearings(self):
        self.listen(accepts)
        self.push(env={"PENSTOCK_INSTANCE": "/elsewhere", "PENSTOCK_HOOK": "/elsewhere"})
        self.assertEqual(len(self.core.got), 2)

    def test_wrapped_by_scripts(self):
        """Delegating scripts between git and us are normal; the push id is receive-pack's all the same."""
        self.listen(accepts)
        for name in ("pre-receive", "post-receive"):
            os.rename(f"{self.repo}/hooks/{name}", f"{self.repo}/hooks/ours-{name}")
            os.mkdir(f"{self.repo}/hooks/{name}.d")
            os.rename(f"{self.repo}/hooks/ours-{name}", f"{self.repo}/hooks/{name}.d/{name}")
            shutil.copy(self.repo + "/hooks/penstock.hook", f"{self.repo}/hooks/{name}.d/")
            with open(f"{self.repo}/hooks/{name}", "w") as f:
                f.write(f'#!/bin/sh\nd=$(cat)\necho "$d" | sh -c "hooks/{name}.d/{name}; exit \\$?"\n')
            os.chmod(f"{self.repo}/hooks/{name}", 0o755)
        self.assertTrue(self.push()[0])
        self.assertEqual(self.core.got[0]["push"], self.core.got[1]["push"])
        self.assertGreater(self.core.got[0]["pid"], 1)

    def test_client_killed_while_another_hook_sleeps(self):
        """The ref moves, post-receive never runs, and the pidfd is readable the moment it has."""
        self.listen(accepts)
        fifo = self.dir + "/go"
        os.mkfifo(fifo)
        os.rename(self.repo + "/hooks/pre-receive", self.repo + "/hooks/x")
        os.mkdir(self.repo + "/hooks/d")
        os.rename(self.repo + "/hooks/x", self.repo + "/hooks/d/pre-receive")
        shutil.copy(self.repo + "/hooks/penstock.hook", self.repo + "/hooks/d/")
        with open(self.repo + "/hooks/pre-receive", "w") as f:
            f.write(f"#!/bin/sh\nhooks/d/pre-receive || exit 1\nread x <{fifo}\n")
        os.chmod(self.repo + "/hooks/pre-receive", 0o755)
        p = subprocess.Popen(["git", "-C", self.work, "push", "-q", "file://" + self.repo, "main"], env=ENV,
                             stderr=subprocess.DEVNULL)
        with open(fifo, "w") as go:              # the other hook sleeps now: ours has been answered
            p.send_signal(signal.SIGKILL)
            p.wait()
            self.assertEqual(self.ref(), ZERO)
            self.assertFalse(select.select(self.core.pidfds, [], [], 0)[0])
            go.write("\n")
        self.assertTrue(select.select(self.core.pidfds, [], [], 30)[0])
        self.assertEqual(self.ref(), self.head())
        self.assertEqual([m["type"] for m in self.core.got], ["intent"])

    def test_many_refs(self):
        self.listen(accepts)
        refs = ["HEAD:refs/tags/t%04d" % i for i in range(2000)]
        self.assertTrue(self.push(*refs, limit=20)[0])
        self.assertEqual([len(m["refs"]) for m in self.core.got], [2000, 2000])

    def test_not_started_by_git(self):
        p = subprocess.run([HOOK], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(p.returncode, 2)
        self.assertIn("hooks/pre-receive", p.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
