#!/usr/bin/python3
"""Roles as users of their own: what each may read, what nobody may, and that the work goes through all the same.

    tests/e2e/walls.py [CASE...]     cwd is the build folder; needs root, else it is skipped

Accounts live in a passwd and a group of this test, bound over those in /etc in a mount namespace of its own.
"""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ACCOUNTS = ["core", "gate", "build", "deploy", "ana", "kim"]
FIRST = 61000 + os.getppid() % 400 * 10 if "WALLS_TOP" not in os.environ else int(os.environ["WALLS_FIRST"])
UID = {name: FIRST + i for i, name in enumerate(ACCOUNTS)}
SHARED = FIRST + 9
ROLES = ACCOUNTS[:4]
NAME = {r: "penstock-" + r for r in ROLES}


def enter():
    """Into a mount namespace in which our accounts are, with programs that every user may start."""
    if os.getuid() != 0:
        print("SKIP: only root can give each role a user of its own")
        sys.exit(77)
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        print("SKIP: root may not make a mount namespace here")
        sys.exit(77)
    build, top = os.path.abspath(os.environ.get("PENSTOCK_BUILD", ".")), tempfile.mkdtemp(prefix="penstock-walls.")
    os.chmod(top, 0o755)
    for path in glob.glob(build + "/penstock*") + [build + "/" + n for n in ("task.py", "suite.py", "parse.py", "sandbox_try")]:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            shutil.copy(path, top)
    for name, lines in (("passwd", [f"{NAME.get(n, n)}:x:{u}:{u}::/nonexistent:/bin/sh" for n, u in UID.items()]),
                        ("group", [f"{NAME.get(n, n)}:x:{u}:" for n, u in UID.items()] + [f"penstock:x:{SHARED}:"])):
        with open("/etc/" + name, encoding="utf-8") as f:
            known = [l for l in f.read().splitlines() if l.split(":")[0] not in ("penstock", *UID, *NAME.values())]
        with open(f"{top}/{name}", "w", encoding="utf-8") as f:
            f.write("\n".join(known + lines) + "\n")
        os.chmod(f"{top}/{name}", 0o644)
    inside = 'mount --bind "$WALLS_TOP/passwd" /etc/passwd && mount --bind "$WALLS_TOP/group" /etc/group && exec "$@"'
    p = subprocess.run(["unshare", "-m", "sh", "-c", inside, "sh", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                       env={**os.environ, "WALLS_TOP": top, "WALLS_FIRST": str(FIRST), "PENSTOCK_BUILD": top,
                            "srcdir": os.path.abspath(os.environ.get("srcdir", HERE + "/../.."))})
    shutil.rmtree(top)
    sys.exit(p.returncode)


if "WALLS_TOP" not in os.environ:
    enter()
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import BUILD, Instance, Push, check, clean_env, main, plain_toolchain, run, wait  # noqa: E402
from planted import found, key_forms, plant, planted  # noqa: E402

MAIN, TAG, SECRET, VARIABLE = "refs/heads/main", "refs/tags/v1.0.0", planted("receiver", plain=False), planted("variable", plain=False)
with open(BUILD + "/penstock-core", "rb") as core_program:
    SANITIZED = b"__asan_init" in core_program.read()


def as_user(uid, groups=()):
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid),
            *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]), "--no-new-privs"]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)


class Apart(Instance):
    """Four users, and a repository of the gate's: its account is the one that runs git."""

    def __init__(self):
        super().__init__(toolchain=plain_toolchain(), env={"WALLS_SECRET": VARIABLE})
        path = self.dir + "/penstock.yml"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = text[:text.index("identity:\n  trusted_caller")] + text[text.index("\ntoolchains:"):]
        at = text.index("    - path: repos ")
        text = text[:at] + (f"    - {{ path: repos, identity: 'env:PUSHER', hook_users: [{NAME['gate']}] }}\n"
                            ) + text[text.index("\n", text.index("hook_users: [", at)) + 1:]
        text += "\nroles:\n" + "".join(f"  {r}: {{ user: {NAME[r]} }}\n" for r in ROLES)
        text += (f"\nnotify:\n  chat: {{ webhook: {{ url: 'http://127.0.0.1:9/', secret: {{ file: {self.base}/secret }} }},"
                 f" tries: 1 }}\n  other: {{ webhook: {{ url: 'http://127.0.0.1:9/', secret: {{ env: WALLS_SECRET }} }}, tries: 1 }}\n")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        plant(self.base + "/secret", SECRET)

    def example(self, name):
        repo = self.repository(name)
        c = super().example(repo)
        for p in ("customers_orders", "sales_report"):
            c.git("rm", "-rq", f"pipelines/{p}/code/test")	# there is no pytest in a plain toolchain
        c.commit()
        self.give(repo, c.path)
        return c

    def give(self, *paths):
        run("chown", "-R", f"{UID['gate']}:{UID['gate']}", *paths)

    def push(self, clone, *refs, who="ana"):
        p = Push(run(*as_user(UID["gate"]), "git", "-C", clone.path, "push", "origin", *refs, expect=None,
                     env=clean_env(PUSHER=who, HOME="/nonexistent")))
        check(p.code == 0, p.all)
        return p

    def person(self, name, *args, expect=0):
        return run(*as_user(UID[name]), BUILD + "/penstock", "-C", self.dir, *args, env=clean_env(), expect=expect)

    def groups(self, role):
        return [int(g) for g in status_of(self.role(role))["Groups"].split()]

    def deployed(self, fabric, limit=None):
        return wait(f"{fabric} is live", lambda: [h for h in self.items("history", fabric) if h["state"] == "deployed"],
                    limit, every=0.2)


