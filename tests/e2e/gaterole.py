#!/usr/bin/python3
"""The gate role from outside: started as its parent would, asked as core would, on real repositories.

    tests/e2e/gaterole.py [WORD]     runs the cases whose name holds WORD; cwd is the build folder
"""
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True      # the source folder may be read-only
sys.path.insert(0, os.path.join(SRC, "tests", "support"))
import wire  # noqa: E402

GATE = os.path.abspath("penstock-gate")
ZERO = "0" * 40
WORKERS = min(os.cpu_count(), 4) + 1
YAML = """teams:
  developers: { members: [ana, bo], includes: [prod_support] }
  prod_support: { members: [kim, lee] }
fabrics:
  development: { id: 1174, owner: developers, provider: local }
  production: { id: 4004, owner: prod_support, provider: local }
  airflow: { id: 5005, owner: developers, provider: local }
environments:
  - { name: development, refs: [refs/heads/main], fabric: development, deploy: auto }
  - { name: airflow, refs: [refs/heads/airflow], fabric: airflow, deploy: auto }
repositories:
  roots: [{ path: %s, identity: uid, hook_users: ['%d'] }]
"""
GIT_ENV = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
           "GIT_AUTHOR_NAME": "ana", "GIT_AUTHOR_EMAIL": "ana@example.net",
           "GIT_COMMITTER_NAME": "ana", "GIT_COMMITTER_EMAIL": "ana@example.net"}


