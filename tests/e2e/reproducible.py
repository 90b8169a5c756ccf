#!/usr/bin/python3
"""Same inputs, same bytes: each row of the table "What makes two wheels differ" (design: BUILDS) is a case.

Each is shown twice: outside, by plain runs of `setup.py bdist_wheel`, where it must come out as the table says
(else the case would prove nothing), and by penstock's build role, where the bytes must be the same, or be another
key's. Keys themselves are tried by pushes in tests/e2e/keys.py.

Needs /usr/bin/python3 with setuptools 66 and wheel 0.38; exit status 77 without them or without a sandbox.
"""
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import check, main, plain_toolchain, run  # noqa: E402
from buildrole import PIPELINE, SETUP, World, project  # noqa: E402

EPOCH = "315532800"
PLAIN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
FIND = SETUP.replace("import setup", "import find_packages, setup").replace('["orders"]', "find_packages()")


class Outside:
    """A folder in which somebody builds by hand."""

    def __init__(self, files, name="work"):
        self.top = tempfile.mkdtemp(prefix="penstock-by-hand.")
        self.dir = os.path.join(self.top, name)
        for path, text in files.items():
            self.write(path, text)

    def write(self, path, text):
        full = os.path.join(self.dir, path.replace("pipelines/orders/code/", ""))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def wheel(self, python=None, umask=0o022, wrap=(), **env):
        shutil.rmtree(os.path.join(self.dir, "dist"), ignore_errors=True)
        p = subprocess.run([*wrap, python or os.path.join(plain_toolchain(), "bin", "python"), "setup.py", "-q", "bdist_wheel"],
                           cwd=self.dir, env={**PLAIN, **env}, umask=umask, capture_output=True, text=True, timeout=120)
        check(p.returncode == 0, p.stdout + p.stderr)
        (name,) = os.listdir(os.path.join(self.dir, "dist"))
        with open(os.path.join(self.dir, "dist", name), "rb") as f:
            return f.read()

    def remove(self):
        shutil.rmtree(self.top)


def by_hand(files, *runs, folder=("work", "work")):
    """Are the wheels of two runs, each in a fresh folder, the same?"""
    wheels = []
    for options, name in zip(runs, folder):
        o = Outside(files, name)
        try:
            wheels.append(o.wheel(**options))
        finally:
            o.remove()
    return wheels[0] == wheels[1]


class Inside:
    """The build role, as its parent starts it: its own environment, umask and folder are the caller's choice."""

    def __init__(self, umask=0o022, toolchain=None, **env):
        self.w = World()
        shutil.copytree(toolchain or plain_toolchain(), f"{self.w.top}/toolchains/default", symlinks=True)
        self.w.role.stop()
        before = os.umask(umask)
        try:
            self.w.start(env={**os.environ, **env})
        finally:
            os.umask(before)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.w.close()

    def end(self, files, **fields):
        return self.w.build(files, **fields)

    def wheel(self, files, **fields):
        end = self.end(files, **fields)
        check(end["state"] == "passed", f"{end}\n{self.w.log().decode()}")
        return self.w.artifact(end["digest"])

    def digest(self):
        return self.w.query()["digest"]


def inside_same(files, **env):
    with Inside() as one, Inside(**env) as other:
        return one.wheel(files) == other.wheel(files)


def other_zip_time():
    """Zip entries count in steps of two seconds."""
    now = int(time.time()) // 2
    while int(time.time()) // 2 == now:
        time.sleep(0.05)


# ---- one case per row ----

def time_without_epoch():
    files = project()
    one, other = Outside(files), Outside(files)
    first = one.wheel()
    other_zip_time()
    check(first != other.wheel(), "outside: two runs at other times are the same")
    one.remove()
    other.remove()
    with Inside() as i:
        first = i.wheel(files)
        other_zip_time()
        check(first == i.wheel(files), "inside: two runs at other times differ")
        dates = {e.date_time for e in zipfile.ZipFile(io.BytesIO(first)).infolist()}
        check(dates == {(1980, 1, 1, 0, 0, 0)}, f"times of entries: {dates}")


