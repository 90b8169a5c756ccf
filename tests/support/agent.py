"""One instance of penstock as its users have it, for whole-run tests.

    with Instance(toolchain=PREFIX) as a:
        repo = a.repository("sales")
        clone = a.clone(repo, "ana")
        ...
        clone.push("HEAD:refs/heads/main")
        a.wait_event(lambda e: e["state"] == "done")

Judged by git, by the fabric's files and by the printed JSON; never by the store. Everything waits for
its condition with a limit and says what it saw when that runs out.
"""
import atexit
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import planted

LIMIT = float(os.environ.get("PENSTOCK_TEST_LIMIT", "400"))
BUILD = os.path.abspath(os.environ.get("PENSTOCK_BUILD", "."))
SRC = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))


plain = []      # the folder of plain_toolchain(), once it is made


class Failed(AssertionError):
    pass


def wait(what, condition, limit=None, every=0.05):
    """Returns the first true value of condition(); fails naming `what` when the limit runs out.

    What takes long is asked more and more seldom: asking starts a program, and what we wait for needs the
    processor too."""
    until = time.monotonic() + (limit or LIMIT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed(f"waited {limit or LIMIT:.0f} s in vain for: {what}")
        time.sleep(every)
        every = max(every, min(every * 1.25, 0.4))


def check(truth, text):
    if not truth:
        raise Failed(text)


def run(*args, cwd=None, env=None, expect=0, limit=None, stdin=None):
    """Runs a program to its end; expect None takes any exit status."""
    p = subprocess.run(args, cwd=cwd, env=env, input=stdin, capture_output=True, text=True,
                       timeout=limit or LIMIT)
    if expect is not None and p.returncode != expect:
        raise Failed(f"{' '.join(args)}: exit {p.returncode}, not {expect}\n{p.stdout}{p.stderr}")
    return p


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PENSTOCK_"))}
    for k in ("PENSTOCK_FAILPOINTS", "PENSTOCK_FAILPOINT_LOG"):
        if k in os.environ:
            env[k] = os.environ[k]
    env.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8", **more)
    return env


class Push:
    """What a push came to: exit code, the remote's lines without git's prefix and blanks, all of it."""

    def __init__(self, p):
        self.code, self.all = p.returncode, p.stderr + p.stdout
        self.lines = [l[len("remote:"):].strip() for l in self.all.replace("\r", "\n").split("\n")
                      if l.startswith("remote:")]
        self.text = "\n".join(self.lines)


class Clone:
    def __init__(self, path, who):
        self.path, self.who = path, who

    def git(self, *args, expect=0, env=None, limit=None):
        return run("git", "-C", self.path, "-c", f"user.name={self.who}", "-c", f"user.email={self.who}@example.net",
                   *args, expect=expect, env=clean_env(PENSTOCK_AS=self.who, **(env or {})), limit=limit)

    def write(self, path, text):
        full = os.path.join(self.path, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, path):
        with open(os.path.join(self.path, path), encoding="utf-8") as f:
            return f.read()

    def edit(self, path, old, new):
        text = self.read(path)
        check(old in text, f"{path} does not hold {old!r}")
        self.write(path, text.replace(old, new))

    def commit(self, message="change", *args):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, *args)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *refs, expect=0, limit=None, env=None):
        p = Push(self.git("push", "origin", *refs, expect=None, limit=limit, env=env))
        check(expect is None or (p.code == 0) == (expect == 0), f"push {refs}: exit {p.code}\n{p.all}")
        return p


