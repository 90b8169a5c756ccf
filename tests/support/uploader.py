"""The uploader that is none (tests/fake/penstock-fake-uploader), started by a test.

    with Uploader(root) as u:       # takes files below root alone
        u.url, u.user, u.password
        u.fail("401", "drop")       # what becomes of the next calls
        u.calls()                   # those since the last time, each "STATUS PATH?QUERY"
"""
import os
import shutil
import subprocess
import sys
import tempfile

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Uploader:
    user, password = "uploader", "pw of uploader"

    def __init__(self, root):
        self.root, self.seen = root, 0

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="penstock-uploader.")
        self.proc = subprocess.Popen(
            [sys.executable, os.path.join(SRC, "tests", "fake", "penstock-fake-uploader"), "--dir", self.dir, "--root", self.root,
             "--user", self.user, "--password", self.password], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.proc.stdout.readline().split()
        if line[:2] != ["listening", "on"]:
            raise RuntimeError(f"the uploader does not start: {line}")
        self.url = line[2]
        return self

    def __exit__(self, *why):
        self.proc.terminate()
        self.proc.wait(10)
        self.proc.stdout.close()
        shutil.rmtree(self.dir)

    def fail(self, *words):
        with open(os.path.join(self.dir, "faults"), "w", encoding="utf-8") as f:
            f.write(" ".join(words))

    def calls(self):
        try:
            with open(os.path.join(self.dir, "calls"), encoding="utf-8") as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            lines = []
        new, self.seen = lines[self.seen:], len(lines)
        return new
