#!/usr/bin/python3
"""The fake Databricks workspace behaves as documented, and goes wrong as its table of faults says.

    tests/e2e/fake_databricks.py [CASE]     no agent, no build folder
"""
import base64
import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import check, main  # noqa: E402
from workspace import Workspace  # noqa: E402

JOBS = "/api/2.2/jobs/"
ANA = "ana@example.net"         # no administrator


@contextlib.contextmanager
def workspace(**more):
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, Workspace(folder, **more) as w:
        yield w


def is_(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


def ok(w, method, path, body=None, **more):
    status, answer, _ = w.ask(method, path, body, **more)
    check(status in (200, 204), f"{method} {path}: {status} {answer}")
    return answer


def refused(w, wanted, method, path, body=None, **more):
    """wanted: status, code, and a part of the message."""
    status, answer, _ = w.ask(method, path, body, **more)
    got = (status, answer.get("error_code")) if isinstance(answer, dict) else (status, answer)
    is_(got, wanted[:2], f"{method} {path}")
    for part in wanted[2:]:
        check(part in answer["message"], f"{method} {path}: {answer['message']!r} without {part!r}")


def task(key, *after, **more):
    t = {"task_key": key, "notebook_task": {"notebook_path": "/x"}, **more}
    return {**t, "depends_on": [{"task_key": a} for a in after]} if after else t


def make(w, name, *tasks, api="2.2", **more):
    return ok(w, "POST", f"/api/{api}/jobs/create", {"name": name, "tasks": list(tasks) or [task("a")], **more})["job_id"]


def settings(w, job_id, api="2.2"):
    return ok(w, "GET", f"/api/{api}/jobs/get?job_id={job_id}")["settings"]


# ---- jobs ----

def jobs():
    with workspace() as w:
        a = make(w, "Nightly", webhook_notifications={"on_failure": []}, access_control_list=[], version="2.1",
                 tags={"team": "x"}, run_as={"user_name": ANA})
        b = make(w, "nightly", api="2.1")
        check(a > 2 ** 53 and float(a) != a, "ids that fit into a double would hide a mistake")
        s = settings(w, a)
        for key, value in {"format": "MULTI_TASK", "queue": {"enabled": True}, "timeout_seconds": 0, "webhook_notifications": {},
                           "email_notifications": {}, "max_concurrent_runs": 1}.items():
            is_(s.get(key), value, f"server's own {key}")
        is_(s["tasks"][0]["run_if"], "ALL_SUCCESS", "run_if")
        check("version" not in s and "access_control_list" not in s, f"kept what no settings have: {s}")
        check("queue" not in settings(w, b, "2.1"), "2.1 queues by itself")

        found = ok(w, "GET", JOBS + "list?name=NIGHTLY")["jobs"]
        is_([j["job_id"] for j in found], [b, a], "newest first, in any case")
        check("tasks" not in found[0]["settings"], "tasks without expand_tasks")
        check("jobs" not in ok(w, "GET", JOBS + "list?name=none"), "an empty list has a key")
        page = ok(w, "GET", JOBS + "list?limit=1")
        page = ok(w, "GET", f"{JOBS}list?limit=1&page_token={page['next_page_token']}")
        is_(([j["job_id"] for j in page["jobs"]], page["has_more"], "next_page_token" in page), ([a], False, False), "second page")

        ok(w, "POST", "/api/2.1/jobs/reset", {"job_id": str(a), "new_settings": {"name": "N", "tasks": [task("z"), task("b")]}})
        s = settings(w, a)
        is_((s["run_as"], "tags" in s), ({"user_name": ANA}, False), "what a reset leaves")
        ok(w, "POST", JOBS + "update", {"job_id": a, "new_settings": {"tags": {"k": ""}, "tasks": [task("b", "z"), task("c", "z", "b")]}})
        s = settings(w, a)
        is_([t["task_key"] for t in s["tasks"]], ["z", "b", "c"], "an update keeps what it does not name")
        is_((s["tasks"][2]["depends_on"], s["tags"]), ([{"task_key": "b"}, {"task_key": "z"}], {"k": ""}), "order, empty values")
        ok(w, "POST", JOBS + "update", {"job_id": a, "fields_to_remove": ["tags", "tasks/c"]})
        check("tags" not in settings(w, a) and len(settings(w, a)["tasks"]) == 2, "fields_to_remove")

        ok(w, "POST", JOBS + "delete", {"job_id": b})
        gone = {"job_id": b}
        w.add_user(ANA, admin=False, token="ana")
        refused(w, (400, "INVALID_PARAMETER_VALUE", f"Job {b} does not exist."), "GET", f"{JOBS}get?job_id={b}")
        for job_id in (a, b):   # told the same whether it is there or not
            refused(w, (403, "PERMISSION_DENIED", "does not have"), "GET", f"{JOBS}get?job_id={job_id}", token="ana")
        w.set(missing_job={"reset": "404"})
        refused(w, (404, None, "does not exist"), "POST", JOBS + "reset", {**gone, "new_settings": {"name": "x"}})
        w.set(api_22=False)
        refused(w, (404, "ENDPOINT_NOT_FOUND", "Bad Target"), "GET", JOBS + "list")


def limits():
    with workspace() as w:
        many = [task(f"t{n:03}") for n in range(250)]
        refused(w, (400, "INVALID_PARAMETER_VALUE", "2.2 and above"), "POST", "/api/2.1/jobs/create", {"name": "m", "tasks": many})
        m = make(w, "m", *many, parameters=[{"name": "p", "default": "1"}])
        refused(w, (400, "INVALID_PARAMETER_VALUE", "2.2 and above"), "GET", f"/api/2.1/jobs/get?job_id={m}")
        got, sizes, at = [], [], ""
        while at is not None:
            page = ok(w, "GET", f"{JOBS}get?job_id={m}&page_token={at}")
            got += page["settings"]["tasks"]
            sizes.append((len(page["settings"]["tasks"]), len(page["settings"]["parameters"])))
            at = page.get("next_page_token")
        is_((sizes, [t["task_key"] for t in got]), ([(100, 1), (100, 0), (50, 0)], [t["task_key"] for t in many]), "pages")

        for wrong, part in (([task("a"), task("a")], "Duplicate"), ([task("a", "b")], "depends on"), ([{"task_key": "a"}], "no type"),
                            ([task("a", "b"), task("b", "a")], "circle"), ([task("a", job_cluster_key="k")], "job_cluster_key"),
                            ([{"task_key": "a", "python_wheel_task": {"package_name": "p"}}], "must be specified")):
            refused(w, (400, "INVALID_PARAMETER_VALUE", part), "POST", JOBS + "create", {"name": "w", "tasks": wrong})
        for raw, part in ((b'"{}"', "expected a map"), (b"{", "failed to parse")):
            refused(w, (400, "MALFORMED_REQUEST", part), "POST", JOBS + "create", raw=raw)
        w.set(max_jobs=1)
        refused(w, (400, "QUOTA_EXCEEDED"), "POST", JOBS + "create", {"name": "q"})
        w.set(max_jobs=9, max_creates=1)
        refused(w, (400, "INVALID_STATE", "already 1 jobs created"), "POST", JOBS + "create", {"name": "q"})
        w.advance(3601)
        make(w, "q")
        w.set(rate=2)
        seen = [w.ask("GET", JOBS + "list")[0] for _ in range(4)]
        check(seen.count(429) >= 2, f"two calls a second: {seen}")


# ---- files ----

def b64(data):
    return base64.b64encode(data).decode()


def form(**fields):
    parts = [f'--B\r\nContent-Disposition: form-data; name="{k}"{"; filename=f" if k == "file" else ""}\r\n\r\n'.encode() + v + b"\r\n"
             for k, v in fields.items()]
    return {"raw": b"".join(parts) + b"--B--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


def dbfs():
    with workspace() as w:
        api, mib = "/api/2.0/dbfs/", 1024 * 1024
        data = bytes(range(256)) * 16 + b"\r\n\r\n--A\n\x0b\r"
        ok(w, "POST", api + "put", **form(path=b"dbfs:/FileStore/a.whl", overwrite=b"True", file=data))
        ok(w, "POST", api + "put", {"path": "/FileStore/b", "contents": b64(b"b")})
        refused(w, (400, "RESOURCE_ALREADY_EXISTS"), "POST", api + "put", {"path": "/FileStore/b", "contents": ""})
        refused(w, (400, "MAX_BLOCK_SIZE_EXCEEDED", str(mib + 1)), "POST", api + "put", {"path": "/c", "contents": b64(b"c" * (mib + 1))})
        h = ok(w, "POST", api + "create", {"path": "dbfs:/FileStore/d", "overwrite": True})["handle"]
        ok(w, "POST", api + "add-block", {"handle": h, "data": b64(b"d" * mib)})
        refused(w, (400, "MAX_BLOCK_SIZE_EXCEEDED"), "POST", api + "add-block", {"handle": h, "data": b64(b"d" * (mib + 1))})
        check("dbfs:/FileStore/d" not in w.files(), "a file is there before its handle is closed")
        ok(w, "POST", api + "close", {"handle": str(h)})
        for how in ("idle", "restart"):
            h = ok(w, "POST", api + "create", {"path": "/e"})["handle"]
            w.advance(601) if how == "idle" else (w.kill(), w.start())
            refused(w, (404, "RESOURCE_DOES_NOT_EXIST"), "POST", api + "add-block", {"handle": h, "data": ""})
        is_({p: f["size"] for p, f in w.files().items()}, {"dbfs:/FileStore/a.whl": len(data), "dbfs:/FileStore/b": 1,
                                                            "dbfs:/FileStore/d": mib}, "files")
        is_(base64.b64decode(ok(w, "GET", api + "read?path=/FileStore/a.whl")["data"]), data, "bytes of a form")
        is_(len(ok(w, "GET", api + "list?path=dbfs:/FileStore")["files"]), 3, "a folder's files")
        refused(w, (404, "RESOURCE_DOES_NOT_EXIST"), "GET", api + "get-status?path=/none")
        refused(w, (400, "IO_ERROR", "not empty"), "POST", api + "delete", {"path": "/FileStore"})
        for _ in range(2):      # absent: done
            ok(w, "POST", api + "delete", {"path": "/FileStore", "recursive": True})
        refused(w, (400, "INVALID_PARAMETER_VALUE", "No operations"), "POST", api + "create", {"path": "/Volumes/c/s/v/f"})
        refused(w, (400, "INVALID_PARAMETER_VALUE"), "POST", api + "mkdirs", {"path": "/a/../../x"})
        ok(w, "POST", api + "put", {"path": "/FileStore/b", "contents": b64(b"b")})
        ok(w, "POST", api + "move", {"source_path": "dbfs:/FileStore/b", "destination_path": "/FileStore/new/b"})
        check("dbfs:/FileStore/new/b" in w.files() and "dbfs:/FileStore/b" not in w.files(), "the moved file")
        ok(w, "POST", api + "put", {"path": "/FileStore/b", "contents": b64(b"b")})
        refused(w, (400, "RESOURCE_ALREADY_EXISTS"), "POST", api + "move",
                {"source_path": "/FileStore/b", "destination_path": "/FileStore/new/b"})
        refused(w, (404, "RESOURCE_DOES_NOT_EXIST"), "POST", api + "move", {"source_path": "/no", "destination_path": "/b"})
        w.set(dbfs_root=False)
        refused(w, (403, "PERMISSION_DENIED", "root is disabled"), "POST", api + "put", {"path": "/FileStore/b", "contents": ""})


def volumes():
    with workspace(options={"volumes": ["/Volumes/c/s/v"]}) as w:
        api = "/api/2.0/fs/"
        path = "files/Volumes/c/s/v/new/a%20%23b.whl"
        is_(w.ask("HEAD", api + "directories/Volumes/c/s/v")[0], 404, "an empty volume, asked by HEAD")
        for data, query, status in ((b"1", "", 204), (b"22", "", 204), (b"3", "?overwrite=false", 409), (b"444", "?overwrite=true", 204)):
            is_(w.ask("PUT", f"/{api}{path}{query}", raw=data)[0], status, f"PUT of {data}")
        is_(w.ask("GET", api + path)[:2], (200, 444), "GET")
        is_(w.ask("HEAD", api + path)[2]["Content-Length"], "3", "HEAD")
        names = [c["path"] for c in ok(w, "GET", api + "directories/Volumes/c/s/v/new")["contents"]]
        is_(names, ["/Volumes/c/s/v/new/a #b.whl"], "a folder")
        status, answer, _ = w.ask("PUT", api + "files/Volumes/c/s/other/f", raw=b"")
        is_((status, answer["details"][0]["reason"]), (404, "FILES_API_VOLUME_IS_NOT_FOUND"), "a volume that is not there")
        is_(w.ask("PUT", api + "directories/" + path[6:])[0], 409, "a folder where a file is")
        is_([w.ask("DELETE", api + path)[0] for _ in range(2)], [204, 404], "DELETE twice")
        w.set(fs_parents=False)
        is_([w.ask("PUT", f"{api}files/Volumes/c/s/v/{f}", raw=b"")[0] for f in ("new/f", "none/f", "f")], [204, 404, 204], "folders above")


def notebooks():
    with workspace() as w:
        api, mark = "/api/2.0/workspace", b"# Databricks notebook source\n1"
        new = {"path": "/Users/u/n", "format": "SOURCE", "language": "PYTHON", "content": b64(mark)}
        refused(w, (404, "RESOURCE_DOES_NOT_EXIST", "parent folder"), "POST", api + "/import", new)
        ok(w, "POST", api + "/mkdirs", {"path": "/Users/u"})
        ok(w, "POST", api + "/import", new)
        refused(w, (400, "RESOURCE_ALREADY_EXISTS", "overwrite=true"), "POST", api + "/import", new)
        ok(w, "POST", api + "-files/import-file/Users/u/m.py", raw=mark)
        ok(w, "POST", api + "-files/import-file/Users/u/f.txt?overwrite=true", raw=b"f")
        found = {o["path"]: o["object_type"] for o in ok(w, "GET", api + "/list?path=/Users/u")["objects"]}
        is_(found, {"/Users/u/n": "NOTEBOOK", "/Users/u/m": "NOTEBOOK", "/Users/u/f.txt": "FILE"}, "a folder")
        refused(w, (400, "DIRECTORY_NOT_EMPTY"), "POST", api + "/delete", {"path": "/Users"})


# ---- people ----

def sign_in(w, client, secret, scope="all-apis"):
    return w.ask("POST", "/oidc/v1/token", raw=urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope}).encode(),
                 headers={"Authorization": "Basic " + b64(f"{client}:{secret}".encode())})[:2]