class Instance:
    def __init__(self, toolchain=None, folder=None, env=None, programs=BUILD):
        self.programs = programs        # the folder that they lie in
        self.base = folder or tempfile.mkdtemp(prefix="penstock-test.")
        self.dir, self.toolchain, self.env = os.path.join(self.base, "instance"), toolchain, env or {}
        self.parent, self.searched = None, False
        args = ["init", self.dir] + (["--toolchain", toolchain] if toolchain else [])
        run(os.path.join(self.programs, "penstock"), *args, env=clean_env())
        os.chmod(self.base, 0o755)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.tell_logs()
        else:
            self.search_secrets()
        self.stop(audit=kind is None)
        self.remove()

    # ---- life ----

    def start(self, env=None, unless=lambda: False):
        """Waits until the agent answers, or until `unless` is true."""
        self.log = open(os.path.join(self.base, "agent.log"), "ab")
        self.parent = subprocess.Popen([os.path.join(self.programs, "penstockd"), self.dir], stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log, env=clean_env(**self.env, **(env or {})))
        wait("the agent answers", lambda: unless() or self.answers())

    def answers(self):
        if self.parent.poll() is not None:
            raise Failed(f"penstockd ended with {self.parent.returncode}")
        return self.penstock("status", "--json", expect=None).returncode == 0

    def processes(self, top=None):
        """Pids of the agent (or of `top`) and everything below it."""
        kids = {}
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat, encoding="utf-8", errors="replace") as f:
                    text = f.read()
            except OSError:
                continue
            pid, rest = int(text.split(" ", 1)[0]), text.rsplit(")", 1)[1].split()
            kids.setdefault(int(rest[1]), []).append(pid)
        found, todo = [], [top] if top else [self.parent.pid] if self.parent else []
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += kids.get(pid, [])
        return found

    def role(self, name):
        """Pid of a role."""
        def look():
            for pid in self.processes():
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as f:
                        if f.read().split(b"\0")[0].endswith(b"/penstock-" + name.encode()):
                            return pid
                except OSError:
                    pass
            return None
        return wait(f"role {name} runs", look)

    def kill_all(self):
        """kill -9 of the agent and everything it started."""
        pids = self.processes()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.parent.wait()
        self.parent = None
        self.log.close()

        def gone():
            return not any(os.path.exists(f"/proc/{p}") and not zombie(p) for p in pids)
        wait("all processes of the agent are gone", gone)

    def check_audit(self):
        """Whatever the test did: the audit is whole. Not asked while something of the agent stands still."""
        if "PENSTOCK_FAILPOINTS" in {**os.environ, **self.env} or any(stands_still(p) for p in self.processes()):
            return
        p = self.penstock("audit", "verify", expect=None, limit=20)
        check(p.returncode in (0, 3), f"the audit is not whole: {p.stdout}{p.stderr}")

    def stop(self, audit=True):
        if not self.parent:
            return
        if audit and self.parent.poll() is None:
            self.check_audit()
        if self.parent.poll() is None:
            self.parent.send_signal(signal.SIGCONT)
            self.parent.terminate()
            try:
                self.parent.wait(30)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise Failed("penstockd did not stop within 30 s") from None
        self.parent = None
        self.log.close()

    def search_secrets(self):
        """No secret that any test has planted is where somebody could read it, nor the key that signs."""
        bad = planted.search(self.base, self.dir, self.processes())
        self.searched = True
        check(not bad, f"a secret is in {bad}")

    def remove(self, search=True):
        if search and not self.searched and sys.exc_info()[0] is None:
            self.search_secrets()
        if not os.environ.get("PENSTOCK_TEST_KEEP"):
            shutil.rmtree(self.base, ignore_errors=False)

    def tell_logs(self):
        with open(os.path.join(self.base, "agent.log"), encoding="utf-8", errors="replace") as f:
            sys.stderr.write("---- agent.log, its end\n" + "".join(f.readlines()[-60:]) + "----\n")

    # ---- commands ----

    def penstock(self, *args, expect=0, limit=None, env=None):
        return run(os.path.join(self.programs, "penstock"), "-C", self.dir, *args, expect=expect, limit=limit,
                   env=clean_env(**(env or {})))

    def json(self, *args, expect=0):
        return json.loads(self.penstock(*args, "--json", expect=expect).stdout)

    def items(self, *args):
        return self.json(*args)["items"]

    def events(self, ref=None):
        """In the order of their numbers; those of one ref in their places: a late report may get one before others."""
        items = sorted(self.items("events"), key=lambda e: int(e["id"][1:]))
        if ref is None:
            return items
        items = [e for e in items if e["ref"] == ref]
        places = {}
        for e in sorted(items, key=lambda e: e["seq"]):
            places.setdefault(e["repository"], []).append(e)
        return [places[e["repository"]].pop(0) for e in items]

    def builds(self):
        return sorted(self.items("builds"), key=lambda b: int(b["id"][1:]))

    def wait_event(self, ref, new=None, states=("done",), limit=None):
        """The newest event of the ref, once it has one of the states."""
        def look():
            es = [e for e in self.events(ref) if new is None or e["new"] == new]
            return es[-1] if es and es[-1]["state"] in states else None
        try:
            return wait(f"event of {ref} is {' or '.join(states)}", look, limit, every=0.2)
        except Failed as e:
            why = self.penstock("why", ref, expect=None)
            raise Failed(f"{e}\n{why.stdout}{why.stderr}") from None

    # ---- repositories ----

    def repository(self, name, install=True, objects="sha1"):
        path = os.path.join(self.dir, "repos", name + ".git")
        run("git", "-c", "init.defaultBranch=main", "init", "-q", "--bare", "--object-format=" + objects, path,
            env=clean_env())
        run("git", "-C", path, "config", "core.logAllRefUpdates", "always", env=clean_env())
        if install:
            self.penstock("install", path)
        return path

    def clone(self, repo, who="ana"):
        path = os.path.join(self.base, f"clone-{who}-{len(os.listdir(self.base))}")
        objects = run("git", "-C", repo, "rev-parse", "--show-object-format", env=clean_env()).stdout.strip()
        run("git", "-c", "init.defaultBranch=main", "init", "-q", "--object-format=" + objects, path, env=clean_env())
        run("git", "-C", path, "remote", "add", "origin", repo, env=clean_env())
        return Clone(path, who)

    def example(self, repo, who="ana"):
        """A clone that holds the example project, committed."""
        c = self.clone(repo, who)
        shutil.copytree(os.path.join(SRC, "examples", "sales"), c.path, dirs_exist_ok=True)
        run("chmod", "-R", "u+w", c.path)	# the sources of a distcheck are read-only
        c.commit("The sales project")
        return c

    # ---- the fabric ----

    def fabric(self, name, *parts):
        return os.path.join(self.dir, "fabrics", name, *parts)

    def feed(self, name):
        """The example's input data into a fabric's data folder."""
        shutil.copytree(os.path.join(SRC, "examples", "data"), self.fabric(name, "data"), dirs_exist_ok=True)
        run("chmod", "-R", "u+w", self.fabric(name, "data"))

    def jobs(self, name, repo, project="."):
        """Rendered definitions in force: key to JSON."""
        top = os.path.normpath(self.fabric(name, "jobs", repo, project, "current"))
        found = {}
        for path in glob.glob(top + "/jobs/**/*.json", recursive=True):
            with open(path, encoding="utf-8") as f:
                found[os.path.relpath(path, top)[:-len(".json")]] = json.load(f)
        return found

    def snapshot(self, name, *without):
        """Every file below a fabric: path to (kind, mode, bytes or target)."""
        top, out = self.fabric(name), {}
        for folder, subs, names in os.walk(top):
            for n in names + [s for s in subs if os.path.islink(os.path.join(folder, s))]:
                path = os.path.join(folder, n)
                rel = os.path.relpath(path, top)
                if rel.split(os.sep)[0] in without:
                    continue
                if os.path.islink(path):
                    out[rel] = ("link", os.readlink(path))
                else:
                    with open(path, "rb") as f:
                        out[rel] = ("file", os.stat(path).st_mode & 0o777, f.read())
        return out

    def leftovers(self):
        """Temporary files and folders that nobody needs any more."""
        found = []
        for folder, subs, names in os.walk(self.dir):
            found += [os.path.join(folder, n) for n in subs + names if n.startswith(".tmp-")]
        for part in ("export", "build", "run"):
            top = os.path.join(self.dir, "work", part)
            found += [os.path.join(top, n) for n in (os.listdir(top) if os.path.isdir(top) else [])
                      if not n.startswith("toolchain-")]	# the digest, remembered
        return found


