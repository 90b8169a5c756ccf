#!/usr/bin/python3
"""Runs fuzz targets over their corpora, one after the other, and says what each did.

    run.py [--seconds N] FOLDER TARGET...    FOLDER holds the programs, as `make fuzz` builds them

New inputs are kept in FOLDER/new/NAME, so a later run goes on from them. An input that breaks
something is kept in FOLDER/broken, and the lines printed say how to repeat it.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
# a judgement of a whole project takes longer than a frame; bytes, and seconds for one input
LIMITS = {"project": (4096, 10), "job": (4096, 10), "wire": (4096, 5), "hook": (4096, 5), "config": (4096, 10)}
YAML = ["&a ", "*a", "<<: ", "? ", "- ", "!!str ", "!!int ", "! ", "|\\x0a ", ">-\\x0a ", "--- ", "%YAML 1.1\\x0a", "\\x0d\\x0a",
        "\\xc2\\x85", "\\xe2\\x80\\xa8", "\\xef\\xbb\\xbf", "\\x5c\\x5cu0000", "'", "[", "]", "{", "}", "{}", "[]", "<<<<<<< "]
JSON = ["{", "}", "[", "]", ":", ",", "\\x5c\\x5cu0000", "\\x5c\\x5cud800", "1e400", "-0", "null", "true", "NaN", "Infinity", "-Infinity"]
# The words of a target: where in the source they stand, what they look like there, and some more.
WORDS = {
    "project": (["common/gate/*.c", "common/project/*.c"], r'"([A-Za-z]\w+|!?<<|\w+/)"', YAML),
    "job": (["common/gate/*.c", "common/project/job*.c"], r'"([A-Za-z_]\w+)"', JSON),
    "wire": (["common/wire/messages.h"], r"(?:F\(\w+, |#define WIRE_)(\w+)", ["type", "version"]),
    "hook": (["hooks/*.c", "hooks/identity/*.c"], r'"([A-Z][A-Z_]{3,})"', ["0" * 40, "1" * 40, " refs/heads/", "user-1"]),
    "config": (["common/config/config_*.c"], r'"([a-z_]{2,})"', YAML),
}
BROKEN = re.compile(r"Test unit written to (\S+)")


def dictionary(folder, name):
    """The words that the sources know, so that this file need not be kept up with them."""
    patterns, shape, words = WORDS[name]
    words = set(words)
    for path in (p for pattern in patterns for p in glob.glob(os.path.join(SRC, pattern))):
        with open(path, encoding="utf-8") as f:
            words.update(re.findall(shape, f.read()))
    path = os.path.join(folder, name + ".dict")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f'"{w}"\n' for w in sorted(words))
    return path


def command(folder, name, seconds):
    length, limit = LIMITS[name]
    new = os.path.join(folder, "new", name)
    for path in (new, os.path.join(folder, "broken")):
        os.makedirs(path, exist_ok=True)
    return [os.path.join(folder, "fuzz_" + name), f"-max_total_time={seconds}", f"-max_len={length}",
            f"-timeout={limit}", "-rss_limit_mb=2048", "-print_final_stats=1",
            f"-artifact_prefix={folder}/broken/{name}-",
            f"-dict={dictionary(folder, name)}", new, os.path.join(HERE, "corpus", name)]


def run(folder, name, seconds):
    """True when nothing broke."""
    log = os.path.join(folder, f"{name}.log")
    with open(log, "wb") as f:
        rc = subprocess.run(command(folder, name, seconds), stdin=subprocess.DEVNULL, stdout=f, stderr=f).returncode
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()
    done = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", text)
    executed = re.search(r"number_of_executed_units: +(\d+)", text)
    print(f"{name}: {executed[1] if executed else '?'} executions, coverage {done[-1][0] if done else '?'}, "
          f"{done[-1][1] if done else '?'} inputs", flush=True)
    if rc == 0:
        return True
    print(f"{name}: stopped with {rc}; the end of {log}:")
    print("\n".join("  " + line for line in text.splitlines()[-40:]))
    m = BROKEN.search(text)
    if m:
        print(f"{name}: the input is {m[1]}; to repeat it: {folder}/fuzz_{name} {m[1]}")
    return False


def main():
    args = sys.argv[1:]
    seconds = 10
    if args[:1] == ["--seconds"]:
        seconds, args = int(args[1]), args[2:]
    folder, names = os.path.abspath(args[0]), [n.removeprefix("fuzz_") for n in args[1:]]
    bad = [n for n in names if not run(folder, n, seconds)]
    print(f"{len(names) - len(bad)} targets held, {len(bad)} broke" + (": " + ", ".join(bad) if bad else ""))
    return 1 if bad else 0


sys.exit(main())