def people():
    with workspace(client=("app", "s3cret")) as w:
        me = "/api/2.0/preview/scim/v2/Me"
        is_(w.ask("GET", me)[2]["X-Databricks-Org-Id"], "900800700600", "the workspace's id")
        refused(w, (401, 401, "not sent"), "GET", me, headers={"Authorization": ""})
        refused(w, (403, 403, "Invalid access token."), "GET", me, token="other")
        is_(sign_in(w, "app", "wrong")[0], 401, "a wrong secret")
        w.control("POST", "client", {"client_id": "few", "secret": "s", "scopes": ["jobs"]})
        is_(sign_in(w, "few", "s")[1]["error"], "access_denied", "scopes that the secret has not")
        few = sign_in(w, "few", "s", "jobs")[1]["access_token"]
        ok(w, "GET", JOBS + "list", token=few)
        refused(w, (403, 403, "required scopes: dbfs"), "GET", "/api/2.0/dbfs/list?path=/", token=few)
        w.set(expires_in_text=True, expired_status=401)
        t = sign_in(w, "app", "s3cret")[1]
        is_(t["expires_in"], "3600", "expires_in")
        w.advance(3569)
        is_(ok(w, "GET", me, token=t["access_token"])["userName"], "app", "who that is")
        w.advance(2)
        refused(w, (401, 401, "within 30 seconds"), "GET", me, token=t["access_token"])

        w.add_user(ANA, admin=False, token="ana")
        a, path = make(w, "a"), "/api/2.0/permissions/jobs/"
        acl = [{"user_name": ANA, "permission_level": "CAN_VIEW"}]
        got = ok(w, "PATCH", f"{path}{a}", {"access_control_list": acl})["access_control_list"]
        is_([e for e in got if "admins" in e.values()][0]["all_permissions"][0]["inherited"], True, "the administrators")
        ok(w, "GET", f"{JOBS}get?job_id={a}", token="ana")
        refused(w, (403, "PERMISSION_DENIED", f"permissions on job {a}"), "POST", JOBS + "run-now", {"job_id": a}, token="ana")
        refused(w, (403, "PERMISSION_DENIED", "ElasticJobId"), "PUT", f"{path}{a}", {"access_control_list": acl}, token="ana")
        refused(w, (400, "INVALID_PARAMETER_VALUE", "exactly one owner"), "PUT", f"{path}{a}", {"access_control_list": acl})
        refused(w, (400, "INVALID_PARAMETER_VALUE", "Principal name"), "PUT", f"{path}{a}", {"access_control_list": got})
        ok(w, "PUT", f"{path}{a}", {"access_control_list": [{"user_name": ANA, "permission_level": "IS_OWNER"}]})
        is_(w.permissions(a), [["user_name", ANA, "IS_OWNER"]], "after PUT")

        w.edit("a", ANA, set={"/tasks/a/max_retries": 3}, remove=["/queue"])
        s = settings(w, a)
        is_((s["tasks"][0]["max_retries"], "queue" in s), (3, False), "a change behind our back")
        is_(w.state()["edits"][0]["user"], ANA, "by whom, for the control alone")


