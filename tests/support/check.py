"""The steps of ./check, one after the other, each in a process that knows when something is left behind.

A step is a command with a limit of time. It counts what automake's summaries in its output count, or
itself where there is none. Its output goes to a log; printed are the results, the reason of what was
skipped, and the end of the log of what failed. As subreaper we inherit whatever a step leaves running:
that, and any file left in the folder for temporary files, makes the step fail.
"""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import planted

TOP = os.path.abspath(sys.argv[1])
WORK = os.path.join(TOP, ".penstock-check")
LOGS, TMP, BUILD = (os.path.join(WORK, n) for n in ("log", "tmp", "gcc"))
MINUTE = 60
PR_SET_CHILD_SUBREAPER = 36
NOBODY = 65534
RESULT = re.compile(r"^(PASS|FAIL|ERROR|SKIP|XPASS|XFAIL): (.+?)\s*$")
SUMMARY = re.compile(r"^# (PASS|FAIL|ERROR|SKIP|XPASS|XFAIL): +(\d+)$")
ROOT = os.getuid() == 0
CPUS = len(os.sched_getaffinity(0))


class Skip(Exception):
    pass


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.times = []


totals = Totals()


def say(text):
    print(text, flush=True)


def clean_env():
    """Ours without what would reach into a test: git's and make's variables, our own."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("GIT_DIR", "GIT_WORK", "GIT_INDEX", "PENSTOCK_", "MAKE"))}
    env.update(TMPDIR=TMP, LC_ALL="C.UTF-8")
    return env


# ---- one command, watched ----

def processes():
    """pid to (parent, state, command line)."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                rest = f.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
                found[int(pid)] = (int(rest[1]), rest[0], f.read().replace("\0", " ").strip())
        except (OSError, IndexError):
            pass
    return found


def below(pid):
    all_, out, todo = processes(), {}, [pid]
    while todo:
        parent = todo.pop()
        for p, (pp, state, text) in all_.items():
            if pp == parent and state not in "ZX":
                out[p] = text
                todo.append(p)
    return out


def end_all():
    """Ends every process below us; True when none is left."""
    for _ in range(100):
        left = below(os.getpid())
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        reap()
        if not left:
            return True
        time.sleep(0.05)
    return False


def reap(but=None):
    """Buries what we inherited, so that nobody waits for a zombie; `but` is somebody else's to bury."""
    try:
        while True:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if dead is None or dead.si_pid == but:
                return
            os.waitpid(dead.si_pid, 0)
    except ChildProcessError:
        pass


def secrets_in(top, name="", since=0.0):
    """Files whose name ends so, where one holds what a test has planted as a secret (tests/support/planted.py)."""
    return [f"a secret that a test planted is in {path}" for path in planted.files(top)
            if path.endswith(name) and os.path.getmtime(path) >= since and planted.in_file(path)]


def left_behind():
    """What still runs below us when it had 10 s to go, and what lies in the folder of temporary files."""
    until = time.monotonic() + 10
    while below(os.getpid()) and time.monotonic() < until:
        reap()
        time.sleep(0.05)
    bad = [f"process left behind: {pid} {text}" for pid, text in below(os.getpid()).items()]
    end_all()
    bad += [f"left in TMPDIR: {name}" for name in sorted(os.listdir(TMP))]
    bad += secrets_in(TMP)
    shutil.rmtree(TMP, ignore_errors=True)
    os.makedirs(TMP)
    os.chmod(TMP, 0o1777)
    return bad


