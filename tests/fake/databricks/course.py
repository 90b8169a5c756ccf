"""How a run goes: what each of its tasks comes to, and then the run itself.

With the option runs = "pass" each look at a run moves it one step on: a task that waits begins, one that runs ends as
the option outcomes says. With "hand" only the control moves it. What follows from that (who may begin, who is left out,
how the run ends, another attempt) is the same.
"""
from .records import Attempt, Repair, Run

ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
FAILED_TEXT = "Workload failed, see run output for details"
GOOD = ("SUCCESS", "EXCLUDED", "DISABLED")
CODES = {"SUCCESS": ("SUCCESS", "SUCCESS"), "SUCCESS_WITH_FAILURES": ("SUCCESS_WITH_FAILURES", "SUCCESS"),
         "CANCELED": ("USER_CANCELED", "SUCCESS"), "UPSTREAM_CANCELED": ("CANCELED", "SUCCESS"),
         "MAXIMUM_CONCURRENT_RUNS_REACHED": ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
         "EXCLUDED": ("SKIPPED", "SUCCESS"), "DISABLED": ("DISABLED", "SUCCESS"), "UPSTREAM_FAILED": ("SKIPPED", "CLIENT_ERROR"),
         "FAILED": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"), "TIMEDOUT": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR")}


def active(run):
    return run.life not in ENDED


def latest(run):
    """Each task's attempt with the highest number."""
    out = {}
    for a in run.attempts:
        if a.task_key not in out or a.attempt_number > out[a.task_key].attempt_number:
            out[a.task_key] = a
    return out


def begin(ws, run, only=None):
    """The attempts of a run that is new. only: the tasks that take part; the others are left out."""
    for t in run.tasks:
        run.attempts.append(Attempt(t["task_key"], ws.new_id(), 0))
    for a in run.attempts:
        disabled = next(t for t in run.tasks if t["task_key"] == a.task_key).get("disabled")
        if disabled or only and a.task_key not in only:
            end(ws, a, "DISABLED" if disabled else "EXCLUDED")
    run.repairs = [Repair(run.run_id, run.start_time, 0, "", [a.run_id for a in run.attempts])]
    settle(ws, run)


def end(ws, attempt, result, message=""):
    attempt.life, attempt.result, attempt.message = "TERMINATED", result, message
    attempt.end_time = ws.now()
    attempt.start_time = attempt.start_time or attempt.end_time


def wanted(t, results):
    """Whether a task begins when those it depends on have ended so, and what it comes to when not."""
    good = [r in GOOD for r in results]
    rule = t.get("run_if", "ALL_SUCCESS")
    begins = {"ALL_SUCCESS": all(good), "AT_LEAST_ONE_SUCCESS": "SUCCESS" in results, "NONE_FAILED": all(good),
              "ALL_DONE": True, "AT_LEAST_ONE_FAILED": not all(good), "ALL_FAILED": not any(good)}[rule]
    if begins:
        return True, ""
    if rule in ("AT_LEAST_ONE_FAILED", "ALL_FAILED"):
        return False, "EXCLUDED"
    return False, "UPSTREAM_CANCELED" if any(r in ("CANCELED", "UPSTREAM_CANCELED") for r in results) else "UPSTREAM_FAILED"


def settle(ws, run):
    """Draws all that follows from what has ended, until nothing more does."""
    moved = True
    while moved and run.life not in ("QUEUED", *ENDED):
        moved = False
        now = latest(run)
        for t in run.tasks:
            a = now[t["task_key"]]
            before = [now[d["task_key"]] for d in t.get("depends_on", [])]
            if a.life == "BLOCKED" and all(b.life in ENDED for b in before):
                begins, result = wanted(t, [b.result for b in before])
                if begins:
                    a.life = "PENDING"
                else:
                    end(ws, a, result)
                moved = True
            elif a.life in ENDED and a.result in ("FAILED", "TIMEDOUT") and again(ws, run, t, a):
                moved = True
    now = latest(run).values()
    if run.life in ("PENDING", "RUNNING", "TERMINATING") and all(a.life in ENDED for a in now):
        finish(ws, run)
    elif run.life == "PENDING" and any(a.life != "PENDING" and a.life != "BLOCKED" for a in now):
        run.life = "RUNNING"
    ws.keep(run)


def again(ws, run, t, a):
    """Another attempt where the task has one left. A repair's attempts count from where it began."""
    mine = next(r for r in run.repairs if a.run_id in r.attempts)
    tries = sum(b.task_key == a.task_key and b.run_id in mine.attempts for b in run.attempts)
    limit = t.get("max_retries", 0)
    if run.life == "TERMINATING" or 0 <= limit < tries or a.result == "TIMEDOUT" and not t.get("retry_on_timeout"):
        return False
    b = Attempt(a.task_key, ws.new_id(), a.attempt_number + 1, "PENDING")
    run.attempts.append(b)
    mine.attempts.append(b.run_id)
    return True


