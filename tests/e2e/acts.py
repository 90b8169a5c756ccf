#!/usr/bin/python3
"""cancel, retry, bump, drain, build --check, with a real agent, real pushes and real sandboxes; no Spark.

Pipelines' setup.py files here write their wheel by themselves, so a bare Python prefix is toolchain
enough; they loop until they are killed, fail, or read the clock, as the case needs. Judged by the printed
JSON, by processes and by files. Exit status 77 where no sandbox can be made.
"""
import glob
import json
import os
import signal
import subprocess
import sys


sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, bare_toolchain, check, clean_env, main, run, wait  # noqa: E402

MAIN = "refs/heads/main"
WRITES = """
import sys, time, zipfile
def setup(name, version):
    with zipfile.ZipFile(f"{sys.argv[-1]}/{name}-{version}-py3-none-any.whl", "w") as z:
        def put(path, text, mode=0o644):
            i = zipfile.ZipInfo(path)
            i.external_attr = (0o100000 | mode) << 16
            z.writestr(i, text)
        put(f"{name}/__init__.py", "")
        put(f"{name}/pipeline.py", MAIN)
        put(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\\nVersion: {version}\\n")
        put(f"{name}-{version}.dist-info/entry_points.txt", f"[console_scripts]\\nmain = {name}.pipeline:main\\n")
        more(put)
def more(put):
    pass
MAIN = "def main():\\n    print('ran')\\n"
"""
PURE = ""
LOOPS = "while True:\n    print('looping', flush=True)\n    time.sleep(0.2)\n"
FAILS = "raise SystemExit('no such thing')\n"
CLOCK = "def more(put):\n    put('stamp.py', f't = {time.time_ns()}\\n')\n"
MODE = "def more(put):\n    put('stamp.py', 'x = 1\\n', 0o600 + time.time_ns() // 1000 % 7)\n"
RUNS = "MAIN = 'import time\\ndef main():\\n    while True:\\n        print(1, flush=True)\\n        time.sleep(0.2)\\n'\n"
# What tests are run by, here: the file itself is the test.
PYTEST = """import sys
exec(open("test/TestSuite.py").read())
report = [a for a in sys.argv if a.startswith("--junitxml=")][0].split("=", 1)[1]
with open(report, "w") as f:
    f.write('<testsuites><testsuite name="pytest" tests="1" failures="0" errors="0" skipped="0"><testcase '
            'classname="test.TestSuite" name="test_it" time="0.1"/></testsuite></testsuites>')
"""
PIPELINES = ("customers_orders", "sales_report")


class Agent(Instance):
    """An instance with a bare toolchain and one slot."""

    def __init__(self):
        super().__init__()
        prefix = bare_toolchain(self)
        with open(glob.glob(prefix + "/lib/python3*/site-packages")[0] + "/pytest.py", "w", encoding="utf-8") as f:
            f.write(PYTEST)
        with open(os.path.join(self.dir, "penstock.yml"), encoding="utf-8") as f:
            check("    slots: 1 " in f.read(), "init gives more than one slot")

    def project(self, name="sales", **bodies):
        """A clone of a new repository with the example, its setup.py files replaced."""
        c = self.example(self.repository(name))
        self.bodies(c, **bodies)
        return c

    def bodies(self, c, tests="", **bodies):
        """Other setup.py files; tests: what the tests of the first pipeline do."""
        for p in PIPELINES:
            c.write(f"pipelines/{p}/code/test/TestSuite.py", tests if p == PIPELINES[0] else "")
            c.write(f"pipelines/{p}/code/setup.py", WRITES + bodies.get(p, PURE) +
                    f"\nsetup(name='{p}', version='1.0')\n")
        return c.commit()

    def changed(self, c):
        """Another content of both pipelines: other keys."""
        for p in PIPELINES:
            c.write(f"pipelines/{p}/code/n.txt", os.urandom(8).hex())
        return c.commit()

    def as_(self, who, *args, expect=0):
        p = self.penstock("--as", who, *args, expect=expect)
        return p.stdout + p.stderr

    def build(self, pipeline, states, not_before=0):
        """The newest build of the pipeline, once it has one of the states."""
        def look():
            found = [b for b in self.builds() if b["pipeline"] == f"pipelines/{pipeline}" and
                     int(b["id"][1:]) > not_before]
            return found[-1] if found and found[-1]["state"] in states else None
        return wait(f"build of {pipeline} is {' or '.join(states)}: {self.builds()}", look, every=0.1)

    def one(self, kind, number):
        return self.json(kind, number) if kind == "runs" else \
            next(b for b in self.builds() if b["id"] == number)

    def tests(self, build):
        """Of a build; the command says no while none has passed."""
        p = self.penstock("tests", build, "--json", expect=None)
        return json.loads(p.stdout)["items"] if p.stdout.strip() else []

    def why(self, thing):
        return self.penstock("why", thing).stdout

    def running(self, number):
        """Its sandbox is really at work: it has said something."""
        wait(f"{number} prints", lambda: "looping" in self.penstock("log", number, expect=None).stdout, every=0.1)
        return number

    def nothing_left(self):
        """No process below the build role, no folder of its work."""
        role = self.role("build")
        wait("the build role has no process below it", lambda: self.processes(role) == [role])
        wait("no folder of its work is left", lambda: self.leftovers() == [])
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory"):
            left = [p for p in glob.glob(top + "/**/penstock-*", recursive=True) if f"-{role}-" in p]
            check(left == [], f"cgroups left: {left}")


