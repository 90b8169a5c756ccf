"""Who may do what with a job, and /api/2.0/permissions/jobs/."""
from .answers import Answer, invalid, no_permission, refuse, request_info
from .records import Acl

LEVELS = ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"]
TEXTS = {"CAN_VIEW": "Can view the job", "CAN_MANAGE_RUN": "Can view the job and manage its runs",
         "CAN_MANAGE": "Can manage the job", "IS_OWNER": "Is the owner of the job"}
KINDS = ("user_name", "group_name", "service_principal_name")
NEEDS = {"get": "CAN_VIEW", "run": "CAN_MANAGE_RUN"}        # all else: CAN_MANAGE
WORDS = {"get": "View or Admin or Manage Run or Owner", "run": "Manage Run or Admin or Owner", "delete": "Admin or Owner"}


def kind_of(user):
    return "service_principal_name" if user.application else "user_name"


def level_of(ws, user, job):
    """Rank of what a user may do with a job; -1: nothing."""
    acl = ws.all["acl"].get(job.job_id)
    best = LEVELS.index("CAN_MANAGE") if user.admin else -1
    for kind, name, level in acl.entries if acl else []:
        if (kind, name) == (kind_of(user), user.name) or kind == "group_name" and name in user.groups + ["users"]:
            best = max(best, LEVELS.index(level))
    return best


def may(ws, user, job, verb):
    return level_of(ws, user, job) >= LEVELS.index(NEEDS.get(verb, "CAN_MANAGE"))


def demand(call, job, verb):
    if not may(call.ws, call.user, job, verb):
        raise no_permission(call.user.name, WORDS.get(verb, "Admin or Manage or Owner"), job.job_id, call.request_id)


def read_entries(items):
    """[kind, name, level] of what a request has; the shape in which they are given back is none that is taken."""
    out = []
    for i in items or []:
        kinds = [k for k in KINDS if isinstance(i, dict) and i.get(k)]
        if len(kinds) != 1 or "permission_level" not in i:
            raise invalid("Principal name not defined")
        if i["permission_level"] not in LEVELS:
            raise invalid(f"Invalid permission level '{i['permission_level']}' for a job")
        if kinds[0] == "group_name" and i["permission_level"] == "IS_OWNER":
            raise invalid("Groups can not be owners of a job.")
        out.append([kinds[0], i[kinds[0]], i["permission_level"]])
    return out


def one_owner(entries):
    if sum(e[2] == "IS_OWNER" for e in entries) != 1:
        raise invalid("The job must have exactly one owner.")


def first(call, items):
    """What a job has when it is made: who made it owns it, unless the list names another."""
    entries = read_entries(items)
    if not any(e[2] == "IS_OWNER" for e in entries):
        own = [kind_of(call.user), call.user.name]
        entries = [own + ["IS_OWNER"]] + [e for e in entries if e[:2] != own]
    one_owner(entries)
    return entries


def tell(job_id, acl):
    items = []
    for kind, name, level in acl.entries if acl else []:
        entry = {kind: name, "all_permissions": [{"permission_level": level, "inherited": False}]}
        if kind != "group_name":
            entry["display_name"] = name
        items.append(entry)
    items.append({"group_name": "admins", "all_permissions": [
        {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/jobs/"]}]})
    return {"object_id": f"/jobs/{job_id}", "object_type": "job", "access_control_list": items}


def find(call, verb):
    job_id = int(call.args[0])
    job = call.ws.all["job"].get(job_id)
    if job and may(call.ws, call.user, job, verb):
        return job
    if not job and call.user.admin:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Job {job_id} does not exist.")
    raise refuse(403, "PERMISSION_DENIED", f"{call.user.name} does not have Manage permissions on Job with ID: "
                 f"ElasticJobId({job_id}). Please contact the owner or an administrator for access.",
                 [request_info(call.request_id)])


def get(call):
    job = find(call, "get")
    return Answer(200, tell(job.job_id, call.ws.all["acl"].get(job.job_id)))


def put(call):
    job = find(call, "manage")
    entries = read_entries(call.json().get("access_control_list"))
    one_owner(entries)
    return Answer(200, tell(job.job_id, call.ws.keep(Acl(job.job_id, entries))))


def patch(call):
    """Adds, and raises; takes nothing away."""
    job = find(call, "manage")
    entries = [list(e) for e in call.ws.all["acl"][job.job_id].entries]
    for kind, name, level in read_entries(call.json().get("access_control_list")):
        have = next((e for e in entries if e[:2] == [kind, name]), None)
        if not have:
            entries.append([kind, name, level])
        elif LEVELS.index(level) > LEVELS.index(have[2]):
            have[2] = level
    one_owner(entries)
    return Answer(200, tell(job.job_id, call.ws.keep(Acl(job.job_id, entries))))


def levels(call):
    find(call, "get")
    return Answer(200, {"permission_levels": [{"permission_level": n, "description": TEXTS[n]} for n in LEVELS]})
