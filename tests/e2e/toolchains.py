#!/usr/bin/python3
"""Toolchains by rule: what each build, test and run saw is told by a module that only one of them has; what a rule
names and nobody made keeps its own builds and no others.

With a real agent, real pushes, sandboxes and a local fabric; needs /usr/bin/python3 with setuptools and wheel, no
Spark; exit status 77 without them or without a sandbox.
"""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, check, clean_env, main, plain_toolchain, run, wait  # noqa: E402
from scene import SETUP  # noqa: E402

MAIN, TAG, PARTS = "refs/heads/main", "refs/tags/v1.0", ("customers_orders", "sales_report")
WHICH = "try:\n    from which_toolchain import NAME\nexcept ImportError:\n    NAME = 'none'\n"
# what the build saw is in the wheel, what the run sees is printed beside it
BUILD_SAW = WHICH + "print('build sees', NAME, flush=True)\n" \
    "open('{name}/pipeline.py', 'w').write({pipeline!r}.replace('BUILT', NAME))\n" + SETUP
PIPELINE = WHICH + "def main():\n    print('built by BUILT, run by', NAME, flush=True)\n\n\n" \
    "if __name__ == '__main__':\n    main()\n"
# stands in for pytest: a report of one test, which passed
PYTEST = WHICH + """import sys
out = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--junit"))
print("tests see", NAME, flush=True)
with open(out, "w") as f:
    f.write('<testsuites><testsuite tests="1"><testcase classname="t" name="t" time="0"/></testsuite></testsuites>')
"""


def prefix(folder, name):
    """A toolchain like plain_toolchain(), with a module that tells its name."""
    path = os.path.join(folder, name)
    run("/usr/bin/python3", "-m", "venv", "--system-site-packages", "--without-pip", path)
    packages = glob.glob(path + "/lib/python3*/site-packages")[0]
    os.mkdir(packages + "/pytest")
    for file, text in (("which_toolchain.py", f"NAME = {name!r}\n"), ("pytest/__init__.py", ""), ("pytest/__main__.py", PYTEST)):
        with open(os.path.join(packages, file), "w", encoding="utf-8") as f:
            f.write(text)
    with open(path + "/.penstock-toolchain", "w", encoding="utf-8") as f:
        f.write("penstock-toolchain 1\n")
    return path


class Scene(Instance):
    """The first repository is built with `second`, tags with `third`, which nobody has made; the rest by default."""
    RULES = ("builders:\n  toolchains:\n    - { projects: ['sales:**'], environments: [development], languages: [python], use: second }\n"
             "    - { environments: [production], use: third }\n")

    def __init__(self):
        plain_toolchain()	# skips where none can be made
        super().__init__()
        self.toolchain = prefix(self.base, "first")
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        check(text.count("builders:\n") == 1, "penstock.yml is written differently now")
        self.rules(text.replace("builders:\n", self.RULES) +
                   f"\ntoolchains:\n  default: {{ prefix: {self.toolchain} }}\n  second: {{ prefix: {prefix(self.base, 'second')} }}\n")
        self.start()
        wait("the toolchains are known", lambda: self.json("status")["toolchain"]["digest"])
        self.clones = {name: self.project(name) for name in ("sales", "other")}

    def __enter__(self):
        return self

    def rules(self, text=None, old=None, new=None):
        path = os.path.join(self.dir, "penstock.yml")
        if text is None:
            with open(path, encoding="utf-8") as f:
                text = f.read()
            check(old in text, f"no {old!r} in penstock.yml")
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def project(self, name):
        c = self.example(self.repository(name))
        for p in PARTS:
            code = f"pipelines/{p}/code"
            c.write(f"{code}/{p}/pipeline.py", PIPELINE)
            c.write(f"{code}/setup.py", BUILD_SAW.format(name=p, pipeline=PIPELINE))
            c.git("rm", "-rq", f"{code}/test")
        c.write(f"pipelines/{PARTS[0]}/code/test/TestSuite.py", "")
        c.commit("without Spark")
        return c

    def saw(self, what, repo):
        """What the builds (or tests) of a repository said they see, each once."""
        return sorted({line.split()[-1] for i in self.items(what) if i["repository"] == repo
                       for line in self.penstock("log", i["id"]).stdout.split("\n") if " see" in line})


