"""A real Airflow of a major version, 2 or 3: SQLite, loopback, settings with which a deployment shows within seconds.

    with airflow.Airflow(3) as a:
        a.url, a.user, a.password, a.dags       # the server, a login with all rights, its DAGs folder
        a.rest("GET", "/dags/x")                # (status, document) of /api/v1 or /api/v2
    python3 tests/support/airflow.py MAJOR FOLDER     makes the environment there

PENSTOCK_TEST_AIRFLOW names a folder that has the environments `2` and `3`, as ./check makes them (empty: there are
none); else they are made below the build folder, once. Beside the packages an environment holds a fresh data base,
which each Airflow gets a copy of: making one costs ten seconds. Airflow needs all of a small machine: whoever wants one
waits until the one before is gone.
"""
import atexit
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 600
START = 180     # seconds; ten on a quiet machine
USER, PASSWORD = "admin", "pw-of-admin"
SECRET = "0123456789abcdef" * 4
RECIPE = b"# as made the 2nd way: whoever has one of another is given a new one\n"
FERNET = base64.urlsafe_b64encode(b"k" * 32).decode()

# `airflow webserver` counts gunicorn's workers while that starts, and on a busy machine ends it two minutes later as dead
PROCESSES = {
    2: {"webserver": ["gunicorn", "--workers", "1", "--timeout", "300", "--bind", "127.0.0.1:{port}", "airflow.www.app:cached_app()"],
        "scheduler": ["airflow", "scheduler", "--skip-serve-logs"]},
    3: {"api-server": ["airflow", "api-server"], "scheduler": ["airflow", "scheduler", "--skip-serve-logs"],
        "dag-processor": ["airflow", "dag-processor"]},
}
HEALTH = {2: ("/api/v1/health", ["metadatabase", "scheduler"]),
          3: ("/api/v2/monitor/health", ["metadatabase", "scheduler", "dag_processor"])}


class NotMade(Exception):
    pass


# ---- the environment ----

def folder():
    """Where the environments are; "" when ./check could not make them."""
    build = os.path.abspath(os.environ.get("PENSTOCK_BUILD", "."))
    return os.environ.get("PENSTOCK_TEST_AIRFLOW", os.path.join(build, "airflow"))


def command(*argv, env=None):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, env=env)
    if p.returncode:
        last = (p.stderr or p.stdout).strip().split("\n")[-1]
        raise NotMade(f"{' '.join(argv[:3])}: exit {p.returncode}: {last}")


def make(major, prefix):
    """None, or why it could not be made. What was begun and not ended is made anew."""
    pins = os.path.join(SRC, "tests", "real", f"airflow{major}.txt")
    with open(pins, "rb") as f:
        wanted = f.read() + RECIPE
    whole = os.path.join(prefix, "whole")
    try:
        with open(whole, "rb") as f:
            if f.read() == wanted:
                return None
    except FileNotFoundError:
        pass
    try:
        shutil.rmtree(prefix, ignore_errors=True)
        os.makedirs(os.path.dirname(os.path.abspath(prefix)), exist_ok=True)
        command("/usr/bin/python3", "-m", "venv", prefix)
        command(os.path.join(prefix, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check",
                "--no-input", "--no-deps", "--no-compile", "-r", pins)
        make_database(major, prefix)
        with open(whole, "xb") as f:
            f.write(wanted)
    except (OSError, subprocess.TimeoutExpired, NotMade) as e:
        shutil.rmtree(prefix, ignore_errors=True)
        return str(e)
    return None


def make_database(major, prefix):
    home = os.path.join(prefix, "home")
    env = settings(major, prefix, home, 0)
    os.makedirs(env["AIRFLOW__CORE__DAGS_FOLDER"])
    open(os.path.join(home, "airflow.cfg"), "x", encoding="utf-8").close()
    program = os.path.join(prefix, "bin", "airflow")
    command(program, "db", "migrate", env=env)
    if major == 2:
        command(program, "users", "create", "-u", USER, "-p", PASSWORD, "-r", "Admin", "-f", "a", "-l", "b",
                "-e", "admin@example.net", env=env)
    with contextlib.closing(sqlite3.connect(os.path.join(home, "airflow.db"))) as db:
        db.execute("PRAGMA journal_mode=WAL")
        if major == 2:          # checked with every call: a hash that costs nothing
            digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1).hex()
            db.execute("UPDATE ab_user SET password = ?", (f"pbkdf2:sha256:1$salt${digest}",))
            db.commit()


