#!/usr/bin/python3
"""Logs as people read them: followed live, over restarts and kills, longer than what is kept.

Judged by comparing what `penstock log` printed with what the program in the sandbox is known to print.
Needs /usr/bin/python3 with setuptools and wheel, no Spark; exit status 77 without a sandbox.
"""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, check, clean_env, main, plain_toolchain, wait  # noqa: E402

MAIN = "refs/heads/main"
SETUP = "pipelines/sales_report/code/setup.py"
LIMIT = 4 << 20
AGAIN = "penstock: once more; what is above is of an earlier attempt"
STAMP = 25

# 100 bytes a line with its end, 50 MB in all; quick, so that a follower falls behind
BIG = """import sys
w = sys.stdout.write
for i in range(500000):
    w('%07d ' % i + chr(97 + i % 26) * 91 + '\\n')
"""
SLOW = """import sys, time
for i in range({n}):
    sys.stdout.write('line ')
    sys.stdout.flush()
    sys.stdout.write('%d of {name}' % i)
    sys.stdout.flush()
    time.sleep({pause})
    sys.stdout.write('\\n')
"""
ODD = r"""import os, time
os.write(1, b'caf\xc3')
time.sleep(1)
os.write(1, b'\xa9 \xff\xfe \x1b[31mred\x1b[0m nul\0 \r50%\r100%\n')
os.write(2, b'on the other stream\n\n')
os.write(1, b'x' * 20000 + b'\nno end')
"""


class Follower:
    """penstock log -f, its output kept in files so that nobody has to read meanwhile."""

    def __init__(self, a, *args):
        self.a, self.out = a, os.path.join(a.base, f"follow-{len(os.listdir(a.base))}")
        self.p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", a.dir, "log", *args],
                                  stdin=subprocess.DEVNULL, stdout=open(self.out, "wb"),
                                  stderr=open(self.out + ".err", "wb"), env=clean_env())

    def text(self, more=""):
        with open(self.out + more, "rb") as f:
            return f.read().decode()

    def end(self, code, limit=None):
        self.p.wait(limit or 240)
        check(self.p.returncode == code, f"log -f: exit {self.p.returncode}, not {code}: {self.text('.err')}")
        return self.text()


class Scene:
    def __init__(self):
        self.a = Instance(plain_toolchain())
        path = os.path.join(self.a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("output: 64M", "output: 4M"))

    def __enter__(self):
        self.a.start()
        self.clone = self.a.example(self.a.repository("sales"))
        return self

    def __exit__(self, *why):
        return self.a.__exit__(*why)

    def build(self, setup, end="raise SystemExit(1)"):
        """Pushes a setup.py; its build, once it runs or has ended."""
        seen = {b["id"] for b in self.a.builds()}
        self.clone.write(SETUP, setup + end + "\n")
        self.clone.commit("next")
        self.clone.push("HEAD:" + MAIN)

        def look():
            mine = [b for b in self.a.builds() if b["id"] not in seen and b["pipeline"] == "pipelines/sales_report"]
            return mine and mine[0]["state"] in ("running", "passed", "failed") and mine[0]["id"]
        return wait("the build runs", look)

    def state(self, build):
        return [b["state"] for b in self.a.builds() if b["id"] == build][0]

    def log(self, build, *args):
        return self.a.penstock("log", build, *args).stdout

    def parts(self, build):
        top = os.path.join(self.a.dir, "logs")
        return {n: os.path.getsize(os.path.join(top, n)) for n in os.listdir(top) if n.startswith(build + ".log")}


def own(text):
    """Lines of the program alone."""
    return [l for l in text.split("\n")[:-1] if not l.startswith("penstock: ")]


def read_big(text):
    """Runs of line numbers and what is said to be elided between them; every line is what was printed, but the one
    that a follower had in part when its rest was given up."""
    runs, gaps, torn = [[]], [], ""
    for line in own(text):
        m = re.fullmatch(r"… (.*) elided …", line)
        if m:
            gaps.append(m[1])
            runs.append([])
            torn = ""
            continue
        check(not torn, f"garbage in the log: {torn[:150]!r}")
        if re.fullmatch(r"\d{0,7}| |\d{7} (.)\1{0,89}", line):     # its rest was given up
            torn = line
            continue
        m = re.fullmatch(r"(\d{7}) (.)\2{90}", line)
        check(m and m[2] == chr(97 + int(m[1]) % 26), f"garbage in the log: {line[:150]!r}")
        runs[-1].append(int(m[1]))
    for r in runs:
        check(r == list(range(r[0], r[0] + len(r))), f"lines are lost without a word near {r[0]}")
    return runs, gaps


def fifty_megabytes():
    with Scene() as s:
        b = s.build(BIG)
        f = Follower(s.a, "-f", b)
        runs, gaps = read_big(f.end(1))
        check(runs[0][0] == 0 and runs[-1][-1] == 499999, f"followed from {runs[0][0]} to {runs[-1][-1]}")
        missing = sum(n[0] - o[-1] - 1 for o, n in zip(runs, runs[1:]))
        print(f"     50 MB followed: {sum(map(len, runs))} lines, {missing} elided in {len(gaps)} gaps")
        after, marks = read_big(s.log(b))
        check(len(marks) == 1 and len(after) == 2, f"gaps afterwards: {marks}")
        check(after[0][0] == 0 and after[1][-1] == 499999, "beginning or end is not kept")
        check(len(after[0]) * (100 + STAMP) > LIMIT * 0.49, f"{len(after[0])} lines of the beginning are kept")
        check(len(after[1]) * (100 + STAMP) > LIMIT * 0.24, f"{len(after[1])} lines of the end are kept")
        elided = (after[1][0] - after[0][-1] - 1) * (100 + STAMP)
        check(marks[0] == f"{elided // 1000000}.{elided // 100000 % 10} MB", f"says {marks[0]}, are {elided} bytes")
        sizes = s.parts(b)
        print(f"     on disk: {sizes}")
        check(sum(sizes.values()) <= LIMIT + (128 << 10), f"on disk: {sizes}")
        tail = s.log(b, "--tail", "3")
        check(tail == "".join(s.log(b).splitlines(True)[-3:]), f"the last lines: {tail!r}")
        one = s.a.json("log", b)
        check(one["ended"] and s.a.json("log", b, "--offset", str(one["next"]))["text"] == "", "nothing comes twice")


