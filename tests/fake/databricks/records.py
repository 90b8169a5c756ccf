"""What a workspace holds. Each record is written to DIR/workspace.db as it changes, so a killed server loses nothing."""
import dataclasses
import json
import os
import sqlite3
import threading
import time

FIRST_ID = 2 ** 53 + 1      # ids are odd from here on: whoever puts one into a double gets another


@dataclasses.dataclass
class Job:
    job_id: int
    created_time: int               # ms, as all times here
    creator_user_name: str
    api: str                        # "2.0", "2.1" or "2.2": by which it was made
    sent: dict                      # settings as they came last
    settings: dict                  # what the server made of them
    run_as: str

    KEY = "job_id"


@dataclasses.dataclass
class Attempt:
    """One attempt of a task of a run."""
    task_key: str
    run_id: int
    attempt_number: int
    life: str = "BLOCKED"           # QUEUED PENDING RUNNING BLOCKED TERMINATING TERMINATED SKIPPED INTERNAL_ERROR
    result: str = ""                # result_state; empty until the end
    message: str = ""
    start_time: int = 0
    end_time: int = 0
    output: dict = dataclasses.field(default_factory=dict)      # what runs/get-output adds


@dataclasses.dataclass
class Repair:
    repair_id: int
    start_time: int
    end_time: int
    result: str
    attempts: list                  # run ids


@dataclasses.dataclass
class Run:
    run_id: int
    job_id: int                     # 0: one-off
    run_name: str
    run_type: str
    creator_user_name: str
    start_time: int
    tasks: list                     # as in the job's settings, when the run began
    attempts: list
    repairs: list                   # the first is the run itself
    life: str = "PENDING"
    result: str = ""
    message: str = ""
    end_time: int = 0
    token: str = ""                 # idempotency_token
    parameters: dict = dataclasses.field(default_factory=dict)
    deleted: bool = False

    KEY = "run_id"

    @classmethod
    def load(cls, d):
        run = cls(**d)
        run.attempts = [Attempt(**a) for a in run.attempts]
        run.repairs = [Repair(**r) for r in run.repairs]
        return run


@dataclasses.dataclass
class Acl:
    """Who may do what with a job, besides the administrators."""
    job_id: int
    entries: list                   # [kind, name, level]; kind: user_name, group_name, service_principal_name

    KEY = "job_id"


@dataclasses.dataclass
class Scope:
    name: str
    manage: str                     # initial_manage_principal
    secrets: dict                   # key: {"value": base64, "time": ms}
    acls: dict                      # principal: READ, WRITE, MANAGE

    KEY = "name"


@dataclasses.dataclass
class User:
    name: str
    admin: bool = True
    groups: list = dataclasses.field(default_factory=list)
    application: bool = False       # a service principal; its name is its application id

    KEY = "name"


@dataclasses.dataclass
class Token:
    value: str
    user: str
    expires: int = 0                # 0: never
    scopes: list = dataclasses.field(default_factory=lambda: ["all-apis"])

    KEY = "value"


@dataclasses.dataclass
class Client:
    """A service principal's secret, by which it gets tokens."""
    client_id: str
    secret: str
    scopes: list = dataclasses.field(default_factory=lambda: ["all-apis"])

    KEY = "client_id"


@dataclasses.dataclass
class Notebook:
    """What the workspace tree knows of an object besides its bytes."""
    path: str
    object_id: int
    object_type: str                # NOTEBOOK, FILE
    language: str

    KEY = "path"


@dataclasses.dataclass
class Edit:
    """A change made behind everybody's back. The Jobs API has no field for who changed a job: only the control tells."""
    number: int
    time: int
    user: str
    job_id: int
    changes: dict

    KEY = "number"


KINDS = {"job": Job, "run": Run, "acl": Acl, "scope": Scope, "user": User, "token": Token, "client": Client,
         "notebook": Notebook, "edit": Edit}