def secrets():
    with workspace() as w:
        api = "/api/2.0/secrets/"
        check("scopes" not in ok(w, "GET", api + "scopes/list"), "an empty list has a key")
        refused(w, (404, "RESOURCE_DOES_NOT_EXIST"), "POST", api + "put", {"scope": "s", "key": "k", "string_value": "v"})
        ok(w, "POST", api + "scopes/create", {"scope": "s"})
        refused(w, (400, "RESOURCE_ALREADY_EXISTS", "Scope s already exists!"), "POST", api + "scopes/create", {"scope": "s"})
        ok(w, "POST", api + "put", {"scope": "s", "key": "k", "string_value": "hidden"})
        is_(w.scopes(), {"s": {"manage": w.user, "keys": ["k"], "acls": {w.user: "MANAGE"}}}, "least rights")
        w.add_user(ANA, admin=False, token="ana")
        refused(w, (403, "PERMISSION_DENIED"), "GET", api + "list?scope=s", token="ana")
        ok(w, "POST", api + "acls/put", {"scope": "s", "principal": ANA, "permission": "READ"})
        is_([k["key"] for k in ok(w, "GET", api + "list?scope=s", token="ana")["secrets"]], ["k"], "keys")
        with open(os.path.join(w.folder, "calls.jsonl"), encoding="utf-8") as f:
            check("hidden" not in f.read(), "a secret stands in calls.jsonl")


