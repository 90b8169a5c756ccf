#!/usr/bin/python3
"""Every kind of credential at once, and everything that could tell of one: builds and runs that look for them,
providers that refuse and repeat what they were sent, errors, a role that crashes, exports, whatever is printed. Then
they are searched for, as in every test (tests/support/planted.py): nowhere. No Spark.

    tests/e2e/leaks.py [CASE]     cwd is the build folder
"""
import glob
import os
import resource
import shutil
import signal
import subprocess
import sys

# in the place of our own folder: there is a queue.py, which is not Python's
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
sys.dont_write_bytecode = True
import planted  # noqa: E402
from agent import BUILD, Instance, bare_toolchain, check, main, run, wait  # noqa: E402
from planted import found, plant  # noqa: E402
from scene import SETUP  # noqa: E402
from workspace import Workspace  # noqa: E402

MAIN, REMOTE = "refs/heads/main", "refs/heads/remote"
# Whoever looks for secrets where repository code runs: what he is given, what others are, what lies on the disk.
LOOKS = '''
import glob, os, subprocess
def look():
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/self/fd/*"):
        try:
            print(path, open(path, "rb").read(65536))
        except OSError as e:
            print(path, e.strerror)
    for top in {tops!r}:
        for folder, _, names in os.walk(top):
            for n in names:
                try:
                    print(n, open(os.path.join(folder, n), "rb").read(65536))
                except OSError as e:
                    print(n, e.strerror)
        print(top, "looked at", flush=True)
'''


class Everything(Instance):
    def __init__(self):
        if run(os.path.join(BUILD, "sandbox_try"), "--probe", expect=None).returncode:
            print("SKIP: no sandbox on this machine")
            sys.exit(77)
        super().__init__()
        bare_toolchain(self)
        os.mkdir(self.base + "/credentials")
        plant(self.base + "/credentials/uploads", planted.planted("uploads"))
        plant(self.base + "/hook", planted.planted("hook", plain=False) + "\n")
        self.w = Workspace(self.base + "/workspace").start()
        plant(self.base + "/token", self.w.token)
        self.env = {"VARIABLE": planted.planted("variable", plain=False), "CREDENTIALS_DIRECTORY": self.base + "/credentials"}
        path = self.dir + "/penstock.yml"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for line, more in (
                ("fabrics:", f"  far:\n    id: 6006\n    owner: developers\n    provider: databricks\n    databricks: {{ host: '{self.w.url}',"
                 f" token: {{ file: {self.base}/token }} }}\n    http: {{ retry: 50ms, patience: 1s, per_second: 0 }}\n"
                 "  other:\n    id: 6007\n    owner: developers\n    provider: databricks\n    databricks:\n"
                 f"      host: '{self.w.url}'\n      oauth: {{ client_id: somebody, client_secret: {{ credential: uploads }} }}\n"
                 "    http: { retry: 50ms, patience: 1s, per_second: 0 }\n"),
                ("environments:", f"  - name: far\n    refs: [{REMOTE}]\n    fabric: far\n    deploy: auto\n    jobs:\n      derive:\n"
                 "        - { from: jobs/job_development, as: jobs/job_far, config: prod }\n"
                 "  - name: other\n    refs: [refs/heads/other]\n    fabric: other\n    deploy: auto\n    jobs:\n      derive:\n"
                 "        - { from: jobs/job_development, as: jobs/job_other, config: prod }\n")):
            at = text.index("\n", text.index("\n" + line) + 1) + 1
            text = text[:at] + more + text[at:]
        self.yml = text + ("notify:\n"
                           f"  hook: {{ webhook: {{ url: 'http://127.0.0.1:9', secret: {{ file: {self.base}/hook }} }}, tries: 1 }}\n"
                           "  env: { webhook: { url: 'http://127.0.0.1:9', secret: { env: VARIABLE } }, tries: 1 }\n")
        self.settings(self.yml)

    def settings(self, text):
        with open(self.dir + "/penstock.yml", "w", encoding="utf-8") as f:
            f.write(text)

    def __exit__(self, *args):
        self.w.stop()
        super().__exit__(*args)

    def project(self):
        c = self.example(self.repository("sales"))
        look = LOOKS.format(tops=[self.base, "/run", "/tmp", "/var/tmp"])
        for name in ("customers_orders", "sales_report"):
            code = f"pipelines/{name}/code"
            shutil.rmtree(f"{c.path}/{code}/test")
            c.write(f"{code}/{name}/pipeline.py", look + "\ndef main():\n    look()\n")
            c.write(f"{code}/setup.py", look + "\nlook()\n" + SETUP.format(name=name))
        c.commit("looks for secrets")
        return c


