#!/usr/bin/python3
"""`penstock check` for people and as the gate program, in real pushes; no agent is there.

    tests/e2e/check.py [WORD]     runs the cases whose name holds WORD; cwd is the build folder
"""
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True      # the source folder may be read-only
sys.path.insert(0, os.path.join(SRC, "tests", "support"))
import wire  # noqa: E402

PENSTOCK = os.path.abspath("penstock")
JOB = "jobs/job_development/code/databricks-job.json"
YAML = """teams:
  developers: { members: [ana, '%s'] }
fabrics:
  development: { id: 1174, owner: developers, provider: local }
  production: { id: 4004, owner: developers, provider: local }
  airflow: { id: 5005, owner: developers, provider: local }
environments:
  - { name: development, refs: [refs/heads/main], fabric: development, deploy: auto }
repositories:
  roots: [{ path: %s, identity: uid, hook_users: ['%d'] }]
"""
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
       "GIT_AUTHOR_NAME": "ana", "GIT_AUTHOR_EMAIL": "ana@example.net",
       "GIT_COMMITTER_NAME": "ana", "GIT_COMMITTER_EMAIL": "ana@example.net"}
HOOK = """#!/usr/bin/python3
import socket, subprocess, sys
ours, theirs = socket.socketpair()
p = subprocess.Popen([%r, "check", "--pre-receive", "--policy", %r, "--result-fd", str(theirs.fileno()),
                      "--budget", "%d"], pass_fds=[theirs.fileno()])
theirs.close()
with open(%r, "wb") as f:
    while b := ours.recv(65536):
        f.write(b)
sys.exit(p.wait())
"""


class World:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="penstock-check.")
        self.repo, self.clone = f"{self.top}/srv/sales/etl.git", f"{self.top}/clone"
        yml = YAML % (pwd.getpwuid(os.getuid()).pw_name, self.top + "/srv", os.getuid())
        with open(f"{self.top}/policy", "wb") as f:
            f.write(wire.pack({
                "version": 1, "digest": hashlib.sha256(yml.encode()).hexdigest(), "budget_ms": 4000,
                "on_timeout_accept": True, "trusted_caller": False, "trusted_uid": os.getuid(),
                "spool": self.top, "base": self.top, "roots": [], "released": [], "config": yml}))
        self.git(self.top, "init", "-q", "--bare", "-b", "main", self.repo)
        shutil.copytree(os.path.join(SRC, "examples", "sales"), self.clone)
        subprocess.run(["chmod", "-R", "u+w", self.clone], check=True)
        self.git(self.clone, "init", "-q", "-b", "main")
        self.git(self.clone, "remote", "add", "origin", self.repo)
        self.commit()
        self.budget(60000)

    def budget(self, ms):
        with open(f"{self.repo}/hooks/pre-receive", "w") as f:
            f.write(HOOK % (PENSTOCK, f"{self.top}/policy", ms, f"{self.top}/frame"))
        os.chmod(f"{self.repo}/hooks/pre-receive", 0o755)

    def git(self, cwd, *args):
        return subprocess.run(["git", *args], cwd=cwd, env=ENV, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self):
        self.git(self.clone, "add", "-A")
        self.git(self.clone, "commit", "-qm", "change", "--allow-empty")
        return self.git(self.clone, "rev-parse", "HEAD")

    def edit(self, path, change):
        with open(f"{self.clone}/{path}") as f:
            text = f.read()
        with open(f"{self.clone}/{path}", "w") as f:
            f.write(change(text))

    def push(self, *refs):
        """The verdict that the gate program told; git's own end is that of the program."""
        p = subprocess.run(["git", "push", "-q", "origin", *refs], cwd=self.clone, env=ENV, capture_output=True, text=True)
        with open(f"{self.top}/frame", "rb") as f:
            b = f.read()
        assert b and len(b) == 4 + int.from_bytes(b[:4], "big"), (b, p.stderr)
        return wire.unpack(b[4:])

    def check(self, *args, cwd=None):
        return subprocess.run([PENSTOCK, "check", *args], cwd=cwd or self.clone, env=ENV, capture_output=True, text=True)


def gate_program_judges(w):
    v = w.push("main")
    assert v["type"] == "verdict" and v["verdict"] == "accept", v
    assert v["text"] == ("success: sales/etl accepted, 1 ref\nmain: . -> development (auto)\n"), v["text"]
    first = w.git(w.clone, "rev-parse", "HEAD")
    assert v["refs"] == [{"ref": "refs/heads/main", "old": "0" * 40, "new": first, "seen": "0" * 40, "ordinal": 0}], v
    assert v["errors"] == v["warnings"] == 0 and v["stamp"] > 0, v


