"""What the server makes of the settings of a job: what it refuses, drops, adds and gives back in another order."""
import copy

from .answers import invalid, malformed, refuse

KNOWN = set("""budget_policy_id continuous deployment description edit_mode email_notifications environments format git_source
health job_clusters max_concurrent_runs name notification_settings parameters parent_path performance_target queue run_as
schedule tags tasks timeout_seconds trigger triggers usage_policy_id webhook_notifications""".split())
KINDS_OF_TASK = """notebook_task spark_jar_task spark_python_task python_wheel_task spark_submit_task sql_task dbt_task
pipeline_task run_job_task condition_task for_each_task""".split()
TASK = set("""task_key description depends_on run_if disabled existing_cluster_id new_cluster job_cluster_key environment_key
libraries max_retries min_retry_interval_millis retry_on_timeout timeout_seconds health email_notifications
notification_settings webhook_notifications disable_auto_optimization compute clean_rooms_notebook_task dashboard_task
power_bi_task dbt_cloud_task dbt_platform_task gen_ai_compute_task""".split()) | set(KINDS_OF_TASK)
# before 2.1 a job is one task, and its settings are that task's
OLD = TASK - {"task_key", "depends_on", "run_if", "job_cluster_key"}
RUN_IF = "ALL_SUCCESS AT_LEAST_ONE_SUCCESS NONE_FAILED ALL_DONE AT_LEAST_ONE_FAILED ALL_FAILED".split()
# arrays that jobs/update merges and jobs/get gives in pages, by what names their elements
KEYED = {"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key", "parameters": "name"}
MAPS = ("tags", "custom_tags", "spark_conf", "spark_env_vars", "base_parameters", "named_parameters")
NUMBERS = ("max_concurrent_runs", "timeout_seconds", "max_retries", "min_retry_interval_millis")
LARGE = 100         # tasks: more than that only by 2.2
ATTRIBUTES = {
    "aws": {"first_on_demand": 1, "availability": "SPOT_WITH_FALLBACK", "zone_id": "us-west-2c", "spot_bid_price_percent": 100},
    "azure": {"first_on_demand": 1, "availability": "ON_DEMAND_AZURE", "spot_bid_max_price": -1.0},
    "gcp": {"use_preemptible_executors": False, "availability": "ON_DEMAND_GCP", "zone_id": "HA"},
}


# ---- what is refused ----

def check_number(where, d):
    for name in NUMBERS:
        if name in d and (not isinstance(d[name], int) or isinstance(d[name], bool)):
            raise malformed(f"Could not parse request object: Expected 'VALUE_NUMBER_INT' for '{where}{name}'")


def check_task(t, keys, clusters, environments):
    if not isinstance(t, dict):
        raise malformed("Could not parse request object: Expected 'START_OBJECT' not 'VALUE_STRING'")
    key = t.get("task_key")
    if not isinstance(key, str) or not key:
        raise invalid("Missing required field: settings.tasks.task_key.")
    check_number(f"tasks.{key}.", t)
    for d in t.get("depends_on") or []:
        if d.get("task_key") not in keys:
            raise invalid(f"Task '{key}' depends on '{d.get('task_key')}', which is not a task of this job.")
    if t.get("run_if", "ALL_SUCCESS") not in RUN_IF:
        raise malformed(f"Could not parse request object: no constant '{t['run_if']}' of RunIf")
    if t.get("job_cluster_key") and t["job_cluster_key"] not in clusters:
        raise invalid(f"Task '{key}' has a job_cluster_key '{t['job_cluster_key']}' that is not defined in job_clusters.")
    if t.get("environment_key") and t["environment_key"] not in environments:
        raise invalid(f"Task '{key}' has an environment_key '{t['environment_key']}' that is not defined in environments.")
    if not any(t.get(k) for k in KINDS_OF_TASK):
        raise invalid(f"Task '{key}' has no type: one of {', '.join(KINDS_OF_TASK)} must be specified.")
    if any(t.get(k) for k in ("spark_jar_task", "python_wheel_task")) and not any(
            t.get(k) for k in ("job_cluster_key", "new_cluster", "existing_cluster_id", "environment_key", "compute")):
        raise invalid("One of job_cluster_key, new_cluster, or existing_cluster_id must be specified.")
    if t.get("new_cluster"):
        check_cluster(t["new_cluster"])


