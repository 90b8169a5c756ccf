"""jobs/run-now and jobs/runs/: get, list, get-output, cancel, cancel-all, repair, delete, submit."""
import copy
import dataclasses
import json

from . import course, jobs, permissions, settings
from .answers import Answer, invalid, refuse

PARAMETERS = 10000      # bytes of JSON
OVERRIDES = ("job_parameters", "python_params", "python_named_params", "jar_params", "notebook_params", "sql_params",
             "spark_submit_params", "dbt_commands", "pipeline_params")
WITH_LOGS = ("spark_jar_task", "spark_python_task", "python_wheel_task")
ACTIVE = ("QUEUED", "PENDING", "RUNNING", "TERMINATING")


def find(call, run_id, verb):
    run = call.ws.all["run"].get(run_id)
    if not run or run.deleted:
        raise invalid(f"Run {run_id} does not exist.")
    job = call.ws.all["job"].get(run.job_id)
    if job:
        permissions.demand(call, job, verb)
    elif not call.user.admin and run.creator_user_name != call.user.name:
        raise refuse(403, "PERMISSION_DENIED", f"User {call.user.name} does not have View permissions on run {run_id}")
    return run


def by_token(call, token):
    """The run that this token has made already. None: there is none."""
    if token is None:
        return None
    if len(token) > 64:
        raise invalid("idempotency_token must have at most 64 characters.")
    run = next((r for r in call.ws.all["run"].values() if token and r.token == token), None)
    if run and run.deleted:
        raise invalid(f"The run with idempotency_token {token} is deleted.")
    return run


def check_parameters(body):
    for name in OVERRIDES:
        if len(json.dumps(body.get(name))) > PARAMETERS:
            raise invalid(f"The JSON of {name} must be at most {PARAMETERS} bytes.")
    for name in ("python_params", "spark_submit_params"):
        if not all(isinstance(p, str) and p.isascii() for p in body.get(name) or []):
            raise invalid(f"{name} must be ASCII.")


def check_room(ws):
    busy = sum(a.life in ("PENDING", "RUNNING") for r in ws.all["run"].values() if course.active(r) for a in r.attempts)
    if busy >= ws.options["max_runs"]:
        raise refuse(429, "REQUEST_LIMIT_EXCEEDED", f"The workspace has {busy} tasks running, the limit is {ws.options['max_runs']}.")


def started(run):
    return Answer(200, {"run_id": run.run_id, "number_in_job": run.run_id})


def run_now(call):
    ws, body = call.ws, call.json()
    job = jobs.find(call, call.id(body, "job_id"), "run")
    run = by_token(call, body.get("idempotency_token"))
    if run:
        return started(run)
    check_parameters(body)
    check_room(ws)
    only = body.get("only") or []
    tasks = copy.deepcopy(job.settings.get("tasks", []))
    missing = set(only) - {t["task_key"] for t in tasks}
    if missing:
        raise invalid(f"Unknown task keys in only: {', '.join(sorted(missing))}")
    run = course.new_run(ws, call.user, job.job_id, job.settings["name"], "JOB_RUN", tasks,
                         token=body.get("idempotency_token") or "", parameters=body.get("job_parameters") or {})
    queue = (body.get("queue") or job.settings.get("queue") or {}).get("enabled")
    if course.full(ws, job):
        if not queue:
            course.skip(ws, run)
            return started(run)
        run.life = "QUEUED"
    course.begin(ws, run, only)
    return Answer() if ws.options["run_now_empty"] else started(run)


def submit(call):
    ws, body = call.ws, call.json()
    run = by_token(call, body.get("idempotency_token"))
    if run:
        return Answer(200, {"run_id": run.run_id})
    settings.check(body, call.api)
    check_room(ws)
    tasks = settings.normalised(body, call.api, ws.options).get("tasks", [])
    run = course.new_run(ws, call.user, ws.new_id(), body.get("run_name") or "Untitled", "SUBMIT_RUN", tasks,
                         token=body.get("idempotency_token") or "")
    course.begin(ws, run)
    return Answer(200, {"run_id": run.run_id})