def nodes(node):
    yield node
    for child in node["children"]:
        yield from nodes(child)


def each_has_its_own(a):
    digest = {t["id"]: t["digest"] for t in a.json("status")["toolchains"]}
    check(digest["default"] and digest["second"] and not digest["third"], f"{digest}")
    for c in a.clones.values():
        c.push("HEAD:" + MAIN)
    for repo in a.clones:
        wait(f"{repo} is deployed", lambda r=repo: any(e["repository"] == r and e["state"] == "done" for e in a.events(MAIN)), every=0.2)
    for repo, name in (("sales", "second"), ("other", "first")):
        builds = [b for b in a.builds() if b["repository"] == repo]
        check(len(builds) == 2 and all(b["state"] == "passed" for b in builds), f"{repo}: {builds}")
        check(a.saw("builds", repo) == [name], f"builds of {repo} see {a.saw('builds', repo)}")
        check(a.saw("tests", repo) == [name], f"tests of {repo} see {a.saw('tests', repo)}")
        check({b["toolchain"] for b in builds} == {digest["default" if name == "first" else name]}, f"{builds}")
    check(len({b["key"] for b in a.builds()}) == 4, "the same tree with another toolchain is another build")


def what_is_missing_keeps_its_own(a):
    """A tag of either repository waits for `third`; a push of main passes it."""
    c = a.clones["other"]
    c.git("tag", "v1.0")
    c.push("v1.0")
    words = "toolchain third: make it with penstock toolchain make third FILE"
    item = wait("the tag waits", lambda: next((i for i in a.items("queue") if i["reason"] == "toolchain" and
                                               i["blocked_by"] == "toolchain third"), None))
    check(item["detail"] == words and item["lift"] == "penstock toolchain make third FILE", f"{item}")
    why = a.penstock("why", TAG).stdout
    check(words in why, f"why:\n{why}")
    status = a.penstock("status").stdout
    check(words in status, f"status:\n{status}")
    c.write("README", "beside\n")
    c.commit("beside")
    c.push("HEAD:" + MAIN)
    a.wait_event(MAIN, c.git("rev-parse", "HEAD").stdout.strip())
    check(len(a.builds()) == 4, "nothing was built for the tag")


def told_where_it_is_written(a):
    line = next(n for n, l in enumerate(open(a.dir + "/penstock.yml", encoding="utf-8"), 1) if "use: third" in l)
    p = a.penstock("config", "check")
    check(f"penstock.yml:{line}:7: warning: toolchain third: make it with penstock toolchain make third FILE" in p.stdout, p.stdout)
    items = {t["id"]: t for t in a.items("toolchain", "list")}
    check(items["third"]["state"] == "missing" and items["third"]["for"] == f"**:** to production (line {line})", f"{items['third']}")
    check(items["second"]["for"] == f"sales:** in python to development (line {line - 1})", f"{items['second']}")
    check(items["second"]["projects"] == ["sales:."] and items["default"]["projects"] == ["other:."] and
          items["second"]["builds"] == 2, f"{items}")
    check(items["default"]["for"] == "all that no rule takes", f"{items['default']}")
    row = [r for r in a.json("doctor", expect=1)["items"] if r["id"] == "toolchains" and "third" in r["text"]]
    check(len(row) == 1 and row[0]["mend"] == "penstock toolchain make third FILE", f"doctor: {row}")
    with open(a.dir + "/penstock.yml", encoding="utf-8") as f:
        text = f.read()
    for old, new, at, why in (("environments: [production], use", "environments: [prod], use", f"{line}:24", "unknown environment 'prod'"),
                              ("use: third", "use: 'a b'", f"{line}:", "'a b' is not a name"),
                              (", use: third", "", f"{line}:7", "has no 'use'"),
                              ("languages: [python]", "languages: [phyton]", f"{line - 1}:", "phyton"),
                              ("['sales:**']", "[sales]", f"{line - 1}:", "sales"),
                              ("    - { environments: [production]", "    - { toolchain: x, environments: [production]", f"{line}:9", "toolchain")):
        check(old in text, old)
        bad = os.path.join(a.base, "bad.yml")
        with open(bad, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new, 1))
        p = a.penstock("config", "check", bad, expect=1)
        check(any(l.startswith(f"bad.yml:{at}") and "error" in l and why in l for l in p.stdout.split("\n")), f"{new}: {p.stdout}")


