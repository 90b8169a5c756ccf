#!/usr/bin/python3
"""kill -9 of everything at every failpoint of a push-to-deploy, one point at a time.

A run without disturbance says which points are hit and what the fabric looks like afterwards. Then, for
each point: the process that comes there is frozen (SIGSTOP), everything of the agent and the hook is
killed, the agent is started again, a push that git did not accept is repeated, as its developer would.
At the end the fabric must be byte-equal, main must have one event for each line of git's reflog, each
key one passed build, and no process or temporary file may be left. A point that is compiled in and
never hit fails the test: it would be a promise that nobody tries.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Failed, Instance, check, clean_env, main, run, wait, zombie  # noqa: E402

MAIN = "refs/heads/main"
PROGRAMS = ("penstock-core", "penstock-gate", "penstock-build", "penstock-deploy", "penstock-hook", "penstockd", "penstock")
# At which hit of a point to kill. Those that many writes share are tried later too: each time something
# else has just been written. PENSTOCK_KILL_NTH="1,2,3,5" tries all points at all of these.
SHARED = ("store.commit", "store.committed", "fs.fsync", "fs.rename")


def nths(name):
    given = os.environ.get("PENSTOCK_KILL_NTH")
    return [int(n) for n in given.split(",")] if given else [1, 3, 6] if name in SHARED else [1]


def compiled():
    points = set()
    for p in PROGRAMS:
        points |= set(run(os.path.join(BUILD, p), "--failpoints").stdout.split())
    return points


def hits(log):
    """Name to number of processes that came by."""
    found = {}
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                word, name, _ = line.split()
                if word == "hit":
                    found[name] = found.get(name, 0) + 1
    return found


def stopped(log):
    """(name, pid) of the process that is frozen at a point."""
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                if line.startswith("stopped "):
                    return line.split()[1], int(line.split()[2])
    return None


def all_stopped(log):
    """Every process that froze: under load a second one may come to the point before the first is killed."""
    with open(log, encoding="utf-8") as f:
        return [int(line.split()[2]) for line in f if line.startswith("stopped ")]


class Scene:
    """One instance, one repository, one push; up: the agent runs while it comes."""

    def __init__(self, prefix, up, spec=None):
        self.a = Instance(prefix)
        self.log = os.path.join(self.a.base, "points")
        self.env = {"PENSTOCK_FAILPOINT_LOG": self.log}
        if spec:
            self.env["PENSTOCK_FAILPOINTS"] = spec
        self.up = up
        self.repo = None

    def prepare(self):
        """Repository and clone are there before the disturbance; the agent has never run."""
        self.repo = self.a.repository("sales")
        # as from a template: hooks are there, the id is the gate's to make
        run("git", "-C", self.repo, "config", "--unset", "penstock.id", env=clean_env())
        self.clone = self.a.example(self.repo)
        self.commit = self.clone.git("rev-parse", "HEAD").stdout.strip()

    def push(self):
        return subprocess.Popen(["git", "-C", self.clone.path, "push", "-q", "origin", "HEAD:" + MAIN],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=clean_env(PENSTOCK_AS="ana", **self.env))

    def play(self):
        """Until all is done, or a process is frozen. The pushing client, or None."""
        client = None
        if not self.up:
            client = self.push()
            self.until(lambda: client.poll() is not None)
            if stopped(self.log):
                return client
        self.a.start(self.env, unless=lambda: stopped(self.log))
        if stopped(self.log):
            return client
        if self.up:
            client = self.push()
        self.until(self.settled)
        return client

    def settled(self):
        if self.a.parent.poll() is not None:
            raise Failed("penstockd ended by itself")
        p = self.a.penstock("events", "--json", expect=None)
        if p.returncode != 0:
            return False
        es = [e for e in json.loads(p.stdout)["items"] if e["ref"] == MAIN]
        return bool(es) and es[0]["state"] == "done"

    def until(self, condition):
        wait("the scene ends or a process is frozen", lambda: stopped(self.log) or condition(), every=0.05)

    def kill_everything(self, client):
        pids = [stopped(self.log)[1]] + (self.a.processes(client.pid) if client else [])
        if self.a.parent:
            self.a.kill_all()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if client:
            client.wait(60)
        wait("the frozen process and its push are gone", lambda: all(zombie(pid) for pid in pids))

    def mend(self):
        """The agent again, undisturbed; the developer pushes again when git refused."""
        self.env = {}
        if self.a.parent is None:
            self.a.start()
        if run("git", "-C", self.repo, "rev-parse", "-q", "--verify", MAIN, expect=None, env=clean_env()).returncode != 0:
            p = self.push()
            check(p.wait(60) == 0, "the push after the restart was refused")
        self.a.wait_event(MAIN, self.commit)

    def judge(self, undisturbed):
        a = self.a
        with open(os.path.join(self.repo, "logs", MAIN), encoding="utf-8") as f:
            moves = [tuple(l.split()[:2]) for l in f]
        events = [(e["old"], e["new"]) for e in a.events(MAIN)]
        check(events == moves, f"events {events}, reflog {moves}")
        builds = a.builds()
        keys = [b["key"] for b in builds]
        check(len(set(keys)) == len(keys) == 2, f"keys of builds: {keys}")
        check(all(b["state"] == "passed" for b in builds), f"builds: {[(b['id'], b['state'], b['reason']) for b in builds]}")
        self.age_spool()
        try:
            wait("no temporary file is left", lambda: not a.leftovers(), limit=20)
        except Failed as e:
            raise Failed(f"{e}: {a.leftovers()}") from None
        if undisturbed is not None:
            now = a.snapshot("development")
            check(now == undisturbed, "the fabric differs: " + ", ".join(sorted(
                k for k in set(now) | set(undisturbed) if now.get(k) != undisturbed.get(k))))
        mounts = run("cat", "/proc/self/mounts").stdout
        check(a.dir not in mounts, "a mount is left")
        pids = a.processes()
        a.stop()
        wait("no process of the agent is left", lambda: all(zombie(p) for p in pids))

    def age_spool(self):
        """A half-written file of a killed hook is removed once no hook can still be writing it: make it old."""
        spool = os.path.join(self.a.dir, "state", "spool")
        for name in os.listdir(spool):
            if name.startswith(".tmp-"):
                os.utime(os.path.join(spool, name), (0, 0))

    def close(self):
        for pid in all_stopped(self.log) if os.path.exists(self.log) else []:
            if not zombie(pid):
                os.kill(pid, signal.SIGKILL)
        if self.a.parent:
            self.a.kill_all()
        self.a.remove()


def small_toolchain(folder):
    """A prefix with what a wheel needs and no Spark: made by penstock itself."""
    given = os.environ.get("PENSTOCK_TEST_SMALL_TOOLCHAIN")
    if given:
        return given
    a = Instance(folder=folder)
    lines = os.path.join(folder, "small.txt")
    with open(lines, "w", encoding="utf-8") as f:
        f.write("setuptools==66.1.1\nwheel==0.38.4\n")
    a.penstock("toolchain", "make", "small", lines, limit=600)
    return os.path.join(a.dir, "toolchains", "small")


def disturb(prefix, up, point, nth, undisturbed):
    scene = Scene(prefix, up, f"{point}=stop@{nth}")
    try:
        scene.prepare()
        client = scene.play()
        frozen = stopped(scene.log)
        if frozen:
            scene.kill_everything(client)
        scene.mend()
        scene.judge(undisturbed)
        return bool(frozen)
    except Failed as e:
        scene.a.tell_logs()
        raise Failed(f"{point}@{nth}: {e}") from None
    finally:
        scene.close()


def every_point():
    with tempfile.TemporaryDirectory(prefix="penstock-kill.") as folder:
        os.chmod(folder, 0o755)
        prefix = small_toolchain(folder)
        seen, pictures = {}, {}
        for up in (True, False):
            scene = Scene(prefix, up)
            try:
                scene.prepare()
                scene.play()
                scene.mend()
                pictures[up] = scene.a.snapshot("development")
                scene.judge(None)
                for name in hits(scene.log):
                    seen.setdefault(name, up)
            finally:
                scene.close()
        check(pictures[True] == pictures[False] and pictures[True], "two undisturbed runs differ")
        points = compiled()
        kills, bad = 0, []
        only = os.environ.get("PENSTOCK_KILL_ONLY", "").split(",")
        for name in sorted(points & set(seen)):
            if only != [""] and name not in only:
                continue
            for nth in nths(name):
                try:
                    if not disturb(prefix, seen[name], name, nth, pictures[True]):
                        break
                except Failed as e:
                    bad.append(str(e))
                    print(f"FAIL {e}", flush=True)
                    break
                print(f"killed at {name}@{nth}: recovered", flush=True)
                kills += 1
        never = sorted(points - set(seen))
        print(f"points compiled in: {len(points)}, hit: {len(points) - len(never)}, kills: {kills}, lost 0, doubled 0")
        check(not bad, f"{len(bad)} points did not recover")
        check(not never, "never hit: " + ", ".join(never))


if __name__ == "__main__":
    main(every_point)
