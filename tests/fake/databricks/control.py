"""/_fake/: the tests' own door. Bodies and answers are JSON; no token, no faults, not among the calls.

    GET  state                  all there is: users, jobs, acls, files, scopes, runs, edits, options, faults
    POST reset                  nothing is left but users, tokens and clients; options and faults as at first
    GET, PUT options            see OPTIONS in records.py; PUT changes those that are named
    GET, PUT faults             see faults.py; GET tells how often each was seen and struck
    POST clock    {"advance_ms"}            tokens, handles and limits by the hour see a later time
    POST user     {"name", "admin", "groups", "application", "token"}      makes or changes one
    POST client   {"client_id", "secret", "scopes"}
    POST edit     {"job_id" or "name", "user", "set": {pointer: value}, "remove": [pointer], "delete": true}
                  as somebody does in the workspace's own pages. A pointer is /-separated; an element of a list is
                  named by its number or by its key: /tasks/extract/max_retries
    POST runs/ID  {"task", "state": PENDING, RUNNING, SUCCESS, FAILED, ..., "message", "output"}; or {"result"} for all that
                  is left; or {"life", "result"} of the run itself, words that nobody knows among them
    PUT  permissions/ID  {"access_control_list"}   whatever is wished
    PUT  files    {"path": "dbfs:/..." or "/Volumes/...", "text"}; without text it is removed
"""
import copy
import dataclasses

from . import course, identity, jobs, permissions, records, runs, settings
from .answers import Answer, Refused
from .records import Client, Edit, Token, User


def wrong(message):
    return Refused(400, {"error": message})


def state(call):
    ws = call.ws
    files = {**call.dbfs.tell("dbfs:"), **call.volumes.tell("/Volumes"), **call.notebooks.tell("/Workspace")}
    return Answer(200, {
        "users": {u.name: dataclasses.asdict(u) for u in ws.all["user"].values()},
        "jobs": [jobs.tell(j) for j in ws.all["job"].values()],
        "permissions": {str(a.job_id): a.entries for a in ws.all["acl"].values()},
        "files": files,
        "scopes": {s.name: {"manage": s.manage, "keys": sorted(s.secrets), "acls": s.acls} for s in ws.all["scope"].values()},
        "runs": [runs.tell(r) for r in ws.all["run"].values()],
        "edits": [dataclasses.asdict(e) for e in ws.all["edit"].values()],
        "handles": len(ws.handles), "options": ws.options, "faults": call.faults.tell(), "now": ws.now()})


def reset(call):
    call.ws.clear(("job", "run", "acl", "scope", "notebook", "edit"))
    for tree in (call.dbfs, call.volumes, call.notebooks):
        tree.clear()
    for name, value in records.OPTIONS.items():
        call.ws.option(name, value)
    call.faults.set([])
    return Answer()


def options(call):
    if call.method == "PUT":
        for name, value in call.json().items():
            call.ws.option(name, value)
    return Answer(200, call.ws.options)


def faults(call):
    if call.method == "PUT":
        call.faults.set(call.any_json())
    return Answer(200, {"faults": call.faults.tell()})


def clock(call):
    call.ws.advance(int(call.json()["advance_ms"]))
    return Answer(200, {"now": call.ws.now()})


def user(call):
    body = call.json()
    token = body.pop("token", None)
    u = call.ws.keep(User(**body))
    if token:
        call.ws.keep(Token(token, u.name))
    return Answer()


def client(call):
    call.ws.keep(Client(**call.json()))
    return Answer()


def step(holder, part, where):
    """The key or index that a part of a pointer means in that map or list."""
    if not isinstance(holder, list):
        return part
    for n, element in enumerate(holder):
        if isinstance(element, dict) and part in (element.get(k) for k in settings.KEYED.values()):
            return n
    if part.isdigit() and int(part) < len(holder):
        return int(part)
    raise wrong(f"'{where}': no element '{part}'")


def place(s, pointer):
    *way, last = pointer.strip("/").split("/")
    for part in way:
        at = step(s, part, pointer)
        s = s.setdefault(at, {}) if isinstance(s, dict) else s[at]
    return s, step(s, last, pointer)


def edit(call):
    ws, body = call.ws, call.json()
    found = [j for j in ws.all["job"].values() if body.get("job_id") == j.job_id or body.get("name") == j.settings["name"]]
    if len(found) != 1:
        raise wrong(f"{len(found)} jobs are meant, not 1")
    job = found[0]
    who = identity.add_user(ws, body.get("user", "somebody@example.net")).name
    if body.get("delete"):
        ws.drop(job)
    else:
        s = copy.deepcopy(job.settings)
        for pointer, value in body.get("set", {}).items():
            holder, at = place(s, pointer)
            holder[at] = value
        for pointer in body.get("remove", []):
            holder, at = place(s, pointer)
            del holder[at]
        job.settings = s
        ws.keep(job)
    ws.keep(Edit(ws.new_id(), ws.now(), who, job.job_id, {k: body[k] for k in ("set", "remove", "delete") if k in body}))
    return Answer()


def run(call):
    ws, body = call.ws, call.json()
    r = ws.all["run"].get(int(call.args[0]))
    if not r:
        raise wrong(f"no run {call.args[0]}")
    now = course.latest(r)
    if "life" in body:
        r.life, r.result = body["life"], body.get("result", "")
        ws.keep(r)
        return Answer(200, {"life": r.life, "result": r.result})
    if "result" in body:
        for _ in now:       # each round lets those begin that waited for the ones before
            for a in course.latest(r).values():
                if a.life in ("PENDING", "RUNNING"):
                    course.fill(ws, a, body["result"], body.get("message", ""))
            course.settle(ws, r)
        return Answer(200, {"life": r.life, "result": r.result})
    if body.get("task") not in now:
        raise wrong(f"no task '{body.get('task')}' in run {r.run_id}")
    a = now[body["task"]]
    if body["state"] in ("QUEUED", "PENDING", "RUNNING", "BLOCKED", "TERMINATING"):
        a.life, a.start_time = body["state"], a.start_time or ws.now()
    else:
        course.fill(ws, a, body["state"], body.get("message", ""), body.get("output"))
    course.settle(ws, r)
    return Answer(200, {"life": r.life, "result": r.result})


def files(call):
    body = call.json()
    path = body["path"]
    tree, path = (call.dbfs, path[5:]) if path.startswith("dbfs:") else (call.volumes, path.removeprefix("/Volumes"))
    if "text" in body:
        tree.put(path, body["text"].encode())
    else:
        tree.remove(path)
    return Answer()


def acl(call):
    """Whatever is wished, also what the interface would not take."""
    call.ws.keep(records.Acl(int(call.args[0]), permissions.read_entries(call.json()["access_control_list"])))
    return Answer()


ROUTES = [
    ("GET", "/_fake/state", state),
    ("POST", "/_fake/reset", reset),
    ("GET PUT", "/_fake/options", options),
    ("GET PUT", "/_fake/faults", faults),
    ("POST", "/_fake/clock", clock),
    ("POST", "/_fake/user", user),
    ("POST", "/_fake/client", client),
    ("POST", "/_fake/edit", edit),
    ("POST", "/_fake/runs/([0-9]+)", run),
    ("PUT", "/_fake/permissions/([0-9]+)", acl),
    ("PUT", "/_fake/files", files),
]
