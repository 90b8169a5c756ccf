#!/usr/bin/python3
"""Run the unit tests of one pipeline, as Prophecy's tool does: WHEEL PIPELINE FABRIC_NAME REPORT [again]

What is tested is the wheel: it is unpacked to scratch and put on the path. Of the pipeline's tree only
its tests and what is not Python are laid out beside it (test data, the config instances that generated
tests read by a path), so nothing of the source can be imported in place of what was built. Runs inside
the sandbox; `again` runs those that failed the time before.
"""
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile

EXPORT, BUILD, CACHE = "/export", "/build", "/out/cache"
SUITE = "test/TestSuite.py"
NO_PYTEST = 97


def lay_out(pipeline):
    """Copies the pipeline to /build and returns its code folder.

    Without code/__init__.py, so that the tests are the package `test`: with it they would be `code.test`,
    and `code` is a module of Python's own.
    """
    source, target = f"{EXPORT}/{pipeline}", f"{BUILD}/{pipeline}"
    tests = os.path.join(source, "code", "test")

    def left_out(folder, names):
        if folder == tests or folder.startswith(tests + "/"):
            return []
        return [n for n in names if n.endswith((".py", ".pyc"))]

    shutil.copytree(source, target, symlinks=True, ignore=left_out)
    return f"{target}/code"


def main():
    wheel, pipeline, fabric, report = sys.argv[1:5]
    if not importlib.util.find_spec("pytest"):
        sys.exit(NO_PYTEST)
    package = tempfile.mkdtemp(prefix="wheel-")
    with zipfile.ZipFile(wheel) as z:
        z.extractall(package)
    os.chdir(lay_out(pipeline))
    # Spark's Python workers are processes of their own: they find the pipeline by PYTHONPATH
    os.environ["PYTHONPATH"] = package
    os.environ["FABRIC_NAME"] = fabric
    args = ["-v", "-o", f"cache_dir={CACHE}", "-o", "junit_family=xunit1", f"--junitxml={report}"]
    if sys.argv[5:] == ["again"]:
        args += ["--last-failed", "--last-failed-no-failures=none"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *args, SUITE])


if __name__ == "__main__":
    main()
