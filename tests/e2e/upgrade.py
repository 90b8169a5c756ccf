#!/usr/bin/python3
"""A newer version takes over: programs replaced under an agent that works, a restart with a full queue and a
deployment half done, hooks of another version than core. Nothing is lost, nothing is done twice. No Spark.

    tests/e2e/upgrade.py [CASE]     cwd is the build folder

The newer version is a copy of the programs with another version text, and with another name for a field that core
and deploy cannot do without: old and new ones do not understand each other, as two versions may. Judged by git's
reflogs, by the fabric's files with their inodes and times, and by the frames on the wire.
"""
import glob
import os
import shutil
import socket
import sys
import tempfile
import threading
import time

# in the place of our own folder: there is a queue.py, which is not Python's
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
sys.dont_write_bytecode = True
import wire  # noqa: E402
from agent import BUILD, SRC, Instance, check, clean_env, main, plain_toolchain, run, wait, zombie  # noqa: E402
from scene import PIPELINE, SETUP, end  # noqa: E402

MAIN, SIDE, ROLES = "refs/heads/main", "refs/heads/side", ("core", "gate", "build", "deploy")
MANY = 50
NAMES = ("customers_orders", "sales_report")


def programs(folder, *changes):
    """A copy of all programs, in which texts are replaced by others of the same length."""
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    for path in glob.glob(BUILD + "/penstock*") + [BUILD + "/task.py", BUILD + "/suite.py"]:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            with open(path, "rb") as f:
                data = f.read()
            for old, new in changes:
                data = data.replace(old + b"\0", new + b"\0")
            with open(os.path.join(folder, os.path.basename(path)), "wb") as f:
                f.write(data)
            os.chmod(f.name, 0o755)
    return folder


def version(folder):
    return run(os.path.join(folder, "penstockd"), "--version").stdout.split()[1]


NEWER = ((b"0.1.0", b"0.1.9"), (b"fabric_dir", b"fabric_dyr"))


def install(source, folder):
    """As a package does: each file is another one, under its old name."""
    for name in os.listdir(source):
        shutil.copy2(os.path.join(source, name), os.path.join(folder, ".new"))
        os.rename(os.path.join(folder, ".new"), os.path.join(folder, name))


class Pusher(threading.Thread):
    """Somebody pushes on and on; each push must be accepted, whatever the agent does."""

    def __init__(self, *clones):
        super().__init__(daemon=True)
        self.clones, self.ended, self.n, self.bad, self.took = clones, threading.Event(), 0, [], 0

    def run(self):
        while not self.ended.is_set():
            c = self.clones[self.n % len(self.clones)]
            c.commit(f"push {self.n}")
            began = time.monotonic()
            p = c.push("HEAD:" + SIDE, expect=None)
            self.took = max(self.took, time.monotonic() - began)
            if p.code or "not recorded" in p.all:
                self.bad.append(p.all)
            self.n += 1
            self.ended.wait(0.2)

    def more(self, n=2):
        before = self.n
        wait("somebody pushes", lambda: self.n >= before + n or not self.is_alive())

    def end(self):
        self.ended.set()
        self.join(60)
        check(not self.is_alive() and not self.bad, f"{self.bad}")


