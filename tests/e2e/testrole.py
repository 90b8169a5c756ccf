#!/usr/bin/python3
"""Tests of a project in the build role's second sandbox, from outside; no Spark.

    tests/e2e/testrole.py [WORD]    runs the cases whose name holds WORD; cwd is the build folder

Needs a Python with pytest: PENSTOCK_TEST_TOOLCHAIN, else the system's. Exit status 77 without it, or
without a sandbox.
"""
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import buildrole  # noqa: E402
from buildrole import LIMITS, alive, make_wheel, until  # noqa: E402

TOOLS = os.environ.get("PENSTOCK_TEST_TOOLCHAIN")
CODE = "pipelines/orders/code"
SUITE = f"{CODE}/test/TestSuite.py"


class World(buildrole.World):
    def __init__(self, yaml=None):
        super().__init__()
        if yaml:
            assert self.role.configure(self.yaml.replace(*yaml)) is None

    def prefix(self):
        return TOOLS or self.toolchain()

    def begin(self, suite, package="VALUE = 'built'\n", more=None, **fields):
        """One pipeline `orders` with this suite; the wheel holds a package of that name."""
        files = {SUITE: suite, f"{CODE}/test/__init__.py": "", f"{CODE}/__init__.py": "", f"{CODE}/setup.py": "",
                 f"{CODE}/orders/__init__.py": "VALUE = 'source'\n", **(more or {})}
        dest, _ = self.export(files)
        wheel = package if isinstance(package, bytes) else make_wheel("orders", package)
        digest = self.put(wheel)
        self.n += 1
        inputs = [{"path": p, "oid": buildrole.tree_oid(f"{dest}/{p}").hex(), "is_dir": True}
                  for p in ("functions", "pipelines/orders")]
        self.role.send("test_start", **{
            "test": self.n, "fence": 4, "slot": 0, "export": dest, "pipeline": "pipelines/orders",
            "digest": digest, "fabric_name": "default", "prefix": self.prefix(),
            "log": f"{self.top}/logs/t{self.n}.log", "inputs": inputs, "retries": 1, **fields})
        return dest

    def put(self, data):
        """Into the content store, as a build seals it."""
        digest = buildrole.hashlib.sha256(data).hexdigest()
        path = f"{self.top}/artifacts/{digest[:2]}/{digest[2:]}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(data)
            os.chmod(path, 0o444)
        return digest

    def test(self, suite, **more):
        dest = self.begin(suite, **more)
        end = self.role.recv(120)
        assert end["type"] == "test_end" and end["test"] == self.n and end["fence"] == 4, end
        assert not os.path.exists(dest), "the export is eaten"
        left = [x for x in os.listdir(f"{self.top}/work/build") if not x.startswith("toolchain-")]
        assert not left, left
        return end

    def log(self, number=None):
        with open(f"{self.top}/logs/t{number or self.n}.log", encoding="utf-8", errors="replace") as f:
            return f.read()


def counts(end):
    return tuple(end.get(k, 0) for k in ("passed", "failed", "errors", "skipped"))


def paths(end, outcome):
    return [c["path"] for c in end["cases"] if c["outcome"] == outcome]


UNITTEST = """import unittest
from orders import VALUE
class OrdersTest(unittest.TestCase):
    def test_value(self):
        self.assertEqual(VALUE, 'built')
    def test_other(self):
        pass
"""


def what_was_built_is_tested(w):
    end = w.test(UNITTEST)
    assert end["state"] == "passed" and counts(end) == (2, 0, 0, 0) and not end.get("flaky"), (end, w.log())
    assert "reason" not in end, end
    assert paths(end, "passed") == [f"{SUITE}::OrdersTest::test_other", f"{SUITE}::OrdersTest::test_value"], end
    # neither the source of the package nor a module that the wheel lacks is there
    end = w.test("def test_x():\n    import helpers\n", more={f"{CODE}/helpers.py": "x = 1\n"})
    assert end["state"] == "failed" and "No module named 'helpers'" in end["cases"][0]["message"], end
    end = w.test("from orders import nosuch\n", more={f"{CODE}/orders/nosuch.py": ""})
    assert end["state"] == "failed" and "cannot be imported" in end["cases"][0]["message"], end
    end = w.test("def test_x():\n    import f\n", more={f"{CODE}/test/conftest.py": "import sys; sys.path[:0] = ['/build/functions', '../../../functions']\n"})
    assert end["state"] == "failed", "shared code comes from the wheel alone"