# What can be chosen, by --set, the class in tests/support/workspace.py, or PUT /_fake/options.
OPTIONS = {
    "cloud": "aws",                 # aws, azure, gcp: which attributes a cluster gets
    "org_id": "900800700600",
    "api_22": True,                 # False: 2.2 is not there, "Bad Target"
    "missing_job": "",              # a missing job is told as "400", "404" or "403", or by verb: {"get": "404"}; empty: 400,
                                    # and 403 to those who are no administrators
    "empty_body": False,            # a success without result: no byte instead of {}
    "page_size": 100,               # of tasks, clusters, ...: what jobs/get gives at once
    "list_size": 100,               # of jobs/list, whatever limit says
    "ui_made": False,               # jobs/get has what the workspace's own pages add to a job
    "shuffle_tasks": False,         # jobs/get gives them in another order
    "policies": {},                 # policy id: what it puts into a cluster
    "dbfs_root": True,              # False: public DBFS root is disabled
    "handle_idle_s": 600,
    "token_life_s": 3600,
    "expires_in_text": False,       # OAuth's expires_in is a string
    "expired_status": 403,          # of a token that is over
    "fs_status": 204,               # what a file or folder put to a volume answers
    "fs_parents": True,             # a file put to a volume makes the folders above it; False: 404 where they are not there
    "volumes": [],                  # "/Volumes/c/s/v" that are there; empty: any
    "max_jobs": 10000,
    "max_creates": 10000,           # jobs made in an hour
    "max_runs": 2000,               # tasks at once
    "rate": 0,                      # calls in a second, more get 429; 0: any number
    "runs": "pass",                 # pass: each look at a run moves it one step on; hand: only the control does
    "outcomes": {},                 # "job name/task" or "*/task": result of attempt 0, 1, ...; the last for all others
    "run_now_empty": False,         # run-now answers {}, as for a continuous job
}


class Workspace:
    """All records. Whoever changes one holds `lock` and calls keep(); what is asked for by a call is one lock long."""

    def __init__(self, folder, seed=0):
        self.folder, self.seed, self.lock = folder, seed, threading.RLock()
        os.makedirs(folder, exist_ok=True)
        self.db = sqlite3.connect(os.path.join(folder, "workspace.db"), check_same_thread=False, isolation_level=None)
        # A killed process loses nothing by this; only a machine without power would.
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("CREATE TABLE IF NOT EXISTS record (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))")
        self.load()

    def load(self):
        self.all = {kind: {} for kind in KINDS}
        self.numbers = {"last_id": FIRST_ID - 2, "clock": 0}
        self.options = dict(OPTIONS)
        for kind, key, body in self.db.execute("SELECT kind, key, body FROM record ORDER BY rowid"):
            d = json.loads(body)
            if kind in KINDS:
                cls = KINDS[kind]
                record = getattr(cls, "load", lambda d, c=cls: c(**d))(d)
                self.all[kind][getattr(record, cls.KEY)] = record
            elif kind == "number":
                self.numbers[key] = d
            elif kind == "option" and key in OPTIONS:
                self.options[key] = d
        self.handles = {}       # dbfs uploads under way; a server that starts anew has none
        self.created = []       # when jobs were made, deleted ones too

    def write(self, kind, key, value):
        self.db.execute("INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
                        (kind, str(key), json.dumps(value)))

    def keep(self, record):
        kind = type(record).__name__.lower()
        key = getattr(record, record.KEY)
        self.all[kind][key] = record
        self.write(kind, key, dataclasses.asdict(record))
        return record

    def drop(self, record):
        kind = type(record).__name__.lower()
        key = getattr(record, record.KEY)
        self.all[kind].pop(key, None)
        self.db.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, str(key)))

    def clear(self, kinds):
        for kind in kinds:
            self.all[kind].clear()
            self.db.execute("DELETE FROM record WHERE kind = ?", (kind,))
        self.handles.clear()

    def option(self, name, value):
        if name not in OPTIONS:
            raise ValueError(f"no option '{name}'; there are {', '.join(OPTIONS)}")
        self.options[name] = value
        self.write("option", name, value)

    def new_id(self):
        self.numbers["last_id"] += 2
        self.write("number", "last_id", self.numbers["last_id"])
        return self.numbers["last_id"]

    def now(self):
        return int(time.time() * 1000) + self.numbers["clock"]

    def advance(self, ms):
        self.numbers["clock"] += ms
        self.write("number", "clock", self.numbers["clock"])
