#!/usr/bin/python3
"""The deploy role as core sees it: hello, one child per deployment, its death, the end of the role."""
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import wire  # noqa: E402

PROGRAM = os.path.abspath("penstock-deploy")
PENSTOCK = os.path.abspath("penstock")
YAML = """teams: { dev: { members: [ana] } }
fabrics: { development: { id: 1174, owner: dev, provider: local } }
environments: [{ name: development, refs: [refs/heads/main], fabric: development, deploy: auto }]
"""
ARTIFACT = "prophecy/artifacts/dev/execution/7234/1.0-abc/pipeline/a-1.0-py3-none-any.whl"


class Case:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="deploy-e2e.", dir=os.getcwd())
        self.content = os.path.join(self.dir, "content")
        self.fabric = os.path.join(self.dir, "fabrics", "development")
        os.makedirs(self.content)
        self.wheel = self.put(b"wheel")
        self.job = self.put(b'{"request":{}}')
        subprocess.run([PENSTOCK, "init", self.dir + "/keys-of"], check=True, stdout=subprocess.DEVNULL)
        os.symlink("keys-of/keys", os.path.join(self.dir, "keys"))
        self.role = None

    def put(self, data):
        digest = hashlib.sha256(data).hexdigest()
        os.makedirs(os.path.join(self.content, digest[:2]), exist_ok=True)
        with open(os.path.join(self.content, digest[:2], digest[2:]), "wb") as f:
            f.write(data)
        return digest

    def start(self, **env):
        self.role = wire.Role(PROGRAM, self.dir, YAML, env={**os.environ, **env})
        return self.role

    def deploy(self, n, project=".", fabric="development", fence=1):
        manifest, signature = self.signed(project)
        self.role.send("deploy_start", manifest=manifest, signature=signature, signed_by=self.key_id(), deployment=n, fence=fence, fabric=fabric,
                       fabric_dir=self.fabric, repository="sales", project=project, release=hashlib.sha256(manifest).hexdigest(),
                       content=self.content, artifacts=[{"path": ARTIFACT, "digest": self.wheel}],
                       jobs=[{"key": "jobs/a", "digest": self.job, "name": "a"}])

    def asked(self, key):
        return {"key": key, "digest": self.job, "name": os.path.basename(key)}

    def key_id(self):
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", self.dir + "/keys/release.pub", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        return hashlib.sha256(der).hexdigest()[:16]

    def signed(self, project):
        """A manifest that names our wheel, and what another program than ours signs it with."""
        manifest = json.dumps({"format": 1, "project": project, "tree": "1" * 40, "toolchain": "", "inputs": [], "jobs": [],
                               "artifacts": [{"pipeline": "pipelines/a", "file": os.path.basename(ARTIFACT),
                                              "sha256": self.wheel, "size": 5, "instances": []}]},
                              sort_keys=True, separators=(",", ":")).encode()
        path = os.path.join(self.dir, "manifest")
        with open(path, "wb") as f:
            f.write(manifest)
        return manifest, subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.dir + "/keys/release.key",
                                         "-in", path], check=True, capture_output=True).stdout.hex()

    def follow(self, n, ok=True, fence=1):
        """Acknowledges each step; the messages of deployment n until its end."""
        seen = []
        while not seen or seen[-1]["type"] != "deploy_end":
            m = self.role.recv()
            assert m["deployment"] == n and m["fence"] == fence, m
            seen.append(m)
            if m["type"] == "step_begin" and ok:
                self.role.send("step_ok", deployment=n, step=m["step"], stop=False)
        return seen

    def end(self):
        if self.role and self.role.status is None:
            self.role.kill()
        shutil.rmtree(self.dir)


def until(what, limit=20):
    end = time.monotonic() + limit
    while not what():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def hello_lists_drivers(c):
    role = c.start()
    assert "driver local" in role.hello["facts"], role.hello
    assert role.stop() == 0


def a_deployment_from_first_to_last(c):
    old = os.umask(0o077)
    c.start()
    os.umask(old)
    c.deploy(12)
    seen = c.follow(12)
    assert [m["type"] for m in seen] == ["step_begin", "step_done"] * 4 + ["deploy_end"], seen
    assert seen[-1]["state"] == "deployed", seen
    assert [m["what"].split()[0] for m in seen if "what" in m] == ["artifact", "jobs", "switch", "verify"]
    path = os.path.join(c.fabric, "FileStore", ARTIFACT)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    # whoever runs the wheel may be another user, whatever our umask was
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o755
    with open(os.path.join(c.fabric, "jobs/sales/current/jobs/a.json"), "rb") as f:
        assert f.read() == b'{"request":{}}'
    until(lambda: not c.role.children())
    assert c.role.stop() == 0


def two_at_once_are_kept_apart(c):
    c.start()
    c.deploy(1)
    c.deploy(2, project="p")
    c.deploy(1)                         # asked twice: runs once
    ends = []
    while len(ends) < 2:
        m = c.role.recv()
        if m["type"] == "step_begin":
            c.role.send("step_ok", deployment=m["deployment"], step=m["step"], stop=False)
        elif m["type"] == "deploy_end":
            ends.append((m["deployment"], m["state"]))
    assert sorted(ends) == [(1, "deployed"), (2, "deployed")], ends
    assert sorted(os.listdir(os.path.join(c.fabric, "jobs/sales"))) == ["current", "owner.json", "p", "sets"]


