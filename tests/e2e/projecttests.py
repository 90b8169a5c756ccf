#!/usr/bin/python3
"""Tests of projects, end to end: pushes into a real agent whose pipelines have quick tests; no Spark.

Needs a toolchain with pytest, setuptools and wheel: PENSTOCK_TEST_TOOLCHAIN.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, toolchain, wait  # noqa: E402

MAIN = "refs/heads/main"
ORDERS, REPORT = "pipelines/customers_orders/code", "pipelines/sales_report/code"
SUITE = """import os
import unittest

from sales_functions.money import in_eur


class MoneyTest(unittest.TestCase):
    def test_is_there(self):
        self.assertTrue(callable(in_eur))

    def test_fabric_name(self):
        self.assertTrue(os.path.exists(f"configs/resources/config/{os.environ['FABRIC_NAME']}.json"))
"""
# one test fails the first time that it runs in a test: the output folder is what two tries share
FLAKY = SUITE + """
    def test_moody(self):
        been = '/out/cache/been'
        if not os.path.exists(been):
            os.makedirs('/out/cache', exist_ok=True)
            open(been, 'w').close()
            self.fail('not in the mood')
"""


def quick(a, name="sales", suite=SUITE, who="ana"):
    """The example whose tests need no Spark; the report has none at all."""
    clone = a.example(a.repository(name), who)
    money(clone)
    clone.git("rm", "-q", "-r", f"{ORDERS}/test", f"{REPORT}/test")
    clone.write(f"{ORDERS}/test/__init__.py", "")
    clone.write(f"{ORDERS}/test/TestSuite.py", suite)
    clone.commit("quick tests")
    return clone


def money(clone):
    """A function of the shared code that imports nothing of Spark."""
    clone.write("functions/sales_functions/__init__.py", "")
    clone.write("functions/sales_functions/money.py", "def in_eur(x):\n    return x\n")


def tests_of(a, *more):
    return sorted(a.items("tests", *more), key=lambda t: int(t["id"][1:]))


def push_to_released():
    prefix = toolchain()
    with Instance(prefix) as a:
        clone = quick(a)
        clone.push("HEAD:" + MAIN)
        e = a.wait_event(MAIN)
        check("done" in e["reason"], f"event: {e}")
        builds = {b["pipeline"]: b for b in a.builds()}
        check(builds["pipelines/sales_report"]["tests"] == "no tests", f"builds: {builds}")
        check(builds["pipelines/customers_orders"]["tests"] == "t1: 2 passed", f"builds: {builds}")
        t = tests_of(a, builds["pipelines/customers_orders"]["id"])
        check([x["id"] for x in t] == ["t1"] and t[0]["state"] == "passed" and t[0]["remembered"], f"tests: {t}")
        check([c["id"] for c in t[0]["cases"]] == [f"{ORDERS}/test/TestSuite.py::MoneyTest::test_{n}"
                                                   for n in ("fabric_name", "is_there")], f"cases: {t}")
        text = a.penstock("tests", "b1").stdout + a.penstock("tests", "b2").stdout
        check("2 passed" in text and "MoneyTest" not in text, text)
        text = a.penstock("tests", "t1", "--all").stdout
        check("::MoneyTest::test_is_there" in text, text)
        check("PASSED" in a.penstock("log", "t1").stdout, "the log of the tests lacks what pytest said")
        check("t1 tests of" in a.penstock("why", MAIN).stdout, "why does not show the tests")
        # the same content elsewhere: neither built nor tested again
        clone.push("HEAD:refs/tags/v1.0.0")
        wait("the tag waits for approval", lambda: "approval" in a.penstock("why", "refs/tags/v1.0.0").stdout)
        check(len(tests_of(a)) == 1, f"tested again: {tests_of(a)}")
        failing_stops(a, clone)


def failing_stops(a, clone):
    """A mutant of the shared code: the release stops, the test is named, the fabric untouched."""
    before = a.snapshot("development")
    releases = len(a.items("releases"))
    clone.write("functions/sales_functions/money.py", "in_eur = None\n")
    commit = clone.commit("break what is tested")
    clone.push("HEAD:" + MAIN)
    e = a.wait_event(MAIN, commit)
    check("failed" in e["reason"], f"event: {e}")
    why = a.penstock("why", MAIN).stdout
    case = f"{ORDERS}/test/TestSuite.py::MoneyTest::test_is_there"
    check(f"1 of 2: {case}" in why and "None" not in why.split("next:")[-1], why)
    check("penstock" in why and "tests t2" in why.split("next:")[-1], f"next is not the tests:\n{why}")
    out = a.penstock("tests", "t2").stdout
    check("1 passed, 1 failed" in out and case in out and "False is not true" in out, out)
    check(a.snapshot("development") == before, "the fabric was touched")
    check(len(a.items("releases")) == releases, "it was released")
    status = a.penstock("status").stdout
    check("t2" in status and case in status, f"status does not show it:\n{status}")
    t = a.json("tests", "t2")["items"][0]
    check(t["state"] == "failed" and not t["remembered"] and t["failed"] == 1, f"{t}")
    # put back: what passed before is remembered, nothing is tested
    money(clone)
    commit = clone.commit("mend it")
    clone.push("HEAD:" + MAIN)
    check("done" in a.wait_event(MAIN, commit)["reason"], "the mended one is not released")
    check(len(tests_of(a)) == 2, f"tests: {tests_of(a)}")
    check("t2" not in a.penstock("status").stdout, "a failure that was made good is still told")
    # the broken one again on another ref: failures are not remembered
    clone.write("functions/sales_functions/money.py", "in_eur = None\n")
    commit = clone.commit("break it again")
    clone.push("HEAD:" + MAIN)
    a.wait_event(MAIN, commit)
    check([t["state"] for t in tests_of(a)] == ["passed", "failed", "failed"], f"tests: {tests_of(a)}")


def flaky_goes_on():
    prefix = toolchain()
    with Instance(prefix) as a:
        clone = quick(a, suite=FLAKY)
        clone.push("HEAD:" + MAIN)
        check("done" in a.wait_event(MAIN)["reason"], "a flaky test stopped the release")
        t = tests_of(a)[0]
        check(t["state"] == "passed" and t["flaky"] and not t["remembered"], f"{t}")
        for where in (a.penstock("tests", "t1").stdout, a.penstock("why", MAIN).stdout,
                      a.penstock("builds").stdout, a.penstock("tests").stdout):
            check("flaky" in where, f"not marked:\n{where}")
        check("test_moody" in a.penstock("tests", "t1").stdout, "the flaky one is not named")
        clone.push("HEAD:refs/tags/v1.0.0")
        wait("the tag is tested anew", lambda: len(tests_of(a)) == 2 and tests_of(a)[1]["state"] == "passed")


def killed_meanwhile():
    """The build role is killed while tests run: they run again, once, and the push ends as ever."""
    prefix = toolchain()
    with Instance(prefix) as a:
        slow = SUITE.replace("import os\n", "import os, time\n", 1) + "\n    def test_slow(self):\n        time.sleep(5)\n"
        clone = quick(a, suite=slow)
        clone.push("HEAD:" + MAIN)
        wait("tests run", lambda: any(t["state"] == "running" for t in tests_of(a)))
        os.kill(a.role("build"), 9)
        check("done" in a.wait_event(MAIN)["reason"], "not released")
        t = tests_of(a)
        check([x["state"] for x in t] == ["passed"] and t[0]["passed"] == 3, f"tests: {t}")
        check(not a.leftovers(), f"left: {a.leftovers()}")


def fabric_name_of_an_environment():
    prefix = toolchain()
    with Instance(prefix) as a:
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("  - name: production\n", "  - name: production\n    tests: { fabric_name: prod }\n")
                    + "tests: { retries: 0, fabric_name: dev }\n")
        a.penstock("reload")
        clone = quick(a)
        clone.push("HEAD:" + MAIN, "HEAD:refs/tags/v1.0.0")
        a.wait_event(MAIN)
        wait("the tag waits for approval", lambda: "approval" in a.penstock("why", "refs/tags/v1.0.0").stdout)
        check(sorted(t["fabric_name"] for t in tests_of(a)) == ["dev", "prod"], f"tests: {json.dumps(tests_of(a))}")


if __name__ == "__main__":
    python = os.path.join(toolchain(), "bin", "python")
    if subprocess.run([python, "-c", "import pytest"], stderr=subprocess.DEVNULL).returncode:
        print("SKIP: the toolchain has no pytest")
        sys.exit(77)
    main(push_to_released, flaky_goes_on, killed_meanwhile, fabric_name_of_an_environment)
