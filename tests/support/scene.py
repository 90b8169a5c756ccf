"""What the kill loop plays, disturbs and judges: one instance from its first push to its stop.

A scene is a list of goals. Playing it brings each about, in order, unless a process froze at the armed
point on the way; afterwards it is played again, undisturbed, and each goal that is not reached yet is
brought about as its people would: a push that git refused is repeated, a run that nobody knows of is
asked for again. So every goal can be asked for at any time.
"""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import wire
from planted import plant, planted
from workspace import Workspace
from agent import BUILD, Failed, Instance, check, clean_env, run, wait, zombie

MAIN = "refs/heads/main"
REMOTE = "refs/heads/remote"
AIRFLOW = "refs/heads/airflow"
JOB = "job_development"
# The example without Spark: what is killed here is penstock, not a JVM.
PIPELINE = '''def main():
    print("nothing to add up", flush=True)


if __name__ == "__main__":
    main()
'''


# Nor setuptools, which takes a second for each wheel.
SETUP = '''import sys, zipfile
name = {name!r}
with zipfile.ZipFile(f"{{sys.argv[-1]}}/{{name}}-1.0-py3-none-any.whl", "w") as z:
    for path, text in ((f"{{name}}/__init__.py", ""), (f"{{name}}/pipeline.py", open(f"{{name}}/pipeline.py").read()),
                       (f"{{name}}-1.0.dist-info/METADATA", f"Name: {{name}}\\nVersion: 1.0\\n"),
                       (f"{{name}}-1.0.dist-info/entry_points.txt", f"[console_scripts]\\nmain = {{name}}.pipeline:main\\n")):
        i = zipfile.ZipInfo(path)
        i.external_attr = 0o100644 << 16
        z.writestr(i, text)


def setup(name, version):
    pass


setup(name={name!r}, version="1.0")
'''


class Frozen(Exception):
    """A process stands at the armed point."""


class Pusher(threading.Thread):
    """A second developer who pushes on and on, to another branch and to another repository."""

    def __init__(self, clones):
        super().__init__(daemon=True)
        self.clones, self.ended, self.tried = clones, threading.Event(), 0

    def run(self):
        while not self.ended.is_set():
            clone = self.clones[self.tried % len(self.clones)]
            clone.commit(f"push {self.tried}")
            clone.push("HEAD:refs/heads/side", expect=None, env={"PENSTOCK_FAILPOINTS": ""})
            self.tried += 1
            self.ended.wait(0.1 if self.tried < 10 else 1)

    def end(self):
        self.ended.set()
        self.join(60)
        check(not self.is_alive(), "a push beside the disturbance hangs")