def may(argv, code, *paths):
    p = run(*argv, "/usr/bin/python3", "-c", "import os, sys\n" + code, *paths, expect=None)
    return p.returncode == 0


def each_is_its_user(a):
    for role in ROLES:
        s = status_of(a.role(role))
        check(s["Uid"].split() == [str(UID[role])] * 4 and s["Gid"].split() == [str(UID[role])] * 4, f"{role}: {s['Uid']} {s['Gid']}")
        # the gate's own group comes from the list of its account
        want = {"core": [SHARED], "gate": [UID["gate"], SHARED], "build": [], "deploy": [SHARED]}[role]
        check(sorted(a.groups(role)) == sorted(want), f"groups of {role}: {s['Groups']}")
        check(s["NoNewPrivs"] == "1" and (SANITIZED or s["Seccomp"] == "2"), f"{role}: {s['NoNewPrivs']} {s.get('Seccomp')}")
        check(all(int(s[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), f"{role} has rights: {s}")
        with open(f"/proc/{a.role(role)}/limits", encoding="utf-8") as f:
            check("Max core file size        0                    0" in f.read(), f"{role} leaves no core file")
        # a process that may not be looked into belongs to root in /proc
        check(os.stat(f"/proc/{a.role(role)}/mem").st_uid == 0, f"{role} may be looked into")
    facts = a.json("status")["facts"]
    check(all(f"the {r} role runs as {NAME[r]}" in facts for r in ROLES), facts)
    check(not any("conventions" in f or "root" in f for f in facts), facts)


def key_of(a):
    return [p for p in glob.glob(a.dir + "/keys/*") if os.stat(p).st_mode & 0o077 == 0][0]


LOOKS = """
for p in sys.argv[1:]:
    try:
        os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(1)
        reads = 'reads'
    except OSError:
        reads = ''
    try:
        os.close(os.open(p + '/.tmp-walls', os.O_CREAT | os.O_EXCL))
        os.unlink(p + '/.tmp-walls')
        print(reads, 'writes')
    except OSError:
        print(reads)
"""


def each_reads_what_it_needs(a):
    """path: who may read it, who may make files in it. `ana` stands for everybody else."""
    wheel = [p for p in glob.glob(a.dir + "/artifacts/??/*") if os.stat(p).st_uid == UID["build"]]
    log = glob.glob(a.dir + "/logs/b*.log")
    check(wheel and log, "there is something to read")
    everybody = [*ROLES, "ana"]
    table = {
        "state": (("core",), ("core",)),
        "state/store.db": (("core",), None),
        "state/audit.head": (("core",), None),
        "state/policy": (everybody, None),
        "state/spool": (("core",), everybody),
        "run": (everybody, ("core",)),
        "keys/release.key": ((), None),
        "keys": (everybody, ()),
        "verdicts": (("gate",), ("gate",)),
        "artifacts": (ROLES, ROLES),
        os.path.relpath(wheel[0], a.dir): (ROLES, None),
        "logs": (("build", "core"), ("build",)),
        os.path.relpath(log[0], a.dir): (("build", "core"), None),
        "work/export": (("gate", "build"), ("gate", "build")),
        "work/build": (("build",), ("build",)),
        "work/run": (("build",), ("build",)),
        "fabrics": (("deploy", "build"), ("deploy",)),
        "fabrics/development": (("deploy", "build"), ("deploy",)),
        "fabrics/development/jobs": (("deploy", "build"), ("deploy",)),
        "fabrics/development/data": (("build",), ("build",)),
        "penstock.yml": (everybody, None),
        ".": (everybody, ()),
        "../secret": ((), None),
    }
    check(key_of(a) == a.dir + "/keys/release.key", key_of(a))
    people = {r: as_user(UID[r], a.groups(r)) for r in ROLES}
    people["ana"] = as_user(UID["ana"])
    bad = []
    for who, argv in people.items():
        got = run(*argv, "/usr/bin/python3", "-c", "import os, sys\n" + LOOKS, *[os.path.join(a.dir, p) for p in table]).stdout
        for (path, (readers, writers)), line in zip(table.items(), got.splitlines(), strict=True):
            if ("reads" in line) != (who in readers):
                bad.append(f"{who} {'cannot read' if who in readers else 'reads'} {path}")
            if ("writes" in line) != (who in (writers or ())):
                bad.append(f"{who} {'cannot write in' if who in (writers or ()) else 'writes in'} {path}")
    for who in ("core", "gate", "deploy"):
        if may(people[who], "os.unlink(sys.argv[1])", wheel[0]) or may(people[who], "open(sys.argv[1], 'w')", wheel[0]):
            bad.append(f"{who} can replace a sealed wheel")
    check(not bad, "\n".join(bad))
    print(f"     {len(table)} places looked at as {len(people)} users")


def only_deploy_has_the_secret(a):
    """Core has the key that signs; nobody else any descriptor of a credential. And no secret, in any form, is in a file,
    a log, a process list or an answer."""
    def held(role):
        links = [os.readlink(p) for p in glob.glob(f"/proc/{a.role(role)}/fd/*") if os.path.lexists(p)]
        return sorted(os.path.basename(l) for l in links if l.startswith((a.base + "/secret", a.dir + "/keys/")))
    secret = {r: held(r) for r in ROLES}
    check(secret["gate"] == secret["build"] == [] and "secret" not in secret["core"] and secret["deploy"] == ["secret"], secret)
    a.search_secrets()
    key = key_forms(key_of(a))
    for argv in (("status",), ("config", "show"), ("outbox",), ("audit",), ("events",)):
        p = a.penstock(*argv, "--json", expect=None)
        check(not found((p.stdout + p.stderr).encode(), key), f"a secret is in {argv}")


ATTACH = """
import ctypes
c = ctypes.CDLL(None, use_errno=True)
sys.exit(0 if c.ptrace(16, int(sys.argv[1]), None, None) == 0 else 1)
"""
LOOK = "open(f'/proc/{sys.argv[1]}/mem', 'rb'); os.listdir(f'/proc/{sys.argv[1]}/fd')"


def nobody_looks_into_another(a):
    victim = subprocess.Popen([*as_user(UID["build"]), "sleep", "600"])
    try:
        wait("it sleeps", lambda: status_of(victim.pid)["Name"].strip() == "sleep")
        check(may(as_user(UID["build"]), LOOK, str(victim.pid)), "a plain process of the same user may be looked into")
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="utf-8") if os.path.exists(
                "/proc/sys/kernel/yama/ptrace_scope") else open("/dev/null", encoding="utf-8") as f:
            restricted = f.read().strip() not in ("", "0")
        check(restricted or may(as_user(UID["build"]), ATTACH, str(victim.pid)), "and be traced, where the kernel lets users")
        for role in ROLES:
            for who in ("build", "gate"):		# whoever runs foreign code, and git's account
                argv = as_user(UID[who], a.groups(who))
                check(not may(argv, ATTACH, str(a.role(role))), f"{who} traces {role}")
                check(not may(argv, LOOK, str(a.role(role))), f"{who} looks into {role}")
            check(not may(as_user(UID[role], a.groups(role)), ATTACH, str(a.role(role))), f"{role}'s own user traces it")
        if shutil.which("gdb"):
            p = run(*as_user(UID["build"]), "gdb", "-q", "-batch", "-p", str(a.role("deploy")), expect=None, env=clean_env(HOME="/tmp"))
            check("Operation not permitted" in p.stderr or "ptrace" in p.stderr, p.stdout + p.stderr)
    finally:
        victim.kill()
        victim.wait()


def a_backup_is_cores(a):
    """Whoever asks, core writes it; the words say what it lacks, and what they say mends it."""
    folder = a.base + "/backup"
    os.mkdir(folder, 0o755)
    p = a.penstock("backup", folder, expect=1)
    check(f"as '{NAME['core']}', which may not write into '{folder}'" in p.stderr, p.stderr)
    command = p.stderr[p.stderr.index("install -d"):].split("\n")[0].split()
    check(command[-1] == folder + "/penstock", f"{command}")
    run(*command)
    a.penstock("backup", command[-1])
    files = os.listdir(command[-1])
    check(len(files) == 1 and os.stat(f"{command[-1]}/{files[0]}").st_uid == UID["core"] and
          os.stat(f"{command[-1]}/{files[0]}").st_mode & 0o777 == 0o600, f"{files}")


def memory_is_told(a):
    """The build role has no right to make a cgroup here, and says what it does instead."""
    facts = a.json("status")["facts"]
    check(any(f.startswith("sandbox: bubblewrap, user namespace; memory measured twice a second") for f in facts), f"{facts}")


def apart():
    """A push, a build, two deployments, an approval and a run, each step by its own user; then the walls are tried."""
    with Apart() as a:
        each_is_its_user(a)
        c = a.example("sales")
        p = a.push(c, "HEAD:" + MAIN)
        check("held" not in p.text and "development" in p.text, p.all)
        a.deployed("development")
        event = a.wait_event(MAIN)
        check(event["pusher"] == "ana", event)
        a.push(c, "HEAD:" + TAG)
        d = wait("production waits for its approval",
                 lambda: [d for d in a.items("approvals") if d["environment"] == "production"], every=0.2)[0]["deployment"]
        check(a.person("ana", "approve", d, expect=None).returncode == 1, "ana is not of the owners")
        a.person("kim", "approve", d)
        a.deployed("production")
        check(len(a.builds()) == 2, f"built once: {a.builds()}")
        # without Spark the task fails, but in the sandbox: it has found its wheel and its data folder
        job = sorted(a.jobs("development", "sales"))[0]
        p = a.penstock("run", job, "--fabric", "development", expect=1)
        log = a.penstock("log", a.items("runs")[0]["id"]).stdout
        check("pyspark" in log and "ermission" not in log, p.stdout + p.stderr + log)
        a_backup_is_cores(a)
        memory_is_told(a)
        each_reads_what_it_needs(a)
        only_deploy_has_the_secret(a)
        nobody_looks_into_another(a)
        check(not a.leftovers(), f"left: {a.leftovers()}")
        old = a.role("build")
        os.kill(old, signal.SIGKILL)
        wait("build runs again", lambda: a.role("build") != old)
        wait("it is there for core", lambda: [r for r in a.json("status")["roles"]
                                              if r["id"] == "build" and r["state"] == "running" and r["pid"] != old])
        each_is_its_user(a)


def what_is_refused():
    """Half of the users, unknown ones, root, another user by a reload: said before anything runs."""
    a = Apart()
    path = a.dir + "/penstock.yml"
    with open(path, encoding="utf-8") as f:
        good = f.read()

    def start(text):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        p = run(BUILD + "/penstockd", a.dir, expect=1, env=clean_env(), limit=30)
        return p.stdout + p.stderr
    try:
        for old, new, want in ((f"  gate: {{ user: {NAME['gate']} }}\n", "", "name all four, or leave 'roles' out [PS-CONF-024]"),
                               (f"user: {NAME['core']} ", "user: nobody-here ", "'nobody-here' of the core role"),
                               (f"user: {NAME['core']} ", "user: root ", "the core role cannot be root"),
                               (f"user: {NAME['core']} ", f"user: {NAME['gate']} ", "have one user"),
                               ("\nroles:", "\nidentity: { trusted_caller: true }\nroles:", "has no place beside 'roles'")):
            check(good.count(old) == 1, old)
            text = start(good.replace(old, new))
            check(want in text, f"{new!r}: {text}")
        os.chmod(a.dir, 0o777)
        check("a folder that only root writes to" in start(good), "whoever writes there could lead root elsewhere")
        os.chmod(a.dir, 0o755)
        a.start()
        with open(path, "w", encoding="utf-8") as f:
            f.write(good.replace(f"user: {NAME['build']} ", "user: ana "))
        p = a.penstock("reload", expect=1)
        check("'roles' has changed" in p.stdout + p.stderr, p.stdout + p.stderr)
        a.stop()
    finally:
        a.stop(audit=False)
        a.remove()


def one_user():
    """Without `roles:`: what one user can have of the walls is there, and status says what is not."""
    with Instance() as a:
        for role in ROLES:
            s = status_of(a.role(role))
            check(s["Uid"].split()[0] == "0" and s["NoNewPrivs"] == "1" and (SANITIZED or s["Seccomp"] == "2"), f"{role}: {s}")
        facts = a.json("status")["facts"]
        check("all roles run as root: the walls between roles are conventions" in facts, facts)
        check(any("no seccomp filter: built with a sanitizer" in f for f in facts) == SANITIZED, facts)


main(apart, what_is_refused, one_user)
