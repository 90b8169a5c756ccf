#!/usr/bin/python3
"""The house rules that a machine can check: who includes whom, white space, stray words.

Run with the source folder as $srcdir or first argument.
"""
import os
import re
import sys

SRC = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("srcdir", ".")

# folder: folders it may include besides itself (docs/ARCHITECTURE.md, the table of arrows)
LEFT = ["common/base", "common/wire", "common/config", "common/tree", "common/project", "common/plan", "common/gate"]
MAY = {folder: LEFT[:i] for i, folder in enumerate(LEFT)}
# the wheel sandbox's profile and the build key stand on plan alone; the tree id is pure
COMMON = LEFT
MAY.update({
    "hooks": ["common/base", "common/wire", "common/config/policy"],
    "cli": COMMON,
    "agent": COMMON + ["agent/loop"],
    "agent/loop": COMMON,
    "agent/store": ["common/base", "common/config"],
    "agent/flow": COMMON + ["agent/store", "agent/loop", "agent/web"],
    "agent/gate": COMMON + ["agent/loop"],
    "agent/build": COMMON + ["agent/loop"],
    "agent/deploy": COMMON + ["agent/loop"],
    "agent/deploy/http": ["common/base"],
    "agent/deploy/fabric": ["common/base", "common/config", "common/plan", "agent/deploy/http"],
    "agent/web": COMMON + ["agent/flow", "agent/loop", "agent/store"],
})
PURE = {"agent/flow/rule.c", "agent/flow/rule.h", "agent/flow/sched.c", "agent/flow/sched.h"}	# data in, decision out


def folder_of(path):
    folder = os.path.dirname(path)
    while folder and folder not in MAY:
        folder = os.path.dirname(folder)
    return folder


def check_includes(path, text, bad):
    home = folder_of(path)
    if not home:
        return
    for n, line in enumerate(text.split("\n"), 1):
        m = re.match(r'#include "([^"]+/[^"]+)"', line)
        if not m:
            continue
        target = m[1]
        ok = target.startswith(home + "/") or any(target.startswith(f + "/") or target.startswith(f + ".")
                                                   for f in MAY[home])
        if path in PURE and not target.startswith(("common/", "agent/flow/rule", "agent/flow/sched")):
            ok = False
        if not ok:
            bad.append(f"{path}:{n}: {home} may not include {target}")


# Past 100 columns on purpose: SQL is read as one line, a row of a table as one row, sample text as it is.
WIDE = ("agent/store/", "tests/unit/", "tests/support/store_fill.h", "common/gate/rules.h", "common/wire/messages.h",
        "common/wire/msg.h", "common/config/initial.c", "common/project/yaml_scalar.c")


def check_text(path, text, bad):
    for n, line in enumerate(text.split("\n"), 1):
        if path.endswith((".c", ".h")) and not path.startswith(WIDE) and len(line.expandtabs(8)) > 100:
            bad.append(f"{path}:{n}: past 100 columns (a tab is eight)")
        if line != line.rstrip():
            bad.append(f"{path}:{n}: white space at the end of the line")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            bad.append(f"{path}:{n}: unfinished by its own words")
        if re.match(r"^ {8}", line):
            bad.append(f"{path}:{n}: indented by blanks instead of tabs")
    if text and not text.endswith("\n"):
        bad.append(f"{path}: no newline at the end")


# A fabric's file carries out what was decided; it knows neither who decided it nor why.
DECIDED = re.compile(r"\b(team|approval|window|label|ref)s?\b", re.I)


def check_fabric(path, text, bad):
    if os.path.dirname(path) != "agent/deploy/fabric" or path.endswith(("/fabric.c", "/fabric.h")):
        return
    provider = re.match(r"[a-z0-9]+", os.path.basename(path))[0]
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    for n, line in enumerate(bare.split("\n"), 1):
        m = DECIDED.search(line)
        if m:
            bad.append(f"{path}:{n}: a driver does not know what a {m[0]} is")
        m = re.match(r'#include "([^"]+/[^"]+)"', line)
        if m and m[1].startswith("agent/deploy/fabric/") and m[1] != "agent/deploy/fabric/fabric.h" \
                and not m[1].startswith(f"agent/deploy/fabric/{provider}_"):
            bad.append(f"{path}:{n}: a driver knows no other driver: {m[1]}")


def sources():
    for top in ("common", "hooks", "agent", "cli", "tests"):
        for folder, subs, names in os.walk(os.path.join(SRC, top)):
            subs.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), SRC)


def main():
    bad, n = [], 0
    for path in sources():
        with open(os.path.join(SRC, path), encoding="utf-8") as f:
            text = f.read()
        check_includes(path, text, bad)
        check_text(path, text, bad)
        check_fabric(path, text, bad)
        n += 1
    print("\n".join(bad))
    print(f"{n} files, {len(bad)} against the rules")
    return 1 if bad else 0


sys.exit(main())