def seen(a, name, state):
    a.penstock("reload")
    wait(f"{name} is {state}", lambda: next(t for t in a.json("status")["toolchains"] if t["id"] == name)["state"] == state)


def runs_stand_on_what_built(a):
    """Also when the rules send the project elsewhere by now; when it is gone, on what the rules say."""
    def ran(x):
        wait(f"{x} has ended", lambda: a.json("runs", x)["state"] not in ("queued", "running"), every=0.2)
        check(a.json("runs", x)["state"] == "passed", f"{a.json('runs', x)}")
        return a.penstock("log", f"{x}/{PARTS[0]}").stdout.strip()

    def ask(repo):
        return a.json("--as", "ana", "run", "job_development", "--fabric", "development", "--repo", repo, "--no-wait")["id"]
    check(ran(ask("sales")) == "built by second, run by second", "the run of sales")
    check(ran(ask("other")) == "built by first, run by first", "the run of other")
    a.rules(old="['sales:**']", new="['none:**']")
    a.penstock("reload")
    check(ran(ask("sales")) == "built by second, run by second", "the release was built with it")
    shutil.move(a.base + "/second", a.base + "/away")
    seen(a, "second", "none")
    check(ran(ask("sales")) == "built by second, run by first", "what the rules say")
    a.rules(old=a.base + "/second", new=a.base + "/away")
    seen(a, "second", "ready")
    check(ran(ask("sales")) == "built by second, run by second", "it is the same one, wherever it lies")
    a.rules(old="['none:**']", new="['sales:**']")
    a.penstock("reload")


def a_rule_that_changes_lets_go(a):
    """The tag waits no more when another rule takes it; the same tree was built with that one already."""
    a.rules(old="use: third", new="use: second")
    a.penstock("reload")
    wait("the tag goes on", lambda: "approval" in a.penstock("why", TAG).stdout, every=0.2)
    used = {n["id"] for n in nodes(a.json("why", TAG)) if (n["id"] or "").startswith("b")}
    sales = {b["id"] for b in a.builds() if b["repository"] == "sales"}
    check(used == sales and len(a.builds()) == 4, f"the tag stands on {used}, not on {sales}")


def wheels(folder):
    """What a toolchain is made of here: Debian's setuptools and wheel, and the two modules of prefix()."""
    os.mkdir(folder)
    for w in glob.glob("/usr/share/python-wheels/setuptools-*.whl"):
        shutil.copy(w, folder)

    def pack(name, version, files):
        info = f"{name}-{version}.dist-info"
        files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                 f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        files[f"{info}/RECORD"] = "".join(f"{n},,\n" for n in (*files, f"{info}/RECORD"))
        with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as z:
            for n, text in files.items():
                z.writestr(n, text)
    sources = {}
    for path in glob.glob("/usr/lib/python3/dist-packages/wheel/**/*.py", recursive=True):
        with open(path, encoding="utf-8") as f:
            sources[os.path.relpath(path, "/usr/lib/python3/dist-packages")] = f.read()
    pack("wheel", "0.38.4", sources)
    for version in ("1.0", "2.0"):
        pack("which_toolchain", version, {"which_toolchain.py": f"NAME = 'third-{version}'\n", "pytest/__init__.py": "",
                                          "pytest/__main__.py": PYTEST})


def begun(a, file):
    """A make in its middle: the command and the process that makes it."""
    there = halves(a)
    p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", a.dir, "toolchain", "make", "third", file],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env())
    wait("it has begun", lambda: any(os.path.exists(f"{a.dir}/toolchains/{n}/bin/python") for n in halves(a) if n not in there),
         every=0.01)
    return p, next(q for q in a.processes(p.pid) if name_of(q) == "penstock-build")


def name_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return os.path.basename(f.read().split(b"\0")[0].decode())
    except OSError:
        return ""


