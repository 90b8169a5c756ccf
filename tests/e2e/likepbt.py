#!/usr/bin/python3
"""What Prophecy's own tool finds wrong, `penstock check` finds too: both verdicts over mutants of the example.

    tests/e2e/likepbt.py [CASE]     cwd is the build folder; PENSTOCK_TEST_SEED another row of mutants

Where `pbt validate` ends with an error, ours has a finding that the unharmed project has not; and of each kind of
which pbt counts the members, ours has as many.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import pbt  # noqa: E402
from agent import BUILD, SRC, check, clean_env, main  # noqa: E402

SALES = os.path.join(SRC, "examples", "sales")
YML = "pbt_project.yml"
FLOW = "pipelines/{}/code/.prophecy/workflow.latest.json"
NAMES = ("customers_orders", "sales_report")
RANDOM = 120
JOBS = 8


# ---- mutants: (what was done, a function that does it to a folder) ----

def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def write(top, path, text):
    """A file of its own: the mutants share all that they leave as it was."""
    full = os.path.join(top, path)
    if os.path.exists(full):
        os.unlink(full)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def put(path, text):
    return f"{path} holds {text[:30]!r}", lambda top: write(top, path, text)


def gone(path):
    def do(top):
        full = os.path.join(top, path)
        shutil.rmtree(full) if os.path.isdir(full) else os.unlink(full)
    return f"{path} is gone", do


def cut(path, part):
    def do(top):
        text = read(top, path)
        write(top, path, text[:int(len(text) * part)])
    return f"{path} ends after {part:.0%}", do


def swapped(path, old, new):
    def do(top):
        text = read(top, path)
        check(old in text, f"{path} does not hold {old!r}")
        write(top, path, text.replace(old, new, 1))
    return f"{path}: {old!r} is {new!r}", do


def without(key):
    """A top key of the project and all below it."""
    return f"{YML} without {key}", lambda top: write(top, YML, re.sub(rf"(?m)^{key}:.*\n((?:[ -].*\n)*)", "", read(top, YML)))


def says(*severities):
    """Each pipeline's file holds these diagnostics."""
    def do(top):
        for name in NAMES:
            flow = json.loads(read(top, FLOW.format(name)))
            flow["diagnostics"] = [{"severity": s, "message": f"number {i}"} for i, s in enumerate(severities)]
            write(top, FLOW.format(name), json.dumps(flow))
    return f"diagnostics of severity {severities}", do


def by_hand():
    flow = FLOW.format(NAMES[0])
    yield from (without(key) for key in ("name", "version", "language", "pipelines", "jobs"))
    yield from (put(YML, text) for text in ("", "[]", "a: [", "- a\n", "name: x\n", "\t- a\n", "a: b: c\n", "{}", "null", "a: &b *c\n"))
    yield from (put(flow, text) for text in ("", "{", "[1, 2", "nothing", "{'a': 1}", '{"a": 1,}', "\ufeff"))
    yield from (cut(path, part) for path in (YML, flow) for part in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97))
    yield from (gone(path) for path in (YML, flow, f"pipelines/{NAMES[0]}", "pipelines", f"pipelines/{NAMES[1]}/code"))
    yield from (says(*s) for s in ((1,), (2,), (3,), (1, 1, 2), (2, 1, 3, 1), ()))
    for key in ("pipelines", "jobs"):
        for value in ("[]", "text", "null", "7"):
            what, drop = without(key)
            yield f"{what}, then {value}", lambda top, d=drop, k=key, v=value: (d(top), write(top, YML, read(top, YML) + f"{k}: {v}\n"))
    yield swapped(YML, "  pipelines/customers_orders:", "  pipelines/other:")
    yield swapped(YML, "language: python", "language: [python")
    yield swapped(YML, "author: ana", "<<<<<<< HEAD\nauthor: ana")
    yield swapped(YML, "    mode: batch\n", "\tmode: batch\n")


