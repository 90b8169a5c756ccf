#!/usr/bin/python3
"""What the gate costs: a whole `git push` with it and with other hooks, and `penstock check` beside `pbt validate`.

    tests/bench/gate.py [pushes|check|growth]     all of them; cwd is the build folder

pushes: one commit that changes one file, to repositories that all hold the same 10,000 files and 200 pipelines; in
each round every way of taking it takes its turn. Cold: what the gate remembers was removed. What a way adds is its
median less that without hooks, in each round. A push itself varies by more than a quick hook adds; so beside that
stands how long git waited for the hooks, by its own clock (trace2).
check: the whole program, from outside, on the same folders, which are work trees; beside it the least that any program
would ask of the disk (least.c). growth: over the pipelines, and over those changed by one
push; memory is the peak of the process that judged.
"""
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bigproject  # noqa: E402
import pbt  # noqa: E402
from agent import Instance, clean_env, run, wait  # noqa: E402
from bench import ROUNDS, SECONDS, Bench, program  # noqa: E402

FILES, PIPELINES = 10000, 200
EACH = max(2, round(SECONDS * 3))       # pushes of each way in a round
GROWTH = (10, 100, 1000, 10000)[:4 if SECONDS >= 3 else 3]      # shortly: not the minutes of the last
CHANGED = (1, 10, 100, 200)
REF = "refs/heads/timed"                # no environment is made for it: nothing is built
PYTHON_HOOK = """#!/usr/bin/python3
import subprocess, sys, yaml
for line in sys.stdin:
    old, new, ref = line.split()
    text = subprocess.run(["git", "show", new + ":pbt_project.yml"], check=True, stdout=subprocess.PIPE).stdout
    project = yaml.safe_load(text)
    for key in ("name", "version", "language", "pipelines", "jobs"):
        if key not in project:
            sys.exit("pbt_project.yml has no " + key)
"""
# name, what stands in hooks/pre-receive (a text, or a program of the build folder), in hooks/post-receive too
PLAIN = (
    ("no hook", None, False),
    ("sh hook that does nothing", "#!/bin/sh\nexit 0\n", False),
    ("C hook that does nothing", "hook_nothing", False),
    ("C hook that syncs once", "hook_syncs", False),
    ("C hooks that sync, before and after", "hook_syncs", True),
    ("Python hook that reads the project", PYTHON_HOOK, False),
)
WARM, COLD = "penstock, warm", "penstock, cold"


class Place:
    """An agent, a repository of it and bare ones with other hooks; a clone whose project all of them hold."""

    def __init__(self, pipelines, **project):
        self.a, self.pipelines = Instance(), pipelines
        if pipelines > PIPELINES:       # how long it takes is measured, not cut off
            yml = os.path.join(self.a.dir, "penstock.yml")
            with open(yml, encoding="utf-8") as f:
                text = f.read()
            with open(yml, "w", encoding="utf-8") as f:
                f.write(text.replace("budget: 4s ", "budget: 60s", 1))
        self.repo = self.a.repository("load")
        self.clone = self.a.clone(self.repo)
        bigproject.write(self.clone.path, pipelines, **project)
        self.clone.commit("all of it")
        self.clone.git("repack", "-adq", limit=600)
        self.ways, self.n = {}, 0
        self.a.start()
        self.clone.git("push", "-q", self.repo, f"HEAD:{REF}", limit=600)
        self.settled()

    def plain(self, hooks=PLAIN):
        for name, hook, after in hooks:
            path = os.path.join(self.a.base, re.sub(r"\W+", "-", name) + ".git")
            run("git", "init", "-q", "--bare", path, env=clean_env())
            shutil.rmtree(os.path.join(path, "hooks"), ignore_errors=True)
            self.clone.git("push", "-q", path, f"HEAD:{REF}")
            os.mkdir(os.path.join(path, "hooks"))
            for at in ("pre-receive", "post-receive")[:0 if hook is None else 2 if after else 1]:
                to = os.path.join(path, "hooks", at)
                if hook.startswith("#!"):
                    with open(to, "w", encoding="utf-8") as f:
                        f.write(hook)
                    os.chmod(to, 0o755)
                else:
                    shutil.copy(program(hook), to)
            self.ways[name] = path

    def settled(self):
        """Core has made of the push all that it will, and found the ref where it is."""
        head = self.clone.git("rev-parse", "HEAD").stdout.strip()
        wait("core has the push", lambda: any(e["new"] == head for e in self.a.items("events", "-n", "3")))
        pid, last = self.a.role("core"), None
        for _ in range(100):
            now = [cpu_ticks(p) for p in [pid, *self.a.processes(self.a.role("gate"))]]
            if now == last:
                return
            last = now
            time.sleep(0.05)

    def forget(self):
        """The agent anew, knowing nothing of what it judged."""
        self.a.stop()
        folder = os.path.join(self.a.dir, "verdicts")
        for n in os.listdir(folder):
            os.unlink(os.path.join(folder, n))
        self.a.start()
        self.a.role("gate")
        wait("the gate answers", lambda: len(self.a.processes(self.a.role("gate"))) > 2)
        self.a.penstock("reconcile")

    def commit(self, pipelines=1):
        self.n += 1
        for i in range(pipelines):
            bigproject.change(self.clone.path, (self.n + i) % self.pipelines, f"change {self.n}")
        self.clone.commit(f"change {self.n}")

    def push(self, path):
        """Milliseconds, and what the remote said; in self.hooks those that git waited for hooks."""
        trace = os.path.join(self.a.base, "trace")
        began = time.monotonic()
        p = self.clone.git("push", path, f"HEAD:{REF}", limit=600, env={"GIT_TRACE2_EVENT": trace})
        ms = (time.monotonic() - began) * 1000
        self.hooks = in_hooks(trace)
        os.unlink(trace)
        return ms, p.stderr

    def judged(self, b, what):
        """A push to ours: it was judged, by the gate and within its time. Milliseconds."""
        ms, text = self.push(self.repo)
        for word in ("not judged", "not recorded", "event kept", "held"):
            if word in text:
                b.fail(f"{what}: {text}")
        self.settled()
        return ms

    def peak_mb(self):
        """Of the gate's processes, the largest there has been."""
        return max(vm_hwm(p) for p in self.a.processes(self.a.role("gate"))) / 1024

    def end(self):
        self.a.stop()
        self.a.remove()