class Log:
    """A growing file, read line by line; lines with a result are printed as they come."""

    def __init__(self, path):
        self.path, self.pos, self.part = path, 0, ""
        self.failed, self.skipped, self.counts = [], [], {}
        self.file = open(path, "wb")

    def read(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            f.seek(self.pos)
            text = self.part + f.read()
            self.pos = f.tell()
        *lines, self.part = text.split("\n")
        for line in lines:
            self.line(line)

    def line(self, line):
        m = RESULT.match(line)
        if m:
            say("   " + line)
            if m[1] in ("FAIL", "ERROR", "XPASS"):
                self.failed.append(m[2])
            elif m[1] == "SKIP":
                self.skipped.append(m[2])
        m = SUMMARY.match(line)
        if m:
            self.counts[m[1]] = self.counts.get(m[1], 0) + int(m[2])


def tail(path, n):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return [l.rstrip("\n") for l in f.readlines()[-n:]]
    except OSError as e:
        return [str(e)]


def log_of(test, cwd):
    """The newest log that automake wrote for a test below cwd; None when there is none."""
    best, test = None, re.sub(r"\.(py|sh)$", "", test)
    for folder, _, names in os.walk(cwd):
        path = os.path.join(folder, os.path.basename(test) + ".log")
        if os.path.basename(path) in names and path.endswith(test + ".log"):
            if best is None or os.path.getmtime(path) > os.path.getmtime(best):
                best = path
    return best


def log_path(name):
    return os.path.join(LOGS, name.replace(" ", "-").replace("/", "-") + ".log")


def tell(path, begins):
    """Figures out of a log, for whoever reads along."""
    for line in tail(path, 10000) if path else []:
        if line.startswith(begins):
            say("   " + line.strip())


def step(name, argv, cwd=TOP, limit=10 * MINUTE, env=None, logs=None):
    """Runs one command and counts it; True when nothing of it failed."""
    began, wall = time.monotonic(), time.time()
    log = Log(log_path(name))
    say(f"== {name}")
    p = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log.file, stderr=log.file,
                         env={**clean_env(), **(env or {})})
    bad = []
    while p.poll() is None:
        reap(but=p.pid)
        log.read()
        if time.monotonic() - began > limit:
            bad.append(f"not done after {limit // 60} minutes")
            p.kill()
            p.wait()
            end_all()
            break
        time.sleep(0.05)
    bad += left_behind()
    log.file.close()
    log.read()
    bad += secrets_in(LOGS, os.path.basename(log.path)) + secrets_in(cwd, ".log", wall - 1)
    account(name, p.returncode, log, bad, logs or cwd, time.monotonic() - began)
    return not bad and p.returncode == 0


def account(name, rc, log, bad, logs, took):
    c = log.counts
    for test in log.skipped:
        path = log_of(test, logs)
        words = [l for l in tail(path, 200) if l.strip() and not l.startswith("SKIP " + test)] if path else []
        words = [l.removeprefix("SKIP: ") for l in words if l.startswith("SKIP: ")] or words
        say(f"   skipped: {test}: {words[-1] if words else 'no reason given'}")
    for test in log.failed:
        path = log_of(test, logs)
        say(f"---- {test}: the end of {os.path.relpath(path, TOP) if path else 'its log (none found)'}")
        say("\n".join(tail(path, 80)) if path else "")
        say("----")
    if rc != 0 and not log.failed:
        say(f"---- {name}: exit status {rc}; the end of {os.path.relpath(log.path, TOP)}")
        say("\n".join(tail(log.path, 60)))
        say("----")
        bad.append(f"exit status {rc}")
    for text in bad:
        say(f"   FAIL: {name}: {text}")
    if c:
        totals.passed += c.get("PASS", 0) + c.get("XFAIL", 0)
        totals.skipped += c.get("SKIP", 0)
        totals.failed += sum(c.get(k, 0) for k in ("FAIL", "ERROR", "XPASS")) + bool(bad)
    else:
        totals.failed += bool(bad)
        totals.passed += not bad
    totals.times.append((name, took))
    say(f"   {'failed' if bad or rc else 'passed'} in {took:.0f} s")


def skip(name, reason):
    say(f"== {name}\n   skipped: {name}: {reason}")
    totals.skipped += 1


# ---- the steps ----

def make(*targets):
    return ["make", f"-j{CPUS}", *targets]


def configure(folder, *args):
    os.makedirs(folder, exist_ok=True)
    return ["sh", "-c", 'cd "$1" && shift && exec "$0" "$@"', os.path.join(TOP, "configure"), folder,
            "--enable-dev", *args]


def built():
    if not os.path.exists(os.path.join(TOP, "configure")):
        step("autoreconf", ["autoreconf", "-fi"])
    if not os.path.exists(os.path.join(BUILD, "penstock")):
        step("configure", configure(BUILD)) and step("build with gcc", make("all"), BUILD)
    if not os.path.exists(os.path.join(BUILD, "penstock")):
        raise Skip("nothing could be built")