# ---- runs ----

def look(w, run_id, more=""):
    return ok(w, "GET", f"{JOBS}runs/get?run_id={run_id}{more}")


def ended(w, run_id):
    for _ in range(20):
        r = look(w, run_id, "&include_history=true")
        if r["end_time"]:
            return r
    return check(False, f"run {run_id} does not end: {r}")


def words(r):
    return [(t["task_key"], t["attempt_number"], t["state"].get("result_state", t["state"]["life_cycle_state"])) for t in r["tasks"]]


def runs():
    with workspace(options={"outcomes": {"j/b": ["FAILED", "FAILED", "SUCCESS"]}}) as w:
        j = make(w, "j", task("a"), task("b", "a", max_retries=1), task("c", "b"), task("d", "b", run_if="ALL_DONE"))
        start = {"job_id": j, "idempotency_token": "t1"}
        r = ok(w, "POST", JOBS + "run-now", start)["run_id"]
        is_(ok(w, "POST", JOBS + "run-now", start)["run_id"], r, "the same token")
        first = look(w, r)
        is_((first["state"]["life_cycle_state"], first["end_time"]), ("RUNNING", 0), "under way")
        refused(w, (400, "INVALID_STATE"), "POST", JOBS + "runs/repair", {"run_id": r, "rerun_all_failed_tasks": True})
        end = ended(w, r)
        is_(words(end), [("a", 0, "SUCCESS"), ("b", 0, "FAILED"), ("c", 0, "UPSTREAM_FAILED"), ("d", 0, "SUCCESS"), ("b", 1, "FAILED")], "tasks")
        is_((end["state"]["life_cycle_state"], end["state"]["result_state"], end["status"]["termination_details"]["code"]),
            ("INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR"), "a run with a failed task")
        refused(w, (400, "INVALID_PARAMETER_VALUE", "multiple tasks"), "GET", f"{JOBS}runs/get-output?run_id={r}")
        check("b failed" in ok(w, "GET", f"{JOBS}runs/get-output?run_id={end['tasks'][1]['run_id']}")["error"], "output")

        again = {"run_id": r, "rerun_all_failed_tasks": True, "rerun_dependent_tasks": True}
        ok(w, "POST", JOBS + "runs/repair", again)
        end = ended(w, r)
        is_((end["state"]["result_state"], words(end)[5:]), ("SUCCESS", [("b", 2, "SUCCESS"), ("c", 1, "SUCCESS"), ("d", 1, "SUCCESS")]), "repair")
        refused(w, (400, "INVALID_PARAMETER_VALUE", "latest repair ID"), "POST", JOBS + "runs/repair", {"run_id": r, "rerun_tasks": ["a"]})
        latest = end["repair_history"][-1]["id"]
        ok(w, "POST", JOBS + "runs/repair", {"run_id": r, "rerun_tasks": ["a"], "latest_repair_id": latest})
        ok(w, "POST", JOBS + "runs/cancel", {"run_id": r})
        is_(look(w, r)["state"].get("result_state"), "CANCELED", "cancelled")

        w.set(runs="hand")
        r = ok(w, "POST", JOBS + "run-now", {"job_id": j})["run_id"]
        waits = ok(w, "POST", JOBS + "run-now", {"job_id": j})["run_id"]
        is_(look(w, waits)["status"]["state"], "QUEUED", "a second run")
        ok(w, "POST", JOBS + "update", {"job_id": j, "new_settings": {"queue": {"enabled": False}}})
        no = ok(w, "POST", JOBS + "run-now", {"job_id": j})["run_id"]
        is_(look(w, no)["state"]["life_cycle_state"], "SKIPPED", "a third, without a queue")
        active = ok(w, "GET", f"{JOBS}runs/list?job_id={j}&active_only=true")["runs"]
        is_([x["run_id"] for x in active], [waits, r], "active runs, newest first")
        w.move(r, task="a", state="RUNNING")
        w.move(r, task="a", state="FAILED", message="by hand")
        is_(look(w, r)["state"]["state_message"], "", "not before all have ended")
        w.move(r, result="SUCCESS")
        is_(look(w, r)["state"]["state_message"], "Task a failed with message: by hand.", "why")
        is_(look(w, waits)["state"]["life_cycle_state"], "PENDING", "its turn")
        w.move(waits, life="HIBERNATING")
        is_(look(w, waits)["status"]["state"], "HIBERNATING", "a word that nobody knows")