def a_fabric_that_is_gone_fails(c):
    c.start()
    c.deploy(3, fabric="nowhere")
    end = c.follow(3)[-1]
    assert end["state"] == "failed" and "names the fabric no more" in end["reason"], end


def a_child_that_dies_is_told(c):
    c.start(PENSTOCK_FAILPOINTS="local.switch=kill")
    c.deploy(4)
    end = c.follow(4)[-1]
    assert end["state"] == "unknown" and "killed by signal 9" in end["reason"], end
    assert not os.path.lexists(os.path.join(c.fabric, "jobs/sales/current"))
    assert c.role.stop() == 0
    c.start()
    c.deploy(4)
    seen = c.follow(4)
    assert seen[-1]["state"] == "deployed", seen
    assert seen[1]["detail"] == "already there", seen
    assert not [n for _, d, f in os.walk(c.fabric) for n in d + f if n.startswith(".tmp-")]


def a_stopped_child_is_fenced_off(c):
    c.start()
    c.deploy(12)
    m = c.role.recv()
    assert m["type"] == "step_begin" and m["fence"] == 1, m
    pid, = c.role.children()
    child = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    c.role.send("step_ok", deployment=12, step=1, stop=False)      # it would go on with this
    c.deploy(12, fence=2)                                          # its lease has ended
    end = c.role.recv()
    assert end["type"] == "deploy_end" and end["state"] == "unknown" and end["fence"] == 2, end
    assert wire.select.select([child], [], [], 20)[0], "it is still there"
    os.close(child)
    assert not os.path.exists(os.path.join(c.fabric, "FileStore", ARTIFACT)), "the late writer has written"
    c.deploy(12, fence=3)
    seen = c.follow(12, fence=3)
    assert seen[-1]["state"] == "deployed", seen
    assert c.role.stop() == 0


def children_end_with_the_role(c):
    for how in (signal.SIGKILL, None):
        role = c.start()
        c.deploy(5)
        assert role.recv()["type"] == "step_begin"      # it waits for us now
        child = os.pidfd_open(role.children()[0])
        if how:
            role.kill()
        else:
            assert role.stop() == 0
        assert wire.select.select([child], [], [], 20)[0], "the child outlived its role"
        os.close(child)


def a_look_tells_what_is_in_force(c):
    def look(n, **other):
        c.role.send("observe", **{**dict(id=n, fabric="development", fabric_dir=c.fabric, repository="sales", project=".",
                                         content=c.content, jobs=[c.asked("jobs/a"), c.asked("jobs/none")]), **other})
        m = c.role.recv()
        assert m["type"] == "observed" and m["id"] == n, m
        return m.get("problem") or [j["digest"] for j in m["jobs"]]
    c.start()
    assert look(1) == ["", ""], "there is no fabric yet"
    c.deploy(8)
    assert c.follow(8)[-1]["state"] == "deployed"
    before = sorted(p for p, _, _ in os.walk(c.fabric))
    assert look(2) == [c.job, ""]
    path = os.path.join(c.fabric, "jobs/sales/current/jobs/a.json")
    os.chmod(path, 0o644)
    with open(path, "w") as f:
        f.write("{}")
    assert look(3) == [hashlib.sha256(b"{}").hexdigest(), ""], "it was changed by hand"
    os.unlink(path)
    assert look(4) == ["", ""]
    os.symlink("/etc/passwd", path)
    assert "cannot open 'jobs/a.json'" in look(5)
    assert "names the fabric no more" in look(6, fabric="nowhere")
    assert "cannot be a place" in look(7, repository="../sales")
    assert "is not a job" in look(8, jobs=[c.asked("../../owner")])
    assert before == sorted(p for p, _, _ in os.walk(c.fabric)), "it left something"
    until(lambda: not c.role.children())


def a_look_that_dies_is_answered(c):
    c.start(PENSTOCK_FAILPOINTS="deploy.look=kill")
    c.role.send("observe", id=9, fabric="development", fabric_dir=c.fabric, repository="sales", project=".",
                content=c.content, jobs=[c.asked("jobs/a")])
    m = c.role.recv()
    assert m["type"] == "observed" and "killed by signal 9" in m["problem"], m
    assert c.role.stop() == 0


CASES = [hello_lists_drivers, a_deployment_from_first_to_last, two_at_once_are_kept_apart,
         a_fabric_that_is_gone_fails, a_child_that_dies_is_told, a_stopped_child_is_fenced_off, children_end_with_the_role,
         a_look_tells_what_is_in_force, a_look_that_dies_is_answered]

if __name__ == "__main__":
    for case in CASES:
        if len(sys.argv) > 1 and sys.argv[1] not in case.__name__:
            continue
        c = Case()
        try:
            case(c)
            print("ok", case.__name__)
        finally:
            c.end()
