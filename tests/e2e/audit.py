#!/usr/bin/python3
"""The audit: what is in it, and what is found when somebody was at its files. The agent stands while the files are
changed: that somebody can do so is the case, so here alone a test writes into the store."""
import hashlib
import http.client
import json
import os
import shutil
import socket
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
        keys = audit(a, "--what", "key")
        a.stop()
        a.penstock("key", "rotate")
        a.start()
        now = audit(a, "--what", "key")
        check(len(keys) == 1 and len(now) == 2 and now[0]["thing"] != now[1]["thing"], now)
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
        at = 1 + next(i for i, l in enumerate(lines) if "quarter end" in l)
        check(f"entry {at}:" in verify(text.replace("quarter end", "quarter enb"), 1), "flip")
        check("entry 2" in verify("\n".join(lines[:1] + lines[2:]) + "\n", 1), "a line gone")
        check("entry 2" in verify("\n".join([lines[0], lines[2], lines[1]] + lines[3:]) + "\n", 1), "two swapped")
        check("entry 2" in verify(lines[0] + "\n{\n", 1), "a line that is none")
        check("none in this file" in verify("", 1), "an empty file")
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
        p = run(os.path.join(BUILD, "penstock"), "audit", "verify", os.path.join(a.dir, "state", "store.db"), expect=1,
                env=clean_env())
        check(f"entry {number}" in p.stderr and text in p.stderr, p.stderr)
        a.start()
        broken(a, number, text)
        odd = any("audit verify" in w for w in a.json("status")["warnings"])
        check(odd == ("audit.head" in text), a.json("status")["warnings"])
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
        before = os.listdir(a.base)
        p = run(os.path.join(BUILD, "penstock"), "audit", "verify", copy, env=clean_env())
        check("the audit is whole" in p.stdout and os.listdir(a.base) == before, p.stdout)
        a.penstock("pause", "-m", "after the backup")
        last = audit(a)[0]
        a.stop()
        a.penstock("restore", copy)
        a.start()
        a.penstock("audit", "verify")
        told = audit(a, "--what", "recovery")
        check(len(told) == 1 and told[0]["details"]["audit_head"].startswith(last["id"] + " "), told)
        a.penstock("resume", "--all")


class AtSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket; its folder is opened first: 108 bytes are not enough for every path."""

    def __init__(self, path):
        super().__init__("penstock", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self.path)}")
        finally:
            os.close(folder)


def ask(a, path, token=None, body=None, port=None, headers=()):
    """Status and document, as any HTTP client sees them: at the socket, or at the port."""
    c = AtSocket(os.path.join(a.dir, "run", "api.sock")) if port is None else \
        http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {**dict(headers), **({"Authorization": "Bearer " + token} if token else {})}
    try:
        c.request("GET" if body is None else "POST", "/api/v1" + path, None if body is None else json.dumps(body), headers)
        r = c.getresponse()
        kind = r.getheader("Content-Type")
        check(r.status < 300 or kind == "application/problem+json", f"{r.status} {kind}")
        check((r.status == 401) == (r.getheader("WWW-Authenticate") == "Bearer"), r.getheaders())
        return r.status, json.load(r)
    finally:
        c.close()


def tokens():
    """Shown once, kept as a hash; at the socket and at the port; for looking or for acting; until it is revoked."""
    with Instance() as a:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        made = a.json("--as", "kim", "token", "create", "--scope", "act", "--expires", "30d", "-m", "robot")
        act, look = made["token"], a.json("--as", "kim", "token", "create")["token"]
        check(made["id"] == "k1" and made["owner"] == "kim", made)
        with open(os.path.join(a.dir, "state", "store.db"), "rb") as f:
            kept = f.read()
        if os.path.exists(os.path.join(a.dir, "state", "store.db-wal")):
            with open(os.path.join(a.dir, "state", "store.db-wal"), "rb") as f:
                kept += f.read()
        check(act.encode() not in kept and hashlib.sha256(act.encode()).hexdigest().encode() in kept, "it is kept itself")
        pause = {"scope": "fabric", "name": "production", "why": "by a robot"}
        status, doc = ask(a, "/pause", act, pause)
        check(status == 200 and doc["state"] == "paused", doc)
        check(audit(a, "--what", "pause", "--who", "kim")[0]["who"] == "kim (token k1)", audit(a))
        status, doc = ask(a, "/pause", look, pause)
        check(status == 403 and "--scope act" in doc["detail"], doc)
        refused = audit(a, "--what", "pause")[0]
        check(refused["state"] == "refused" and refused["who"] == "kim (token k2)", refused)
        check(ask(a, "/status", look)[0] == 200, "a token for looking does not look")
        # with nobody else's name, not for root's acts, not to make another
        check(ask(a, "/status", act, headers=[("Penstock-As", "lee")])[0] == 403, "as somebody else")
        check(ask(a, "/reload", act, {})[0] == 403, "a token has the rights of the agent's own user")
        status, doc = ask(a, "/tokens", act, {})
        check(status == 403 and "makes no tokens" in doc["detail"], doc)
        status, doc = ask(a, "/status", act[:-1] + ("0" if act[-1] != "0" else "1"))
        check(status == 401 and "none of ours" in doc["detail"], doc)
        check(ask(a, "/status", headers=[("Authorization", "Basic a2ltOmtpbQ==")])[0] == 401, "a password")
        # the port: only once it is in the configuration, only with a token
        conf = os.path.join(a.dir, "penstock.yml")
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text + f"api: {{ listen: '127.0.0.1:{port}' }}\n")
        a.penstock("reload")
        status, doc = wait("the port answers", lambda: listens(port) and ask(a, "/status", port=port))
        check(status == 401 and "token" in doc["detail"], doc)
        check(ask(a, "/status", look, port=port)[0] == 200, "the token is not taken at the port")
        away = dict(PENSTOCK_URL=f"http://127.0.0.1:{port}/", PENSTOCK_TOKEN=act)
        cli = os.path.join(BUILD, "penstock")
        run(cli, "resume", "fabric", "production", env=clean_env(**away))
        check(audit(a, "--what", "resume")[0]["who"] == "kim (token k1)", audit(a))
        path = os.path.join(a.base, "token")
        with open(path, "w", encoding="utf-8") as f:
            f.write(look + "\n")
        p = run(cli, "--token-file", path, "status", expect=1, env=clean_env(**away))
        check("others may read" in p.stderr, p.stderr)
        os.chmod(path, 0o600)
        p = run(cli, "--token-file", path, "resume", "fabric", "production", expect=1, env=clean_env(**away))
        check("--scope act" in p.stderr, p.stderr)
        p = run(cli, "status", expect=2, env=clean_env(PENSTOCK_URL="http://example.net"))
        check("https" in p.stderr, p.stderr)
        # listed without its bytes, by owner; revoked for good
        mine = a.items("--as", "kim", "token", "list")
        check([t["id"] for t in mine] == ["k2", "k1"] and all(t["used"] for t in mine) and "token" not in mine[0], mine)
        check(a.items("--as", "ana", "token", "list") == [], "ana reads kim's")
        a.penstock("--as", "ana", "token", "revoke", "k1", expect=1)
        a.penstock("--as", "kim", "token", "revoke", "k1")
        status, doc = ask(a, "/status", act)
        check(status == 401 and "k1 is revoked" in doc["detail"], doc)
        did = [r["details"]["did"] for r in audit(a, "--what", "token") if r["state"] == "done"]
        check(did == ["revoke", "create", "create"], did)
        # his membership is looked at each time
        a.penstock("--as", "kim", "token", "revoke", "k2")
        last = a.json("--as", "kim", "token", "create")["token"]
        check(ask(a, "/status", last)[0] == 200, "it is not good")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text.replace("trusted_caller: true", "trusted_caller: false"))
        a.penstock("reload")
        wait("nobody may have spoken for kim", lambda: "in its owner's name" in ask(a, "/status", last)[1].get("detail", ""))
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text.replace("kim, lee", "lee"))
        a.penstock("reload")
        wait("kim is gone", lambda: ask(a, "/status", last)[0] == 403)
        wait("the port is closed", lambda: not listens(port))


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(tokens, what_is_in_it, export_and_offline, changed_files_are_found, a_backup_put_back_says_so)