class Scene:
    """kind: "up" (the agent runs while the push comes), "down" (it comes first) or "remote" (what is pushed runs at a
    provider too: the fake workspace, which nobody kills)."""

    def __init__(self, prefix, kind, spec=None):
        self.a = Instance(prefix)
        self.kind = kind
        self.log = os.path.join(self.a.base, "points")
        self.armed = {"PENSTOCK_FAILPOINT_LOG": self.log, **({"PENSTOCK_FAILPOINTS": spec} if spec else {})}
        self.calm = spec is None		# nobody shall freeze (any more)
        self.client = None
        self.pusher = None
        self.workspace = None
        self.ending = False			# it was told to stop

    def prepare(self):
        """Repositories and clones are there before the disturbance; the agent has never run."""
        a = self.a
        self.repos = [a.repository("sales"), a.repository("other")]
        plant(os.path.join(a.base, "secret"), planted("never-called", plain=False))
        with open(os.path.join(a.dir, "penstock.yml"), "a", encoding="utf-8") as f:
            f.write("notify:\n"
                    "  mail: { mail: { to: [a@example.net], from: p@example.net, sendmail: /bin/true }, retry: 100ms, tries: 99 }\n"
                    f"  hook: {{ webhook: {{ url: 'http://127.0.0.1:9', secret: {{ file: {a.base}/secret }} }}, events: [rolled_back] }}\n")
        if self.kind == "remote":
            self.add_workspace()
            self.broken = a.example(self.repos[0])
            self.broken.write("jobs/airflow_orders/code/dag.py", "def broken(:\n")
            self.broken.commit("no Python")
        # as from a template: hooks are there, the id is the gate's to make
        run("git", "-C", self.repos[0], "config", "--unset", "penstock.id", env=clean_env())
        self.clone = a.example(self.repos[0])
        for name in ("customers_orders", "sales_report"):
            code = f"pipelines/{name}/code"
            self.clone.write(f"{code}/{name}/pipeline.py", PIPELINE)
            self.clone.write(f"{code}/setup.py", SETUP.format(name=name))
            shutil.rmtree(os.path.join(self.clone.path, code, "test"))
        # one with tests, one without
        self.clone.write(f"{code}/test/TestSuite.py", f"def test_{name}():\n    pass\n")
        self.commit = self.clone.commit("without Spark")
        side = a.clone(self.repos[0], "bo"), a.clone(self.repos[1], "bo")
        for c in side:
            c.write("README", "beside\n")
        self.beside = side

    def add_workspace(self):
        """A fabric that is one: what the second task comes to is bad at first and good when repaired."""
        a = self.a
        self.workspace = Workspace(os.path.join(a.base, "workspace"),
                                   options={"outcomes": {"*/sales_report": ["FAILED", "SUCCESS"]}}).start()
        plant(os.path.join(a.base, "token"), self.workspace.token)
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for line, more in (
                ("fabrics:", "  far:\n    id: 6006\n    owner: developers\n    provider: databricks\n"
                 f"    databricks: {{ host: '{self.workspace.url}', token: {{ file: {a.base}/token }} }}\n"
                 "    http: { retry: 50ms, patience: 2s, per_second: 0 }\n"),
                ("environments:", f"  - name: far\n    refs: [{REMOTE}]\n    fabric: far\n    deploy: auto\n"
                 "    jobs:\n      derive:\n        - { from: jobs/job_development, as: jobs/job_far, config: prod }\n")):
            at = text.index("\n", text.index("\n" + line) + 1) + 1
            text = text[:at] + more + text[at:]
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def keep_memo(self, folder):
        """The build role's digest of the toolchain: reading all of it takes a tenth of a scene."""
        os.makedirs(folder, exist_ok=True)
        for path in glob.glob(os.path.join(self.a.dir, "work", "build", "toolchain-*")):
            shutil.copy2(path, folder)

    def give_memo(self, folder):
        shutil.copytree(folder, os.path.join(self.a.dir, "work", "build"), dirs_exist_ok=True)

    # ---- the goals ----

    def goals(self):
        down = [self.pushed] if self.kind == "down" else []
        up = [self.told, self.ran, self.planned, self.ended_by_hand, self.cleaned, self.reloaded, self.not_understood] if self.kind == "up" else []
        remote = [self.parsed, self.deployed_far, self.repaired, self.ended_far] if self.kind == "remote" else []
        return down + [self.running, self.deployed] + up + remote + [self.stopped]

    def play(self):
        """True when all goals are reached, False when somebody froze."""
        try:
            for goal in self.goals():
                goal()
            return True
        except Frozen:
            return False

    def running(self):
        if self.a.parent and self.a.parent.poll() is not None:
            self.forget_parent()
        if not self.a.parent:
            self.a.start({} if self.calm else self.armed, unless=self.frozen)
        self.until("the agent answers", lambda: self.ask("status") is not None)

    def pushed(self):
        """main is where the developer wants it, by git's word."""
        def there():
            p = run("git", "-C", self.repos[0], "rev-parse", "-q", "--verify", MAIN, expect=None, env=clean_env())
            return p.stdout.strip() == self.commit
        if not there():
            env = {} if self.calm else self.armed
            self.client = subprocess.Popen(
                ["git", "-C", self.clone.path, "push", "-q", "origin", "HEAD:" + MAIN], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env(PENSTOCK_AS="ana", **env))
            self.until("the push ends", lambda: self.client.poll() is not None)
            self.client = None
            check(there() or not self.calm, "the push was refused")

    def deployed(self):
        self.pushed()
        try:
            self.until("main is done", lambda: self.tip_state() in ("done", "held"))
        except Failed as e:
            raise Failed(f"{e}: {self.program('why', MAIN)[1]}{self.program('status')[1]}") from None
        if self.tip_state() == "held":
            # the hook was killed before it could say that the gate program had judged: nobody may
            # act on that. Its developer pushes again; the same content is the same release.
            check(self.calm, "the event is held, and nothing was disturbed")
            self.commit = self.clone.commit("again")
            self.deployed()

    def tip_state(self):
        """State of main's newest event, None when it is not there."""
        found = [e["state"] for e in self.items("events") if e["ref"] == MAIN and e["new"] == self.commit]
        return found[0] if found else None

    def told(self):
        """Somebody was told by mail that it is deployed."""
        self.until("the letter is sent", lambda: any(l["kind"] == "deployed" and l["state"] == "done" for l in self.items("outbox")))

    def ran(self):
        def runs():
            return [r["state"] for r in self.items("runs")]
        if "passed" in runs():
            return
        if not any(s in ("queued", "running") for s in runs()):
            self.command("run", JOB, "--fabric", "development", "--no-wait")
        try:
            self.until("the run has ended", lambda: any(s in ("passed", "failed") for s in runs()) and
                       not any(s in ("queued", "running") for s in runs()))
        except Failed as e:
            raise Failed(f"{e}: {self.items('runs')}; asking: {self.program('run', JOB, '--fabric', 'development', '--no-wait')};"
                         f" {self.program('why', MAIN)[1]}") from None
        if "passed" not in runs():		# it was interrupted, and said so
            check(len(runs()) < 3, f"runs do not pass: {self.items('runs')}")
            self.ran()

    # ---- at a provider ----

    def parsed(self):
        """A branch that goes to an Airflow, with a DAG that is no Python: no release comes of it."""
        def events():
            return [e for e in self.items("events") if e["ref"] == AIRFLOW]
        if not events():
            self.broken.push(f"HEAD:{AIRFLOW}", env={"PENSTOCK_FAILPOINTS": ""})
        self.until("the broken one is done", lambda: events()[0]["state"] == "done")
        self.until("it says why", lambda: "dag.py:1:12" in self.program("why", AIRFLOW)[1])

    def deployed_far(self):
        """The same commit on a branch that goes to the workspace."""
        def events():
            return [e["state"] for e in self.items("events") if e["ref"] == REMOTE]
        if not events():
            self.clone.push(f"{self.commit}:{REMOTE}", env={"PENSTOCK_FAILPOINTS": ""})
        self.until("the other branch is done", lambda: "done" in events())

    def far_runs(self):
        return [r for r in self.items("runs") if r["fabric"] == "far"]

    def repaired(self):
        """A run whose second task failed went on from there and passed."""
        def over():
            return not any(r["state"] in ("queued", "running") for r in self.far_runs())
        for _ in range(8):
            self.until("nothing runs there", over)
            found = self.far_runs()
            if any(r["state"] == "passed" and r["repair"] for r in found):
                return
            last = found[0] if found else None
            if last and last["state"] == "failed" and last["remote"]:
                self.command("repair", last["id"])
            else:
                self.command("run", "job_far", "--fabric", "far", "--no-wait")
        raise Failed(f"no run was repaired: {self.far_runs()}")

    def ended_far(self):
        """One is cancelled while it is under way there; it may be faster than we."""
        for _ in range(8):
            if any(r["state"] == "cancelled" for r in self.far_runs()):
                return
            if not any(r["state"] in ("queued", "running") for r in self.far_runs()):
                self.command("run", "job_far", "--fabric", "far", "--no-wait")
            self.until("it has begun there", lambda: self.far_runs()[0]["remote"])
            self.program("cancel", self.far_runs()[0]["id"], "--no-wait")
            self.until("it is over", lambda: self.far_runs()[0]["state"] not in ("queued", "running"))
        raise Failed(f"none is cancelled: {self.far_runs()}")

    # ---- again here ----

    def planned(self):
        """Somebody looks at the fabric, which has what was deployed."""
        self.until("the fabric is seen", lambda: self.program("plan", "development", "--refresh")[0] == 0)

    def ended_by_hand(self):
        """A build that only compares is cancelled while it is under way; it may be faster than we."""
        def comparing():
            return [b for b in self.items("builds") if b["check_of"]]

        def under_way():
            return [b["id"] for b in comparing() if b["state"] in ("claimed", "running")]

        def over():
            return not any(b["state"] in ("queued", "claimed", "running") for b in comparing())
        while not any(b["state"] == "cancelled" for b in comparing()):
            check(len(comparing()) < 8, f"none is cancelled: {comparing()}")
            if over():
                self.program("build", "--check", "b1", "--no-wait")
            self.until("the comparison begins", lambda: under_way() or over())
            for number in under_way():
                self.program("cancel", number, "--no-wait")
            self.until("it is over", over)

    def cleaned(self):
        """The cleaner finds something: a log that is older than any rule."""
        old = os.path.join(self.a.dir, "logs", "b900000.log")
        with open(old, "w", encoding="utf-8"):
            pass
        os.utime(old, (0, 0))
        self.until("the old log is removed", lambda: self.program("clean")[0] == 0 and not os.path.exists(old))

    def reloaded(self):
        self.until("a reload is taken", lambda: self.command("reload"))

    def not_understood(self):
        """Somebody of a later version speaks at the hooks' door."""
        with socket.socket(socket.AF_UNIX) as s:
            fd = os.open(os.path.join(self.a.dir, "run"), os.O_PATH)
            try:
                s.connect(f"/proc/self/fd/{fd}/hook.sock")
            finally:
                os.close(fd)
            wire.send(s, "of_tomorrow")
            answer = []

            def heard():
                try:
                    answer.append(wire.recv(s, limit=0.1)["type"])
                except TimeoutError:
                    return False
                except (EOFError, OSError):
                    answer.append(None)
                return True
            self.until("an answer at the door", heard)
            check(answer[0] == "not_understood" or not self.calm, f"the door answered {answer}")

    def stopped(self):
        self.until_idle()
        self.members = self.a.processes()
        self.ending = True
        if self.a.parent.poll() is None:
            self.a.parent.terminate()
        self.until("penstockd ends", lambda: self.a.parent.poll() is not None)
        self.forget_parent()

    def until_idle(self):
        def idle():
            es = self.items("events")
            return es and all(e["state"] in ("done", "superseded") for e in es)
        try:
            self.until("every event is done or superseded", idle)
        except Failed as e:
            raise Failed(f"{e}: {[(x['id'], x['ref'], x['state'], x['reason']) for x in self.items('events')]}") from None

    def forget_parent(self):
        """It has ended: its roles, who have lost it, end by themselves."""
        wait("all processes of the agent are gone", lambda: all(zombie(p) for p in self.members))
        self.a.parent.wait()
        self.a.parent, self.ending = None, False
        self.a.log.close()

    # ---- looking, without waiting for who is frozen ----

    def line(self, word):
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as f:
                for line in f:
                    if line.startswith(word + " "):
                        return line.split()
        return None

    def frozen(self):
        return None if self.calm else self.line("stopped")

    def hits(self):
        """(who, point) of everything that was passed."""
        with open(self.log, encoding="utf-8") as f:
            return {(l.split()[3], l.split()[1]) for l in f if l.startswith("hit ")}

    def until(self, what, condition):
        def look():
            if self.frozen():
                raise Frozen
            return condition()
        look()
        wait(what, look, every=0.03)

    def program(self, *args):
        """One command's exit code and output; whoever froze meanwhile ends the waiting."""
        p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", self.a.dir, *args], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env())
        try:
            while True:
                try:
                    out, err = p.communicate(timeout=0.2)
                    return p.returncode, out, err
                except subprocess.TimeoutExpired:
                    if self.frozen():
                        raise Frozen from None
        finally:
            if p.poll() is None:
                p.kill()
                p.communicate()

    def ask(self, *args):
        if self.a.parent.poll() is not None:
            raise Failed(f"penstockd ended by itself with {self.a.parent.returncode}")
        code, out, _ = self.program(*args, "--json")
        return json.loads(out) if code == 0 else None

    def items(self, *args):
        """Waits until the agent answers: its core may be starting again."""
        got = []
        self.until(f"'{args[0]}' is answered", lambda: got.append(self.ask(*args)) or got[-1] is not None)
        return got[-1]["items"]

    def command(self, *args):
        code, _, err = self.program(*args)
        check(code == 0 or not self.calm or code == 3 or "try again" in err, f"penstock {args}: exit {code}\n{err}")
        return code == 0

    # ---- the disturbance ----

    def kill(self, mode):
        """all: agent, push and the frozen one. alone: the frozen one, while others push."""
        pid = int(self.line("stopped")[2])
        self.members = self.a.processes() if self.a.parent else []
        if mode == "alone":
            self.pusher = Pusher(self.beside)
            self.pusher.start()
            time.sleep(0.15)		# a push or two come to a frozen agent; how many does not matter
            end([pid])
        else:
            pids = [pid] + (self.a.processes(self.client.pid) if self.client else [])
            if self.a.parent:
                self.a.kill_all()
            end(pids)
        if self.client:
            wait("the push ends", lambda: self.client.poll() is not None, every=0.03)
            self.client = None
        if self.a.parent and (self.ending or pid == self.a.parent.pid):
            wait("penstockd ends", lambda: self.a.parent.poll() is not None)
            self.forget_parent()
        wait("the frozen process is gone", lambda: zombie(pid))
        self.calm = True

    def mend(self):
        """The scene again, undisturbed, up to its stop."""
        for goal in self.goals()[:-1]:
            goal()
        if self.pusher:
            wait("pushes came during the disturbance", lambda: self.pusher.tried >= 2)
            self.pusher.end()
            self.pusher = None
            self.running()

    # ---- the judgement ----

    def judge(self, undisturbed):
        self.running()
        self.until_idle()
        a = self.a
        for repo in self.repos:
            self.judge_chain(repo)
        a.penstock("audit", "verify")
        builds = [b for b in a.builds() if not b["check_of"]]
        keys = [b["key"] for b in builds]
        check(len(set(keys)) == len(keys) == 2, f"keys of builds: {keys}")
        tests = [t["build"] for t in a.items("tests") if t["state"] == "passed"]
        check(tests == [b["id"] for b in builds if b["pipeline"].endswith("/sales_report")], f"tests: {a.items('tests')}")
        check(all(b["state"] == "passed" for b in builds), f"builds: {[(b['id'], b['state'], b['reason']) for b in builds]}")
        if undisturbed is not None:
            now = a.snapshot("development")
            check(now == undisturbed, "the fabric differs: " + ", ".join(sorted(
                k for k in set(now) | set(undisturbed) if now.get(k) != undisturbed.get(k))))
        if self.workspace:
            self.judge_far()
        self.age_spool()
        try:
            wait("no temporary file is left", lambda: not a.leftovers(), limit=30)
        except Failed as e:
            raise Failed(f"{e}: {a.leftovers()}") from None
        self.stopped()
        self.judge_sandboxes()

    def judge_far(self):
        """One run there for each that was asked for, whoever died on the way; repairs are no new ones."""
        there, jobs = self.workspace.runs(), self.workspace.jobs()
        here = [r["remote"] for r in self.far_runs() if not r["repair"] and r["remote"]]
        check(sorted(here) == sorted(str(r["run_id"]) for r in there), f"runs here {here}, there {[r['run_id'] for r in there]}")
        check(len(jobs) == 1, f"jobs there: {[j['settings']['name'] for j in jobs]}")

    def judge_chain(self, repo):
        """Each line of each reflog is one event, and nothing else is."""
        name, logs = os.path.basename(repo)[:-len(".git")], os.path.join(repo, "logs")
        moves = []
        for folder, _, names in os.walk(os.path.join(logs, "refs", "heads")):
            for n in names:
                path = os.path.join(folder, n)
                with open(path, encoding="utf-8") as f:
                    moves += [(os.path.relpath(path, logs), *l.split()[:2]) for l in f]
        events = [(e["ref"], e["old"], e["new"]) for e in self.items("events", "-n", "1000") if e["repository"] == name]
        lost, doubled = set(moves) - set(events), [e for e in events if events.count(e) > 1 or e not in moves]
        check(not lost and not doubled, f"{name}: lost {lost}, doubled or invented {doubled}")

    def age_spool(self):
        """A half-written file of a killed hook is removed once no hook can still be writing it: make it old."""
        spool = os.path.join(self.a.dir, "state", "spool")
        for name in os.listdir(spool):
            if name.startswith(".tmp-"):
                os.utime(os.path.join(spool, name), (0, 0))

    def judge_sandboxes(self):
        """No process runs in or on the instance, none has it mounted, here or in a namespace of its own."""
        def left():
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for part in ("cmdline", "mountinfo"):
                    try:
                        with open(f"/proc/{pid}/{part}", "rb") as f:
                            if self.a.dir.encode() in f.read() and not zombie(int(pid)):
                                found.append(f"{pid} ({part})")
                    except OSError:
                        pass
            return found
        try:
            wait("no process or mount of the agent is left", lambda: not left(), limit=20)
        except Failed as e:
            raise Failed(f"{e}: {left()}") from None

    def close(self):
        if self.pusher:
            self.pusher.ended.set()
        stands = self.line("stopped")
        if stands and not zombie(int(stands[2])):
            end([int(stands[2])])
        if self.a.parent:
            self.a.kill_all()
        if self.pusher:
            self.pusher.join(60)
        if self.workspace:
            self.workspace.stop()
        self.a.remove(search=False)     # hundreds of scenes: those undisturbed are searched


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