def same_bytes_before_and_in_the_push(w):
    w.push("main")
    w.edit(JOB, lambda t: t[:len(t) // 2])
    w.edit("pbt_project.yml", lambda t: t.replace("fabricUID: 1174", "fabricUID: 31", 1) + "name: again\n")
    mine = w.check("--policy", f"{w.top}/policy")
    assert mine.returncode == 1, mine
    w.commit()
    rev = w.check("--policy", f"{w.top}/policy", "HEAD")
    v = w.push("main", "main:refs/heads/other")
    assert v["verdict"] == "refuse" and v["errors"] == 3, v
    lines = v["text"].split("\n")
    assert lines[0].startswith("error: sales/etl refused, nothing was changed: 3 errors in main, other"), v["text"]
    assert lines[-2].startswith("hint: ") and not lines[-1], lines
    told = "\n".join(lines[1:-2]) + "\n"
    assert mine.stdout == told == rev.stdout, (mine.stdout, told, rev.stdout)


def against_makes_old_ones_warnings(w):
    w.edit(JOB, lambda t: t[:len(t) // 2])
    w.commit()
    p = w.check("--against", "HEAD")
    assert p.returncode == 0 and ": warning: not JSON" in p.stdout and "0 errors, 1 warning" in p.stderr, p
    p = w.check("--against", "HEAD~1", "HEAD")
    assert p.returncode == 1 and ": error: not JSON" in p.stdout, p


def json_and_usage(w):
    w.edit("pbt_project.yml", lambda t: t + "name: again\n")
    p = w.check("--json")
    item = json.loads(p.stdout)["items"][0]
    assert p.returncode == 1 and item["id"] == "PS-PROJ-004" and item["state"] == "error" and item["line"] > 1, p.stdout
    assert w.check("nowhere").returncode == 1
    assert w.check("--pre-receive").returncode == 2
    rules = json.loads(subprocess.run([PENSTOCK, "rules", "--json"], env=ENV, capture_output=True).stdout)["items"]
    assert len(rules) == len({r["id"] for r in rules}) > 25, rules
    p = subprocess.run([PENSTOCK, "rules", "PS-JOB-033"], env=ENV, capture_output=True, text=True)
    assert p.returncode == 0 and "level    error: refuses" in p.stdout and "fix      " in p.stdout, p
    assert subprocess.run([PENSTOCK, "rules", "PS-NONE-1"], env=ENV, capture_output=True).returncode == 1
    p = w.check("jobs", cwd=w.clone)
    assert p.returncode == 0 and "no pbt_project.yml" in p.stderr, p


def formats_and_policy(w):
    """The same findings for other tools; a policy that was exported judges without an instance."""
    w.edit("pbt_project.yml", lambda t: t + "name: again\n")
    sarif = json.loads(w.check("--format", "sarif").stdout)
    run = sarif["runs"][0]
    result = run["results"][0]
    assert result["ruleId"] == "PS-PROJ-004" and result["level"] == "error", result
    assert result["ruleId"] in {r["id"] for r in run["tool"]["driver"]["rules"]}
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "pbt_project.yml" and where["region"]["startLine"] > 1, where
    p = w.check("--format", "github")
    assert p.stdout.startswith("::error file=pbt_project.yml,line=") and ",title=PS-PROJ-004::" in p.stdout, p
    assert w.check("--format", "xml").returncode == 2
    odd = os.path.join(w.clone, "lib\033\udcff")      # every format has every finding, and none a raw byte of it
    with open(odd, "w", encoding="utf-8"):
        pass
    for how, shown in (("text", r"lib\x1b\xff:"), ("json", r'"lib\\x1b\\xff"'), ("sarif", r'"lib\\x1b\\xff"'),
                       ("github", r"lib\x1b\xff,line")):
        text = w.check("--format", how).stdout
        assert shown in text and "\033" not in text and "PS-PROJ-004" in text, (how, text)
    os.unlink(odd)
    text = w.check().stdout.split("\n")
    assert text[1] == "    name: again" and text[2] == "    ^", text
    w.edit("pbt_project.yml", lambda t: t.replace("name: again\n", "").replace("fabricUID: 5005", "fabricUID: 99"))
    p = w.check("--timing")
    assert p.returncode == 0 and "[PS-JOB-101] and the admin's levels were not looked at" in p.stderr, p
    assert "timing: " in p.stderr and " 1 project files parsed" in p.stderr, p
    policy, instance = f"{w.top}/exported", f"{w.top}/instance"
    subprocess.run([PENSTOCK, "init", instance], env=ENV, check=True, stdout=subprocess.DEVNULL)
    p = subprocess.run([PENSTOCK, "-C", instance, "policy", "export", policy], env=ENV, capture_output=True, text=True)
    assert p.returncode == 0, p
    p = w.check("--policy", policy)
    assert p.returncode == 1 and "[PS-JOB-101]" in p.stdout, p


def client_hooks(w):
    """The hooks of packaging/ in a working copy: they refuse what a push would, and nothing else."""
    env = {**ENV, "PATH": os.path.dirname(PENSTOCK) + ":" + ENV.get("PATH", "/usr/bin:/bin")}
    hooks = os.path.join(w.clone, ".git/hooks")
    os.unlink(f"{w.repo}/hooks/pre-receive")    # the other side takes everything here
    for name in ("pre-commit", "pre-push"):
        shutil.copy(os.path.join(SRC, "packaging/git-hooks", name), hooks)
        os.chmod(os.path.join(hooks, name), 0o755)

    def git(*args):
        return subprocess.run(["git", "-C", w.clone, *args], env=env, capture_output=True, text=True)

    def commit(*args):
        git("add", "-A")
        return git("-c", "user.name=t", "-c", "user.email=t@example.net", "commit", "-q", "-m", "x", *args)

    w.edit("README.md", lambda t: t + "more\n")
    assert commit().returncode == 0
    w.edit("pbt_project.yml", lambda t: t + "name: again\n")
    p = commit()
    assert p.returncode == 1 and "[PS-PROJ-004]" in p.stdout + p.stderr, p
    assert commit("--no-verify").returncode == 0
    p = git("push", "-q", "origin", "HEAD:refs/heads/hooked")
    assert p.returncode == 1 and "[PS-PROJ-004]" in p.stdout + p.stderr, p
    assert git("push", "-q", "--no-verify", "origin", "HEAD:refs/heads/hooked").returncode == 0
    w.edit("README.md", lambda t: t + "again\n")
    assert commit().returncode == 0         # HEAD had it already
    p = git("push", "-q", "origin", "HEAD:refs/heads/hooked")
    assert p.returncode == 0 and ": warning: " in p.stdout + p.stderr, p


def the_second_check_reads_what_has_changed(w):
    """The same bytes as of a fresh one, and next to nothing read."""
    memory = f"{w.clone}/.git/penstock/checked"
    w.edit(JOB, lambda t: t[:len(t) // 2])
    p = w.check("--fresh")
    assert p.returncode == 1 and not os.path.exists(memory), p
    changed = max(os.lstat(os.path.join(d, n)).st_ctime for d, dirs, names in os.walk(w.clone) for n in dirs + names)
    # what changed in this very second is not remembered; the kernel's coarse clock comes some milliseconds after time()
    while time.time() < int(changed) + 1.05:
        time.sleep(0.05)
    first, again = w.check("--timing"), w.check("--timing")
    assert first.stdout == again.stdout == p.stdout and os.path.exists(memory), (first, again)
    assert " 0 folders listed" in again.stderr and again.stderr.endswith(" looked at, 0 opened\n"), again.stderr
    w.edit(JOB, lambda t: t + "}")
    assert w.check().stdout == w.check("--fresh").stdout != p.stdout, w.check()
    with open(memory, "r+b") as f:
        f.truncate(os.path.getsize(memory) // 2)
    assert w.check().stdout == w.check("--fresh").stdout, w.check()


def no_time_is_undecided(w):
    w.budget(1)
    v = w.push("main")
    assert v["verdict"] == "undecided" and v["problem"], v
    assert v["refs"][0]["seen"] == "0" * 40, v


CASES = [gate_program_judges, same_bytes_before_and_in_the_push, against_makes_old_ones_warnings,
         json_and_usage, formats_and_policy, client_hooks,
         the_second_check_reads_what_has_changed, no_time_is_undecided]


def main():
    for case in CASES:
        if len(sys.argv) > 1 and sys.argv[1] not in case.__name__:
            continue
        w = World()
        try:
            case(w)
        finally:
            shutil.rmtree(w.top)
        print("ok  ", case.__name__)


if __name__ == "__main__":
    main()