def finish(ws, run):
    """A task that failed makes the run INTERNAL_ERROR with FAILED, as the service does; its status says more."""
    now = latest(run)
    inner = {d["task_key"] for t in run.tasks for d in t.get("depends_on", [])}
    leaves = [now[t["task_key"]] for t in run.tasks if t["task_key"] not in inner]
    failed = [a for a in now.values() if a.result in ("FAILED", "TIMEDOUT")]
    run.end_time, run.life = ws.now(), "TERMINATED"
    if any(a.result == "CANCELED" for a in now.values()):
        run.result, run.message = "CANCELED", "Run cancelled."
    elif all(a.result in GOOD for a in now.values()):
        run.result, run.message = "SUCCESS", ""
    elif all(a.result in GOOD for a in leaves):
        run.result, run.message = "SUCCESS_WITH_FAILURES", ""
    else:
        run.life, run.result = "INTERNAL_ERROR", "FAILED"
        if failed:
            run.message = f"Task {failed[0].task_key} failed with message: {failed[0].message or FAILED_TEXT}."
    last = run.repairs[-1]
    last.end_time, last.result = run.end_time, run.result


def outcome(ws, run, attempt):
    table = ws.options["outcomes"]
    for key in (f"{run.run_name}/{attempt.task_key}", f"*/{attempt.task_key}", "*"):
        if key in table:
            results = table[key] if isinstance(table[key], list) else [table[key]]
            return results[min(attempt.attempt_number, len(results) - 1)]
    return "SUCCESS"


def fill(ws, attempt, result, message="", output=None):
    """The end of an attempt and what get-output tells of it."""
    message = message or (FAILED_TEXT if result == "FAILED" else "")
    end(ws, attempt, result, message)
    attempt.output = {"logs": f"{attempt.task_key} of attempt {attempt.attempt_number}\n"}
    if result == "FAILED":
        attempt.output.update(error=f"RuntimeError: {attempt.task_key} failed",
                              error_trace=f"Traceback (most recent call last):\nRuntimeError: {attempt.task_key} failed\n")
    attempt.output.update(output or {})


def look(ws, run):
    """What a look at a run does to it, by the options."""
    if run.life == "QUEUED":
        start_queued(ws, run)
    elif active(run):
        for a in latest(run).values():
            if a.life == "TERMINATING":
                end(ws, a, "CANCELED", "Run cancelled.")
            elif ws.options["runs"] != "pass":
                continue
            elif a.life == "RUNNING":
                fill(ws, a, outcome(ws, run, a))
            elif a.life == "PENDING":
                a.life, a.start_time = "RUNNING", ws.now()
        settle(ws, run)


def full(ws, job, but=None):
    """Whether a job has as many runs under way as it may."""
    running = sum(r.job_id == job.job_id and active(r) and r.life != "QUEUED" and r is not but for r in ws.all["run"].values())
    return running >= job.settings["max_concurrent_runs"]


def start_queued(ws, run):
    job = ws.all["job"].get(run.job_id)
    first = min((r.run_id for r in ws.all["run"].values() if r.job_id == run.job_id and r.life == "QUEUED"))
    if run.run_id == first and (not job or not full(ws, job, run)):
        run.life = "PENDING"
        settle(ws, run)


def cancel(ws, run, attempt=None):
    """Takes effect by and by: the next look finds it cancelled. attempt: only that one."""
    for a in [attempt] if attempt else latest(run).values():
        if a.life in ("RUNNING", "PENDING"):
            a.life = "TERMINATING"
        elif a.life == "BLOCKED":
            end(ws, a, "CANCELED" if not attempt else "UPSTREAM_CANCELED")
    if not attempt:
        run.life = "TERMINATING"
    settle(ws, run)


def repair(ws, run, keys, dependents):
    """New attempts of those tasks, and with dependents of all that come after them. The run goes on under its id."""
    keys = set(keys)
    grown = dependents
    while grown:
        more = {t["task_key"] for t in run.tasks if {d["task_key"] for d in t.get("depends_on", [])} & keys} - keys
        keys |= more
        grown = bool(more)
    now, made = latest(run), Repair(ws.new_id(), ws.now(), 0, "", [])
    for t in run.tasks:
        if t["task_key"] in keys:
            a = Attempt(t["task_key"], ws.new_id(), now[t["task_key"]].attempt_number + 1)
            run.attempts.append(a)
            made.attempts.append(a.run_id)
    run.repairs.append(made)
    run.life, run.result, run.message, run.end_time = "RUNNING", "", "", 0
    settle(ws, run)
    return made.repair_id


def skip(ws, run):
    run.life, run.result, run.end_time = "SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", ws.now()
    run.message = "An active run of this job exists already and max_concurrent_runs is reached."
    run.repairs = [Repair(run.run_id, run.start_time, run.end_time, run.result, [])]
    ws.keep(run)


# ---- as it is told ----

def state(x):
    out = {"life_cycle_state": x.life, "state_message": x.message, "user_cancelled_or_timedout": x.result == "CANCELED"}
    if x.result:
        out["result_state"] = x.result
    if x.life == "QUEUED":
        out["queue_reason"] = "Queued due to reaching maximum concurrent runs of 1."
    return out


def status(x):
    if x.life not in ENDED:
        out = {"state": {"WAITING_FOR_RETRY": "WAITING"}.get(x.life, x.life)}
        if x.life == "QUEUED":
            out["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": "Queued due to reaching maximum "
                                    "concurrent runs of 1."}
        return out
    code, kind = CODES.get(x.result, ("INTERNAL_ERROR", "INTERNAL_ERROR"))
    return {"state": "TERMINATED", "termination_details": {"code": code, "type": kind, "message": x.message}}


def new_run(ws, user, job_id, name, kind, tasks, **more):
    return Run(ws.new_id(), job_id, name, kind, user.name, ws.now(), tasks, [], [], **more)
