#!/usr/bin/python3
"""The build role from outside: started as its parent would, asked as core would; no Spark.

    tests/e2e/buildrole.py [WORD]    runs the cases whose name holds WORD; cwd is the build folder

Wheels are built with Debian's setuptools and wheel; where they are not installed those cases are
skipped and said so. Exit status 77 where no sandbox can be made.
"""
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True      # the source folder may be read-only
sys.path.insert(0, os.path.join(SRC, "tests", "support"))
import wire  # noqa: E402

BUILD = os.path.abspath("penstock-build")
PYTHON = "/usr/bin/python3"
YAML = """teams:
  developers: { members: [ana] }
fabrics:
  development: { id: 1174, owner: developers, provider: local }
environments:
  - { name: development, refs: [refs/heads/main], fabric: development, deploy: auto }
repositories:
  roots: [{ path: %s, identity: uid, hook_users: ['%d'] }]
builders:
  default: { time: %s, quiet: 20s, memory: 1G, disk: 64M, processes: 300, output: 1M }
"""
SETUP = """from setuptools import setup
setup(name="orders", version="1.0", packages=["orders"],
      entry_points={"console_scripts": ["main = orders.pipeline:main"]})
"""
PIPELINE = """import os, sys
def main():
    print("arguments", sys.argv[1:])
    open("/dbfs/data/" + sys.argv[2], "w").write(open("/dbfs/FileStore/given").read())
"""
MARKS = []      # of the instances of this run, as their cgroups are named
WHEEL = "orders-1.0-py3-none-any.whl"


def alive(*words):
    """Processes with exactly this command line; for one word: with it anywhere in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                line = f.read()
        except OSError:
            continue
        if line == "".join(w + "\0" for w in words) or len(words) == 1 and words[0] in line:
            found.append(int(pid))
    return found


def until(what, test, limit=20):
    end = time.monotonic() + limit
    while not test():
        assert time.monotonic() < end, f"{what}: not within {limit} s"
        time.sleep(0.01)


def oid(kind, data):
    return hashlib.sha1(b"%s %d\0" % (kind, len(data)) + data).digest()


def tree_oid(path):
    """git's name of a folder, independently of ours; None when it holds nothing."""
    entries = []
    for name in os.listdir(path):
        full = os.path.join(path, name)
        if os.path.islink(full):
            entries.append((name.encode(), b"120000", oid(b"blob", os.readlink(full).encode())))
        elif os.path.isdir(full):
            sub = tree_oid(full)
            if sub:
                entries.append((name.encode() + b"/", b"40000", sub))
        else:
            mode = b"100755" if os.stat(full).st_mode & 0o100 else b"100644"
            with open(full, "rb") as f:
                entries.append((name.encode(), mode, oid(b"blob", f.read())))
    if not entries:
        return None
    return oid(b"tree", b"".join(m + b" " + n.rstrip(b"/") + b"\0" + o for n, m, o in sorted(entries)))