class Scene:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="penstock-upgrade.")
        os.chmod(self.top, 0o755)
        self.old, self.new = programs(self.top + "/old"), programs(self.top + "/new", *NEWER)
        check((version(self.old), version(self.new)) == ("0.1.0", "0.1.9"), "two versions")
        self.here = programs(self.top + "/here")
        self.points = self.top + "/points"
        os.mkdir(self.top + "/base")
        self.a = Instance(plain_toolchain(), folder=self.top + "/base", programs=self.here)

    def arm(self):
        """The next deploying process stands still between its second step and the word of it."""
        if os.path.exists(self.points + ".once"):
            os.unlink(self.points + ".once")
        self.stood = self.stopped()

    def stopped(self):
        if not os.path.exists(self.points):
            return []
        with open(self.points, encoding="utf-8") as f:
            return [int(l.split()[2]) for l in f if l.startswith("stopped ")]

    def start(self):
        self.a.start(env={"PENSTOCK_FAILPOINTS": "deploying/deploy.done=once@2", "PENSTOCK_FAILPOINT_LOG": self.points})

    def wait_frozen(self):
        return wait("a deployment stands half done", lambda: [p for p in self.stopped() if p not in self.stood])[-1]

    def project(self, folder, mark=""):
        """The example without Spark and setuptools."""
        shutil.copytree(os.path.join(SRC, "examples", "sales"), folder, dirs_exist_ok=True)
        run("chmod", "-R", "u+w", folder)
        for name in NAMES:
            code = f"{folder}/pipelines/{name}/code"
            shutil.rmtree(code + "/test")
            for path, text in ((f"{code}/{name}/pipeline.py", PIPELINE + mark), (code + "/setup.py", SETUP.format(name=name))):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)

    def fifty(self, c):
        """A commit with fifty projects of two contents, of which only the two are ever files."""
        for i in (0, 1):
            self.project(f"{c.path}/{i}", f"# {i}\n")
        c.commit("two")
        trees = [c.git("rev-parse", f"HEAD:{i}").stdout.strip() for i in (0, 1)]
        made = run("git", "-C", c.path, "mktree", stdin="".join(f"040000 tree {trees[i % 2]}\tp{i:02}\n" for i in range(MANY)))
        return c.git("commit-tree", "-m", "fifty projects", made.stdout.strip()).stdout.strip()

    def with_hooks_of(self, folder, name):
        """A repository bound by the programs of another folder: its hooks stay what they are."""
        repo = self.a.repository(name, install=False)
        run(folder + "/penstock", "-C", self.a.dir, "install", repo, env=clean_env())
        c = self.a.clone(repo)
        c.write("README", "nothing to build\n")
        return c

    def remove(self):
        if self.a.parent:
            self.a.kill_all()
        if not os.environ.get("PENSTOCK_TEST_KEEP"):
            shutil.rmtree(self.top)


def steps_of(a):
    """Every file of the fabric with what tells whether it was written again."""
    found = {}
    for folder, _, names in os.walk(a.fabric("development")):
        for n in names:
            path = os.path.join(folder, n)
            st = os.lstat(path)
            found[os.path.relpath(path, a.fabric("development"))] = (st.st_ino, st.st_mtime_ns)
    return found


def kept(before, now, what):
    """`current` is a link that each switch makes anew, ours among them."""
    again = [p for p, v in before.items() if now.get(p) != v and not p.endswith("/current")]
    check(not again, f"{what}: written again: {again}")


def chain(a, repo):
    """Each line of each reflog is one event, and nothing else is."""
    name, logs = os.path.basename(repo)[:-len(".git")], os.path.join(repo, "logs")
    for folder, _, names in os.walk(os.path.join(logs, "refs", "heads")):
        for n in names:
            ref = os.path.relpath(os.path.join(folder, n), logs)
            with open(os.path.join(folder, n), encoding="utf-8") as f:
                moves = [tuple(l.split()[:2]) for l in f]
            mine = [e for e in a.items("events", "-n", "1000") if e["repository"] == name and e["ref"] == ref]
            events = [(e["old"], e["new"]) for e in sorted(mine, key=lambda e: e["seq"])]
            check(events == moves, f"{name} {ref}: {len(moves)} moves, {len(events)} events")
            check(all(e["pusher"] for e in mine), f"{name}: nobody pushed: {mine}")
            yield len(moves)


def half(s, c, n):
    """Another definition of a job: built already, and half put."""
    s.arm()
    c.edit("jobs/job_development/code/databricks-job.json", '"max_retries" : ' + str(n), '"max_retries" : ' + str(n + 1))
    new = c.commit(f"retries {n + 1}")
    c.push("HEAD:" + MAIN)
    s.wait_frozen()
    return new, steps_of(s.a)


def deployed(a, commit):
    wait("it is deployed", lambda: any(h["commit"] == commit and h["state"] == "deployed"
                                       for h in a.items("history", "development")), every=0.1)