# ---- what goes wrong ----

NEW = {"name": "n", "tasks": [task("a")]}
# fault and what it takes; what the client sees (status, or how the connection ends); jobs made
KINDS = (
    ({"fault": "drop"}, "ended", 0), ({"fault": "drop", "after": True}, "ended", 1), ({"fault": "drop", "reset": True}, "ended", 0),
    ({"fault": "cut"}, "cut", 1), ({"fault": "twice"}, 200, 2),
    ({"fault": "throttled"}, 429, 0), ({"fault": "throttled", "after": True}, 429, 1), ({"fault": "unavailable"}, 503, 0),
    ({"fault": "internal"}, 500, 0), ({"fault": "forbidden"}, 403, 0), ({"fault": "conflict"}, 409, 0), ({"fault": "quota"}, 400, 0),
    ({"fault": "number_code"}, 403, 0), ({"fault": "no_code"}, 404, 0), ({"fault": "scim"}, 403, 0), ({"fault": "text"}, 400, 0),
    ({"fault": "html"}, 503, 0), ({"fault": "login"}, 200, 0), ({"fault": "empty"}, 400, 0), ({"fault": "expired"}, 401, 0),
    ({"fault": "answer", "status": 418, "body": {"a": 1}, "headers": {"X": "y"}}, 418, 0),
)