def cancel_ends_what_runs_and_frees_its_slot():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS)
        c.push("HEAD:" + MAIN)
        b = a.running(a.build("customers_orders", ("running",))["id"])
        # what is queued ends with the event; what runs ends when its processes have
        text = a.as_("ana", "cancel", "e1", "-m", "wrong branch")
        row = a.one("builds", b)
        check(row["state"] == "cancelled", f"{text}\n{row}")
        check(row["reason"].startswith("cancelled by ") and row["reason"].endswith("(as ana): wrong branch"), row)
        a.nothing_left()
        e = a.wait_event(MAIN)
        check("cancelled" in e["reason"], e)
        check("wrong branch" in a.why("e1"), a.why("e1"))
        check("cancelled by" in a.penstock("log", b).stdout.splitlines()[-1], a.penstock("log", b).stdout)
        for b2 in a.builds():
            check(b2["state"] in ("cancelled", "passed"), b2)
        # twice is fine, and says so
        check("cancelled" in a.as_("ana", "cancel", "e1"), "cancelled twice")
        check("cancelled" in a.as_("ana", "cancel", b), "cancelled twice")
        # the slot is free
        a.bodies(c)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN, states=("done",))
        check(a.events(MAIN)[-1]["reason"].endswith("done"), a.events(MAIN)[-1])
        a.nothing_left()


def who_may_and_who_could():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS, sales_report=LOOPS)
        c.push("HEAD:refs/tags/v1")
        b = a.build("customers_orders", ("running",))["id"]
        for thing in ("e1", b):
            text = a.as_("bo", "cancel", thing, expect=1)
            check(f"may not cancel {thing}" in text and "its pusher ana" in text and
                  "team prod_support (kim, lee)" in text, text)
        text = a.as_("bo", "bump", "e1", expect=1)
        check("may not bump e1" in text, text)
        a.changed(c)
        c.push("HEAD:refs/tags/v2")
        wait("the builds of v2 wait", lambda: len(a.builds()) == 4)
        q = a.json("--as", "bo", "cancel", "--queued", "--ref", "v*", expect=1)["items"]
        check([(i["id"], i["refused"]) for i in q] == [("e2", True)] and "its pusher ana" in q[0]["reason"], q)
        check(a.one("builds", b)["state"] == "running", "somebody who may not has ended it")
        a.as_("kim", "cancel", "--queued")
        a.as_("kim", "cancel", "e1")
        check(a.one("builds", b)["state"] == "cancelled", a.builds())
        text = a.as_("bo", "retry", "e1", expect=1)
        check("may not retry e1" in text, text)
        check("there is no event e99" in a.as_("kim", "cancel", "e99", expect=1), "e99")
        check("no build b99" in a.as_("kim", "retry", "b99", expect=1), "b99")
        a.nothing_left()