# ---- reading ----

def times(x, ws):
    took = (x.end_time or ws.now()) - x.start_time if x.start_time else 0
    return {"start_time": x.start_time, "end_time": x.end_time, "setup_duration": 0, "execution_duration": took,
            "cleanup_duration": 0}


def page_url(call, run, run_id):
    return f"{call.base}/?o={call.ws.options['org_id']}#job/{run.job_id}/run/{run_id}"


def attempt_body(call, run, a):
    t = next(t for t in run.tasks if t["task_key"] == a.task_key)
    out = {k: v for k, v in t.items() if k in ("task_key", "depends_on", "run_if", "libraries", "description",
                                               "job_cluster_key", "existing_cluster_id", *settings.KINDS_OF_TASK)}
    return {**out, "run_id": a.run_id, "attempt_number": a.attempt_number, "run_page_url": page_url(call, run, a.run_id),
            **times(a, call.ws), "state": course.state(a), "status": course.status(a)}


def parameters(ws, run):
    job = ws.all["job"].get(run.job_id)
    given = dict(run.parameters)
    out = [{"name": p["name"], "default": p.get("default", ""), "value": given.pop(p["name"], p.get("default", ""))}
           for p in (job.settings.get("parameters", []) if job else [])]
    return out + [{"name": n, "value": v} for n, v in given.items()]


def run_body(call, run, tasks=True):
    body = {"job_id": run.job_id, "run_id": run.run_id, "job_run_id": run.run_id, "number_in_job": run.run_id,
            "original_attempt_run_id": run.run_id, "run_name": run.run_name, "run_type": run.run_type, "trigger": "ONE_TIME",
            "creator_user_name": run.creator_user_name, "run_page_url": page_url(call, run, run.run_id), **times(run, call.ws),
            "run_duration": (run.end_time or call.ws.now()) - run.start_time, "queue_duration": 0, "format": "MULTI_TASK",
            "state": course.state(run), "status": course.status(run)}
    given = parameters(call.ws, run)
    if given:
        body["job_parameters"] = given
    if tasks:
        body["tasks"] = [attempt_body(call, run, a) for a in run.attempts]
    return body


def repair_body(ws, run, r, number):
    ended = bool(r.end_time)
    life = ("INTERNAL_ERROR" if r.result == "FAILED" else "TERMINATED") if ended else run.life
    out = {"type": "REPAIR" if number else "ORIGINAL", "start_time": r.start_time, "end_time": r.end_time,
           "state": {"life_cycle_state": life, **({"result_state": r.result} if r.result else {})}, "task_run_ids": r.attempts}
    return {**out, "id": r.repair_id} if number else out


def get(call):
    run = find(call, call.id(call.query, "run_id"), "get")
    course.look(call.ws, run)
    body = run_body(call, run)
    if call.query.get("include_history") == "true":
        body["repair_history"] = [repair_body(call.ws, run, r, n) for n, r in enumerate(run.repairs)]
    if call.api == "2.2":
        jobs.paged(body, body, ("tasks", "job_clusters", "job_parameters", "repair_history"), call)
    elif len(run.tasks) > settings.LARGE:
        settings.check_readable({"tasks": run.tasks}, call.api)
    return Answer(200, body)


