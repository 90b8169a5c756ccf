"""Prophecy's own tool, to hold ours against: from PyPI, pinned, in a virtual environment of its own.

    pbt.program()     path of `pbt`, or None and why it could not be had
    python3 tests/support/pbt.py FOLDER     makes it there

PENSTOCK_TEST_PBT names a folder that has it, as ./check does (empty: there is none); else it is made below the build
folder, once.
"""
import os
import shutil
import subprocess
import sys

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PINNED = os.path.join(SRC, "tests", "real", "pbt.txt")
LIMIT = 600


def make(folder):
    """None, or why it could not be made. What was begun and not ended, or of other pins, is made anew."""
    whole = os.path.join(folder, "whole")
    with open(PINNED, encoding="utf-8") as f:
        pins = f.read()
    try:
        with open(whole, encoding="utf-8") as f:
            if f.read() == pins:
                return None
    except FileNotFoundError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
        for args in ([sys.executable, "-m", "venv", folder],
                     [os.path.join(folder, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check",
                      "--no-input", "-r", PINNED]):
            p = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
            if p.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                return (p.stderr or p.stdout).strip().split("\n")[-1]
        with open(whole, "x", encoding="utf-8") as f:
            f.write(pins)
    except (OSError, subprocess.TimeoutExpired) as e:
        shutil.rmtree(folder, ignore_errors=True)
        return str(e)
    return None


def program():
    folder = os.environ.get("PENSTOCK_TEST_PBT", os.path.join(os.path.abspath(os.environ.get("PENSTOCK_BUILD", ".")), "pbt"))
    why = make(folder) if folder else "./check could not make it"
    return (None, why) if why else (os.path.join(folder, "bin", "pbt"), None)


if __name__ == "__main__":
    sys.exit(make(sys.argv[1]) or 0)