def seen(w):
    try:
        return w.ask("POST", JOBS + "create", NEW)
    except http.client.IncompleteRead:
        return ("cut",)
    except (http.client.HTTPException, OSError):
        return ("ended",)


def faults():
    with workspace() as w:
        for spec, wanted, made in KINDS:
            w.reset()
            w.faults({"match": "POST /api/*/jobs/create", "nth": 1, **spec})
            is_((seen(w)[0], len(w.jobs())), (wanted, made), str(spec))
            call = w.calls()[-1]
            is_((call["status"], call["effect"]), (wanted if isinstance(wanted, int) else None if spec["fault"] == "drop" else 200,
                                                   made > 0), f"{spec} in calls.jsonl")
            is_(seen(w)[0], 200, f"the second call, {spec}")
        shapes = {s["fault"]: None for s, _, _ in KINDS}
        for kind in shapes:
            w.faults({"match": "* *", "fault": kind, "retry_after": 7} if kind in ("throttled", "unavailable") else
                     {"match": "* *", "fault": kind})
            shapes[kind] = seen(w)
        is_([shapes[k][2]["Retry-After"] for k in ("throttled", "unavailable")], ["7", "7"], "Retry-After")
        is_([type(shapes[k][1]["error_code"]) for k in ("number_code", "quota")], [int, str], "codes")
        check("already 10000 jobs" in shapes["quota"][1]["message"] and "error_code" not in shapes["no_code"][1], str(shapes))
        check(b"<pre>" in shapes["html"][1] and b"Sign In" in shapes["login"][1] and shapes["scim"][1]["status"] == "403"
              and shapes["text"][1].startswith(b"INVALID_PARAMETER_VALUE: ") and shapes["empty"][1] == b"", str(shapes))
        w.faults({"match": "* *", "fault": "throttled", "retry_after": "date"})
        check("GMT" in seen(w)[2]["Retry-After"], "a date")
        w.faults({"match": "* *", "fault": "slow", "ms": 200}, {"match": "* *", "fault": "internal"})
        began = time.monotonic()
        is_((seen(w)[0], time.monotonic() - began > 0.2), (500, True), "slow, and then wrong")