def list_(call):
    q, ws = call.query, call.ws
    active, completed = q.get("active_only") == "true", q.get("completed_only") == "true"
    if active and completed:
        raise invalid("active_only and completed_only can not both be true.")
    limit = call.number("limit", 20)
    if not 0 <= limit < 25:
        raise invalid(f"limit must be greater than 0 and less than 25, not {limit}")
    if "job_id" in q:
        jobs.find(call, call.id(q, "job_id"), "get")
    found = []
    for r in ws.all["run"].values():
        job = ws.all["job"].get(r.job_id)
        if r.deleted or "job_id" in q and r.job_id != int(q["job_id"]) or job and not permissions.may(ws, call.user, job, "get"):
            continue
        course.look(ws, r)
        if active and r.life not in ACTIVE or completed and course.active(r) or q.get("run_type", r.run_type) != r.run_type:
            continue
        if call.number("start_time_from", 0) <= r.start_time <= call.number("start_time_to", r.start_time):
            found.append(r)
    found.sort(key=lambda r: -r.run_id)
    at, size = (jobs.read_token(q["page_token"])["at"] if q.get("page_token") else call.number("offset", 0)), limit or 24
    expand = q.get("expand_tasks") == "true"
    body = {"runs": [run_body(call, r, expand) for r in found[at:at + size]]} if found[at:at + size] else {}
    body["has_more"] = len(found) > at + size
    if body["has_more"]:
        body["next_page_token"] = jobs.page_token(at=at + size)
    if at:
        body["prev_page_token"] = jobs.page_token(at=max(0, at - size))
    return Answer(200, body)


def attempt_of(ws, run_id):
    """The run and the attempt with that id; None, None where there is none."""
    for r in ws.all["run"].values():
        for a in r.attempts if not r.deleted else []:
            if a.run_id == run_id:
                return r, a
    return None, None


def get_output(call):
    run_id = call.id(call.query, "run_id")
    run, a = attempt_of(call.ws, run_id)
    if not run:
        find(call, run_id, "get")
        raise invalid("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each "
                      "individual task run instead.")
    find(call, run.run_id, "get")
    t = next(t for t in run.tasks if t["task_key"] == a.task_key)
    out = {k: v for k, v in a.output.items() if k != "logs" or any(t.get(n) for n in WITH_LOGS)}
    if "logs" in out:
        out["logs_truncated"] = False
    if "notebook_task" in t and a.result == "SUCCESS":
        out.setdefault("notebook_output", {"truncated": False})
    return Answer(200, {"metadata": {"job_id": run.job_id, **attempt_body(call, run, a)}, **out})


# ---- changing ----

def cancel(call):
    run_id = call.id(call.json(), "run_id")
    run, a = attempt_of(call.ws, run_id)
    run = find(call, run.run_id if run else run_id, "run")
    if course.active(run):
        course.cancel(call.ws, run, a)
    return Answer()


def cancel_all(call):
    body = call.json()
    if "job_id" in body:
        jobs.find(call, call.id(body, "job_id"), "run")
    for r in call.ws.all["run"].values():
        if course.active(r) and (r.job_id == int(body["job_id"]) if "job_id" in body
                                 else body.get("all_queued_runs") and r.life == "QUEUED"):
            course.cancel(call.ws, r)
    return Answer()


def repair(call):
    ws, body = call.ws, call.json()
    run = find(call, call.id(body, "run_id"), "run")
    if course.active(run):
        raise refuse(400, "INVALID_STATE", f"Run {run.run_id} is active and can not be repaired.")
    last = run.repairs[-1].repair_id if len(run.repairs) > 1 else 0
    if last and not body.get("latest_repair_id"):
        raise invalid("The latest repair ID needs to be provided in order to create a new repair")
    if body.get("latest_repair_id") and call.id(body, "latest_repair_id") != last:
        raise invalid(f"The latest repair ID is not {body['latest_repair_id']}")
    now = course.latest(run)
    keys = body.get("rerun_tasks") or []
    if body.get("rerun_all_failed_tasks"):
        keys = [k for k, a in now.items() if a.result not in course.GOOD]
    if not keys or set(keys) - set(now):
        raise invalid("There are no tasks to repair: rerun_tasks names none of the run, and none has failed.")
    check_room(ws)
    run.parameters = body.get("job_parameters") or {}
    return Answer(200, {"repair_id": course.repair(ws, run, keys, body.get("rerun_dependent_tasks"))})


def delete(call):
    run = find(call, call.id(call.json(), "run_id"), "run")
    if course.active(run):
        raise invalid(f"Run {run.run_id} is active and can not be deleted.")
    run.deleted = True
    call.ws.keep(run)
    return Answer()


def tell(run):
    return dataclasses.asdict(run)