def stands_still(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "T"
    except OSError:
        return False


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def slept(pid):
    """How often the threads of a process have gone to sleep: as often as they were woken."""
    n = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path, encoding="utf-8") as f:
            n += sum(int(l.split()[1]) for l in f if l.startswith("voluntary_ctxt_switches"))
    return n


def pss(pid):
    """kB of memory, what is shared by its share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("Pss:"))


def program_of(pid):
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
        return os.path.basename(f.read().split("\0")[0])


def bare_toolchain(a):
    """In the instance's own folder: Python and nothing else, for pipelines that write their wheel themselves."""
    prefix = os.path.join(a.dir, "toolchains", "default")
    run("/usr/bin/python3", "-m", "venv", "--without-pip", prefix)
    with open(os.path.join(prefix, ".penstock-toolchain"), "w", encoding="utf-8") as f:
        f.write("penstock-toolchain 1\n")
    return prefix


def toolchain(spark=True):
    """The prefix that tests build with; without one the test cannot run and says so."""
    prefix = os.environ.get("PENSTOCK_TEST_TOOLCHAIN")
    if not prefix or not os.path.exists(os.path.join(prefix, "bin", "python")):
        print("SKIP: no toolchain: set PENSTOCK_TEST_TOOLCHAIN to a prefix made by 'penstock toolchain make'")
        sys.exit(77)
    return prefix


def plain_toolchain():
    """A prefix with Debian's setuptools and wheel and no Spark, made once for this run; else the test is skipped."""
    if run(os.path.join(BUILD, "sandbox_try"), "--probe", expect=None).returncode:
        print("SKIP: no sandbox on this machine")
        sys.exit(77)
    if run("/usr/bin/python3", "-c", "import setuptools, wheel", expect=None).returncode:
        print("SKIP: python3-setuptools and python3-wheel are not installed")
        sys.exit(77)
    if not plain:
        plain.append(tempfile.mkdtemp(prefix="penstock-toolchain."))
        os.chmod(plain[0], 0o755)
        atexit.register(shutil.rmtree, plain[0])
        run("/usr/bin/python3", "-m", "venv", "--system-site-packages", "--without-pip", os.path.join(plain[0], "plain"))
        with open(os.path.join(plain[0], "plain", ".penstock-toolchain"), "w", encoding="utf-8") as f:
            f.write("penstock-toolchain 1\n")
    return os.path.join(plain[0], "plain")


def main(*cases):
    """Runs the cases (all, or those named on the command line), prints each, exits."""
    wanted, bad = sys.argv[1:], 0
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            case()
            print(f"ok   {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except (Failed, subprocess.SubprocessError, OSError, KeyError, ValueError) as e:
            bad += 1
            print(f"FAIL {case.__name__}: {type(e).__name__}: {e}", flush=True)
    sys.exit(1 if bad else 0)