def under_load():
    """50 demands wait, a deployment is half done, pushes go on: first the programs are replaced and each role dies
    under the old agent, then the new version takes over."""
    s = Scene()
    pusher = None
    try:
        a, began = s.a, time.monotonic()
        s.start()
        slow = a.clone(a.repository("slow"))
        s.project(slow.path)
        first = slow.commit("the project")
        s.arm()
        slow.push("HEAD:" + MAIN)
        s.wait_frozen()
        files = steps_of(a)
        a.penstock("pause", "builder", "-m", "until the new version is there")
        many = a.clone(a.repository("many"))
        many.push(s.fifty(many) + ":" + MAIN)

        def waiting():
            return [i for i in a.items("queue", "-n", "200") if i["what"].startswith("many:") and i["reason"] == "paused"]
        wait("they wait", lambda: len({i["what"] for i in waiting()}) >= 4, every=0.1)
        sides = [s.with_hooks_of(f, n) for f, n in ((s.here, "side"), (s.old, "old"), (s.new, "new"))]
        pusher = Pusher(*sides)
        pusher.start()
        pusher.more(3)
        ready = time.monotonic()

        install(s.new, s.here)
        pusher.more(3)			# new hooks, old core
        for role in ("deploy", "gate", "build", "core"):
            was = a.role(role)
            end([was])
            wait(f"{role} is there again", lambda: a.role(role) != was)
            wait("and answers", lambda: a.answers() and all(r["state"] == "running" for r in a.json("status")["roles"]), every=0.1)
            pusher.more()
            if role == "deploy":		# what stood goes on, by the programs that it began with
                deployed(a, first)
                kept(files, steps_of(a), "a role killed")
        check(a.json("status")["agent"]["version"] == "0.1.0", "the agent is still the old one")
        second, files = half(s, slow, 0)
        mixed = time.monotonic()

        a.parent.terminate()
        a.parent.wait(20)
        check(all(zombie(p) for p in s.stopped()), "the half done one ended with it")
        pusher.more(3)			# nobody is there
        gap = time.monotonic()
        a.start()
        took = time.monotonic() - gap
        check(a.json("status")["agent"]["version"] == "0.1.9", "the new one")
        pusher.more(6)			# old hooks, new core, and the reverse
        deployed(a, second)
        kept(files, steps_of(a), "taken over half done")
        check(len(waiting()) >= 4, "what waited waits")
        a.penstock("resume", "--all")
        wait("all fifty are live", lambda: len(glob.glob(a.fabric("development", "jobs", "many", "p*", "current"))) == MANY, every=0.2)
        pusher.end()
        wait("every event ended", lambda: all(e["state"] in ("done", "superseded") for e in a.items("events", "-n", "1000")), every=0.2)
        judge(s, pusher, waiting)
        print(f"     ready {ready - began:.1f} s, mixed {mixed - ready:.1f} s, taken over in {took:.1f} s, "
              f"all {time.monotonic() - began:.1f} s; {pusher.n} pushes beside it, the longest {pusher.took:.1f} s")
        a.stop()
        check(not a.leftovers(), f"{a.leftovers()}")
    except BaseException:
        s.a.tell_logs()
        raise
    finally:
        if pusher:
            pusher.ended.set()
            pusher.join(60)
        s.remove()


# Too far away: core cannot do without this field, and such a hook has another name for it.
FAR = ((b"boot", b"b00t"),)


class Moved:
    """A movement that git made without a hook; the test says what a hook would say of it."""

    def __init__(self, a, repo, clone, n):
        self.a, self.ref = a, f"refs/heads/by-hand-{n}"
        clone.commit(f"by hand {n}")
        self.new = clone.git("rev-parse", "HEAD").stdout.strip()
        run("git", "-C", repo, "fetch", "-q", clone.path, "HEAD", env=clean_env())
        run("git", "-C", repo, "update-ref", self.ref, self.new, env=clean_env())
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:
            boot = f.read().strip()
        self.report = {"push": f"by-hand-{n}", "repository": repo, "boot": boot,
                       "stamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME), "as": "ana",
                       "refs": [{"ref": self.ref, "old": "0" * 40, "new": self.new, "ordinal": 0}]}

    def event(self):
        found = self.a.events(self.ref)
        check(len(found) <= 1, f"{found}")
        return found[0] if found else None


def say(a, type, **fields):
    with socket.socket(socket.AF_UNIX) as s:
        fd = os.open(a.dir + "/run", os.O_PATH)
        try:
            s.connect(f"/proc/self/fd/{fd}/hook.sock")
        finally:
            os.close(fd)
        wire.send(s, type, **fields)
        try:
            return wire.recv(s, limit=20)
        except EOFError:
            return None