class World:
    def __init__(self, time_limit="60s"):
        self.top = tempfile.mkdtemp(prefix="penstock-buildrole-")
        os.chmod(self.top, 0o755)
        for name in ("artifacts", "logs", "work/export", "work/build", "toolchains", "state", "repos"):
            os.makedirs(f"{self.top}/{name}")
        self.yaml = YAML % (f"{self.top}/repos", os.getuid(), time_limit)
        with open(f"{self.top}/penstock.yml", "w") as f:
            f.write(self.yaml)
        self.n = 0
        MARKS.append(hashlib.sha256(f"{self.top}/work/build".encode()).hexdigest()[:16])
        self.start()

    def close(self):
        self.role.stop()
        shutil.rmtree(self.top)

    def toolchain(self, name="default", marker=True):
        prefix = f"{self.top}/toolchains/{name}"
        subprocess.run([PYTHON, "-m", "venv", "--system-site-packages", "--without-pip", prefix], check=True)
        if marker:
            with open(f"{prefix}/.penstock-toolchain", "w") as f:
                f.write("penstock-toolchain 1\n")
        return prefix

    def start(self, **more):
        """A role whose start is over: until then it empties work/export."""
        self.role = wire.Role(BUILD, self.top, self.yaml, **more)
        self.query()

    def query(self, name=None):
        self.n += 1
        more = {"name": name} if name else {}
        return self.role.ask("toolchain_query", id=self.n, **more)

    def export(self, files):
        """Writes an export; returns its folder and what the key says of it."""
        self.n += 1
        dest = f"{self.top}/work/export/e{self.n}"
        for path, text in {"pbt_project.yml": "name: sales\n", "functions/f.py": "x = 1\n", **files}.items():
            os.makedirs(os.path.dirname(f"{dest}/{path}"), exist_ok=True)
            with open(f"{dest}/{path}", "w") as f:
                f.write(text)
        inputs = [{"path": p, "oid": tree_oid(f"{dest}/{p}").hex(), "is_dir": True}
                  for p in ("functions", "pipelines/orders")]
        return dest, inputs

    def build(self, files, change=None, **fields):
        """One build; change(dest) may spoil the export after its inputs were named."""
        dest, inputs = self.export(files)
        if change:
            change(dest)
        self.n += 1
        message = {"build": self.n, "fence": 7, "slot": 0, "export": dest, "pipeline": "pipelines/orders",
                   "wheel": WHEEL, "prefix": f"{self.top}/toolchains/default",
                   "log": f"{self.top}/logs/b{self.n}.log", "inputs": inputs, **fields}
        self.role.send("build_start", **message)
        end = self.role.recv()
        assert end["type"] == "build_end" and end["build"] == self.n and end["fence"] == 7, end
        assert not os.path.exists(dest), "the export is eaten"
        left = [x for x in os.listdir(f"{self.top}/work/build") if not x.startswith("toolchain-")]
        assert not left, left
        return end

    def log(self, number=None, part=""):
        with open(f"{self.top}/logs/b{number or self.n}.log{part}", "rb") as f:
            return f.read()

    def artifact(self, digest):
        path = f"{self.top}/artifacts/{digest[:2]}/{digest[2:]}"
        with open(path, "rb") as f:
            data = f.read()
        assert hashlib.sha256(data).hexdigest() == digest
        assert os.stat(path).st_mode & 0o777 == 0o444
        return data

    def artifacts(self):
        return sorted(n for _, _, names in os.walk(f"{self.top}/artifacts") for n in names)


def project(setup=SETUP, pipeline=PIPELINE):
    return {"pipelines/orders/code/setup.py": setup, "pipelines/orders/code/orders/__init__.py": "",
            "pipelines/orders/code/orders/pipeline.py": pipeline}


# ---- toolchains ----

def toolchain_is_found(w):
    i = w.query()
    assert "there is no toolchain" in i["problem"] and "penstock toolchain make" in i["problem"], i
    assert "sandbox_problem" not in i, i
    w.toolchain("one", marker=False)
    assert "'one' was not finished" in w.query()["problem"]
    shutil.rmtree(f"{w.top}/toolchains/one")
    one = w.toolchain("one")
    i = w.query()
    assert i["name"] == "one" and i["prefix"] == one and re.fullmatch("[0-9a-f]{64}", i["digest"]), i
    w.toolchain("two")
    assert "none is called 'default'" in w.query()["problem"]
    assert w.query("two")["name"] == "two"
    assert "toolchain three: make it with" in w.query("three")["problem"]
    w.toolchain("default")
    assert w.query()["name"] == "default"
    os.unlink(f"{w.top}/toolchains/default/bin/python")
    assert "no bin/python" in w.query()["problem"]
    w.yaml += f"toolchains: {{ default: {{ prefix: {one} }} }}\n"
    assert w.role.configure(w.yaml) is None
    assert w.query()["prefix"] == one, "the configuration wins"


def toolchain_digest_is_of_content(w):
    prefix = w.toolchain()
    lib = f"{prefix}/lib/python3.{sys.version_info[1]}/site-packages"
    lib = lib if os.path.isdir(lib) else subprocess.run(["find", prefix, "-name", "site-packages"],
                                                        capture_output=True, text=True).stdout.split()[0]
    first = w.query()["digest"]
    assert w.query()["digest"] == first
    os.utime(f"{prefix}/pyvenv.cfg", (1, 1))
    assert w.query()["digest"] == first, "a time alone is not content"
    for change in (lambda: open(f"{lib}/x.py", "w").write("x = 1\n"),
                   lambda: open(f"{lib}/x.py", "w").write("x = 2\n"),
                   lambda: os.chmod(f"{lib}/x.py", 0o755),
                   lambda: os.rename(f"{lib}/x.py", f"{lib}/y.py"),
                   lambda: os.symlink("y.py", f"{lib}/z.py")):
        change()
        now = w.query()["digest"]
        assert now != first, "changed content, same digest"
        first = now