@contextlib.contextmanager
def place(pipelines, **project):
    p = Place(pipelines, **project)
    try:
        yield p
    finally:
        p.end()


def in_hooks(trace):
    """Milliseconds between the start and the end of each hook, all of them."""
    with open(trace, encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    hooks = {(e["sid"], e["child_id"]) for e in events if e["event"] == "child_start" and e["child_class"] == "hook"}
    return sum(e["t_rel"] for e in events if e["event"] == "child_exit" and (e["sid"], e["child_id"]) in hooks) * 1000


def cpu_ticks(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[11:13]
    except OSError:
        return None


def vm_hwm(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def one_round(b, p, turn):
    took = {name: [] for name in [*p.ways, WARM, COLD]}
    hooks = {name: [] for name in took}

    def one(name):
        took[name].append(p.judged(b, name) if name in (WARM, COLD) else p.push(p.ways[name])[0])
        hooks[name].append(p.hooks)

    for _ in range(EACH):
        p.commit()
        ways = [*p.ways, WARM]
        turn.shuffle(ways)
        for name in ways:
            one(name)
    for _ in range(max(1, EACH // 3)):
        p.forget()
        p.commit()              # a tree that nobody has seen
        one(COLD)
    for name, values in took.items():
        b.add(f"push: {name}", statistics.median(values), "ms")
    none = statistics.median(took["no hook"])
    for name in [*p.ways, WARM, COLD][1:]:
        b.add(f"adds: {name}", statistics.median(took[name]) - none, "ms")
        # on a busy machine the quickest of many tells more than the median
        b.add(f"adds at best: {name}", min(took[name]) - min(took["no hook"]), "ms")
        b.add(f"git waits for: {name}", statistics.median(hooks[name]), "ms")


def pushes():
    b = Bench("gate", f"git push of one commit to {FILES} files and {PIPELINES} pipelines; {EACH} pushes each in a round")
    turn = random.Random(7)
    with place(PIPELINES, files=FILES) as p:
        p.plain()
        for _ in range(ROUNDS):
            one_round(b, p, turn)
    b.ratio("what warm adds, in times of one sync", f"adds: {WARM}", "adds: C hook that syncs once", most=2)
    b.ratio("the same, of a sync before and after", f"adds: {WARM}", "adds: C hooks that sync, before and after")
    b.ratio("what warm adds at best, in times of one sync", f"adds at best: {WARM}", "adds at best: C hook that syncs once", most=2)
    b.ratio("git waits for warm, in times of one sync", f"git waits for: {WARM}", "git waits for: C hook that syncs once")
    b.ratio("the same, of a sync before and after", f"git waits for: {WARM}", "git waits for: C hooks that sync, before and after")
    b.ratio("what Python adds, in times of warm", "adds: Python hook that reads the project", f"adds: {WARM}", goal=10)
    b.goal(f"adds: {COLD}", most=300)
    return b.end()


def ms_of(*args):
    began = time.monotonic()
    p = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, env=clean_env())
    return (time.monotonic() - began) * 1000, p


def working_copies(base):
    """Words and folders, each the work tree of a repository that somebody has just cloned and then looked at."""
    made = (("small", os.path.join(base, "small")), (f"{PIPELINES} pipelines", os.path.join(base, "large")))
    shutil.copytree(bigproject.SALES, made[0][1])
    bigproject.write(made[1][1], PIPELINES, FILES)
    for _, folder in made:
        run("git", "init", "-q", folder, env=clean_env())
        run("git", "-C", folder, "add", "-A", env=clean_env(), limit=600)
    # what changed in this very second is not remembered
    newest = max(os.lstat(os.path.join(top, n)).st_ctime for _, folder in made for top, _, names in os.walk(folder) for n in names)
    wait("the second is over", lambda: time.time() >= int(newest) + 1)
    return made


def everything_in(folder, path):
    """Writes the names of all that is in a work tree."""
    names = []
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n != ".git")
        names += [os.path.relpath(os.path.join(top, n), folder) for n in (*folders, *sorted(files)) if n != ".git"]
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(n + "\n" for n in names)


def least(b, base, word, folder):
    listed = os.path.join(base, "names")
    everything_in(folder, listed)
    for how, row in (("stat", "a stat of each file and folder"), ("read", "each folder listed, each file read")):
        took = []
        for _ in range(EACH):
            began = time.monotonic()
            run(program("least"), how, listed, cwd=folder, env=clean_env())
            took.append((time.monotonic() - began) * 1000)
        b.add(f"{row}, {word}", statistics.median(took), "ms")


def one_check(b, row, args):
    ms, p = ms_of(*args)
    if p.returncode:
        b.fail(f"{row}: exit {p.returncode}: {p.stdout[-400:]}{p.stderr[-400:]}")
    return ms


def checks():
    b = Bench("check", f"the whole program on one work tree, from its start to its end; large: {FILES} files. Cold: nothing is "
                       "remembered. Edited: one file has changed")
    theirs, why = pbt.program()
    ours = program("penstock")
    base = os.path.join(os.path.abspath("."), f"bench-check.{os.getpid()}")
    try:
        folders = working_copies(base)
        for turn in range(ROUNDS):
            for word, folder in folders:
                shutil.rmtree(os.path.join(folder, ".git", "penstock"), ignore_errors=True)
                b.add(f"cold, {word}", one_check(b, word, (ours, "check", folder)), "ms")
                b.add(f"warm, {word}", statistics.median(one_check(b, word, (ours, "check", folder)) for _ in range(EACH)), "ms")
                least(b, base, word, folder)
                if word != "small":
                    bigproject.change(folder, turn, f"turn {turn}")
                    b.add(f"edited, {word}", one_check(b, word, (ours, "check", folder)), "ms")
                if theirs:
                    b.add(f"pbt validate, {word}", one_check(b, word, (theirs, "validate", "--path", folder)), "ms")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    for word in ("small", f"{PIPELINES} pipelines") if theirs else ():
        for how in ("cold", "warm"):
            b.ratio(f"{word}: pbt validate in times of ours {how}", f"pbt validate, {word}", f"{how}, {word}", goal=100)
        b.ratio(f"{word}: pbt validate in times of the stats alone", f"pbt validate, {word}", f"a stat of each file and folder, {word}")
        b.ratio(f"{word}: pbt validate in times of the reading alone", f"pbt validate, {word}",
                f"each folder listed, each file read, {word}")
    if not theirs:
        b.note(f"no pbt to compare with: {why}")
    return b.end()


def growth():
    b = Bench("growth", "what the gate adds to a push, over the size and over the change; four files a pipeline")
    for n in GROWTH:
        with place(n, lean=True) as p:
            p.plain(PLAIN[:1])
            for _ in range(ROUNDS):
                p.commit()
                plain = p.push(p.ways["no hook"])[0]
                b.add(f"{n} pipelines: warm adds", p.judged(b, f"{n} pipelines, warm") - plain, "ms")
                p.forget()
                p.commit()
                plain = p.push(p.ways["no hook"])[0]
                b.add(f"{n} pipelines: cold adds", p.judged(b, f"{n} pipelines, cold") - plain, "ms")
                b.add(f"{n} pipelines: memory of the gate", p.peak_mb(), "MB")
            for k in CHANGED if n == 1000 else ():
                for _ in range(ROUNDS):
                    p.commit(k)
                    plain = p.push(p.ways["no hook"])[0]
                    b.add(f"of 1000, {k} changed: adds", p.judged(b, f"{k} changed") - plain, "ms")
    b.note("memory: the largest peak of one of its processes, shared pages included")
    return b.end()


PARTS = {"pushes": pushes, "check": checks, "growth": growth}


if __name__ == "__main__":
    # shortly: one of the three makes the others' repositories as well
    sys.exit(max(PARTS[name]() for name in sys.argv[1:] or [n for n in PARTS if SECONDS > 1 or n != "growth"]))