def strikes():
    """Which calls are struck: by number, by user, by chance that the seed decides."""
    def row(seed, spec):
        with workspace(seed=seed) as w:
            w.faults({"match": "GET *list", "fault": "internal", **spec})
            got = [w.ask("GET", JOBS + "list")[0] for _ in range(12)]
            is_(w.struck(), [got.count(500)], "told by the table")
            return "".join("x" if s == 500 else "." for s in got)
    is_(row(0, {"nth": [2, 5]}), ".x..x.......", "nth")
    is_(row(0, {"from": 3, "times": 2}), "..xx........", "from, times")
    is_(row(0, {"user": "nobody"}), "............", "another user's")
    by_chance = [row(s, {"probability": 0.5}) for s in (1, 1, 2)]
    check(by_chance[0] == by_chance[1] != by_chance[2] and set(by_chance[0]) == {"x", "."}, f"by chance: {by_chance}")


def expiry():
    """In the middle of an upload the token is over; with a new one it goes on."""
    with workspace(client=("app", "s")) as w:
        token = sign_in(w, "app", "s")[1]["access_token"]
        h = ok(w, "POST", "/api/2.0/dbfs/create", {"path": "/f"}, token=token)["handle"]
        w.faults({"match": "POST *add-block", "nth": 2, "fault": "expired"})
        block = ("POST", "/api/2.0/dbfs/add-block", {"handle": h, "data": b64(b"1")})
        is_([w.ask(*block, token=token)[0] for _ in range(3)], [200, 401, 403], "the old token")
        token = sign_in(w, "app", "s")[1]["access_token"]
        ok(w, *block, token=token)
        ok(w, "POST", "/api/2.0/dbfs/close", {"handle": h}, token=token)
        is_(w.files()["dbfs:/f"]["size"], 2, "blocks")


def durable():
    """After kill -9 all of it is there again, at the same address; a proxy's way of asking is understood."""
    with workspace(options={"page_size": 7, "empty_body": True}) as w:
        a = make(w, "a", task("x"))
        r = ok(w, "POST", JOBS + "run-now", {"job_id": a})["run_id"]
        ok(w, "PUT", "/api/2.0/fs/files/Volumes/c/s/v/f", raw=b"f")
        before = {k: v for k, v in w.state().items() if k != "now"}
        w.kill()
        w.start()
        is_({k: v for k, v in w.state().items() if k != "now"}, before, "the state")
        is_(ok(w, "POST", JOBS + "delete", {"job_id": a}), b"", "a success without a byte")
        check(make(w, "b") > r, "an id a second time")
        c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=10)
        for _ in range(2):      # one connection
            c.request("GET", f"http://workspace.example.net{JOBS}list", headers={"Authorization": f"Bearer {w.token}"})
            is_(len(json.loads(c.getresponse().read())["jobs"]), 1, "the whole address")
        c.close()
        is_(w.ask("POST", "/_fake/faults", [])[0], 404, "a control that is none")
        is_(w.ask("PUT", "/_fake/faults", [{"match": "* *", "fault": "fire"}])[0], 400, "a fault that is none")


if __name__ == "__main__":
    main(jobs, limits, dbfs, volumes, notebooks, people, secrets, runs, faults, strikes, expiry, durable)
