#!/usr/bin/python3
"""The audit: what is in it, and what is found when somebody was at its files. The agent stands while the files are
changed: that somebody can do so is the case, so here alone a test writes into the store."""
import json
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, run, wait, BUILD, clean_env  # noqa: E402

MAIN = "refs/heads/main"


def acts(a):
    """Some decisions, some that were refused."""
    a.penstock("--as", "kim", "pause", "fabric", "production", "-m", "quarter end")
    a.penstock("--as", "ana", "resume", "fabric", "production", expect=1)
    a.penstock("--as", "kim", "resume", "fabric", "production")
    a.penstock("pause", "-m", "a rest")
    a.penstock("resume", "--all")


def audit(a, *args):
    return a.items("audit", *args)


def broken(a, number, text):
    p = a.penstock("audit", "verify", expect=1)
    check(f"broken at entry {number}" in p.stderr and text in p.stderr, p.stderr)
    doc = a.json("audit", "verify", expect=1)
    check(doc["state"] == "broken" and doc["bad"] == number, doc)


def what_is_in_it():
    with Instance() as a:
        c = a.clone(a.repository("r"))
        acts(a)
        rows = audit(a)
        check(rows[0]["what"] == "resume" and rows[0]["thing"] == "everything", rows[0])
        kim = audit(a, "--who", "kim")
        check([r["what"] for r in kim] == ["resume", "pause"] and all("(as kim)" in r["who"] for r in kim), kim)
        check(kim[1]["why"] == "quarter end" and kim[1]["thing"] == "fabric production", kim[1])
        ana = audit(a, "--who", "ana")
        check(len(ana) == 1 and ana[0]["state"] == "refused" and "prod_support" in ana[0]["why"], ana)
        check(audit(a, "--who", "k_m") == [], "a letter stood for any")
        check([r["why"] for r in audit(a, "--thing", "fabric production", "--what", "pause")] == ["quarter end"], rows)
        policy = audit(a, "--what", "policy")
        check(len(policy) == 1 and all(r["policy"] == policy[0]["policy"] for r in rows), policy)
        # core's own: a push past the gate is held, and letting it go is a decision
        c.write("README", "x\n")
        c.commit()
        shutil.move(os.path.join(a.dir, "repos", "r.git", "hooks", "pre-receive"), os.path.join(a.base, "hook"))
        c.push("HEAD:" + MAIN)
        shutil.move(os.path.join(a.base, "hook"), os.path.join(a.dir, "repos", "r.git", "hooks", "pre-receive"))
        a.penstock("reconcile")
        e = a.wait_event(MAIN, states=("held",))
        held = audit(a, "--what", "held")
        check(held and held[0]["thing"] == e["id"] and held[0]["who"] == "penstock", (held, e))
        a.penstock("release-hold", e["id"], "-m", "mine", expect=1)
        a.penstock("--as", "kim", "release-hold", e["id"], "-m", "seen by me")
        freed = audit(a, "--what", "release-hold", "--thing", e["id"])
        check([(r["state"], r["who"]) for r in freed] == [("done", kim[0]["who"]), ("refused", freed[1]["who"])], freed)
        check(freed[0]["why"] == "seen by me" and "somebody else must let it go" in freed[1]["why"], freed)
        text = a.penstock("audit", "-n", "3").stdout
        check("release-hold" in text and "WHO" in text, text)


def export_and_offline():
    with Instance() as a:
        acts(a)
        p = a.penstock("audit", "verify")
        n = len(audit(a, "-n", "1000"))
        check(f"whole: {n} entries" in p.stdout, p.stdout)
        path = os.path.join(a.base, "audit.jsonl")
        text = a.penstock("audit", "export").stdout
        lines = text.splitlines()
        check(len(lines) == n and json.loads(lines[-1])["hash"] in p.stdout, lines[-1])

        def verify(text, expect, *args):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            p = run(os.path.join(BUILD, "penstock"), "audit", "verify", path, *args, expect=expect, env=clean_env())
            return p.stdout + p.stderr

        check(f"whole: {n} entries" in verify(text, 0), "offline it is not")
        check("entry 3" in verify(text.replace("quarter end", "quarter enb"), 1) or "quarter end" not in lines[2], "flip")
        check("entry 2" in verify("\n".join(lines[:1] + lines[2:]) + "\n", 1), "a line gone")
        check("entry 2" in verify("\n".join([lines[0], lines[2], lines[1]] + lines[3:]) + "\n", 1), "two swapped")
        check("entry 2" in verify(lines[0] + "\n{\n", 1), "a line that is none")
        noted = f"{n}:{json.loads(lines[-1])['hash'][:12]}"
        check("whole" in verify(text, 0, "--entry", noted), "what was noted is there")
        check("missing" in verify("\n".join(lines[:-1]) + "\n", 1, "--entry", noted), "the end cut off")
        check("whole" in a.penstock("audit", "verify", "--entry", noted).stdout, noted)
        check("another one" in a.penstock("audit", "verify", "--entry", f"{n}:00000000", expect=1).stderr, noted)


def tampered(name, number, text, *sql):
    with Instance() as a:
        acts(a)
        a.penstock("audit", "verify")
        a.stop()
        with sqlite3.connect(os.path.join(a.dir, "state", "store.db")) as db:
            for s in sql:
                db.execute(s)
        a.start()
        broken(a, number, text)
        a.penstock("pause", "-m", "more behind it")
        a.penstock("audit", "verify", expect=1)
        a.stop(audit=False)


def changed_files_are_found():
    tampered("flip", 2, "not what was written", "UPDATE audit SET why = 'quarter enb' WHERE number = 2")
    tampered("cut", 4, "the file audit.head", "DELETE FROM audit WHERE number > 3",
             "UPDATE meta SET value = (SELECT '3 ' || hash FROM audit WHERE number = 3) WHERE name = 'audit_head'")


def a_backup_put_back_says_so():
    with Instance() as a:
        acts(a)
        copy = os.path.join(a.base, "copy.db")
        a.penstock("backup", copy)
        a.penstock("pause", "-m", "after the backup")
        last = audit(a)[0]
        a.stop()
        a.penstock("restore", copy)
        a.start()
        a.penstock("audit", "verify")
        told = audit(a, "--what", "recovery")
        check(len(told) == 1 and told[0]["details"]["audit_head"].startswith(last["id"] + " "), told)
        a.penstock("resume", "--all")


if __name__ == "__main__":
    main(what_is_in_it, export_and_offline, changed_files_are_found, a_backup_put_back_says_so)