def a_shared_build_outlives_one_event():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS)
        for ref in ("refs/tags/v1", "refs/tags/v2", MAIN):
            c.push("HEAD:" + ref)
        b = a.running(a.build("customers_orders", ("running",))["id"])
        wait("three demands need it", lambda: a.why(b).count("needed by") == 3)
        a.as_("ana", "cancel", a.events("refs/tags/v1")[0]["id"])
        check(a.one("builds", b)["state"] == "running", "the others' build was cancelled")
        text = a.as_("ana", "cancel", b, expect=1)
        check("2 demands need" in text and "--all-demands" in text and "refs/tags/v2" in text, text)
        check(a.one("builds", b)["state"] == "running", "it was cancelled all the same")
        a.as_("ana", "cancel", b, "--all-demands")
        check(a.one("builds", b)["state"] == "cancelled", a.builds())
        for ref in ("refs/tags/v1", "refs/tags/v2", MAIN):
            a.wait_event(ref)
        a.nothing_left()


def tests_end_with_their_event():
    with Agent() as a:
        c = a.project(tests="import time\n" + LOOPS)
        c.push("HEAD:" + MAIN)
        t = wait("tests run", lambda: [x for x in a.tests("b1") if x["state"] == "running"])[0]["id"]
        a.running(t)
        a.as_("ana", "cancel", t, "-m", "they hang")
        row = a.tests("b1")[0]
        check(row["state"] == "cancelled" and row["reason"].endswith("they hang"), row)
        check("cancelled" in a.wait_event(MAIN)["reason"], "the event goes on without its tests")
        a.nothing_left()
        # again: new tests of the same build
        a.as_("ana", "retry", "e1")
        again = wait("they run again", lambda: [x for x in a.tests("b1") if x["state"] == "running"])
        a.as_("ana", "cancel", "e1")
        check({x["state"] for x in a.tests("b1")} == {"cancelled"}, again)
        a.nothing_left()
        # a remembered pass, forgotten
        a.bodies(c)
        c.push("HEAD:" + MAIN)
        check(a.wait_event(MAIN)["reason"].endswith("done"), a.events(MAIN)[-1])
        b = a.build("customers_orders", ("passed",))["id"]
        check("1 remembered passes" in a.as_("ana", "retry", b, "--fresh"), a.tests(b))
        check(not any(x["remembered"] for x in a.tests(b)), a.tests(b))


def cancel_by_pattern():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS, sales_report=LOOPS)
        c.push("HEAD:" + MAIN)
        running = a.build("customers_orders", ("running",))["id"]
        for n in (1, 2):
            a.changed(c)
            c.push(f"HEAD:refs/tags/v{n}")
            wait("its builds wait", lambda: len(a.builds()) == 2 + 2 * n)
        got = a.json("--as", "ana", "cancel", "--queued", "--ref", "v[12]")["items"]
        check(got == [], f"a bracket is no pattern of ours: {got}")
        got = a.json("--as", "ana", "cancel", "--queued", "--ref", "v*")["items"]
        check([i["id"] for i in got if i["id"][0] == "e"] == ["e2", "e3"], got)
        check(a.one("builds", running)["state"] == "running", "what ran was cancelled")
        for ref in ("refs/tags/v1", "refs/tags/v2"):
            a.wait_event(ref)
        check(a.events(MAIN)[0]["state"] == "open", a.events(MAIN))


def retry_is_the_same_again():
    with Agent() as a:
        c = a.project(sales_report=FAILS)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        first = a.build("sales_report", ("failed",))
        passed = a.build("customers_orders", ("passed",))["id"]
        check("nothing" in a.as_("ana", "retry", passed, expect=1), "passed")
        got = a.json("--as", "ana", "retry", first["id"])["items"]
        second = next(i["id"] for i in got if i["id"][0] == "b")
        wait("it failed again", lambda: a.one("builds", second)["state"] == "failed")
        row = a.one("builds", second)
        check(row["key"] == first["key"] and row["retry_of"] == first["id"] and "ana" in row["asked_by"], row)
        a.wait_event(MAIN)
        check(len([b for b in a.builds() if "customers" in b["pipeline"]]) == 1, "what passed was built again")
        # cancelled while it runs, then on with it
        a.bodies(c, sales_report=LOOPS)
        c.push("HEAD:" + MAIN)
        b = a.running(a.build("sales_report", ("running",))["id"])
        e = a.events(MAIN)[-1]["id"]
        text = a.as_("ana", "retry", e, expect=1)
        check("there is nothing to retry" in text, text)
        a.as_("ana", "cancel", b)
        a.wait_event(MAIN)
        check(a.as_("ana", "retry", e).count("retried by") >= 2, "event and build")
        again = a.build("sales_report", ("running",), not_before=int(b[1:]))
        check(again["key"] == a.one("builds", b)["key"], again)
        check(a.events(MAIN)[-1]["state"] == "open", a.events(MAIN)[-1])
        a.as_("ana", "cancel", e)
        a.wait_event(MAIN)
        # a newer push: the older one is not brought back
        a.bodies(c)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        text = a.as_("ana", "retry", e, expect=1)
        check(f"{e} is not the newest movement of {MAIN}" in text and "superseded by e3" in text, text)
        check("there is nothing to retry" in a.as_("ana", "retry", "d1", expect=1), "a good deployment")
        a.nothing_left()