def tests_see_their_data_and_fabric(w):
    end = w.test("import os\n"
                 "def test_config():\n    assert open(f\"configs/resources/config/{os.environ['FABRIC_NAME']}.json\").read() == '7'\n"
                 "def test_data():\n    assert open('test/resources/data/x.json').read() == '8'\n"
                 "def test_cwd():\n    assert os.getcwd() == '/build/pipelines/orders/code'\n"
                 "def test_export_is_read_only():\n"
                 "    for p in ('/export/x', '/artifact', '/suite.py', '/toolchain/x', '/export/pipelines/orders/code/test/x'):\n"
                 "        try: open(p, 'a'); assert False, p\n"
                 "        except OSError: pass\n",
                 fabric_name="qa",
                 more={f"{CODE}/configs/resources/config/qa.json": "7", f"{CODE}/test/resources/data/x.json": "8"})
    assert end["state"] == "passed" and counts(end) == (4, 0, 0, 0), (end, w.log())


def a_failing_test_is_named(w):
    end = w.test(UNITTEST, package="VALUE = 'wrong'\n")
    assert end["state"] == "failed" and end["reason"] == f"1 of 2: {SUITE}::OrdersTest::test_value", end
    bad = [c for c in end["cases"] if c["outcome"] == "failed"]
    assert len(bad) == 1 and "'wrong' != 'built'" in bad[0]["message"] and "assertEqual" in bad[0]["trace"], bad
    assert "once more" in w.log() and "FAILED" in end["last_lines"], end


def of_every_kind(w):
    end = w.test("import pytest\nfrom test.more import *\n"
                 "@pytest.fixture\ndef broken(): raise RuntimeError('no fixture')\n"
                 "def test_error(broken): pass\n"
                 "@pytest.mark.skip(reason='not here')\ndef test_skip(): pass\n"
                 "@pytest.mark.parametrize('x', [1, 2])\ndef test_p(x): assert x == 1\n",
                 more={f"{CODE}/test/more.py": "def test_more(): pass\n"})
    assert end["state"] == "failed" and counts(end) == (2, 1, 1, 1), end
    assert end["reason"].startswith("2 of 5: "), end
    assert paths(end, "passed")[0] == f"{CODE}/test/more.py::test_more", end
    assert paths(end, "failed") == [f"{SUITE}::test_p[2]"] and paths(end, "error") == [f"{SUITE}::test_error"], end
    skipped = [c for c in end["cases"] if c["outcome"] == "skipped"]
    assert skipped[0]["message"] == "not here", skipped


# fails once: the output folder is what two tries have in common
FLAKY = """import os
def test_sometimes():
    if not os.path.exists('/out/cache/been'):
        os.makedirs('/out/cache', exist_ok=True); open('/out/cache/been', 'w')
        assert False, 'the first time'
def test_always(): pass
"""


def flaky_is_marked(w):
    end = w.test(FLAKY)
    assert end["state"] == "passed" and end["flaky"] and counts(end) == (2, 0, 0, 0), (end, w.log())
    case = [c for c in end["cases"] if c.get("flaky")]
    assert len(case) == 1 and case[0]["path"].endswith("::test_sometimes") and case[0]["outcome"] == "passed", end
    assert "the first time" in case[0]["message"], case
    end = w.test(FLAKY, retries=0)
    assert end["state"] == "failed" and not end.get("flaky"), end
    end = w.test(FLAKY + "def test_never(): assert 0\n")
    assert end["state"] == "failed" and counts(end) == (2, 1, 0, 0) and not end.get("flaky"), end
    assert end["reason"] == f"1 of 3: {SUITE}::test_never", end