def dist():
    """The archive of the tree, as `make dist` packs it."""
    built()
    path = [n for n in os.listdir(BUILD) if n.endswith(".tar.xz")]
    if not path:
        step("dist", make("dist"), BUILD)
        path = [n for n in os.listdir(BUILD) if n.endswith(".tar.xz")]
    if not path:
        raise Skip("there is no archive")
    return os.path.join(BUILD, path[0])


def toolchain():
    """PySpark and what the example needs, from PyPI: once for all whole-run tests."""
    built()
    home = os.path.join(WORK, "toolchain")
    prefix = os.path.join(home, "toolchains", "default")
    if not os.path.exists(os.path.join(prefix, ".penstock-toolchain")):
        penstock = os.path.join(BUILD, "penstock")
        shutil.rmtree(home, ignore_errors=True)
        step("toolchain", ["sh", "-ec", '"$0" init "$1" && exec "$0" -C "$1" toolchain make default "$2"', penstock,
                           home, os.path.join(TOP, "examples/toolchain.txt")], limit=15 * MINUTE)
    if not os.path.exists(os.path.join(prefix, ".penstock-toolchain")):
        raise Skip("there is no toolchain")
    return prefix


def pbt():
    """Prophecy's own tool from PyPI, once; where it cannot be had, what needs it is left out and says so."""
    prefix = os.path.join(WORK, "pbt")
    p = subprocess.run([sys.executable, os.path.join(TOP, "tests/support/pbt.py"), prefix], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, env=clean_env())
    if p.returncode:
        skip("pbt", (p.stderr or p.stdout).strip())
        return {"PENSTOCK_TEST_PBT": ""}
    return {"PENSTOCK_TEST_PBT": prefix}


def airflow():
    """Airflow 2 and 3 from PyPI, once; where they cannot be had, what needs them is left out and says so."""
    prefix = os.path.join(WORK, "airflow")
    for major in ("2", "3"):
        p = subprocess.run([sys.executable, os.path.join(TOP, "tests/support/airflow.py"), major, os.path.join(prefix, major)],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_env())
        if p.returncode:
            skip(f"Airflow {major}", (p.stderr or p.stdout).strip())
            return None
    return prefix


def do_check():
    built()
    step("make check", make("check"), BUILD)


def do_clang():
    built()
    folder = os.path.join(WORK, "clang")
    step("configure with clang", configure(folder, "CC=clang-14")) and \
        step("build with clang", make("all"), folder)


def do_lint():
    built()
    step("lint", make("lint"), BUILD)


def do_long():
    built()
    step("make check-long", make("check-long"), BUILD, 20 * MINUTE)


def do_sanitizers():
    prefix = toolchain()
    step("make check-sanitizers", make("check-sanitizers"), BUILD, 20 * MINUTE, {"PENSTOCK_TEST_TOOLCHAIN": prefix})


def do_valgrind():
    built()
    step("make check-valgrind", make("check-valgrind"), BUILD, 15 * MINUTE)


def do_e2e():
    prefix = toolchain()
    step("make e2e", make("e2e"), BUILD, 30 * MINUTE, {"PENSTOCK_TEST_TOOLCHAIN": prefix, **pbt()})


def do_airflow():
    built()
    prefix = airflow()
    if prefix:
        step("make airflow", make("airflow"), BUILD, 15 * MINUTE, {"PENSTOCK_TEST_AIRFLOW": prefix})


def do_kill():
    built()
    # each by itself while others push; with everything of the agent: `make kill` by itself
    step("make kill", make("kill"), BUILD, 40 * MINUTE, {"PENSTOCK_KILL_MODES": "alone"})
    tell(log_of("tests/e2e/killloop.py", BUILD), "points compiled in")


def do_bench():
    """Shortly: that the programs run and count right. Figures worth comparing come from `make bench` by itself."""
    built()
    name = "make bench, shortly"
    step(name, make("bench"), BUILD, 15 * MINUTE,
         {"PENSTOCK_BENCH_ROUNDS": "1", "PENSTOCK_BENCH_SECONDS": "1", **pbt()})
    tell(log_path(name), "  ")


