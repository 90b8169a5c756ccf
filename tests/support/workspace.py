"""The fake Databricks workspace (tests/fake), started and asked by a test.

    with Workspace(folder) as w:
        ... w.url, w.token ...
        w.faults({"match": "POST /api/2.2/jobs/create", "nth": 1, "fault": "drop", "after": True})
        w.job("job_development")["settings"]; w.files(); w.calls("POST", "/api/2.2/jobs/reset")

What it can do wrong stands in tests/fake/databricks/faults.py, its options in records.py, its control in control.py.
"""
import atexit
import ctypes
import fnmatch
import itertools
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import planted
from agent import Failed

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(SRC, "tests", "fake", "penstock-fake-databricks")
PR_SET_PDEATHSIG = 1
LIMIT = 30
libc = ctypes.CDLL(None)
# no proxy of this machine stands between us and the loopback
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Workspace:
    """folder keeps all of it; started again there it has the same jobs and files, and the same address."""

    def __init__(self, folder, token=planted.planted("workspace"), user="tester@example.net", client=None, options=None, faults=None, seed=0):
        self.folder, self.token, self.user, self.seed = os.path.abspath(folder), token, user, seed
        planted.theirs.add(os.path.realpath(folder))
        self.client, self.options, self.first_faults = client, options or {}, faults or []
        self.port, self.process = 0, None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- life ----

    def start(self):
        args = [PROGRAM, "--dir", self.folder, "--port", str(self.port), "--token", f"{self.token}={self.user}",
                "--seed", str(self.seed)]
        if self.client:
            args += ["--client", "=".join(self.client)]
        for name, value in self.options.items():
            args += ["--set", f"{name}={json.dumps(value)}"]
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        atexit.register(self.stop)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.stop()
            raise Failed(f"the fake workspace does not start: {line!r}")
        self.port = int(line.rsplit(":", 1)[1])
        if self.first_faults:
            self.faults(*self.first_faults)
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(LIMIT)
            self.process.stdout.close()
            self.process = None
        atexit.unregister(self.stop)

    def kill(self):
        self.stop(signal.SIGKILL)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    # ---- asking, as anybody does ----

    def ask(self, method, path, body=None, token=None, headers=None, raw=None):
        """Status, answer (JSON where it is some, else bytes) and headers. An error status is an answer too."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method,
                                         headers={"Authorization": f"Bearer {token or self.token}", **(headers or {})})
        try:
            with opener.open(request, timeout=LIMIT) as r:
                status, text, got = r.status, r.read(), r.headers
        except urllib.error.HTTPError as e:
            with e:
                status, text, got = e.code, e.read(), e.headers
        try:
            return status, json.loads(text), got
        except ValueError:
            return status, text, got

    # ---- the control ----

    def control(self, method, name, body=None):
        status, answer, _ = self.ask(method, "/_fake/" + name, body)
        if status != 200:
            raise Failed(f"the fake workspace: {name}: {status} {answer}")
        return answer

    def state(self):
        return self.control("GET", "state")

    def jobs(self):
        """Every job: job_id, creator_user_name, created_time, sent (as it came last), settings (as the server has it)."""
        return self.state()["jobs"]

    def job(self, name):
        """The one of exactly that name."""
        found = [j for j in self.jobs() if j["settings"]["name"] == name]
        if len(found) != 1:
            raise Failed(f"{len(found)} jobs named {name!r}, not 1")
        return found[0]

    def job_of(self, number):
        return next((j for j in self.jobs() if j["job_id"] == number), None)

    def files(self):
        """Every file by path ("dbfs:/...", "/Volumes/...", "/Workspace/..."): sha256 and size."""
        return self.state()["files"]

    def permissions(self, job_id):
        """[kind, name, level] of each entry."""
        return self.state()["permissions"].get(str(job_id), [])

    def scopes(self):
        """Secret scopes by name: keys, acls, manage."""
        return self.state()["scopes"]

    def runs(self):
        return self.state()["runs"]

    def reset(self):
        self.control("POST", "reset")

    def set(self, **options):
        self.control("PUT", "options", options)

    def faults(self, *table):
        """Replaces the table; none: nothing goes wrong any more."""
        self.control("PUT", "faults", list(table))

    def struck(self):
        """How often each fault of the table struck."""
        return [f["struck"] for f in self.control("GET", "faults")["faults"]]

    def advance(self, seconds):
        self.control("POST", "clock", {"advance_ms": int(seconds * 1000)})

    def add_user(self, name, **more):
        """admin, groups, application, token"""
        self.control("POST", "user", {"name": name, **more})

    def edit(self, job, user="ana@example.net", set=None, remove=None, delete=False):
        """Changes a job (name or id) as that person would in the workspace; pointers as control.py says."""
        self.control("POST", "edit", {"job_id" if isinstance(job, int) else "name": job, "user": user, "set": set or {},
                                      "remove": remove or [], **({"delete": True} if delete else {})})

    def move(self, run_id, **what):
        """task=, state=; or result= for all that is left; or life=, result= of the run itself."""
        return self.control("POST", f"runs/{run_id}", what)

    # ---- what was asked ----

    def calls(self, method=None, path=None, since=0):
        """Calls since the first start, without the first `since`, oldest first; path may hold *."""
        try:
            with open(os.path.join(self.folder, "calls.jsonl"), encoding="utf-8") as f:
                all_ = [json.loads(line) for line in itertools.islice(f, since, None) if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [c for c in all_ if method in (None, c["method"]) and (path is None or fnmatch.fnmatchcase(c["path"], path))]