def toolchain_make_refuses(w):
    def make(name, file):
        return subprocess.run([BUILD, "--make-toolchain", w.top, name, file], capture_output=True, text=True)
    p = make("../x", "/dev/null")
    assert p.returncode == 1 and "is no name for a toolchain" in p.stderr, p
    p = make("x", f"{w.top}/absent")
    assert p.returncode == 1 and "cannot read" in p.stderr, p
    assert subprocess.run([BUILD, "--make-toolchain"], capture_output=True).returncode == 2


# ---- builds ----

def wheel_is_built_and_sealed(w):
    w.toolchain()
    end = w.build(project())
    assert end["state"] == "passed" and end["name"] == WHEEL, (end, w.log())
    data = w.artifact(end["digest"])
    assert len(data) == end["size"]
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert "orders/pipeline.py" in names, names
    for line in w.log().splitlines():
        assert re.match(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z .", line), line
    assert b"penstock: building pipelines/orders" in w.log()
    # again, in another slot, from files with other modes and times: the same bytes
    def other(dest):
        for folder, _, names in os.walk(dest):
            for n in names:
                os.chmod(f"{folder}/{n}", 0o664)
                os.utime(f"{folder}/{n}", (10 ** 9, 10 ** 9))
    again = w.build(project(), change=other, slot=3)
    assert again["state"] == "passed" and again["digest"] == end["digest"], again


def impure_setup_sees_nothing_of_us(w):
    w.toolchain()
    impure = SETUP.replace("setup(", "import os, socket, getpass, sys, time\nsetup(description=repr(("
                           "os.getcwd(), socket.gethostname(), sorted(os.environ.items()), sys.prefix,"
                           "[os.stat(p).st_mtime for p in ('setup.py', 'orders')], os.listdir('..'),"
                           "os.listdir('/'), os.umask(0o22))),\n", 1)
    one = w.build(project(impure))
    two = w.build(project(impure))
    assert one["state"] == two["state"] == "passed", (one, two)
    assert one["digest"] == two["digest"]
    assert w.top.encode() not in w.artifact(one["digest"])


def broken_build_fails_with_its_last_lines(w):
    w.toolchain()
    end = w.build(project("import sys\nfor i in range(100): print('line', i)\nraise SystemExit('no such thing')\n"))
    assert end["state"] == "failed" and "setup.py: exit status 1" in end["reason"], end
    assert "no such thing" in end["last_lines"] and "line 99" in end["last_lines"], end
    assert "line 10\n" not in end["last_lines"]
    end = w.build(project("def broken(:\n"))
    assert end["state"] == "failed" and "SyntaxError" in end["last_lines"], end
    end = w.build(project("import os; os.kill(os.getpid(), 9)"))
    assert end["state"] == "failed" and "killed by signal 9" in end["reason"], end
    end = w.build({"pipelines/orders/code/README": "none"})
    assert end["state"] == "failed" and "setup.py" in end["last_lines"], end
    assert w.artifacts() == []


OUTPUTS = [
    ("open('/out/a-1-py3-none-any.whl', 'w')", "expected 'orders-1.0"),
    ("open('/out/%s', 'w'); open('/out/x', 'w')" % WHEEL, "left 2 files"),
    ("pass", "left no file"),
    ("import os; os.symlink('/etc/passwd', '/out/%s')" % WHEEL, "not a regular file"),
    ("import os; os.mkfifo('/out/%s')" % WHEEL, "not a regular file"),
    ("import os; os.mkdir('/out/%s')" % WHEEL, "not a regular file"),
    ("open('/out/.hidden.whl', 'w')", "is not the name of"),
    ("open('/out/a b\\n.whl', 'w')", "is not the name of"),
]


def only_the_expected_file_is_taken(w):
    w.toolchain()
    for text, want in OUTPUTS:
        end = w.build(project(text + "\n"))
        assert end["state"] == "failed" and want in end["reason"], (text, end)
    assert w.artifacts() == []


def export_must_be_what_the_key_says(w):
    w.toolchain()

    def write(path, text="x"):
        def change(dest):
            os.makedirs(os.path.dirname(f"{dest}/{path}"), exist_ok=True)
            with open(f"{dest}/{path}", "w") as f:
                f.write(text)
        return change
    for change, want in ((write("pipelines/orders/code/setup.py"), "'pipelines/orders' is"),
                         (write("functions/g.py"), "'functions' is"),
                         (write("pipelines/other/x"), "'pipelines/other' is in the export"),
                         (write("secret"), "'secret' is in the export"),
                         (lambda d: shutil.rmtree(f"{d}/functions"), "functions"),
                         (lambda d: os.chmod(f"{d}/functions/f.py", 0o755), "'functions' is"),
                         (lambda d: os.unlink(f"{d}/pbt_project.yml"), "pbt_project.yml")):
        end = w.build(project(), change=change)
        assert end["state"] != "passed" and want in end["reason"], (want, end)
    digest = hashlib.sha256(b"name: sales\n").hexdigest()
    assert w.build(project(), project_digest="0" * 64)["state"] == "failed"
    assert "is not the one" in w.build(project(), toolchain="0" * 64)["reason"]
    end = w.build(project(), project_digest=digest, toolchain=w.query()["digest"])
    assert end["state"] == "passed", end


def limits_end_a_build(w):
    w.toolchain()
    end = w.build(project("import time\nwhile True: print('tick', flush=True); time.sleep(.1)\n"))
    assert end["state"] == "failed" and "not done after 2 s, stopped" in end["reason"], end
    assert "tick" in end["last_lines"]
    end = w.build(project("for i in range(40000): print('x' * 100)\nraise SystemExit('the end')\n"))
    parts = [w.log(part=n) for n in ("", ".1", ".2")]
    assert len(parts[0]) > 500000 and sum(map(len, parts)) < 1100000, list(map(len, parts))
    assert re.match(rb"penstock: this log goes on here at its byte [0-9]+\n", parts[1]), parts[1][:80]
    assert any(b"the end" in p for p in parts[1:]) and b"the end" not in parts[0], "the end is kept"
    assert "the end" in end["last_lines"], "the last lines are known past the limit"


limits_end_a_build.time_limit = "2s"


# configuration, what the code does, the reason it ends with; the same for builds and for tests
LIMITS = [
    ("time: 60s", "time: 3s", "import time\nwhile True: print('tick', flush=True); time.sleep(.1)\n", "not done after 3 s, stopped"),
    ("quiet: 20s", "quiet: 3s", "import time; time.sleep(100)\n", "no output for 3 s, stopped"),
    ("memory: 1G", "memory: 100M", "a = b'x' * (1 << 30)\nimport time; time.sleep(100)\n", " of 100 MB, stopped"),
    ("disk: 64M", "disk: 64M", "open('/tmp/f', 'wb').write(b'x' * (65 << 20))\n", "disk: 64 MB of 64 MB in /tmp"),
    ("disk: 64M", "disk: 64M", "for i in range(20): open(f'/out/f{i}', 'wb').write(b'x' * (4 << 20))\n"
     "import time; time.sleep(100)\n", " of 64 MB written, stopped"),
    ("processes: 300", "processes: 40", "import subprocess, time\nv = []\ntry:\n"
     "    while True: v.append(subprocess.Popen(['/bin/sleep', '60']))\n"
     "except OSError:\n    print('no more', flush=True); time.sleep(2); raise SystemExit(1)\n",
     "the limit of 40 processes was reached"),
]


def every_limit_is_named(w):
    w.toolchain()
    for old, new, text, want in LIMITS:
        assert w.role.configure(w.yaml.replace(old, new)) is None
        end = w.build(project(text))
        assert end["state"] == "failed" and end["reason"].startswith("setup.py: ") and want in end["reason"], (new, end)


# ---- runs ----

def make_wheel(name, code, entry="main = {0}:main"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr(f"{name}/__init__.py", code)
        z.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        if entry:
            z.writestr(f"{name}-1.0.dist-info/entry_points.txt", f"[console_scripts]\n{entry.format(name)}\n")
    return data.getvalue()


class Fabric:
    def __init__(self, w):
        self.w = w
        self.top = f"{w.top}/fabrics/development"
        os.makedirs(f"{self.top}/FileStore/wheels")
        with open(f"{self.top}/FileStore/given", "w") as f:
            f.write("given")
        self.tasks = []

    def task(self, key, code, after=(), parameters=(), entry="main = {0}:main", digest=None, package=None):
        data = make_wheel(key, code, entry)
        with open(f"{self.top}/FileStore/wheels/{key}.whl", "wb") as f:
            f.write(data)
        self.tasks.append({"key": key, "package": package or key, "entry": "main", "wheel": f"wheels/{key}.whl",
                           "digest": digest or hashlib.sha256(data).hexdigest(),
                           "parameters": list(parameters), "after": list(after)})

    def start(self):
        self.w.n += 1
        self.w.role.send("run_start", run=self.w.n, fence=3, slot=0, fabric_dir=self.top,
                         prefix=f"{self.w.top}/toolchains/default", log_dir=f"{self.w.top}/logs/x", tasks=self.tasks)

    def run(self):
        self.start()
        states = []
        while True:
            m = self.w.role.recv()
            if m["type"] == "run_end":
                return m, states
            assert m["type"] == "task_state" and m["fence"] == 3 and m["at_ms"] > 10 ** 12, m
            states.append(m)

    def log(self, key):
        with open(f"{self.w.top}/logs/x/{key}.log") as f:
            return f.read()


def finals(states):
    return {m["task"]: m["state"] for m in states}


def run_in_dependency_order(w):
    w.toolchain()
    f = Fabric(w)
    f.task("late", PIPELINE, after=["early"], parameters=["-i", "made", "-O", "{}"])
    f.task("early", "import os\ndef main():\n    open('/dbfs/data/made', 'w').write('early')\n"
                    "    os.makedirs('/tmp/x/y'); print('nearly'); print('done\\rreally')\n")
    end, states = f.run()
    assert end["state"] == "passed" and "reason" not in end, (end, states, f.log("early"))
    assert [(m["task"], m["state"]) for m in states if m["state"] != "running"] == [
        ("early", "passed"), ("late", "passed")]
    assert [m for m in states if m["task"] == "early"][-1]["last"] == "really"
    assert open(f"{f.top}/data/made").read() == "given", "late has overwritten what early wrote"
    assert "arguments ['-i', 'made', '-O', '{}']" in f.log("late")


def failed_task_ends_what_needs_it(w):
    w.toolchain()
    f = Fabric(w)
    f.task("a", "def main():\n    print('before')\n    raise ValueError('bad row')\n")
    f.task("b", "def main(): pass\n", after=["a"])
    f.task("c", "def main(): pass\n", after=["b"])
    f.task("d", "def main(): return 0\n")
    f.task("e", "def main(): return 3\n")
    end, states = f.run()
    assert end["state"] == "failed" and end["reason"].startswith("task 'a': exit status 1"), end
    assert finals(states) == {"a": "failed", "b": "upstream failed", "c": "upstream failed",
                              "d": "passed", "e": "failed"}, finals(states)
    a = [m for m in states if m["task"] == "a"][-1]
    assert a["last"] == "ValueError: bad row" and a["reason"] == "exit status 1", a
    assert "needs 'a'" in [m for m in states if m["task"] == "b"][-1]["reason"]
    assert "exit status 3" in [m for m in states if m["task"] == "e"][-1]["reason"]


def deployed_wheel_is_checked_first(w):
    w.toolchain()
    f = Fabric(w)
    f.task("a", "open('/dbfs/data/ran', 'w')\ndef main(): pass\n", digest="0" * 64)
    f.task("b", "def main(): pass\n")
    f.tasks[1]["wheel"] = "../../../penstock.yml"
    end, states = f.run()
    assert end["state"] == "failed" and "not run" in end["reason"], end
    assert "is not a path of FileStore" in [m for m in states if m["task"] == "b"][-1]["reason"]
    assert not os.path.exists(f"{f.top}/data/ran")
    os.symlink("a.whl", f"{f.top}/FileStore/wheels/link.whl")
    f.tasks = [{**f.tasks[0], "wheel": "wheels/link.whl"}]
    assert f.run()[0]["state"] == "failed"


def entry_point_or_function(w):
    w.toolchain()
    f = Fabric(w)
    f.task("by_group", "def go(): print('by group')\n", entry="main = {0}:go")
    f.task("by_name", "def main(): print('by name')\n", entry=None)
    f.task("neither", "x = 1\n", entry=None)
    end, states = f.run()
    assert finals(states) == {"by_group": "passed", "by_name": "passed", "neither": "failed"}
    assert "by group" in f.log("by_group") and "by name" in f.log("by_name")
    assert "has no entry point 'main'" in f.log("neither")


def task_can_only_write_its_data(w):
    w.toolchain()
    f = Fabric(w)
    f.task("a", "import os\ndef main():\n"
                "    for p in ('/dbfs/FileStore/x', '/dbfs/x', '/toolchain/x', '/task.py', '/x'):\n"
                "        try: open(p, 'w'); print('WROTE', p)\n"
                "        except OSError: pass\n"
                "    open('/dbfs/data/x', 'w').write('mine')\n")
    end, _ = f.run()
    assert end["state"] == "passed" and "WROTE" not in f.log("a"), f.log("a")
    assert os.listdir(f"{f.top}/FileStore") == ["given", "wheels"] or sorted(
        os.listdir(f"{f.top}/FileStore")) == ["given", "wheels"]


def last_line_is_told_while_it_runs(w):
    w.toolchain()
    f = Fabric(w)
    f.task("a", "import os, time\ndef main():\n    print('waiting')\n"
                "    while not os.path.exists('/dbfs/data/go'): time.sleep(.05)\n    print('went')\n")
    f.start()
    while True:
        m = w.role.recv()
        if m["state"] == "running" and m.get("last") == "waiting":
            break
    open(f"{f.top}/data/go", "w").close()
    states = []
    while m["type"] != "run_end":
        m = w.role.recv()
        states.append(m)
    assert m["state"] == "passed" and states[-2]["last"] == "went", states


# ---- the role ----

def sleeper(mark):
    return f"import os, subprocess\nsubprocess.run(['/bin/sleep', '{mark}'])\n"


def nothing_survives(w, how):
    w.toolchain()
    mark = f"5{os.getpid()}{len(how)}"
    f = Fabric(w)
    f.task("a", f"import subprocess\ndef main(): subprocess.run(['/bin/sleep', '{mark}'])\n")
    f.start()
    dest, inputs = w.export(project(sleeper(mark)))
    w.role.send("build_start", build=1, fence=1, slot=0, export=dest, pipeline="pipelines/orders", wheel=WHEEL,
                prefix=f"{w.top}/toolchains/default", log=f"{w.top}/logs/b1.log", inputs=inputs)
    until("both run", lambda: len(alive("/bin/sleep", mark)) == 2)
    if how == "kill":
        w.role.kill()
        until("nothing survives a killed role", lambda: not alive(mark) and not alive(w.top))
    elif how == "stop":
        assert w.role.stop() == 0
        assert not alive(mark) and not alive(w.top), "a stopped role ends after its sandboxes"
    else:
        w.role.parent.close()
        w.role.wait()
        assert not alive(mark), "the parent is gone"
        w.role.parent = None
    assert w.top not in open("/proc/self/mountinfo").read()
    w.start()
    w.query()       # its start is over when it answers
    left = [x for x in os.listdir(f"{w.top}/work/build") if not x.startswith("toolchain-")]
    assert not left, left


def nothing_survives_kill(w):
    nothing_survives(w, "kill")


def nothing_survives_stop(w):
    nothing_survives(w, "stop")


def nothing_survives_the_parent(w):
    nothing_survives(w, "parent")


def killed_job_is_answered_for(w):
    w.toolchain()
    mark = f"6{os.getpid()}"
    dest, inputs = w.export(project(sleeper(mark)))
    w.role.send("build_start", build=5, fence=2, slot=0, export=dest, pipeline="pipelines/orders", wheel=WHEEL,
                prefix=f"{w.top}/toolchains/default", log=f"{w.top}/logs/b5.log", inputs=inputs)
    until("it runs", lambda: alive("/bin/sleep", mark))
    os.kill(w.role.children()[0], signal.SIGKILL)
    end = w.role.recv()
    assert end["state"] == "again" and "killed by signal 9" in end["reason"] and end["build"] == 5, end
    until("nothing survives", lambda: not alive("/bin/sleep", mark))


def sandbox_killed_at_any_moment_leaves_nothing(w):
    """bubblewrap binds its inner process to the outer one late: before that a kill leaves it behind."""
    w.toolchain()
    for n in range(12):
        mark = f"7{os.getpid()}"
        f = Fabric(w) if n == 0 else f
        if n == 0:
            f.task("a", f"import subprocess\ndef main(): subprocess.run(['/bin/sleep', '{mark}'])\n")
        f.start()
        until("a job", w.role.children)
        time.sleep(n * 0.002)
        os.kill(w.role.children()[0], signal.SIGKILL)
        while w.role.recv()["type"] != "run_end":
            pass
        assert not w.role.children() and not alive("/bin/sleep", mark), (n, w.role.children())
    for n in range(8):
        f.start()
        until("a job", w.role.children)
        time.sleep(n * 0.0025)
        w.role.kill()
        w.start()
        w.query()
        left = marked(w)
        assert not left, left


def marked(w):
    """Living processes that carry the instance's mark."""
    mark = b"PENSTOCK_SANDBOX=" + hashlib.sha256(f"{w.top}/work/build".encode()).hexdigest()[:16].encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if mark in f.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def several_at_once(w):
    w.toolchain()
    for n in (1, 2, 3):
        dest, inputs = w.export(project())
        w.role.send("build_start", build=100 + n, fence=1, slot=n, export=dest, pipeline="pipelines/orders", wheel=WHEEL,
                    prefix=f"{w.top}/toolchains/default", log=f"{w.top}/logs/b{n}.log", inputs=inputs)
    ends = [w.role.recv() for _ in range(3)]
    assert sorted(e["build"] for e in ends) == [101, 102, 103]
    assert len({e["digest"] for e in ends}) == 1 and len(w.artifacts()) == 1


def failed_seal_is_ours(w):
    w.toolchain()
    w.role.stop()
    for point in ("build.seal", "fs.rename"):
        w.start(env={**os.environ, "PENSTOCK_FAILPOINTS": f"{point}=EIO"})
        end = w.build(project())
        assert end["state"] == "again" and "Input/output error" in end["reason"], end
        assert w.artifacts() == [], w.artifacts()
        w.role.stop()
    w.start()
    assert w.build(project())["state"] == "passed"


NEED_WHEEL = {wheel_is_built_and_sealed, impure_setup_sees_nothing_of_us, export_must_be_what_the_key_says,
              several_at_once, failed_seal_is_ours}
CASES = [toolchain_is_found, toolchain_digest_is_of_content, toolchain_make_refuses, wheel_is_built_and_sealed,
         impure_setup_sees_nothing_of_us, broken_build_fails_with_its_last_lines, only_the_expected_file_is_taken,
         export_must_be_what_the_key_says, limits_end_a_build, every_limit_is_named, run_in_dependency_order,
         failed_task_ends_what_needs_it, deployed_wheel_is_checked_first, entry_point_or_function,
         task_can_only_write_its_data, last_line_is_told_while_it_runs, nothing_survives_kill,
         nothing_survives_stop, nothing_survives_the_parent, killed_job_is_answered_for,
         sandbox_killed_at_any_moment_leaves_nothing, several_at_once,
         failed_seal_is_ours]


def main():
    if subprocess.run(["./sandbox_try", "--probe"], stdout=subprocess.DEVNULL).returncode:
        print("skipped: no sandbox on this machine")
        return 77
    have = subprocess.run([PYTHON, "-c", "import setuptools, wheel"], stderr=subprocess.DEVNULL).returncode == 0
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for case in CASES:
        if word not in case.__name__:
            continue
        if case in NEED_WHEEL and not have:
            print(f"skip {case.__name__}: python3-setuptools and python3-wheel are not installed", flush=True)
            continue
        w = World(getattr(case, "time_limit", "60s"))
        try:
            began = time.monotonic()
            case(w)
            print(f"ok   {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            w.close()
    marks = ["/penstock-" + m for m in MARKS]
    left = [d for d, _, _ in os.walk("/sys/fs/cgroup") if any(m in d for m in marks)]
    assert not left, left
    return 0


if __name__ == "__main__":
    sys.exit(main())