def check_cluster(c):
    if "num_workers" not in c and "autoscale" not in c and not c.get("policy_id") and not c.get("is_single_node"):
        raise invalid("Missing required field: settings.cluster_spec.new_cluster.size")


def check_circle(tasks):
    waits = {t["task_key"]: {d["task_key"] for d in t.get("depends_on") or []} for t in tasks}
    while waits:
        free = [k for k, w in waits.items() if not w & waits.keys()]
        if not free:
            raise invalid("The tasks of a job must not depend on each other in a circle: " + ", ".join(sorted(waits)))
        for k in free:
            del waits[k]


def check(s, api):
    """Raises the refusal that these settings get by that version of the interface. The words of those that are not in the
    table of errors are ours."""
    if not isinstance(s, dict):
        raise malformed("Invalid JSON given in the body of the request - expected a map")
    if len(str(s.get("name", "")).encode()) > 4096:
        raise invalid("The job name must be at most 4096 bytes.")
    if len(s.get("description") or "") > 27700:
        raise invalid("The description must be at most 27700 characters.")
    if len(s.get("tags") or {}) > 25:
        raise invalid("A job can have at most 25 tags.")
    check_number("", s)
    if not 0 <= s.get("max_concurrent_runs", 1) <= 1000:
        raise invalid("max_concurrent_runs must be between 0 and 1000.")
    for name in ("schedule", "trigger", "continuous"):
        state = (s.get(name) or {}).get("pause_status", "PAUSED")
        if state not in ("PAUSED", "UNPAUSED"):     # a guess: that a wrong word is refused like a wrong type
            raise malformed(f"Could not parse request object: no constant '{state}' of PauseStatus")
    if s.get("continuous") and s.get("schedule") or s.get("triggers") and any(
            s.get(k) for k in ("schedule", "trigger", "continuous")):
        raise invalid("Only one of schedule, trigger, triggers and continuous can be specified.")
    tasks = s.get("tasks") or []
    if len(tasks) > LARGE and api != "2.2":
        raise invalid("Resources with more than 100 tasks can only be handled by API 2.2 and above.")
    if len(tasks) > 1000:
        raise invalid("A job can have at most 1000 tasks.")
    keys = [t.get("task_key") for t in tasks if isinstance(t, dict)]
    if len(set(keys)) != len(keys):
        raise invalid("Duplicate task key found: " + next(str(k) for k in keys if keys.count(k) > 1))
    clusters = {c.get("job_cluster_key") for c in s.get("job_clusters") or []}
    environments = {e.get("environment_key") for e in s.get("environments") or []}
    for c in s.get("job_clusters") or []:
        check_cluster(c.get("new_cluster") or {})
    for t in tasks:
        check_task(t, set(keys), clusters, environments)
    check_circle(tasks)


# ---- what comes of them ----

def without_empty(v, of_user=False):
    """No list, map or text without content: the server's own model has none. A number 0 and false stay, and the empty
    values of maps whose keys are the user's."""
    if isinstance(v, dict):
        pairs = ((k, without_empty(w, k in MAPS)) for k, w in v.items())
        return {k: w for k, w in pairs if of_user or w not in ({}, [], "", None)}
    if isinstance(v, list):
        return [without_empty(w) for w in v]
    return v


def cluster(c, options):
    c.pop("apply_policy_default_values", None)
    attributes = options["cloud"] + "_attributes"
    c[attributes] = {**ATTRIBUTES[options["cloud"]], **c.get(attributes, {})}
    c.setdefault("data_security_mode", "SINGLE_USER")
    c.setdefault("enable_elastic_disk", True)
    if c.get("node_type_id"):
        c.setdefault("driver_node_type_id", c["node_type_id"])
    for name, value in options["policies"].get(c.get("policy_id"), {}).items():
        c[name] = {**value, **c.get(name, {})} if isinstance(value, dict) else c.get(name, value)