def says(a, *argv):
    """What a command prints holds none, whatever its exit status."""
    p = a.penstock(*argv, expect=None, limit=60)
    check(not found((p.stdout + p.stderr).encode(), a.key), f"a secret is in {argv}: {p.stdout}{p.stderr}")
    return p.stdout + p.stderr


def nowhere():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    with Everything() as a:
        a.key = planted.key_forms(a.dir + "/keys/release.key")
        check(len(a.key) > 2, "the key that signs is known")
        made = a.json("--as", "kim", "token", "create", "-m", "robot")["token"]
        planted.ALL.extend(planted.forms(made.encode()))	# printed once, kept as a digest
        c = a.project()
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        for b in a.builds():
            check("looked at" in says(a, "log", b["id"]), "the build has looked")
        says(a, "run", "job_development", "--fabric", "development")
        check("looked at" in says(a, "log", a.items("runs")[0]["id"]), "the run has looked")

        # providers: one that takes it, one that refuses and repeats what it was sent, one that does not know us
        c.push("HEAD:" + REMOTE)
        a.wait_event(REMOTE)
        a.w.faults({"match": "POST /api/2.2/jobs/*", "fault": "number_code", "status": 403,
                    "message": f"Invalid access token: Bearer {a.w.token}."})
        c.edit("jobs/job_development/code/databricks-job.json", '"max_retries" : 0', '"max_retries" : 1')
        c.commit("a change")
        c.push("HEAD:" + REMOTE, "HEAD:refs/heads/other")

        wait("one is refused", lambda: "failed" in [d["state"] for d in a.items("history", "far")], 60, every=0.2)
        wait("the other is not let in", lambda: "invalid_client" in a.penstock("why", "refs/heads/other").stdout, 60, every=0.2)
        check("Invalid access token: Bearer ****" in says(a, "why", REMOTE), "the provider's word is told")
        says(a, "why", "refs/heads/other")

        # a configuration with a secret in it is refused, and not repeated
        inline = a.yml.replace(f"token: {{ file: {a.base}/token }}", f"token: {a.w.token}")
        check(inline != a.yml, "the token is in it")
        a.settings(inline)
        says(a, "config", "check")
        says(a, "reload")
        a.settings(a.yml)
        a.penstock("reload")

        # who crashes leaves nothing
        for role in ("deploy", "core"):
            old = a.role(role)
            os.kill(old, signal.SIGSEGV)
            wait(f"{role} is there again", lambda: a.role(role) != old)
        wait("the agent answers", a.answers)
        check(not glob.glob("core*") and not glob.glob(a.base + "/**/core.*[0-9]", recursive=True), "a core file")

        for argv in (("status",), ("config", "show"), ("outbox",), ("events",), ("audit",), ("audit", "export"), ("queue",),
                     ("history", "far"), ("history", "other"), ("drift",), ("doctor",), ("--as", "kim", "token", "list"),
                     ("releases",), ("runs",), ("key", "export"), ("backup", a.base + "/backup.db"), ("why", MAIN)):
            says(a, *argv)
            says(a, *argv, "--json")
        release = a.items("releases")[0]["id"]
        for how in ("--bundle", "--manifest", "--json"):
            says(a, "release", "show", release, how)
        check(len(a.items("outbox")) >= 2, "somebody was to be told")


def it_can_fail():
    """What is searched for is found, in every way of writing it down and wherever it is put."""
    with Instance() as a:
        secret = planted.planted("of a test", plain=False).encode()
        also = planted.key_forms(a.dir + "/keys/release.key")
        with open(a.dir + "/keys/release.key", encoding="ascii") as f:
            key = f.read()
        texts = [b"x" * n + form + b"y" for n in (0, 1, 2) for s in (secret, planted.planted("t").encode())
                 for form in planted.forms(s)]
        check(all(found(t) for t in texts), [t for t in texts if not found(t)])
        check(found(key.encode(), also) and not found(b"nothing " * 100, also), "the key")
        places = [a.dir + "/logs/b1.log", a.dir + "/state/spool/x", a.dir + "/work/export/x", a.base + "/agent.log"]
        for path in places:
            with open(path, "ab") as f:
                at = f.tell()
                f.write(b"\0" * (planted.BLOCK - 5 if path == places[0] else 0) + secret)
            check(planted.search(a.base, a.dir, a.processes()) == [path], path)
            with open(path, "r+b") as f:
                f.truncate(at)
        child = subprocess.Popen(["sleep", "60"], env={"A": secret.decode()})
        try:
            check(planted.search(a.base, a.dir, [a.parent.pid, child.pid]) == [f"/proc/{child.pid}/environ"], "a process")
        finally:
            child.kill()
            child.wait()


main(it_can_fail, nowhere)
