"""The deploy role against the fake workspace, with this program as core: what core knows of each job, what it asks for.

    with Workspace(folder) as w, Deployer(folder, w) as d:
        d.want({"jobs/a": 1}, wheels=["a-1.0"], version="1.0-abc")
        d.deploy()              # until it ends; started again where its outcome is unknown, as core does
        d.check()               # the workspace is as wanted

It writes down of each job what core writes down when a step is done: the id and the definition.
"""
import hashlib
import json
import os
import select
import subprocess
import time

import wire
from agent import BUILD, Failed, check, run

PROGRAM = os.path.join(BUILD, "penstock-deploy")
PENSTOCK = os.path.join(BUILD, "penstock")
YAML = """teams: { dev: { members: [ana] } }
fabrics:
  development:
    id: 1174
    owner: dev
    provider: databricks
    databricks: { host: %s, oauth: { client_id: %s, client_secret: { env: NOBODY_READS_IT } }%s }
    http: { per_second: 0, retry: %s, patience: %s }
environments: [{ name: development, refs: [refs/heads/main], fabric: development, deploy: auto }]
"""
CLIENT = ("client-of-tests", "secret-of-tests")
TRIES = 9       # core gives up after 5; faults that follow each other by chance are not what is tried here


def canon(v):
    return json.dumps(v, sort_keys=True, separators=(",", ":")).encode()


def configuration(path):
    return json.dumps({"at": path})


def name_of(key):
    return key.split("/")[1]