def task(t, git, options):
    for key in set(t) - TASK:
        del t[key]
    t.setdefault("run_if", "ALL_SUCCESS")
    t.setdefault("timeout_seconds", 0)
    for name in ("email_notifications", "webhook_notifications"):
        t.setdefault(name, {})
    for kind in ("notebook_task", "spark_python_task", "dbt_task"):
        if kind in t:
            t[kind].setdefault("source", "GIT" if git else "WORKSPACE")
    if "file" in t.get("sql_task", {}):
        t["sql_task"]["file"].setdefault("source", "GIT" if git else "WORKSPACE")
    if "pipeline_task" in t:
        t["pipeline_task"].setdefault("full_refresh", False)
    if "new_cluster" in t:
        cluster(t["new_cluster"], options)
    if "depends_on" in t:
        t["depends_on"].sort(key=lambda d: d["task_key"])
    if "task" in t.get("for_each_task", {}):
        task(t["for_each_task"]["task"], git, options)


def normalised(sent, api, options, before=None):
    """The settings that come back. before: those that are replaced."""
    known = KNOWN | OLD if api == "2.0" else KNOWN
    s = without_empty({k: copy.deepcopy(v) for k, v in sent.items() if k in known})
    s.setdefault("name", "Untitled")
    s["format"] = "SINGLE_TASK" if api == "2.0" and "tasks" not in s else "MULTI_TASK"
    for name in ("email_notifications", "webhook_notifications"):
        s.setdefault(name, {})
    s.setdefault("timeout_seconds", 0)
    s.setdefault("max_concurrent_runs", 1)
    s.setdefault("performance_target", "PERFORMANCE_OPTIMIZED")
    if api == "2.2":
        s.setdefault("queue", {"enabled": True})
    for name in ("schedule", "trigger", "continuous"):
        if name in s:
            s[name].setdefault("pause_status", "UNPAUSED")
    if before and "run_as" in before and "run_as" not in s:
        s["run_as"] = before["run_as"]      # a reset does not take it away
    for t in s.get("tasks", []):
        task(t, "git_source" in s, options)
    for c in s.get("job_clusters", []):
        cluster(c.setdefault("new_cluster", {}), options)
    if "new_cluster" in s:
        cluster(s["new_cluster"], options)
    return s


def updated(old, new, remove):
    """jobs/update: top fields are replaced whole, elements of the keyed arrays by their key."""
    out = copy.deepcopy(old)
    for name, value in new.items():
        if name in KEYED and isinstance(value, list):
            key = KEYED[name]
            given = {v.get(key): v for v in value if isinstance(v, dict)}
            out[name] = [given.pop(v[key], v) for v in out.get(name, [])] + list(given.values())
        else:
            out[name] = value
    for path in remove:
        name, _, element = path.partition("/")
        if not element:
            out.pop(name, None)
        elif name in KEYED:
            out[name] = [v for v in out.get(name, []) if v[KEYED[name]] != element]
        else:
            raise invalid(f"fields_to_remove: '{path}' is neither a field nor an element of {', '.join(KEYED)}")
    return out


def given_back(s, options):
    """As jobs/get gives them: some lists are in no order that anybody chose."""
    s = copy.deepcopy(s)
    for holder in (s, *s.get("tasks", [])):
        for hooks in holder.get("webhook_notifications", {}).values():
            if isinstance(hooks, list):
                hooks.sort(key=lambda h: h.get("id", "")[::-1])
    if options["ui_made"]:
        of_pages(s)
    if options["shuffle_tasks"]:
        s.get("tasks", []).sort(key=lambda t: t["task_key"][::-1])
    return s


def of_pages(s):
    """What a job has that was made in the workspace's own pages."""
    s["email_notifications"] = {"no_alert_for_skipped_runs": False, **s["email_notifications"]}
    for t in s.get("tasks", []):
        t.setdefault("disabled", False)
        t["email_notifications"] = {"no_alert_for_skipped_runs": False, **t["email_notifications"]}
        t.setdefault("notification_settings", {"no_alert_for_skipped_runs": False, "no_alert_for_canceled_runs": False,
                                               "alert_on_last_attempt": False})
    for c in s.get("job_clusters", []):
        c["new_cluster"].setdefault("cluster_name", "")


def check_readable(s, api):
    if api != "2.2" and len(s.get("tasks", [])) > LARGE:
        raise invalid("Resources with more than 100 tasks can only be handled by API 2.2 and above.")


def quota(message):
    return refuse(400, "QUOTA_EXCEEDED", message)
