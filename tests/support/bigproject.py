"""Projects of any size, made of the example's own pipeline, for benches and for tests that count.

    write(folder, pipelines=200, files=10000)     whole pipelines, filled up with modules to that many files
    write(folder, pipelines=10000, lean=True)     of each pipeline only the files that rules read

No two files hold the same bytes, so nothing is judged for less than it is. Every tenth pipeline has a job.
"""
import json
import os

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALES = os.path.join(SRC, "examples", "sales")
MODEL = "customers_orders"
LEAN = ("code/setup.py", "code/.prophecy/workflow.latest.json", "code/configs/resources/config/prod.json", "code/main.py")
MODULE = f"code/{MODEL}/graph/customer_totals.py"
HEAD = """name: {name}
description: {pipelines} pipelines
version: 1.0.0
author: ana@example.com
language: python
buildSystem: wheel
pipelines:
"""
LEAN_HEAD = """  pipelines/{p}:
    name: {p}
    language: python
    mode: batch
"""
ENTRY = """    description: number {i} of many
    author: ana@example.com
    artefactID: ''
    createdAt: '2026-01-12 09:30:00'
    datasets:
      inputs:
      - datasets/orders
      outputs:
      - datasets/totals_{i}
    subgraphs: []
    dependencies: {{}}
"""
JOB = """  jobs/{j}:
    name: {j}
    description: ''
    fabricUID: 1174
    scheduler:
      Databricks: {{}}
    enabled: false
    pipelines:
    - pipelines/{p}
"""
TAIL = "".join(f"{k}: {{}}\n" for k in ("datasets", "templates", "subgraphs", "sqlModels", "projectDependencies"))


def name_of(i):
    return f"load_{i:05}"


def model():
    """Path below the pipeline's folder to text."""
    top, found = os.path.join(SALES, "pipelines", MODEL), {}
    for folder, _, names in os.walk(top):
        for n in names:
            path = os.path.join(folder, n)
            with open(path, encoding="utf-8") as f:
                found[os.path.relpath(path, top)] = f.read()
    return found


def own(path, text, name):
    """The text of the model's file for the pipeline `name`; no other file has these bytes."""
    text = text.replace(MODEL, name)
    if path.endswith(".json"):
        return json.dumps({**json.loads(text), "made for": f"{name} {path}"}, indent=2)
    mark = "#" if path.endswith((".py", ".yml", ".conf")) else "//"
    return f"{mark} {name} {path}\n{text}"


def pipeline(i, files, lean, texts):
    """Files of one pipeline; `files` None: as many as the model has."""
    name, n = name_of(i), 0
    for path, text in sorted(texts.items()):
        if lean and path not in LEAN:
            continue
        n += 1
        yield f"pipelines/{name}/{path.replace(MODEL, name)}", own(path, text, name)
    for k in range(n, files or n):
        path = f"code/{MODEL}/graph/step_{k}.py"
        yield f"pipelines/{name}/{path.replace(MODEL, name)}", own(path, texts[MODULE], name)


def job(i):
    name, p = f"job_{i:05}", name_of(i)
    components = [{"PipelineComponent": {"nodeName": p, "path": f"dbfs:/__PROJECT_ID_PLACEHOLDER__/{p}", "id": f"pipelines/{p}"}}]
    task = {"task_key": p, "python_wheel_task": {"package_name": p, "entry_point": "main", "parameters": ["-i", "prod", "-O", "{}"]}}
    yield f"jobs/{name}/code/databricks-job.json", json.dumps(
        {"fabric_id": "1174", "components": components, "request": {"name": name, "tasks": [task]}}, indent=1)
    yield f"jobs/{name}/code/prophecy-job.json", json.dumps(
        {"metainfo": {}, "processes": {}, "connections": [], "made for": name})


def files_of(pipelines, files=None, lean=False):
    """Pairs of path and text: first the project's file, then all others."""
    jobs = range(0, pipelines, 10)
    yml = HEAD.format(name="load", pipelines=pipelines)
    for i in range(pipelines):
        yml += LEAN_HEAD.format(p=name_of(i)) + ("" if lean else ENTRY.format(i=i))
    yml += "jobs:\n" + "".join(JOB.format(j=f"job_{i:05}", p=name_of(i)) for i in jobs) + TAIL
    yield "pbt_project.yml", yml
    for i in jobs:
        yield from job(i)
    texts, left = model(), files - 1 - 2 * len(jobs) if files else None
    for i in range(pipelines):
        share = left // (pipelines - i) if files else None
        made = list(pipeline(i, share, lean, texts))
        left = left - len(made) if files else None
        yield from made


def write(folder, pipelines, files=None, lean=False):
    """How many files it made."""
    n = 0
    for path, text in files_of(pipelines, files, lean):
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        n += 1
    return n


def change(folder, i, word):
    """Makes pipeline i another one than it was."""
    path = os.path.join(folder, "pipelines", name_of(i), "code", "main.py")
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"# {word}\n")