class Deployer:
    def __init__(self, folder, workspace, volume=None, retry="1ms", patience="5s"):
        self.w, self.volume = workspace, volume
        self.dir = os.path.join(os.path.abspath(folder), "deployer")
        self.content = os.path.join(self.dir, "content")
        os.makedirs(self.content)
        run(PENSTOCK, "init", self.dir + "/keys-of")
        os.symlink("keys-of/keys", os.path.join(self.dir, "keys"))
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", self.dir + "/keys/release.pub", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        self.key_id = hashlib.sha256(der).hexdigest()[:16]
        self.yaml = YAML % (workspace.url, CLIENT[0], f", volume: {volume}" if volume else "", retry, patience)
        self.known = {}                         # key: id, digest, orphan
        self.there = set()                      # paths of artifacts that a deployment has put there
        self.scripts = ()                       # jobs that bring a script with them
        self.configured = ()                    # jobs that bring a configuration file of the project
        self.asked, self.number, self.fence = None, 0, 0
        self.role = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.role.status is None:
            self.role.kill()

    def start(self, **env):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.role = wire.Role(PROGRAM, self.dir, None, env={**os.environ, **env}, stderr=log.fileno())
        secret = os.memfd_create("secret")
        os.write(secret, CLIENT[1].encode())
        wire.send(self.role.parent, "credential", secret, id=1, name="fabric development")
        os.close(secret)
        check(self.role.configure(self.yaml) is None, "the configuration is not taken")

    def put(self, data):
        digest = hashlib.sha256(data).hexdigest()
        path = os.path.join(self.content, digest[:2], digest[2:])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return digest

    # ---- what is wanted ----

    def base(self):
        return self.volume or "dbfs:/FileStore"

    def definition(self, key, version, wheel, schedule=True, script=False):
        request = {"name": name_of(key), "max_concurrent_runs": version, "tasks": [
            {"task_key": "only", "existing_cluster_id": "c1", "libraries": [{"whl": f"{self.base()}/{wheel}"}],
             "python_wheel_task": {"package_name": "x", "entry_point": "main", "parameters": ["-i", "default"]}}]}
        if schedule:
            request["schedule"] = {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}
        components = []
        if script:
            path = f"{self.base()}/{os.path.dirname(os.path.dirname(wheel))}/{name_of(key)}/Script_1.py"
            components = [{"ScriptComponent": {"path": path, "nodeName": "script", "id": "s", "language": "python",
                                               "content": f"print('{key} {version}')"}}]
            request["access_control_list"] = [{"group_name": f"readers of {version}", "permission_level": "CAN_VIEW"}]
            request["tasks"].append({"task_key": "script", "existing_cluster_id": "c1", "spark_python_task": {"python_file": path}})
        doc = {"fabric_id": "1174", "components": components, "request": request}
        if key in self.configured:
            path = f"{self.base()}/{os.path.dirname(os.path.dirname(wheel))}/configurations/prod.json"
            doc["penstock"] = {"configurations": {path: configuration(path)}}
            request["tasks"][0]["python_wheel_task"]["parameters"] = ["-i", path]
        return canon(doc)

    def want(self, jobs, wheels, version, gone=(), size=100):
        """jobs: key to version (max_concurrent_runs); each uses one of the wheels. gone: orphans to remove."""
        artifacts = []
        for n, w in enumerate(wheels):
            data = (f"wheel {w} {version} ".encode() * (size // 8 + 1))[:size + n]
            path = f"prophecy/artifacts/dev/execution/7234/{version}/pipeline/{w}-py3-none-any.whl"
            artifacts.append({"path": path, "digest": self.put(data), "size": len(data)})
        rows = []
        for i, (key, v) in enumerate(sorted(jobs.items())):
            rows.append({"key": key, "name": name_of(key),
                         "digest": self.put(self.definition(key, v, artifacts[i % len(artifacts)]["path"], script=key in self.scripts))})
        self.ask(artifacts, rows, gone)

    def ask(self, artifacts, rows, gone=()):
        self.asked = {"artifacts": artifacts, "rows": rows, "gone": list(gone)}
        manifest = canon({"format": 1, "project": ".", "tree": "1" * 40, "toolchain": "", "inputs": [], "jobs": [], "artifacts": [
            {"pipeline": "pipelines/" + os.path.basename(a["path"]), "file": os.path.basename(a["path"]), "sha256": a["digest"],
             "size": a["size"], "instances": []} for a in sorted(artifacts, key=lambda a: os.path.basename(a["path"]))]})
        path = os.path.join(self.dir, "manifest")
        with open(path, "wb") as f:
            f.write(manifest)
        self.manifest = manifest
        self.signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.dir + "/keys/release.key", "-in", path],
                                        check=True, capture_output=True).stdout.hex()
        self.number += 1

    def row(self, key, digest):
        k = self.known.get(key)
        return {"key": key, "name": name_of(key), "digest": digest, **({"remote": k["id"]} if k and k["id"] else {}),
                "same": bool(k and not k["orphan"] and k["digest"] == digest)}

    def forget(self):
        """The workspace is empty again."""
        self.known.clear()
        self.there.clear()

    def send(self):
        """One try, with a claim of its own."""
        a = self.asked
        wanted = {r["key"] for r in a["rows"]}
        self.fence += 1
        left = [k for k in self.known if k not in wanted]
        self.role.send(
            "deploy_start", manifest=self.manifest, signature=self.signature, signed_by=self.key_id, deployment=self.number,
            fence=self.fence, fabric="development", fabric_dir=self.dir, repository="sales", project=".",
            release=hashlib.sha256(self.manifest).hexdigest(), content=self.content,
            artifacts=[{"path": f["path"], "digest": f["digest"], "there": f["path"] in self.there} for f in a["artifacts"]],
            jobs=[self.row(r["key"], r["digest"]) for r in a["rows"]],
            orphans=[{**self.row(k, self.known[k]["digest"]), "same": False} for k in left if k not in a["gone"]],
            gone=[{**self.row(k, self.known[k]["digest"]), "same": False} for k in left if k in a["gone"]])

    # ---- carrying it out ----

    def note(self, m):
        """As core does when a step that was about a job is done."""
        key, wanted = m.get("job"), {r["key"]: r["digest"] for r in self.asked["rows"]}
        if m["outcome"] != "done" or not key:
            return
        if key in wanted:
            before = self.known.get(key) or {"id": None}
            self.known[key] = {"id": m.get("remote") or before["id"], "digest": wanted[key], "orphan": False}
        elif key in self.asked["gone"]:
            self.known.pop(key, None)
        elif key in self.known:
            self.known[key]["orphan"] = True

    def follow(self, kill=None):
        """One try to its end. kill: (n, where): at the nth word of the journal the child is killed, with where = "begin" before
        core has it on disk, "begun" after, "done" and "noted" the same for the end of a step. The end and the steps."""
        steps, count = [], 0
        while True:
            m = self.role.recv()
            if m["type"] == "deploy_end":
                return m, steps
            if m["fence"] != self.fence:
                continue
            count += 1
            strike = kill and count >= kill[0] and kill[1]
            begins = m["type"] == "step_begin"
            if strike and (strike in ("begin", "begun")) == begins:
                kill = None
                if strike == "begun":
                    self.role.send("step_ok", deployment=self.number, step=m["step"], stop=False)
                    time.sleep(0.0002 * (self.fence % 25))     # somewhere within what it does then
                elif strike == "noted":
                    self.note(m)
                self.kill_child()
                continue
            if begins:
                self.role.send("step_ok", deployment=self.number, step=m["step"], stop=False)
            else:
                steps.append(m)
                self.note(m)

    def kill_child(self):
        for pid in self.role.children():
            try:
                fd = os.pidfd_open(pid)
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
            check(select.select([fd], [], [], 20)[0], "a killed child is still there")
            os.close(fd)

    def deploy(self, kill=None):
        """The last try's end, and how many there were."""
        for n in range(1, TRIES + 1):
            self.send()
            end, steps = self.follow(kill if n == 1 else None)
            self.steps = steps
            if end["state"] != "unknown":
                break
        if end["state"] == "deployed" and end.get("unverified"):
            raise Failed(f"not as planned after {n} tries: {end['unverified']}")
        return end, n

    # ---- is it so? ----

    def check(self):
        """The workspace equals the plan: every job once, as wanted, and every wheel that one names is there."""
        state = self.w.state()
        files, jobs = state["files"], {}
        for j in state["jobs"]:
            jobs.setdefault(j["settings"]["name"], []).append(j["settings"])
        rights = {j["settings"]["name"]: [e for e in state["permissions"][str(j["job_id"])] if e[2] != "IS_OWNER"] for j in state["jobs"]}
        wanted = {r["key"]: r["digest"] for r in self.asked["rows"]}
        for key, digest in wanted.items():
            found = jobs.pop(name_of(key), [])
            check(len(found) == 1, f"{key} is there {len(found)} times")
            with open(os.path.join(self.content, digest[:2], digest[2:]), "rb") as f:
                request = json.load(f)["request"]
            check(found[0]["max_concurrent_runs"] == request["max_concurrent_runs"], f"{key} has another version")
            check(found[0].get("schedule", {}).get("pause_status") == request.get("schedule", {}).get("pause_status"),
                  f"{key} is paused or not: {found[0].get('schedule')}")
            granted = [["group_name", e["group_name"], e["permission_level"]] for e in request.get("access_control_list", [])]
            check(rights[name_of(key)] == granted, f"{key} has the rights {rights[name_of(key)]}, not {granted}")
        for key, k in self.known.items():
            if key in wanted:
                continue
            found = jobs.pop(name_of(key), [])
            check(k["orphan"] and len(found) == 1, f"orphan {key} is there {len(found)} times: {k}")
            check(found[0]["schedule"]["pause_status"] == "PAUSED", f"orphan {key} is not paused")
        check(not jobs, f"jobs that nobody wants: {sorted(jobs)}")
        for path in (f["path"] for f in self.asked["artifacts"]):
            check(f"{self.base()}/{path}" in files, f"{path} is not there")
        for a in self.asked["artifacts"]:
            check(files[f"{self.base()}/{a['path']}"]["sha256"] == a["digest"], f"{a['path']} has other bytes")
        self.check_libraries(state)
        check(not [p for p in files if ".penstock-" in p], "half files are left")

    def check_libraries(self, state=None):
        """No job names a wheel, a script or a configuration file that is not there, or is another's."""
        state = state or self.w.state()
        for j in state["jobs"]:
            for t in j["settings"].get("tasks", []):
                for lib in t.get("libraries", []):
                    check(lib["whl"] in state["files"], f"{j['settings']['name']} names {lib['whl']}, which is not there")
                for path in t.get("python_wheel_task", {}).get("parameters", []):
                    if "/configurations/" in path:
                        there = state["files"].get(path, {}).get("sha256")
                        check(there == hashlib.sha256(configuration(path).encode()).hexdigest(), f"{j['settings']['name']}: {path} is {there}")
                if "spark_python_task" in t:
                    name, path = j["settings"]["name"], t["spark_python_task"]["python_file"]
                    text = f"print('jobs/{name} {j['settings']['max_concurrent_runs']}')"
                    check(path in state["files"], f"{name} names {path}, which is not there")
                    check(state["files"][path]["sha256"] == hashlib.sha256(text.encode()).hexdigest(), f"{path} is another's")