def settings(major, prefix, home, port):
    """The whole environment of Airflow's processes. Everything Airflow would wait for by a timer is set to a second
    (its defaults: up to five minutes until a new file shows); what it would invent at its start, secrets, is given."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AIRFLOW", "PENSTOCK_", "PYTHON")) and not k.lower().endswith("_proxy")}
    common = {
        "CORE__DAGS_FOLDER": f"{home}/dags", "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        "CORE__LOAD_EXAMPLES": "False", "USAGE_DATA_COLLECTION__ENABLED": "False",
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname", "CORE__PARALLELISM": "2", "CORE__FERNET_KEY": FERNET,
        "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0", "CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "0",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5", "SCHEDULER__PARSING_CLEANUP_INTERVAL": "5",
    }
    of_major = {
        2: {
            "CORE__EXECUTOR": "LocalExecutor", "WEBSERVER__WORKERS": "1", "WEBSERVER__SECRET_KEY": SECRET,
            "WEBSERVER__WEB_SERVER_PORT": str(port),
            "API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth",
            "SCHEDULER__DAG_DIR_LIST_INTERVAL": "1", "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "1",
            "SCHEDULER__STALE_DAG_THRESHOLD": "5", "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        },
        3: {
            "CORE__EXECUTOR": "LocalExecutor", "API__HOST": "127.0.0.1", "API__PORT": str(port), "API__WORKERS": "1",
            "API__BASE_URL": f"http://127.0.0.1:{port}", "API__SECRET_KEY": SECRET, "API_AUTH__JWT_SECRET": SECRET,
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": f"{home}/passwords.json",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "1", "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1", "DAG_PROCESSOR__STALE_DAG_THRESHOLD": "5",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        },
    }
    env.update({f"AIRFLOW__{k}": v for k, v in {**common, **of_major[major]}.items()})
    # SequentialExecutor, the one that Airflow 2 allows with SQLite, starts an interpreter for each task and parses nothing
    # while one runs; with a write-ahead log and patience the other one gets along with SQLite, as in Airflow 3
    env.update(_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK="1")
    # TMPDIR: version 2's web server caches pages there by names that nobody knows as ours
    env.update(AIRFLOW_HOME=home, TMPDIR=home, PATH=f"{prefix}/bin:/usr/bin:/bin", NO_PROXY="127.0.0.1", LANG="C.UTF-8",
               LC_ALL="C.UTF-8")
    return env


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- one Airflow ----

class Airflow:
    """One that runs, from `with` on; its home and all that it started are gone afterwards."""

    def __init__(self, major):
        where = folder()
        self.prefix = os.path.join(where, str(major))
        why = make(major, self.prefix) if where else "./check could not make it"
        if why:
            print(f"SKIP: no Airflow {major}: {why}")
            sys.exit(77)
        self.major, self.user, self.password = major, USER, PASSWORD
        self.home = tempfile.mkdtemp(prefix="af.")     # short: sockets lie below it
        self.dags = os.path.join(self.home, "dags")
        self.procs, self.token = {}, None

    def __enter__(self):
        self.lock = open(os.path.join(folder(), "lock"), "wb")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        atexit.register(self.stop)
        self.port = free_port()
        self.url, self.env = f"http://127.0.0.1:{self.port}", settings(self.major, self.prefix, self.home, self.port)
        shutil.copy(os.path.join(self.prefix, "home", "airflow.db"), self.home)
        os.mkdir(self.dags)
        for name, text in (("airflow.cfg", ""), ("passwords.json", json.dumps({USER: PASSWORD}))):
            with open(os.path.join(self.home, name), "w", encoding="utf-8") as f:
                f.write(text)
        try:
            for name in PROCESSES[self.major]:
                self.start(name)
            self.wait_healthy()
        except BaseException:
            self.tell_logs()
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.tell_logs()
        self.stop()

    def start(self, name):
        """One process, leader of a group of its own."""
        program, *more = [w.replace("{port}", str(self.port)) for w in PROCESSES[self.major][name]]
        with open(os.path.join(self.home, name + ".log"), "ab") as log:
            self.procs[name] = subprocess.Popen(
                [os.path.join(self.prefix, "bin", program), *more], cwd=self.home, env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait_healthy(self):
        path, parts = HEALTH[self.major]
        until, seen = time.monotonic() + START, None
        while time.monotonic() < until:
            for name, p in self.procs.items():
                if p.poll() is not None:
                    raise NotMade(f"airflow {name} ended with {p.returncode}")
            status, seen = self.request("GET", path, login=False)
            if status == 200 and all(seen[p]["status"] == "healthy" for p in parts):
                return
            time.sleep(0.3)
        raise NotMade(f"Airflow {self.major} is not healthy after {START} s: {seen}")

    def halt(self, name):
        """SIGTERM, and SIGKILL for what of its group is there 15 s later."""
        p = self.procs.pop(name)
        if p.poll() is None:
            p.terminate()
        try:
            p.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()

    def stop(self):
        for p in self.procs.values():
            if p.poll() is None:
                p.terminate()
        for name in list(self.procs):
            self.halt(name)
        if not os.environ.get("PENSTOCK_TEST_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)
        self.lock.close()

    def tell_logs(self):
        for name in PROCESSES[self.major]:
            with open(os.path.join(self.home, name + ".log"), encoding="utf-8", errors="replace") as f:
                sys.stderr.write(f"---- airflow {name}, its end\n" + "".join(f.readlines()[-40:]) + "----\n")

    # ---- its REST API ----

    def request(self, method, path, body=None, login=True, accept="application/json"):
        """(status, document, or text where it is none); status 0 when nobody answers."""
        r = urllib.request.Request(self.url + path, method=method,
                                   data=None if body is None else json.dumps(body).encode())
        r.add_header("Content-Type", "application/json")
        r.add_header("Accept", accept)
        if login:
            r.add_header("Authorization", self.login())
        try:
            with urllib.request.urlopen(r, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read().decode()
        except OSError as e:
            return 0, str(e)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def login(self):
        if self.major == 2:
            return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if not self.token:
            status, doc = self.request("POST", "/auth/token", {"username": USER, "password": PASSWORD}, login=False)
            if status != 201:
                raise NotMade(f"no token: {status} {doc}")
            self.token = doc["access_token"]
        return "Bearer " + self.token

    def rest(self, method, path, body=None):
        return self.request(method, f"/api/v{self.major - 1}{path}", body)


if __name__ == "__main__":
    sys.exit(make(int(sys.argv[1]), sys.argv[2]) or 0)
