"""jobs/create, get, list, reset, update, delete, by 2.0, 2.1 and 2.2."""
import base64
import dataclasses
import json

from . import permissions, settings
from .answers import Answer, Refused, invalid, no_permission, refuse
from .records import Acl, Job

HOUR_MS = 3600 * 1000


def page_token(**what):
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")


def read_token(text):
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise invalid("Invalid page token") from None


def missing(call, job_id, verb):
    """A job that is not there, in one of the voices in which that is told."""
    how = call.ws.options["missing_job"]
    how = how.get(verb, "") if isinstance(how, dict) else how
    if how == "403" or not how and not call.user.admin:
        words = {"get": "View or Admin or Manage Run or Owner", "delete": "Admin or Owner",
                 "run": "Manage Run or Admin or Owner"}.get(verb, "Admin or Manage or Owner")
        return no_permission(call.user.name, words, job_id, call.request_id)
    if how == "404":
        return Refused(404, {"message": f"Job {job_id} does not exist."})
    return invalid(f"Job {job_id} does not exist.")


def find(call, job_id, verb):
    """The job, if the caller may do that with it. Who may not learns nothing of whether it is there."""
    job = call.ws.all["job"].get(job_id)
    if not job:
        raise missing(call, job_id, verb)
    permissions.demand(call, job, verb)
    return job


def create(call):
    ws, sent = call.ws, call.json()
    settings.check(sent, call.api)
    jobs = ws.all["job"]
    if len(jobs) >= ws.options["max_jobs"]:
        raise settings.quota("The quota for the number of jobs has been reached. The current quota is "
                             f"{ws.options['max_jobs']}.")
    ws.created = [t for t in ws.created if t > ws.now() - HOUR_MS]
    if len(ws.created) >= ws.options["max_creates"]:
        raise refuse(400, "INVALID_STATE", f"There were already {ws.options['max_creates']} jobs created in past 3600 seconds, "
                     f"exceeding rate limit: {ws.options['max_creates']} job creations per 3600 seconds.")
    entries = permissions.first(call, sent.get("access_control_list"))
    s = settings.normalised(sent, call.api, ws.options)
    run_as = s.get("run_as", {})
    job = Job(ws.new_id(), ws.now(), call.user.name, call.api, sent, s,
              run_as.get("user_name") or run_as.get("service_principal_name") or call.user.name)
    ws.created.append(job.created_time)
    ws.keep(Acl(job.job_id, entries))
    ws.keep(job)
    return Answer(200, {"job_id": job.job_id})


def replace(call, job, sent):
    settings.check(sent, call.api)
    s = settings.normalised(sent, call.api, call.ws.options, job.settings)
    job.sent, job.settings = sent, s
    if "run_as" in s:
        job.run_as = s["run_as"].get("user_name") or s["run_as"].get("service_principal_name") or job.run_as
    call.ws.keep(job)


def reset(call):
    body = call.json()
    job = find(call, call.id(body, "job_id"), "reset")
    settings.check_readable(job.settings, call.api)
    replace(call, job, body.get("new_settings") or {})
    return Answer()


def update(call):
    body = call.json()
    job = find(call, call.id(body, "job_id"), "update")
    settings.check_readable(job.settings, call.api)
    new = {k: v for k, v in (body.get("new_settings") or {}).items() if k in settings.KNOWN}
    replace(call, job, settings.updated(job.settings, new, body.get("fields_to_remove") or []))
    return Answer()


def delete(call):
    job = find(call, call.id(call.json(), "job_id"), "delete")
    acl = call.ws.all["acl"].get(job.job_id)
    if acl:
        call.ws.drop(acl)
    call.ws.drop(job)
    return Answer()


# ---- reading ----

def hidden_in_20(s):
    return {k: v for k, v in s.items() if k not in ("tasks", "job_clusters", "format", "queue", "performance_target")}


def get(call):
    job = find(call, call.id(call.query, "job_id"), "get")
    s = settings.given_back(job.settings, call.ws.options)
    settings.check_readable(s, call.api)
    body = {"job_id": job.job_id, "created_time": job.created_time, "creator_user_name": job.creator_user_name,
            "run_as_user_name": job.run_as}
    if call.api == "2.0":
        return Answer(200, {**body, "settings": hidden_in_20(s)})
    body["settings"] = s
    if call.api == "2.2":
        paged(body, s, settings.KEYED, call)
    return Answer(200, body)


def paged(body, holder, names, call):
    """Cuts each of those arrays to the page that the call asks for; what has nothing left is empty."""
    size, token = call.ws.options["page_size"], call.query.get("page_token")
    at = read_token(token).get("at", 0) if token else 0
    more = False
    for name in names:
        if name in holder:
            more = more or len(holder[name]) > at + size
            holder[name] = holder[name][at:at + size]
    if more:
        body.update(has_more=True, next_page_token=page_token(at=at + size))


def item(job, call):
    s = settings.given_back(job.settings, call.ws.options)
    expand = call.query.get("expand_tasks") == "true"
    if not expand:
        s = {k: v for k, v in s.items() if k not in settings.KEYED and k != "git_source"}
    out = {"job_id": job.job_id, "created_time": job.created_time, "creator_user_name": job.creator_user_name,
           "settings": hidden_in_20(s) if call.api == "2.0" else s}
    if expand and call.api == "2.2":
        for name in settings.KEYED:
            if len(s.get(name, [])) > call.ws.options["page_size"]:
                s[name], out["has_more"] = s[name][:call.ws.options["page_size"]], True
    return out


def list_(call):
    q, options = call.query, call.ws.options
    name = q.get("name", "").lower()
    jobs = [j for j in call.ws.all["job"].values()
            if (not name or j.settings["name"].lower() == name) and permissions.may(call.ws, call.user, j, "get")]
    jobs.sort(key=lambda j: (-j.created_time, -j.job_id))
    if call.api == "2.0":
        return Answer(200, {"jobs": [item(j, call) for j in jobs]} if jobs else {})
    limit = call.number("limit", 20)
    if not 1 <= limit <= 100:
        raise invalid(f"limit must be between 1 and 100, not {limit}")
    limit = min(limit, options["list_size"])
    at = call.number("offset", 0)
    if q.get("page_token"):
        at = after(jobs, read_token(q["page_token"]))
    body = {"jobs": [item(j, call) for j in jobs[at:at + limit]]} if jobs[at:at + limit] else {}
    body["has_more"] = len(jobs) > at + limit
    if body["has_more"]:
        last = jobs[at + limit - 1]
        body["next_page_token"] = page_token(time=last.created_time, id=last.job_id)
    if at:
        before = jobs[at - limit - 1] if at > limit else None
        body["prev_page_token"] = page_token(**({"time": before.created_time, "id": before.job_id} if before else {}))
    return Answer(200, body)


def after(jobs, token):
    """Where the page begins: behind the last job of the one before, whatever was made or deleted meanwhile."""
    if "time" not in token:
        return 0
    place = (-token["time"], -token["id"])
    return sum((-j.created_time, -j.job_id) <= place for j in jobs)


def tell(job):
    """As the control has it."""
    return dataclasses.asdict(job)