def do_plain():
    """As a user without any right, in a folder whose path is 150 characters long. Who is one already runs
    distcheck as himself."""
    if not ROOT:
        built()
        step("make distcheck", make("distcheck"), BUILD, 15 * MINUTE)
        return None
    archive, prefix = dist(), toolchain()
    home = os.path.join(WORK, "plain")
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    shutil.copy(archive, home)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
    script = os.path.join(TOP, "tests/real/plain-user.sh")
    for what in ("distcheck", "e2e"):
        step(f"{what} as a plain user, long path",
             ["unshare", "--mount", script, home, prefix, what], limit=20 * MINUTE, logs=home)
    return None


def do_fuzz():
    """Shortly: the corpus, and what comes to mind in some seconds. `make fuzz FUZZ_SECONDS=600` looks longer."""
    built()
    name = "make fuzz, shortly"
    step(name, make("fuzz", "FUZZ_SECONDS=6"), BUILD, 10 * MINUTE)
    tell(log_path(name), tuple(f"{t}:" for t in ("project", "job", "wire", "hook", "config")))


def do_debian():
    if not ROOT:
        return skip("quickstart on a fresh Debian", "only root can make one in a folder")
    archive = dist()
    folder = os.path.join(WORK, "debian")
    step("quickstart on a fresh Debian", [os.path.join(TOP, "tests/real/debian.sh"), archive, folder],
         limit=30 * MINUTE)
    return None


STEPS = {
    "check": (do_check, "configure --enable-dev with gcc, make, make check"),
    "lint": (do_lint, "rules of the house, syntax of the scripts"),
    "clang": (do_clang, "the same build with clang, without a warning"),
    "long": (do_long, "make check-long: 100,000 histories of pushes against the merge rule, 1,000 deployments with a fault each"),
    "sanitizers": (do_sanitizers, "make check-sanitizers: address and undefined behaviour"),
    "valgrind": (do_valgrind, "make check-valgrind"),
    "fuzz": (do_fuzz, "make fuzz, shortly: project file, job JSON, frames, hook input, penstock.yml"),
    "e2e": (do_e2e, "make e2e: real pushes, sandboxes, Spark"),
    "airflow": (do_airflow, "make airflow: real Airflow 2 and 3 from PyPI: deployed, run, broken, mended, gone back"),
    "kill": (do_kill, "make kill: kill -9 at every durable write and every frame"),
    "bench": (do_bench, "make bench, shortly: figures, which never fail (only when named)"),
    "plain": (do_plain, "distcheck, and sandboxes without rights, as a plain user in a long path"),
    "debian": (do_debian, "./quickstart --once on a fresh Debian, twice, with sudo (root only)"),
}


BY_NAME = ("bench",)     # minutes of figures, which never fail: only when it is asked for


def prepare():
    os.makedirs(WORK, exist_ok=True)
    for name in os.listdir(WORK):
        if name not in ("toolchain", "pbt", "airflow"):	# made of pinned versions: as good as new
            path = os.path.join(WORK, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    for folder in (LOGS, TMP):
        os.makedirs(folder)
    os.chmod(TMP, 0o1777)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, stopped)


def stopped(sig, _):
    end_all()
    say(f"stopped by {signal.Signals(sig).name}")
    os._exit(128 + sig)


def main():
    wanted = sys.argv[2:]
    if wanted == ["--list"]:
        for name, (_, text) in STEPS.items():
            say(f"{name:10} {text}")
        return 0
    unknown = [w for w in wanted if w not in STEPS]
    if unknown:
        say(f"check: no step '{unknown[0]}'; see ./check --list")
        return 2
    prepare()
    for name, (run, _) in STEPS.items():
        if name in (wanted or [n for n in STEPS if n not in BY_NAME]):
            try:
                run()
            except Skip as e:
                say(f"   FAIL: {name}: {e}")
                totals.failed += 1
    total = sum(t for _, t in totals.times)
    say("\nSlowest: " + ", ".join(f"{n} {t:.0f} s" for n, t in sorted(totals.times, key=lambda x: -x[1])[:6]) +
        f"; all {total / 60:.1f} minutes")
    if totals.failed:
        say(f"logs: {LOGS}")
    more = f", {totals.skipped} skipped" if totals.skipped else ""
    say(f"{totals.passed} passed, {totals.failed} failed{more}")
    return 1 if totals.failed else 0


sys.exit(main())