def git(cwd, *args, env=None):
    return subprocess.run(["git", *args], cwd=cwd, check=True, text=True, env={**GIT_ENV, **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout.strip()


def until(what, test, limit=20):
    end = time.monotonic() + limit
    while not test():
        assert time.monotonic() < end, f"{what}: not within {limit} s"
        time.sleep(0.01)


class World:
    """An instance, a bare repository below its root, and a clone that holds examples/sales."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="penstock-gaterole.")
        for d in ("repos/sales", "work/export", "artifacts", "outside", "verdicts"):
            os.makedirs(f"{self.top}/{d}")
        self.repo = f"{self.top}/repos/sales/etl.git"
        self.clone = f"{self.top}/clone"
        self.content = f"{self.top}/artifacts"
        self.exports = f"{self.top}/work/export"
        self.log = f"{self.top}/failpoints"
        self.stderr = open(f"{self.top}/stderr", "w")
        self.roles = []
        git(self.top, "init", "-q", "--bare", "-b", "main", self.repo)
        git(self.top, "init", "-q", "-b", "main", self.clone)
        shutil.copytree(f"{SRC}/examples/sales", self.clone, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "u+w", self.clone], check=True)
        self.first = self.commit("sales")
        git(self.clone, "remote", "add", "origin", self.repo)
        git(self.clone, "push", "-q", "origin", "main")

    def commit(self, text):
        git(self.clone, "add", "-A", "-f")
        git(self.clone, "commit", "-q", "-m", text)
        return git(self.clone, "rev-parse", "HEAD")

    def yaml(self, root="repos"):
        return YAML % (root, os.getuid())

    def role(self, failpoints=None, configured=True):
        env = {"PATH": "/usr/bin:/bin", "PENSTOCK_FAILPOINT_LOG": self.log, "PENSTOCK_FAILPOINTS": failpoints or ""}
        env.update({k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))})
        role = wire.Role(GATE, self.top, self.yaml() if configured else None, env=env,
                         stderr=self.stderr.fileno())
        self.roles.append(role)
        return role

    def stopped(self):
        """Pids that a failpoint of kind `stop` has frozen."""
        if not os.path.exists(self.log):
            return []
        with open(self.log) as f:
            return [int(line.split()[2]) for line in f if line.startswith("stopped ")]

    def leftovers(self):
        return [n for n in os.listdir(self.exports) if n.startswith(".tmp-")]

    def close(self):
        ends = [role.stop() for role in self.roles]     # under a sanitizer this tells of leaks too
        self.stderr.close()
        with open(f"{self.top}/stderr") as f:
            text = f.read()
        shutil.rmtree(self.top)
        return text if set(ends) - {0, -signal.SIGKILL} else None


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def problem_of(answer, words):
    assert words in answer.get("problem", ""), answer
    return answer


# ---- the cases ----

def values(answer):
    """The refs of a look without what it says of their reflogs: reconcile.py has those."""
    return [{k: v for k, v in r.items() if k not in ("log", "since")} for r in answer["refs"]]


def look(w):
    role = w.role()
    a = role.ask("look", id=1, repository=w.repo, refs=[])
    assert "problem" not in a, a
    assert values(a) == [{"ref": "refs/heads/main", "oid": w.first}], a
    assert git(w.repo, "config", "penstock.id") == a["repository_id"] and len(a["repository_id"]) == 32
    b = role.ask("look", id=2, repository=w.repo, refs=["HEAD", "refs/heads/none", "refs/heads/main"])
    assert b["repository_id"] == a["repository_id"]
    assert values(b) == [{"ref": "HEAD", "oid": w.first, "target": "refs/heads/main"},
                         {"ref": "refs/heads/none", "oid": ZERO}, {"ref": "refs/heads/main", "oid": w.first}], b
    for i in range(200):
        role.send("look", id=100 + i, repository=w.repo, refs=[])
    assert sorted(role.recv()["id"] for _ in range(200)) == list(range(100, 300))
    problem_of(role.ask("look", id=3, repository=w.repo + "x", refs=[]), "cannot find the repository")
    problem_of(role.ask("look", id=4, repository=w.top + "/repos/sales", refs=[]), "cannot open the repository")
    early = w.role(configured=False)    # core may be quicker than the parent
    early.send("look", id=5, repository=w.repo, refs=[])
    assert early.configure(w.yaml()) is None
    assert values(early.answer(5)) == values(a)


def keep(w):
    role = w.role()
    name = f"refs/penstock/keep/{w.first}"
    for _ in range(2):
        assert "problem" not in role.ask("keep", id=1, repository=w.repo, oid=w.first)
    assert git(w.repo, "rev-parse", name) == w.first
    assert values(role.ask("look", id=2, repository=w.repo, refs=[])) == [{"ref": "refs/heads/main", "oid": w.first}]
    for _ in range(2):
        assert "problem" not in role.ask("keep", id=3, repository=w.repo, oid=w.first, drop=True)
    assert git(w.repo, "for-each-ref", "refs/penstock") == ""
    os.makedirs(f"{w.repo}/refs/penstock/keep", exist_ok=True)
    lock = f"{w.repo}/{name}.lock"
    with open(lock, "w"):               # somebody is at it now
        pass
    problem_of(role.ask("keep", id=6, repository=w.repo, oid=w.first), "lock")
    os.utime(lock, (1, 1))              # a worker of ours was killed in the middle, long ago
    assert "problem" not in role.ask("keep", id=7, repository=w.repo, oid=w.first)
    assert git(w.repo, "rev-parse", name) == w.first and not os.path.exists(lock)
    assert "problem" in role.ask("keep", id=4, repository=w.repo, oid="1" * 40)
    assert "problem" in role.ask("keep", id=5, repository=w.repo, oid="../../../x")


def survey(w):
    role = w.role()
    git(w.clone, "tag", "-a", "-m", "one", "v1")
    git(w.clone, "push", "-q", "origin", "v1")
    tag = git(w.clone, "rev-parse", "v1")
    a = role.ask("survey", id=1, repository=w.repo, oid=tag, content=w.content)
    assert "problem" not in a and a["commit"] == w.first, a
    assert [p["path"] for p in a["projects"]] == ["."], a
    p = a["projects"][0]
    assert p["oid"] == git(w.clone, "rev-parse", "HEAD^{tree}") and "problem" not in p, p
    assert p["name"] and p["version"] and p["language"] == "python", p
    assert [x["key"] for x in p["pipelines"]] == ["pipelines/customers_orders", "pipelines/sales_report"], p
    for x in p["pipelines"]:
        assert x["oid"] == git(w.clone, "rev-parse", "HEAD:" + x["key"]) and "problem" not in x, x
        assert x["wheel"].endswith(".whl") and {"dev", "qa", "prod"} <= set(x["instances"]), x
        assert x["key"] in x["reduced"], x
    for x in p["shared"]:
        assert x["oid"] == git(w.clone, "rev-parse", "HEAD:" + x["path"]), x
        assert git(w.clone, "cat-file", "-t", x["oid"]) == ("tree" if x["is_dir"] else "blob"), x
    jobs = {x["key"]: x for x in p["jobs"]}
    assert jobs["jobs/job_development"]["provider"] == "databricks", jobs
    assert jobs["jobs/job_development"]["fabric_id"] == 1174, jobs
    assert jobs["jobs/airflow_orders"]["provider"] == "airflow", jobs
    for key, x in jobs.items():
        assert x["files"] and "problem" not in x, x
        for f in x["files"]:
            with open(f"{w.content}/{f['digest'][:2]}/{f['digest'][2:]}", "rb") as g:
                got = g.read()
            with open(f"{w.clone}/{key}/{f['path']}", "rb") as g:
                assert got == g.read() and hashlib.sha256(got).hexdigest() == f["digest"], f
    again = role.ask("survey", id=1, repository=w.repo, oid=w.first, content=w.content)
    assert again == a, "a tag and its commit tell the same"
    problem_of(role.ask("survey", id=2, repository=w.repo, oid="2" * 40, content=w.content), "cannot read object")
    problem_of(role.ask("survey", id=3, repository=w.repo, oid=w.first, content="x"), "not an absolute path")
    shutil.rmtree(f"{w.clone}/pipelines/sales_report")
    bad = w.commit("a pipeline without folder")
    git(w.clone, "push", "-q", "origin", "main")
    a = role.ask("survey", id=4, repository=w.repo, oid=bad, content=w.content)
    x = {x["key"]: x for x in a["projects"][0]["pipelines"]}
    assert "problem" in x["pipelines/sales_report"] and "problem" not in x["pipelines/customers_orders"], x
    for path in ("pipelines/customers_orders/code/setup.py", "jobs/job_development/code/databricks-job.json"):
        with open(f"{w.clone}/{path}", "w", encoding="ascii") as f:
            f.write("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n")
    bad = w.commit("pointers")
    git(w.clone, "push", "-q", "origin", "main")
    p = role.ask("survey", id=5, repository=w.repo, oid=bad, content=w.content)["projects"][0]
    told = {x["key"]: x.get("problem", "") for x in p["pipelines"] + p["jobs"]}
    assert "a Git LFS pointer" in told["pipelines/customers_orders"], told
    assert "a Git LFS pointer" in told["jobs/job_development"] and not told["jobs/job_reports"], told
    own = "projectConfigurations/config/code/configs/prod.json"     # goes with each job on a Databricks
    os.makedirs(f"{w.clone}/{os.path.dirname(own)}")
    for text, problem in (("{}", None), ("version https://git-lfs.github.com/spec/v1\n", f"cannot take '{own}': a Git LFS pointer")):
        with open(f"{w.clone}/{own}", "w", encoding="ascii") as f:
            f.write(text)
        bad = w.commit("a configuration")
        git(w.clone, "push", "-q", "origin", "main")
        p = role.ask("survey", id=6, repository=w.repo, oid=bad, content=w.content)["projects"][0]
        assert (p.get("problem") or "").startswith(problem or "") and bool(problem) == ("problem" in p), p
        files = {x["key"]: {f["path"]: f["digest"] for f in x["files"]} for x in p["jobs"]}
        assert problem or files["jobs/job_reports"]["configurations/prod.json"] == hashlib.sha256(text.encode()).hexdigest(), files
        assert not [f for f in files["jobs/airflow_orders"] if f.startswith("configurations/")], files


def wanted(w, role):
    """What a build of the first pipeline needs, as core would ask."""
    p = role.ask("survey", id=9, repository=w.repo, oid=w.first, content=w.content)["projects"][0]
    x = p["pipelines"][0]
    return {"repository": w.repo, "oid": w.first, "project": p["path"], "reduced": x["reduced"],
            "inputs": [{"path": x["key"], "oid": x["oid"], "is_dir": True}] + p["shared"]}


def tree_of(w, folder):
    """The object name git itself gives to a folder."""
    env = {"GIT_INDEX_FILE": f"{w.top}/index", "GIT_DIR": f"{w.clone}/.git", "GIT_WORK_TREE": folder}
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{w.top}/index")
    git(folder, "-c", "core.autocrlf=false", "add", "-A", "-f", ".", env=env)
    return git(folder, "write-tree", env=env)


def export(w):
    old = os.umask(0o077)
    role = w.role()
    os.umask(old)
    want, dest = wanted(w, role), f"{w.exports}/b1"
    for n in range(2):          # the second replaces the first
        a = role.ask("export", id=1, dest=dest, **want)
        assert "problem" not in a, a
        for x in want["inputs"]:
            path = f"{dest}/{x['path']}"
            if x["is_dir"]:
                assert tree_of(w, path) == x["oid"], x
            else:
                assert git(w.clone, "hash-object", "--no-filters", path) == x["oid"], x
        with open(f"{dest}/pbt_project.yml") as f:
            assert f.read() == want["reduced"]
        for folder, dirs, files in os.walk(dest):
            for name in dirs + files + ["."]:
                st = os.lstat(f"{folder}/{name}")
                assert int(st.st_mtime) == 315532800, (folder, name)
                assert st.st_mode & 0o777 == (0o755 if name in dirs + ["."] or st.st_mode & 0o100 else 0o644), name
        assert os.listdir(w.exports) == ["b1"]
        if n == 0:
            with open(f"{dest}/more", "w"):
                pass
    for bad in (f"{w.top}/outside/b1", f"{w.exports}/../b1", w.exports, f"{w.exports}/.tmp-b1", "b1",
                f"{w.exports}/none/b1", f"{w.exports}/"):
        assert "problem" in role.ask("export", id=2, dest=bad, **want), bad
    os.symlink(f"{w.top}/outside", f"{w.exports}/link")
    problem_of(role.ask("export", id=3, dest=f"{w.exports}/link/b1", **want), "not below the folder of exports")
    os.unlink(f"{w.exports}/link")
    stale = {**want, "inputs": [{**want["inputs"][0], "oid": "3" * 40}]}
    assert "problem" in role.ask("export", id=4, dest=f"{w.exports}/b2", **stale)
    assert os.listdir(w.exports) == ["b1"] and os.listdir(f"{w.top}/outside") == []


@contextlib.contextmanager
def push(w, *refs):
    """A real push that waits in pre-receive: gives its quarantine and commands; answer["exit"] ends it."""
    ask, tell = f"{w.top}/ask", f"{w.top}/tell"
    for fifo in (ask, tell):
        os.mkfifo(fifo)
    hook = f"{w.repo}/hooks/pre-receive"
    with open(hook, "w") as f:
        f.write("#!/bin/sh\n{ echo \"$GIT_OBJECT_DIRECTORY\"; echo \"$GIT_ALTERNATE_OBJECT_DIRECTORIES\"; cat; }"
                f" >{ask}\nread code <{tell}\nexit $code\n")
    os.chmod(hook, 0o755)
    p = subprocess.Popen(["git", "push", "-q", "origin", *refs], cwd=w.clone, env=GIT_ENV,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(ask) as f:
        lines = f.read().split("\n")
    commands = [dict(zip(("old", "new", "ref"), line.split()), ordinal=i) for i, line in enumerate(lines[2:]) if line]
    answer = {"exit": 1}
    try:
        yield {"object_dir": os.path.join(w.repo, lines[0]), "alternates": lines[1], "refs": commands}, answer
    finally:
        with open(tell, "w") as f:
            f.write(f"{answer['exit']}\n")
        answer["pushed"] = p.wait() == 0
        os.unlink(hook)
        os.unlink(ask)
        os.unlink(tell)


def judge(w):
    role = w.role()
    with open(f"{w.clone}/README.md", "a") as f:
        f.write("more\n")
    good = w.commit("more")
    with push(w, "main") as (q, answer):
        v = role.ask("judge", id=1, repository=w.repo, name="sales/etl", deadline_ms=4000, **q)
        answer["exit"] = int(v["verdict"] != "accept")
    assert v["verdict"] == "accept" and v["errors"] == 0 and "problem" not in v, v
    assert answer["pushed"] and git(w.repo, "rev-parse", "main") == good
    assert v["refs"] == [{"ref": "refs/heads/main", "old": w.first, "new": good, "seen": w.first, "ordinal": 0}], v
    assert v["repository_id"] == git(w.repo, "config", "penstock.id")
    path = "jobs/job_development/code/databricks-job.json"
    with open(f"{w.clone}/{path}") as f:
        text = f.read()
    with open(f"{w.clone}/{path}", "w") as f:
        f.write(text[:len(text) // 2])
    bad = w.commit("half a job")
    with push(w, "main", "main:refs/heads/other") as (q, answer):
        v = role.ask("judge", id=2, repository=w.repo, name="sales/etl", deadline_ms=4000, **q)
    assert v["verdict"] == "refuse" and v["errors"] >= 1, v
    assert f"{path}:" in v["text"] and ": error: " in v["text"], v["text"]
    assert {r["ref"]: (r["new"], r["seen"]) for r in v["refs"]} == {
        "refs/heads/main": (bad, good), "refs/heads/other": (bad, ZERO)}, v
    # the quarantine is gone with the push: nothing can be told about these objects now
    v = role.ask("judge", id=3, repository=w.repo, name="sales/etl", deadline_ms=4000, **q)
    assert v["verdict"] == "undecided" and v["problem"] and v["text"].endswith("\n"), v


def remembers(w):
    """What was judged is not read again, by any later role; whatever becomes of the file, pushes are judged."""
    data, n = f"{w.top}/verdicts/data.mdb", [0]

    def ask(role, message):
        n[0] += 1
        with open(f"{w.clone}/README.md", "a") as f:
            f.write("more\n")
        w.commit(message)
        with push(w, "main") as (q, answer):
            v = role.ask("judge", id=n[0], repository=w.repo, name="sales/etl", deadline_ms=20000, limit=30, **q)
            answer["exit"] = int(v["verdict"] != "accept")
        assert v["verdict"] == "accept", v
        return v

    role = w.role()
    v = ask(role, "first")
    assert v["known"] == 0 and v["units"] > 4 and v["reads"] > 10, v
    until("the verdicts are kept", lambda: os.path.exists(data) and os.path.getsize(data) > 8192)
    v = ask(role, "second")
    role.stop()
    role = w.role()
    v = ask(role, "by another role")
    assert v["known"] == v["units"] and v["reads"] == 0, v
    role.stop()
    with open(data, "r+b") as f:
        f.write(os.urandom(20000))
    role = w.role()
    v = ask(role, "the file is damaged")
    assert v["known"] == 0 and v["reads"] > 10, v
    role.stop()
    shutil.rmtree(f"{w.top}/verdicts")
    role = w.role()
    v = ask(role, "there is no folder")
    assert v["known"] == 0, v
    role.stop()
    os.mkdir(f"{w.top}/verdicts")
    role = w.role("gate.verdicts=kill@1")
    ask(role, "each worker is killed while it writes")
    v = ask(role, "another worker is killed while it writes")
    assert v["known"] == 0, v
    role.stop()
    role = w.role()
    v = ask(role, "one that is not")
    assert v["known"] == 0, v
    role.stop()
    role = w.role()
    v = ask(role, "the next")
    assert v["known"] == v["units"] and v["reads"] == 0, v


def many_refs(w):
    """However many refs a push names, each tree is judged once, and what trees share is read once."""
    role, n = w.role(), [0]

    def ask(count, *refspecs):
        n[0] += 1
        with push(w, *refspecs) as (q, _):      # not let in: git would sync thousands of refs
            v = role.ask("judge", id=n[0], repository=w.repo, name="sales/etl", deadline_ms=60000, limit=90, **q)
        assert v["verdict"] == "accept" and "problem" not in v and len(v["refs"]) == count, v["text"][:2000]
        return v["units"], v["known"], v["reads"]

    units, known, reads = ask(1, "main:refs/heads/one")
    assert known == 0 and reads > 10, (units, known, reads)
    got = ask(5000, *(f"main:refs/heads/many/{i}" for i in range(5000)))
    assert got[0] == units and got[2] <= reads, (got, units, reads)
    trees, each = 20, 20
    for i in range(trees):
        with open(f"{w.clone}/pipelines/customers_orders/code/setup.py", "a") as f:
            f.write(f"# {i}\n")
        commit = w.commit(f"number {i}")
        git(w.clone, "tag", "-a", "-m", "x", f"v{i}.0")
        for k in range(1, each):
            with open(f"{w.clone}/.git/refs/tags/v{i}.{k}", "w") as f:
                f.write(f"{commit}\n")
    got = ask(trees * each, *(f"refs/tags/v{i}.{k}" for i in range(trees) for k in range(each)))
    assert got[0] == trees * units, f"one judgement for each of {trees} trees of {units} units: {got}"
    # of each tree the pipeline that changed, and the jobs that asked about it; not the other pipeline
    assert got[0] - got[1] <= units + trees * 4 and got[2] <= trees * reads // 2, (got, units, reads)


def outside(w):
    role = w.role()
    foreign = f"{w.top}/outside/x.git"
    git(w.top, "init", "-q", "--bare", foreign)
    git(w.clone, "push", "-q", foreign, "main")
    os.symlink(foreign, f"{w.top}/repos/link.git")
    want = wanted(w, role)
    for path in (foreign, f"{w.top}/repos/link.git", f"{w.top}/repos/../outside/x.git"):
        problem_of(role.ask("look", id=1, repository=path, refs=[]), "below no root")
        problem_of(role.ask("keep", id=2, repository=path, oid=w.first), "below no root")
        problem_of(role.ask("survey", id=3, repository=path, oid=w.first, content=w.content), "below no root")
        problem_of(role.ask("export", id=4, dest=f"{w.exports}/b1", **{**want, "repository": path}), "below no root")
        v = role.ask("judge", id=5, repository=path, name="x", deadline_ms=4000,
                     refs=[{"ref": "refs/heads/main", "old": ZERO, "new": w.first, "ordinal": 0}])
        assert problem_of(v, "below no root")["verdict"] == "undecided", v
    problem_of(role.ask("look", id=6, repository="repos/sales/etl.git", refs=[]), "absolute")
    v = role.ask("judge", id=7, repository=w.repo, name="x", deadline_ms=4000, object_dir=f"{foreign}/objects",
                 refs=[{"ref": "refs/heads/main", "old": w.first, "new": w.first, "ordinal": 0}])
    assert problem_of(v, "below no root")["verdict"] == "undecided", v
    v = role.ask("judge", id=8, repository=w.repo, name="x", deadline_ms=4000,
                 alternates=f'{w.repo}/objects:"{foreign}/objects"',
                 refs=[{"ref": "refs/heads/main", "old": w.first, "new": w.first, "ordinal": 0}])
    assert problem_of(v, "below no root")["verdict"] == "undecided", v
    # an owner that is not ours is no obstacle below a root
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "65534", w.repo], check=True)
        assert "problem" not in role.ask("look", id=9, repository=w.repo, refs=[])


def worker_dies(w):
    role = w.role("export.rename=stop")
    until("workers", lambda: len(role.children()) == WORKERS)
    before = role.children()
    want = wanted(w, role)
    role.send("export", id=1, dest=f"{w.exports}/b1", **want)
    until("a worker is frozen", lambda: w.stopped())
    pid = w.stopped()[0]
    assert pid in before and w.leftovers()
    # somebody killed it: the next worker does it. Thrice: the request does, and is answered
    for n in range(2, 4):
        os.kill(pid, signal.SIGKILL)
        until("another worker has it", lambda: len(w.stopped()) == n)
        pid = w.stopped()[-1]
    os.kill(pid, signal.SIGKILL)
    problem_of(role.answer(1), "killed by signal 9")
    until("nothing of it is left", lambda: not w.leftovers())
    until("it is replaced", lambda: len(role.children()) == len(before) and pid not in role.children())
    assert "problem" not in role.ask("look", id=2, repository=w.repo, refs=[])
    assert not os.path.exists(f"{w.exports}/b1")
    # exports may take all workers but one: a push is still judged
    for i in range(len(before)):
        role.send("export", id=10 + i, dest=f"{w.exports}/b{i}", **want)
    until("all but one are frozen", lambda: len(w.stopped()) == 2 + len(before))
    v = role.ask("judge", id=3, repository=w.repo, name="sales/etl", deadline_ms=4000, limit=10,
                 refs=[{"ref": "refs/heads/new", "old": ZERO, "new": w.first, "ordinal": 0}])
    assert v["verdict"] == "accept", v
    # the role is killed: its frozen workers go too, and the next start leaves nothing of theirs
    pids = role.children()
    role.kill()
    until("the workers are gone", lambda: all(gone(p) or zombie(p) for p in pids))
    assert w.leftovers()
    again = w.role()
    until("leftovers are gone", lambda: not w.leftovers())
    assert "problem" not in again.ask("export", id=1, dest=f"{w.exports}/b1", **want)


def zombie(pid):
    """Ended, and left to whoever is the system's init here."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(") ", 1)[1].startswith("Z")
    except FileNotFoundError:
        return True


def deadline(w):
    role = w.role("repo.id=stop")
    start = time.monotonic()
    v = role.ask("judge", id=1, repository=w.repo, name="sales/etl", deadline_ms=300,
                 refs=[{"ref": "refs/heads/new", "old": ZERO, "new": w.first, "ordinal": 0}])
    assert 0.2 < time.monotonic() - start < 5
    problem_of(v, "longer than 300 ms")
    assert v["verdict"] == "undecided" and v["refs"][0]["ref"] == "refs/heads/new", v
    # where the machine is busy its time was up before it came to freeze
    until("the frozen worker is gone", lambda: all(gone(p) for p in w.stopped()))
    # all workers frozen: what waits in the queue is answered in time too
    n = WORKERS
    until("it is replaced", lambda: len(role.children()) == n)
    for i in range(n + 1):
        role.send("judge", id=10 + i, repository=w.repo, name="sales/etl", deadline_ms=600,
                  refs=[{"ref": "refs/heads/new", "old": ZERO, "new": w.first, "ordinal": 0}])
    got = [role.recv() for _ in range(n + 1)]
    assert sorted(v["id"] for v in got) == list(range(10, 11 + n)), got
    assert all(v["verdict"] == "undecided" for v in got), got
    until("all workers are back", lambda: len(role.children()) == n)


def reload(w):
    role = w.role()
    os.makedirs(f"{w.top}/more")
    git(w.top, "init", "-q", "--bare", f"{w.top}/more/x.git")
    until("workers", lambda: len(role.children()) == WORKERS)
    before = set(role.children())
    problem_of(role.ask("look", id=1, repository=f"{w.top}/more/x.git", refs=[]), "below no root")
    assert "roots" in role.configure(w.yaml().replace("roots:", "rootz:"))
    problem_of(role.ask("look", id=2, repository=f"{w.top}/more/x.git", refs=[]), "below no root")
    assert set(role.children()) == before
    assert role.configure(w.yaml("more")) is None
    assert "problem" not in role.ask("look", id=3, repository=f"{w.top}/more/x.git", refs=[])
    problem_of(role.ask("look", id=4, repository=w.repo, refs=[]), "below no root")
    until("all are new", lambda: len(role.children()) == len(before) and not before & set(role.children()))


def stop(w):
    role = w.role("export.rename=stop")
    want = wanted(w, role)
    role.send("export", id=1, dest=f"{w.exports}/b1", **want)
    role.send("told", id=5)             # nothing the gate does: said in the log, no more
    until("a worker is frozen", lambda: w.stopped())
    pids = role.children()
    assert len(pids) >= 2 and w.leftovers()
    assert role.stop() == 0
    assert all(gone(p) for p in pids), "no worker and no zombie stays"
    assert not w.leftovers()
    role = w.role()
    until("workers", lambda: len(role.children()) == WORKERS)
    pids = role.children()
    role.parent.close()                 # the parent is gone
    role.parent = None
    assert role.wait() == 0
    assert all(gone(p) for p in pids)


CASES = [look, keep, survey, export, judge, remembers, many_refs, outside, worker_dies, deadline, reload, stop]


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    failed = 0
    threading.Timer(240, lambda: os.kill(os.getpid(), signal.SIGABRT)).start()
    for case in CASES:
        if word not in case.__name__:
            continue
        w = World()
        start = time.monotonic()
        try:
            case(w)
            print(f"ok   {case.__name__} {time.monotonic() - start:.2f} s", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {case.__name__}", flush=True)
            import traceback
            traceback.print_exc()
            w.stderr.flush()
            with open(f"{w.top}/stderr") as f:
                print(f.read(), file=sys.stderr)
        finally:
            text = w.close()
            if text is not None:
                failed += 1
                print(f"FAIL {case.__name__}: the role did not end well\n{text}", flush=True)
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