def retry_of_what_was_not_looked_into():
    """Cancelled before its tree was read: retried, it is read after all."""
    with Agent() as a:
        c = a.project()
        gate = a.role("gate")
        pids = a.processes(gate)
        c.push("HEAD:refs/heads/nowhere")
        a.wait_event("refs/heads/nowhere")
        a.as_("ana", "retry", "e1")
        check("maps nowhere" in a.wait_event("refs/heads/nowhere")["reason"], "looked into again")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            c.push("HEAD:" + MAIN)
            a.wait_event(MAIN, states=("open",))
            a.as_("ana", "cancel", "e2")
            check(a.events(MAIN)[0]["state"] == "done", a.events(MAIN))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        check(a.builds() == [], "something of it was built")
        a.as_("ana", "retry", "e2")
        e = a.wait_event(MAIN)
        check(e["reason"].endswith("done"), e)


def bumped_goes_first():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS, sales_report=LOOPS)
        c.push("HEAD:" + MAIN)
        running = a.running(a.build("customers_orders", ("running",))["id"])
        for n in (1, 2):
            a.changed(c)
            c.push(f"HEAD:refs/tags/v{n}")
            wait("its builds wait", lambda: len(a.builds()) == 2 + 2 * n)
        last = [b["id"] for b in a.builds()[-2:]]
        text = a.as_("ana", "bump", "e3", "-m", "now")
        check(last[0] in text and last[1] in text, text)
        for b in last:
            check("(as ana)" in a.one("builds", b)["bumped_by"] and "bumped by" in a.why(b), a.why(b))
        check("does not wait in line" in a.as_("ana", "bump", running, expect=1), "bumped what runs")
        a.as_("ana", "cancel", "e1")
        wait("a bumped one runs", lambda: "running" in [a.one("builds", b)["state"] for b in last])
        check([b["state"] for b in a.builds()].count("running") == 1, a.builds())


def drain_waits_for_what_runs():
    with Agent() as a:
        c = a.project(customers_orders=LOOPS)
        c.push("HEAD:" + MAIN)
        b = a.running(a.build("customers_orders", ("running",))["id"])
        p = a.penstock("drain", "--wait", "--timeout", "0", "-m", "new kernel", expect=1)
        check("the time is up" in p.stderr and b in p.stderr, p.stderr)
        check(a.json("status")["agent"]["state"] == "draining", a.json("status")["agent"])
        check("new kernel" in a.penstock("status").stdout, "status")
        p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", a.dir, "drain", "--wait"], env=clean_env(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check("under way" in p.stderr.readline(), "it does not say what it waits for")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60)
        check(p.returncode == 130, f"Ctrl-C: exit {p.returncode}")
        a.as_("ana", "cancel", b)
        a.penstock("drain", "--wait", "--timeout", "60")
        # what comes now waits, also through a stop and start
        a.bodies(c)
        c.push("HEAD:" + MAIN)
        wait("it waits: paused", lambda: [q for q in a.json("status")["queue"] if q["reason"] == "paused"])
        a.stop()
        a.start()
        check(a.json("status")["agent"]["state"] == "draining", "a start has ended the drain")
        wait("it waits: paused", lambda: [q for q in a.json("status")["queue"] if q["reason"] == "paused"])
        a.penstock("resume", "all")
        a.wait_event(MAIN)
        check(a.json("status")["agent"]["state"] == "running", "it still drains")
        check(a.events(MAIN)[-1]["reason"].endswith("done"), a.events(MAIN)[-1])


def artifacts(a):
    return sorted(n for _, _, names in os.walk(os.path.join(a.dir, "artifacts")) for n in names)