def time_with_epoch():
    files = project()
    one, other = Outside(files), Outside(files)
    first = one.wheel(SOURCE_DATE_EPOCH=EPOCH)
    other_zip_time()
    check(first == other.wheel(SOURCE_DATE_EPOCH=EPOCH), "outside: differ in spite of SOURCE_DATE_EPOCH")
    one.remove()
    other.remove()
    check(inside_same(files, SOURCE_DATE_EPOCH="1700000000"), "inside: the caller's SOURCE_DATE_EPOCH shows")


def zone_locale_seed_folder():
    files, fixed = project(), {"SOURCE_DATE_EPOCH": EPOCH}
    for name, value in (("TZ", "Pacific/Auckland"), ("LC_ALL", "POSIX"), ("PYTHONHASHSEED", "7")):
        check(by_hand(files, fixed, {**fixed, name: value}), f"outside: {name} makes a difference")
        check(inside_same(files, **{name: value}), f"inside: {name} makes a difference")
    check(by_hand(files, fixed, fixed, folder=("work", "another/place")), "outside: the folder makes a difference")
    check(inside_same(files), "inside: two instances in two folders differ")


def umask():
    files, fixed = project(), {"SOURCE_DATE_EPOCH": EPOCH}
    check(not by_hand(files, fixed, {**fixed, "umask": 0o077}), "outside: umask makes no difference")
    with Inside() as one, Inside(umask=0o077) as other:
        first = one.wheel(files)
        check(first == other.wheel(files), "inside: umask makes a difference")
        modes = {stat.filemode(e.external_attr >> 16)[1:] for e in zipfile.ZipFile(io.BytesIO(first)).infolist()}
        check(modes <= {"rw-r--r--", "rw-rw-r--"}, f"modes in the wheel: {modes}")


def epoch_of_the_commit():
    files = project()
    check(not by_hand(files, {"SOURCE_DATE_EPOCH": "1700000000"}, {"SOURCE_DATE_EPOCH": "1700000060"}),
          "outside: the time of a commit makes no difference")
    check(inside_same(files), "inside: one tree, other bytes")     # no commit reaches the build role; keys.py pushes two


def second_run_after_a_package_was_deleted():
    extra = {"pipelines/orders/code/gone/__init__.py": "x = 1\n"}
    without, both = project(FIND), {**project(FIND), **extra}
    o = Outside(both)
    before = o.wheel(SOURCE_DATE_EPOCH=EPOCH)
    shutil.rmtree(os.path.join(o.dir, "gone"))
    after = o.wheel(SOURCE_DATE_EPOCH=EPOCH)
    o.remove()
    names = zipfile.ZipFile(io.BytesIO(after)).namelist()
    check("gone/__init__.py" in names, f"outside: the deleted package is not in the wheel any more: {names}")
    with Inside() as used, Inside() as fresh:
        first = used.wheel(both)
        check(first != used.wheel(without), "inside: the deletion makes no difference")
        second = used.wheel(without)
        check("gone/__init__.py" not in zipfile.ZipFile(io.BytesIO(second)).namelist(), "inside: a file of an earlier build")
        check(second == fresh.wheel(without), "inside: an earlier build shows")
        check(before != second, "the case proves nothing")


def impure(expression):
    return project("import os, random, socket, time\n" +
                   SETUP.replace("setup(name", f"setup(description=repr({expression}), name"))


def impure_setup():
    fixed = {"SOURCE_DATE_EPOCH": EPOCH}
    for what, expression in (("time", "time.time_ns()"), ("random", "os.urandom(8)")):
        files = impure(expression)
        check(not by_hand(files, fixed, fixed), f"outside: {what} makes no difference")
        with Inside() as i:     # nothing can fix these: the first artifact of a key stays, see keys.py
            check(i.wheel(files) != i.wheel(files), f"inside: {what} does not show; is this case still true?")
    files = impure("os.environ.get('WHO')")
    check(not by_hand(files, {**fixed, "WHO": "ana"}, {**fixed, "WHO": "bo"}), "outside: WHO makes no difference")
    check(inside_same(files, WHO="bo"), "inside: the caller's environment shows")