# suite: reason
REPORTS = {
    "import os; os._exit(0)": "left no report (exit status 0)",
    "import os; open('/out/report.xml', 'w').write('<testsuites><testcase name'); os._exit(0)": "no JUnit XML",
    "import os; open('/out/report.xml', 'w').write('<!DOCTYPE x [<!ENTITY a \"b\">]><testsuites/>'); os._exit(0)":
        "document type",
    "import os; os.symlink('/etc/passwd', '/out/report.xml'); os._exit(0)": "cannot open the report",
    "import os; os.mkfifo('/out/report.xml'); os._exit(0)": "no regular file",
    "import os; os.truncate(os.open('/out/report.xml', 66), 17 << 20); os._exit(0)": "larger than 16 MB",
    "import os; open('/out/report.xml', 'w').write('<testsuites><testcase name=\"a\"/></testsuites>'); os._exit(3)":
        "no test failed, and pytest ended with exit status 3",
    "import os; open('/out/report.xml', 'w').write('<testsuites><testcase name=\"a\"><failure/></testcase></testsuites>'); os._exit(0)":
        "1 of 1: ",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "left no report (killed by signal 9)",
}


def only_a_sound_report_counts(w):
    for suite, want in REPORTS.items():
        end = w.test(suite + "\n")
        assert end["state"] == "failed" and want in end["reason"], (suite, end)


def no_test_and_no_pytest(w):
    end = w.test("x = 1\n")
    assert end["state"] == "passed" and "holds no test" in end["reason"] and counts(end) == (0, 0, 0, 0), end
    bare = f"{w.top}/toolchains/bare"
    subprocess.run([buildrole.PYTHON, "-m", "venv", "--without-pip", bare], check=True)
    end = w.test(UNITTEST, prefix=bare)
    assert end["state"] == "failed" and "has no pytest" in end["reason"] and "penstock toolchain make" in end["reason"], end


def export_and_artifact_are_proven(w):
    digest = w.put(make_wheel("orders", "VALUE = 'built'\n"))
    path = f"{w.top}/artifacts/{digest[:2]}/{digest[2:]}"
    os.chmod(path, 0o644)
    with open(path, "ab") as f:
        f.write(b"x")
    end = w.test(UNITTEST, digest=digest)
    assert end["state"] == "failed" and "has other bytes now" in end["reason"], end
    end = w.test(UNITTEST, digest="0" * 64)
    assert end["state"] == "failed", end
    end = w.test(UNITTEST, inputs=[{"path": "pipelines/orders", "oid": "0" * 40, "is_dir": True}])
    assert end["state"] == "failed" and "not what the key says" in end["reason"], end
    end = w.test(UNITTEST, toolchain="0" * 64)
    assert end["state"] == "failed" and "is not the one" in end["reason"], end
    end = w.test(UNITTEST, package=b"no zip at all")
    assert end["state"] == "failed" and "no report" in end["reason"] and "BadZipFile" in w.log(), end


def killed_tests_are_answered_for(w):
    mark = f"8{os.getpid()}"
    w.begin(f"import subprocess\ndef test_x(): subprocess.run(['/bin/sleep', '{mark}'])\n")
    until("it runs", lambda: alive("/bin/sleep", mark), 60)
    os.kill(w.role.children()[0], 9)
    end = w.role.recv()
    assert end["type"] == "test_end" and end["state"] == "again" and "killed by signal 9" in end["reason"], end
    until("nothing survives", lambda: not alive("/bin/sleep", mark))


def every_limit_is_named(w):
    for old, new, text, want in LIMITS:
        assert w.role.configure(w.yaml.replace(old, new)) is None
        end = w.test("def test_x():\n" + "".join(f"    {line}\n" for line in text.splitlines()), retries=1)
        assert end["state"] == "failed" and want in end["reason"], (new, end, w.log())


CASES = [what_was_built_is_tested, tests_see_their_data_and_fabric, a_failing_test_is_named, of_every_kind,
         flaky_is_marked, only_a_sound_report_counts, no_test_and_no_pytest, export_and_artifact_are_proven,
         killed_tests_are_answered_for, every_limit_is_named]


def main():
    python = f"{TOOLS}/bin/python" if TOOLS else buildrole.PYTHON
    if subprocess.run(["./sandbox_try", "--probe"], stdout=subprocess.DEVNULL).returncode:
        print("SKIP: no sandbox on this machine")
        return 77
    if subprocess.run([python, "-c", "import pytest"], stderr=subprocess.DEVNULL).returncode:
        print("SKIP: no pytest: set PENSTOCK_TEST_TOOLCHAIN to a toolchain that has it")
        return 77
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for case in CASES:
        if word not in case.__name__:
            continue
        w = World(getattr(case, "yaml", None))
        try:
            began = time.monotonic()
            case(w)
            print(f"ok   {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            w.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