def halves(a):
    """What lies in toolchains/ beside what is in force."""
    return sorted(n for n in os.listdir(a.dir + "/toolchains") if n.startswith(".third") and not n.endswith(".made"))


def made_once_and_anew(a):
    """Killed in the middle there is none; made, its builds go on; ended in the middle, it stays as it is; made anew, it
    is another."""
    def digest():
        return next(t for t in a.items("toolchain", "list") if t["id"] == "third")["digest"]
    a.rules(old="use: second }\n    - { environments: [production], use: second }",
            new="use: second }\n    - { environments: [production], use: third }")
    a.penstock("reload")
    c = a.clones["other"]
    c.git("tag", "v2.0")
    c.push("v2.0")
    wait("the tag waits", lambda: "toolchain third" in a.penstock("why", "refs/tags/v2.0").stdout)
    wheels(a.base + "/wheels")
    file = a.base + "/third.txt"
    def write(what):
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"--no-index\n--find-links {a.base}/wheels\nsetuptools\nwheel==0.38.4\n{what}\n")
    write("which_toolchain==1.0")
    p, maker = begun(a, file)
    os.kill(maker, signal.SIGKILL)
    check(p.wait(30) == 1, f"exit {p.returncode}")
    item = next(t for t in a.items("toolchain", "list") if t["id"] == "third")
    check(item["state"] == "missing" and halves(a) == [".third.1"], f"{item} {halves(a)}")
    out = a.penstock("toolchain", "make", "third", file).stdout
    check("Successfully installed" in out and f"digest {digest()}" in out and ".third.2" in halves(a), f"{out}{halves(a)}")
    with open(a.dir + "/logs/toolchain-third.log", encoding="utf-8") as f:
        check("Successfully installed" in f.read(), "the log has pip's own lines")
    wait("the tag goes on by itself", lambda: "approval" in a.penstock("why", "refs/tags/v2.0").stdout, every=0.2)
    check("third-1.0" in a.saw("builds", "other") and "third-1.0" in a.saw("tests", "other"), f"{a.saw('builds', 'other')}")
    first = digest()
    p, _ = begun(a, file)
    p.send_signal(signal.SIGINT)
    check(p.wait(30) == 130 and "as it was" in p.stderr.read(), f"exit {p.returncode}")
    check(digest() == first and halves(a) == [".third.2"], f"{digest()} {halves(a)}")
    write("which_toolchain==2.0")
    a.penstock("toolchain", "make", "third", file)
    check(digest() != first and halves(a) == [".third.2", ".third.3"], f"{halves(a)}: the one before stays for who runs on it")
    run(a.dir + "/toolchains/third/bin/python", "-c", "import which_toolchain as w; assert w.NAME == 'third-2.0'")


def looked_at_anew(a):
    """toolchain check: a file that changed, a Python that is gone, and a program that is no Python."""
    def look(name, state, words, code):
        item = a.json("toolchain", "check", name, expect=code)["items"][0]
        check(item["state"] == state and words in (item["reason"] or ""), f"{item}")
        return item
    check(look("third", "ready", "", 0)["digest"], "its digest")
    module = glob.glob(a.dir + "/toolchains/third/lib/python3*/site-packages/which_toolchain.py")[0]
    with open(module, "a", encoding="utf-8") as f:
        f.write("# by hand\n")
    look("third", "ready", "the agent has not seen it: penstock reload", 0)
    a.penstock("reload")
    wait("the agent reads it", lambda: "not as it was made" in look("third", "ready", "", 0)["reason"])
    os.unlink(a.dir + "/toolchains/third/bin/python")
    look("third", "broken", "bin/python", 1)
    seen(a, "third", "none")
    check("toolchain third has no bin/python" in a.penstock("status").stdout, "status says so, too")


def everything():
    with Scene() as a:
        for part in (each_has_its_own, what_is_missing_keeps_its_own, told_where_it_is_written, runs_stand_on_what_built,
                     a_rule_that_changes_lets_go, made_once_and_anew, looked_at_anew):
            began = time.monotonic()
            part(a)
            print(f"     {part.__name__} ({time.monotonic() - began:.1f} s)", flush=True)


main(everything)