def of_other_versions():
    """Hooks of other versions at the door and in the spool: a known answer each, and no movement is lost."""
    s = Scene()
    try:
        a = s.a
        a.start()
        repo = a.repository("r")
        c = a.clone(repo)
        c.write("README", "x\n")
        later = {"mood": {"well": [1, None]}, "colour": "blue"}
        for n, more in enumerate(({"version": 0}, {"version": 2, **later}, {"version": 99, **later})):
            m = Moved(a, repo, c, n)
            m.report["refs"][0].update(later)
            got = say(a, "report", **m.report, **more)
            check(got and got["verdict"] == "kept", f"{more}: {got}")
            check(m.event()["kind"] == "sure" and m.event()["pusher"], f"{m.event()}")
        check(say(a, "of_tomorrow", version=2)["type"] == "not_understood", "a kind that is not known")
        check(a.answers(), "the agent has read it all")

        # the same in the spool, while nobody is there
        a.stop()
        known, unknown = Moved(a, repo, c, 10), Moved(a, repo, c, 11)
        for name, m, type in (("a" * 32, known, "report"), ("b" * 32, unknown, "of_tomorrow")):
            body = wire.pack({"type": type, "version": 2, **later, **m.report})
            fd = os.open(f"{a.dir}/state/spool/{name}.msg", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            os.write(fd, len(body).to_bytes(4, "big") + body)
            os.close(fd)
        a.start()
        wait("both are seen", lambda: known.event() and unknown.event(), 30)
        check(known.event()["kind"] == "sure" and known.event()["pusher"], f"{known.event()}")
        e = unknown.event()
        check(e["kind"] == "gap" and e["state"] == "held" and not e["pusher"], f"found by a look: {e}")
        aside = os.listdir(a.dir + "/state/spool/aside")
        check(any(n.startswith("b" * 32) for n in aside) and not any(n.startswith("a" * 32) for n in aside), f"{aside}")

        # hooks that core does not understand: judged by their own gate program, found by the next look
        far = s.with_hooks_of(programs(s.top + "/far", *FAR), "far")
        new = far.commit("of a far version")
        p = far.push("HEAD:" + SIDE)
        check("agent not running; event kept" in p.text or "event not recorded" in p.text, p.all)
        a.penstock("reconcile")
        e = wait("its movement is an event", lambda: [e for e in a.events(SIDE) if e["new"] == new], 30)[0]
        check(e["kind"] == "gap" and e["state"] == "held" and not e["pusher"], f"{e}")
        a.stop()
    except BaseException:
        s.a.tell_logs()
        raise
    finally:
        s.remove()


def half_installed():
    """Programs of two versions: the start is refused and says so."""
    s = Scene()
    try:
        shutil.copy2(s.new + "/penstock-deploy", s.top + "/one")
        os.rename(s.top + "/one", s.here + "/penstock-deploy")
        p = run(s.here + "/penstockd", s.a.dir, env=clean_env(), expect=1, limit=60)
        check("penstock-deploy' is of version 0.1.9, penstockd of version 0.1.0" in p.stderr, p.stderr)
    finally:
        s.remove()


def judge(s, pusher, waiting):
    a = s.a
    builds = a.builds()
    keys = [b["key"] for b in builds]
    check(len(set(keys)) == len(keys) == 6 and all(b["state"] == "passed" for b in builds), f"{builds}")
    check(not waiting(), f"{waiting()}")
    top = a.fabric("development", "jobs", "many")
    for i in range(MANY):
        sets = os.listdir(f"{top}/p{i:02}/sets")
        check(len(sets) == 1, f"p{i:02}: put more than once: {sets}")
    mine = [h for h in a.items("history", "development", "-n", "200") if h["repository"] == "many"]
    check(len(mine) == MANY and len({h["project"] for h in mine}) == MANY and all(h["state"] == "deployed" for h in mine),
          f"{len(mine)} deployments of {MANY}")
    moves = sum(n for name in ("slow", "many", "side", "old", "new")
                for n in chain(a, os.path.join(a.dir, "repos", name + ".git")))
    check(moves == pusher.n + 3, f"{moves} movements, {pusher.n} pushes and 3")


main(half_installed, of_other_versions, under_load)