def by_chance(seed):
    """A line or a byte of the files that the tool reads, gone, twice or another."""
    rnd = random.Random(seed)
    for _ in range(RANDOM):
        path = rnd.choice((YML, YML, FLOW.format(NAMES[0]), FLOW.format(NAMES[1])))
        how, at, to = rnd.choice(("gone", "twice", "moved", "byte")), rnd.random(), rnd.choice("{}[]:,'\"-#&*!%@` \tx0\n")

        def do(top, path=path, how=how, at=at, to=to):
            text = read(top, path)
            lines = text.splitlines(True)
            i = int(at * len(lines))
            if how == "byte":
                k = int(at * len(text))
                text = text[:k] + to + text[k + 1:]
            else:
                lines[i] = {"gone": "", "twice": lines[i] * 2, "moved": "  " + lines[i]}[how]
                text = "".join(lines)
            write(top, path, text)
        yield f"{path}: at {at:.3f} {how} {to!r}", do


# ---- both verdicts ----

def theirs(program, base, folders):
    """Several processes: that tool mostly waits for others that it starts."""
    args = [os.path.join(os.path.dirname(program), "python"), "-I", os.path.join(SRC, "tests", "support", "pbt_verdicts.py")]
    jobs, got = [], {}
    for i in range(JOBS):
        write(base, f"in{i}", "".join(f + "\n" for f in folders[i::JOBS]))
        with open(f"{base}/in{i}", "rb") as to, open(f"{base}/out{i}", "wb") as out:
            jobs.append(subprocess.Popen(args, stdin=to, stdout=out, stderr=out, env={**clean_env(), "PATH": "/usr/bin:/bin"}))
    codes = [p.wait(900) for p in jobs]
    for i, code in enumerate(codes):
        text = read(base, f"out{i}")
        check(code == 0, f"pbt: exit {code}\n{text[-2000:]}")
        for line in text.splitlines():
            if line.startswith('{"folder"'):
                v = json.loads(line)
                got[v["folder"]] = v
    return [got[f] for f in folders]


def checked(folder, *args):
    p = subprocess.run([os.path.join(BUILD, "penstock"), "check", "--new", *args, folder], capture_output=True, text=True,
                       timeout=60, env=clean_env())
    check(p.returncode in (0, 1), f"penstock check: exit {p.returncode}\n{p.stderr}")
    return p


def ours(folder):
    # without its file it is no project, and a person is told so: a repository may hold anything else
    return json.loads(checked(folder, "--format", "json").stdout)["items"] or \
        re.findall("no pbt_project.yml in", checked(folder).stderr)


def as_many(what, got, found):
    """Of what pbt counts when it comes so far, ours has as many."""
    for words, code in ((r"\[error\] ", "PS-PIPE-019"), ("Empty Pipeline Found", "PS-PIPE-017")):
        n, m = len(re.findall(words, got["text"])), sum(code in f.values() for f in found if isinstance(f, dict))
        check(got["crash"] or "Validating" not in got["text"] or m == n,
              f"{what}: pbt has {n} of {words!r}, ours {m} of {code}:\n{got['text']}\n{found}")


def what_pbt_finds_is_found():
    program, why = pbt.program()
    if not program:
        print(f"SKIP: no pbt to compare with: {why}")
        sys.exit(77)
    seed = int(os.environ.get("PENSTOCK_TEST_SEED", "20261127"))
    base = tempfile.mkdtemp(prefix="penstock-likepbt.")
    try:
        mutants = [("nothing was done", lambda top: None), *by_hand(), *by_chance(seed)]
        folders, sound = [], shutil.copytree(SALES, os.path.join(base, "sound"))
        subprocess.run(["chmod", "-R", "u+w", sound], check=True)
        for i, (_, do) in enumerate(mutants):
            folders.append(os.path.join(base, str(i)))
            shutil.copytree(sound, folders[-1], copy_function=os.link)
            do(folders[-1])
        verdicts = theirs(program, base, folders)
        check(verdicts[0]["exit"] == 0 and not ours(folders[0]), "the example itself is sound")
        refused, missed = 0, []
        for (what, _), got, folder in zip(mutants, verdicts, folders):
            found = ours(folder)
            refused += got["exit"] != 0
            if got["exit"] != 0 and not found:
                missed.append(f"{what}: {got['crash'] or got['text'][-300:]}")
            as_many(what, got, found)
        check(not missed, f"seed {seed}: pbt finds and we do not:\n" + "\n".join(missed))
        check(refused > 60, f"pbt refuses {refused} of {len(mutants)}: too few to tell anything")
        print(f"     {len(mutants)} mutants, pbt refuses {refused}, all of them found; seed {seed}")
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(what_pbt_finds_is_found)