def check_tells_what_differs():
    for body, want in ((CLOCK, "stamp.py: content"), (MODE, "stamp.py: mode ")):
        with Agent() as a:
            c = a.project(customers_orders=body)
            c.push("HEAD:" + MAIN)
            a.wait_event(MAIN)
            impure = a.build("customers_orders", ("passed",))
            pure = a.build("sales_report", ("passed",))
            before = artifacts(a)
            for _ in range(9):		# one mode in seven is the same by chance
                p = a.penstock("--as", "ana", "build", "--check", impure["id"], expect=None)
                if p.returncode:
                    break
            check(p.returncode == 1 and "not reproducible: " in p.stdout and want in p.stdout, p.stdout + p.stderr)
            check(a.as_("ana", "build", "--check", pure["key"][:12]).startswith("reproducible"), "a pure one")
            row = a.builds()[-1]
            check(row["check_of"] == pure["id"] and row["state"] == "passed", row)
            check(artifacts(a) == before, "the other bytes were let in")
            check(a.one("builds", impure["id"])["digest"] == impure["digest"], "the sealed one was replaced")
            check("not reproducible" in a.why(impure["id"]), a.why(impure["id"]))
            check(a.json("status")["failing"] == [], "a comparison is no failure of the pipeline")
            a.nothing_left()


def a_run_is_cancelled_and_retried():
    with Agent() as a:
        c = a.project(customers_orders=RUNS, sales_report=RUNS)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        job = sorted(a.jobs("development", "sales"))[0]
        x = a.json("--as", "ana", "run", job, "--fabric", "development", "--no-wait")["id"]
        wait("its task prints", lambda: a.penstock("log", x, expect=None).stdout.count("1") > 2)
        a.as_("bo", "cancel", x, "-m", "enough")
        row = a.one("runs", x)
        check(row["state"] == "cancelled" and row["reason"].endswith("(as bo): enough"), row)
        check({t["state"] for t in row["tasks"]} == {"cancelled"}, row["tasks"])
        a.nothing_left()
        y = a.json("--as", "bo", "retry", x)["items"][0]["id"]
        wait("it runs again", lambda: a.one("runs", y)["state"] == "running")
        check(a.one("runs", y)["job"] == row["job"] and "bo" in a.one("runs", y)["who"], a.one("runs", y))
        a.as_("ana", "cancel", y)
        check("there is nothing to retry" not in a.as_("bo", "retry", y), "a cancelled one")


def a_wish_outlives_the_role():
    """The role is stopped when the wish comes, and killed: the build is cancelled, not built again."""
    with Agent() as a:
        c = a.project(customers_orders=LOOPS)
        c.push("HEAD:" + MAIN)
        b = a.running(a.build("customers_orders", ("running",))["id"])
        role = a.role("build")
        os.kill(role, signal.SIGSTOP)
        row = a.json("--as", "ana", "cancel", b, "--no-wait")["items"][0]
        check(row["id"] == b and row["state"] == "running", row)
        p = a.penstock("--as", "ana", "cancel", b, "--timeout", "0", expect=1)
        check("is still being ended" in p.stderr, p.stderr)
        os.kill(role, signal.SIGKILL)
        wait("it is cancelled", lambda: a.one("builds", b)["state"] == "cancelled")
        a.wait_event(MAIN)
        a.nothing_left()
        check(len([x for x in a.builds() if "customers_orders" in x["pipeline"]]) == 1, "it was queued again")


def can_sandbox():
    """Tried when the role starts; another test's sandboxes of the same uid may stand in the way for a while."""
    for _ in range(5):
        with Agent() as a:
            facts = wait("the build role says what it has", lambda: [f for f in a.json("status")["facts"]
                                                                    if f.startswith("sandbox")])
            if "not available" not in facts[0]:
                return
    print("SKIP: " + facts[0])
    sys.exit(77)


if __name__ == "__main__":
    can_sandbox()
    main(cancel_ends_what_runs_and_frees_its_slot, who_may_and_who_could, a_shared_build_outlives_one_event,
         tests_end_with_their_event, cancel_by_pattern, retry_is_the_same_again, retry_of_what_was_not_looked_into, bumped_goes_first,
         drain_waits_for_what_runs, check_tells_what_differs, a_run_is_cancelled_and_retried,
         a_wish_outlives_the_role)