def impure_setup_fixed_by_the_sandbox():
    fixed, cwd, host = {"SOURCE_DATE_EPOCH": EPOCH}, impure("os.getcwd()"), impure("socket.gethostname()")
    check(not by_hand(cwd, fixed, fixed), "outside: the folder makes no difference")
    check(inside_same(cwd), "inside: the folder makes a difference")
    wrap = ["/usr/bin/unshare", "-u", "/bin/sh", "-c", "hostname other && exec \"$@\"", "sh"]
    if os.getuid() == 0 and run("/usr/bin/unshare", "-u", "/bin/true", expect=None).returncode == 0:
        check(not by_hand(host, fixed, {**fixed, "wrap": wrap}), "outside: the host name makes no difference")
    else:
        print("     SKIP outside, another host name: needs root")
    with Inside() as i:
        meta = zipfile.ZipFile(io.BytesIO(i.wheel(host))).read("orders-1.0.dist-info/METADATA").decode()
        check("Summary: 'penstock'" in meta, f"inside: the host is called otherwise:\n{meta}")
        check(b"/build/pipelines/orders/code" in zipfile.ZipFile(io.BytesIO(i.wheel(cwd))).read(
            "orders-1.0.dist-info/METADATA"), "inside: the folder is another")


def other_version(package, old, new, file="__init__.py"):
    """A prefix with a copy of Debian's package in which one text is another."""
    folder = tempfile.mkdtemp(prefix="penstock-other.")
    os.chmod(folder, 0o755)
    prefix = os.path.join(folder, "other")
    shutil.copytree(plain_toolchain(), prefix, symlinks=True)
    (site,) = [d for d, _, _ in os.walk(prefix) if d.endswith("site-packages")]
    where = run("/usr/bin/python3", "-c", f"import {package}; print({package}.__path__[0])").stdout.strip()
    shutil.copytree(where, os.path.join(site, package), ignore=shutil.ignore_patterns("__pycache__"))
    path = os.path.join(site, package, file)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    check(re.search(old, text), f"{path} does not hold {old}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(old, new, text, count=1))
    return folder, prefix


def version_of_wheel_and_setuptools():
    files, fixed = project(), {"SOURCE_DATE_EPOCH": EPOCH}
    folder, prefix = other_version("wheel", r'__version__ = ".*"', '__version__ = "0.99.0"')
    second, tools = other_version("setuptools", r"__version__ = .*", "__version__ = '99.0'")
    try:
        check(not by_hand(files, fixed, {**fixed, "python": f"{prefix}/bin/python"}), "outside: the version shows nowhere")
        with Inside() as one, Inside(toolchain=prefix) as other, Inside(toolchain=tools) as third:
            digests = {one.digest(), other.digest(), third.digest()}
            check(len(digests) == 3, "another version, the same toolchain: it would be the same key")
            check(one.wheel(files) != other.wheel(files), "inside: the version shows nowhere")
            end = one.end(files, toolchain=other.digest())
            check(end["state"] == "failed" and "is not the one" in end["reason"], f"built with another toolchain: {end}")
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(second)


def names_in_another_spelling():
    """Newer setuptools write orders_x-1.0 for Orders.X; jobs name what the pinned version writes."""
    files = project(SETUP.replace('name="orders"', 'name="Orders.X"'))
    want = "Orders.X-1.0-py3-none-any.whl"
    folder, prefix = other_version("wheel", r"(?s)(def safer_name\(name\):\n    return )(.*?)\n",
                                   r"\1\2.replace('.', '_').lower()\n", "bdist_wheel.py")
    try:
        with Inside() as pinned, Inside(toolchain=prefix) as newer:
            end = pinned.end(files, wheel=want)
            check(end["state"] == "passed" and end["name"] == want, f"pinned: {end}")
            end = newer.end(files, wheel=want)
            check(end["state"] == "failed" and f"made 'orders_x-1.0-py3-none-any.whl', expected '{want}'" in end["reason"]
                  and "the toolchain needs setuptools==66.1.1 and wheel==0.38.4" in end["reason"], f"newer: {end}")
            check(newer.w.artifacts() == [], "it was sealed under a name that no job looks for")
            end = newer.end(project(), wheel="sales-1.0-py3-none-any.whl")
            check("expected 'sales-1.0-py3-none-any.whl'" in end["reason"] and "spells" not in end["reason"], f"other: {end}")
    finally:
        shutil.rmtree(folder)


# ---- what is not in the key is not in the sandbox ----

SEES = r"""
import hashlib, json, os, socket, stat
def tree(top):
    for folder, subs, names in os.walk(top):
        for n in subs + names:
            p = os.path.join(folder, n)
            s = os.lstat(p)
            yield [os.path.relpath(p, top), stat.filemode(s.st_mode), s.st_mtime,
                   hashlib.sha256(open(p, 'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else '']
def refused(f):
    try:
        return f() and False
    except OSError:
        return True
here = os.getcwd()
up = [here] + [here[:i] or '/' for i in range(len(here)) if here[i] == '/']
print('SEES ' + json.dumps({
    'build': sorted(tree('/build')), 'export': sorted(e[0] for e in tree('/export')),
    'umask': os.umask(0o22), 'env': dict(os.environ), 'host': socket.gethostname(), 'cwd': here,
    'address': socket.gethostbyname('penstock'), 'net': sorted(n for _, n in socket.if_nameindex()),
    'git': [d for d in up if os.path.lexists(d + '/.git')], 'local': os.listdir('/usr/local'),
    'root': sorted(os.listdir('/')), 'etc': sorted(os.listdir('/etc')), 'out': os.listdir('/out'), 'tmp': os.listdir('/tmp'),
    'name': __import__('pwd').getpwuid(os.getuid()).pw_name, 'argv': open('/proc/1/cmdline').read().split('\0')[0],
    'pids': sorted(map(int, filter(str.isdigit, os.listdir('/proc'))))[-1] < 100,
    'nowhere': refused(lambda: socket.create_connection(('192.0.2.1', 9), 3)),
    'name service': refused(lambda: socket.getaddrinfo('example.net', 80))}), flush=True)
"""
# the last three are bash's, in which the recipe is written: constants too
ENV = {"HOME": "/tmp", "JAVA_HOME": "/java", "LC_ALL": "C.UTF-8", "PATH": "/toolchain/bin:/java/bin:/usr/bin:/bin",
       "PYSPARK_PYTHON": "/toolchain/bin/python",
       "PYSPARK_SUBMIT_ARGS": "--conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false pyspark-shell",
       "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "SOURCE_DATE_EPOCH": EPOCH, "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "UTC",
       "PWD": "/build/pipelines/orders/code", "OLDPWD": "/export", "SHLVL": "0"}


def sandbox_sees_the_key_and_nothing_else():
    files = {**project(SEES + SETUP), "pipelines/orders/code/run.sh": "#!/bin/sh\n"}

    def other_modes(dest):
        os.chmod(f"{dest}/pipelines/orders/code/run.sh", 0o775)
        os.chmod(f"{dest}/functions/f.py", 0o600 if os.getuid() else 0o666)
        os.chmod(f"{dest}/functions", 0o777)
    with Inside(umask=0o077, WHO="ana", GIT_DIR="/x", PYTHONPATH="/x") as i:
        dest, inputs = i.w.export(files)
        os.chmod(f"{dest}/pipelines/orders/code/run.sh", 0o755)
        for item in inputs:     # with the executable bit in its tree
            if item["path"] == "pipelines/orders":
                from buildrole import tree_oid
                item["oid"] = tree_oid(f"{dest}/pipelines/orders").hex()
        end = i.end(files, inputs=inputs, change=other_modes)
        check(end["state"] == "passed", f"{end}\n{i.w.log().decode()}")
        (line,) = [l for l in i.w.log().decode().split("\n") if "SEES " in l and l[25:30] == "SEES "]
        sees = json.loads(line[30:])
        shutil.rmtree(dest)
    want = {"pbt_project.yml": "name: sales\n", "functions/f.py": "x = 1\n", **files}
    entries = [[p, "-rwxr-xr-x" if p.endswith(".sh") else "-rw-r--r--", float(EPOCH), hashlib.sha256(t.encode()).hexdigest()]
               for p, t in want.items()]
    folders = {p[:k] for p in want for k in range(len(p)) if p[k] == "/"}
    entries += [[f, "drwxr-xr-x", float(EPOCH), ""] for f in folders]
    check(sees["build"] == sorted(entries), f"in /build:\n{sees['build']}\nwanted:\n{sorted(entries)}")
    check(sees["export"] == sorted(e[0] for e in entries), f"in /export: {sees['export']}")
    check(sees["env"] == ENV, f"environment: {sees['env']}")
    facts = {"umask": 0o022, "host": "penstock", "cwd": "/build/pipelines/orders/code", "address": "127.0.0.1", "net": ["lo"],
             "git": [], "local": [], "out": [], "tmp": [], "name": "build", "pids": True, "nowhere": True, "name service": True}
    for name, value in facts.items():
        check(sees[name] == value, f"{name}: {sees[name]}, wanted {value}")
    # /lib64 where the machine has one; /java and its configuration where there is a JVM
    root = {"bin", "build", "dbfs", "dev", "etc", "export", "lib", "out", "proc", "sbin", "tmp", "toolchain", "usr"}
    check(root <= set(sees["root"]) <= root | {"java", "lib64"}, f"in /: {sees['root']}")
    etc = {"group", "hosts", "passwd"}
    more = {e for e in sees["etc"] if not e.startswith("java")} - etc
    check(etc <= set(sees["etc"]) and more <= {"nsswitch.conf", "ld.so.cache", "localtime"}, f"in /etc: {sees['etc']}")
    print(f"     /: {' '.join(sees['root'])}; /etc: {' '.join(sees['etc'])}")


def only_a_regular_file_is_sealed():
    """Opened without following, whatever else is there; larger than the limit is none."""
    wheel = "/out/orders-1.0-py3-none-any.whl"
    for text, want in ((f"import socket; socket.socket(socket.AF_UNIX).bind({wheel!r})", "not a regular file"),
                       (f"import os; os.symlink('/nowhere', {wheel!r})", "not a regular file"),
                       (f"import os; os.symlink('/out/x', {wheel!r}); open('/out/x', 'w')", "left 2 files"),
                       (f"import os; open({wheel!r}, 'w'); os.truncate({wheel!r}, 65 << 20)", "setup.py: "),
                       (f"import os; os.mkdir('/out/x'); open('/out/x/y', 'w')", "'x' is not the name of"),
                       (f"import os; os.link('/export/pbt_project.yml', {wheel!r})", "setup.py: ")):
        with Inside() as i:
            end = i.end(project(text + "\n"))
            check(end["state"] == "failed" and want in end["reason"], f"{text}: {end}")
            check(i.w.artifacts() == [], f"{text}: sealed")


if __name__ == "__main__":
    plain_toolchain()
    assert PIPELINE
    main(time_without_epoch, time_with_epoch, zone_locale_seed_folder, umask, epoch_of_the_commit,
         second_run_after_a_package_was_deleted, impure_setup, impure_setup_fixed_by_the_sandbox,
         version_of_wheel_and_setuptools, names_in_another_spelling, sandbox_sees_the_key_and_nothing_else,
         only_a_regular_file_is_sealed)