def slow_printer_is_followed_live():
    with Scene() as s:
        want = [f"line {i} of slow" for i in range(150)]
        b = s.build(SLOW.format(n=150, name="slow", pause=0.04))
        f, late = Follower(s.a, "-f", b), None
        wait("a line is seen while it runs", lambda: "line 3 of slow\n" in f.text(), every=0.01)
        check(s.state(b) == "running", "it was not seen live")
        wait("an unfinished line is seen", lambda: re.search(r"of slow\Z", f.text()), every=0.005)
        late = Follower(s.a, "-f", "--times", b)
        for text in (f.end(1), re.sub(r"(?m)^.{24} ", "", late.end(1))):
            check(own(text) == want, f"followed: {own(text)[:5]} .. {own(text)[-3:]}, {len(own(text))} lines")
            check(text == s.log(b), "the follower saw something else than what is kept")
        times = re.findall(r"(?m)^(\S{24}) line", late.text())
        check(len(times) == 150 and times == sorted(times) and times[0] < times[-1], f"times: {times[:3]}")


def odd_bytes():
    with Scene() as s:
        b = s.build(ODD)
        f = Follower(s.a, "-f", b)
        f.end(1)
        text = s.log(b)
        check(f.text() == text, "followed and read afterwards differ")
        check(r"café \xff\xfe \x1b[31mred\x1b[0m nul\x00 \x0d50%\x0d100%" + "\non the other stream\n\n" in text,
              f"escaped: {text!r}")
        check(text.count("x" * 8192 + "\n") == 2 and "x" * (20000 - 2 * 8192) + "\nno end\n" in text, "long lines are cut")
        raw = subprocess.run([os.path.join(BUILD, "penstock"), "-C", s.a.dir, "log", b, "--raw"], capture_output=True,
                             env=clean_env()).stdout
        with open(os.path.join(s.a.dir, "logs", b + ".log"), "rb") as file:
            check(raw == file.read() and b"caf\xc3\xa9 \xff\xfe \x1b[31mred" in raw, "--raw is not the file")


def judge_attempts(s, b, f, n, name):
    """Every attempt's lines from its first on in order, the last one's whole."""
    text = f.end(1)
    check(text == s.log(b), "the follower saw something else than what is kept")
    attempts = text.split(AGAIN + "\n")
    check(len(attempts) == 2, f"{len(attempts)} attempts:\n{text[:3000]}")
    for i, part in enumerate(attempts):
        want = [f"line {k} of {name}" for k in range(n)]
        got = own(part)
        if i == 0:      # its last line may be torn
            check(0 < len(got) <= n and got[:-1] == want[:len(got) - 1] and want[len(got) - 1].startswith(got[-1]),
                  f"first attempt: {got[-3:]}")
        else:
            check(got == want, f"last attempt: {got[:2]} .. {got[-2:]}, {len(got)} lines")


def follower_outlives_a_restart():
    with Scene() as s:
        b = s.build(SLOW.format(n=100, name="restart", pause=0.05))
        f = Follower(s.a, "-f", b)
        wait("some lines", lambda: "line 5 of" in f.text())
        s.a.stop()
        wait("the follower notices", lambda: "waiting for it" in f.text(".err"))
        s.a.start()
        judge_attempts(s, b, f, 100, "restart")


def build_role_is_killed():
    with Scene() as s:
        b = s.build(SLOW.format(n=100, name="kill", pause=0.05))
        f = Follower(s.a, "-f", b)
        wait("some lines", lambda: "line 5 of" in f.text())
        os.kill(s.a.role("build"), signal.SIGKILL)
        judge_attempts(s, b, f, 100, "kill")


def interrupted_watching():
    with Scene() as s:
        b = s.build(SLOW.format(n=400, name="watched", pause=0.05))
        f = Follower(s.a, "-f", b)
        wait("some lines", lambda: "line 1 of" in f.text())
        f.p.send_signal(signal.SIGINT)
        f.end(130)
        check(f"{b} goes on; next: penstock -C {s.a.dir} log -f {b}\n" in f.text(".err"), f.text(".err"))
        check(s.state(b) == "running", "the work ended with the watching")
        out = s.a.penstock("log", b)
        check(out.stdout.startswith(f.text()) and f"{b} is running" in out.stderr, "what came before is printed")


def passed_is_zero():
    with Scene() as s:
        good = s.clone.read(SETUP)
        b = s.build("", good)
        check("penstock: sealed sales_report" in Follower(s.a, "-f", b).end(0), "the last line is missing")


if __name__ == "__main__":
    main(fifty_megabytes, slow_printer_is_followed_live, odd_bytes, follower_outlives_a_restart, build_role_is_killed,
         interrupted_watching, passed_is_zero)
