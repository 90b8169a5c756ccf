"""/api/2.0/workspace/ and /api/2.0/workspace-files/: notebooks and files of the workspace's own tree."""
import base64
import binascii
import posixpath

from .answers import Answer, Refused, invalid, refuse
from .records import Notebook

LIMIT = 10 * 1024 * 1024
MARK = b"# Databricks notebook source"
LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
SUFFIXES = {v: k for k, v in LANGUAGES.items()}


def path_of(path):
    path = (path or "").removeprefix("/Workspace")
    if not path.startswith("/"):
        raise invalid(f"Path ({path}) doesn't start with '/'")
    return path.rstrip("/") or "/"


def absent(path):
    return refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")


def exists(call, path):
    return call.notebooks.is_dir(path) or call.notebooks.is_file(path)


def store(call, path, data, kind, language, overwrite):
    """What import and import-file share. The folder above must be there."""
    parent = posixpath.dirname(path)
    if len(data) > LIMIT:
        raise refuse(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size imported is ({len(data)} bytes), exceeded max size ({LIMIT} bytes)")
    if not call.notebooks.is_dir(parent):
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({parent}) does not exist.")
    old = call.ws.all["notebook"].get(path)
    if call.notebooks.is_dir(path) or old and old.object_type != kind:
        raise invalid(f"Node named '{posixpath.basename(path)}' already exists")
    if old and not overwrite:
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"{path} already exists. Please pass overwrite=true to overwrite it.")
    call.notebooks.put(path, data)
    call.ws.keep(Notebook(path, old.object_id if old else call.ws.new_id(), kind, language))
    return Answer()


def as_found(path, data):
    """Path, kind and language where the content decides: a notebook loses its suffix."""
    stem, suffix = posixpath.splitext(path)
    if suffix in LANGUAGES and data.split(b"\n", 1)[0].strip() == MARK:
        return stem, "NOTEBOOK", LANGUAGES[suffix]
    return path, "FILE", ""


def import_(call):
    body = call.json()
    path, how = path_of(body.get("path")), body.get("format", "SOURCE")
    try:
        data = base64.b64decode(body.get("content", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise invalid("content is not base64") from None
    if how in ("AUTO", "RAW"):
        path, kind, language = as_found(path, data) if how == "AUTO" else (path, "FILE", "")
    elif how == "SOURCE":
        kind, language = "NOTEBOOK", body.get("language")
        if language not in SUFFIXES:
            raise invalid("The language must be one of SCALA, PYTHON, SQL, R.")
    else:
        raise invalid(f"format {how} is not supported here: AUTO, RAW, SOURCE")
    return store(call, path, data, kind, language, body.get("overwrite"))


def import_file(call):
    path, kind, language = as_found(path_of("/" + call.args[0]), call.body)
    overwrite = call.query.get("overwrite", "false").lower() == "true"
    old = call.ws.all["notebook"].get(path)
    if old and old.object_type == "NOTEBOOK" and not overwrite:
        raise Refused(400, {"message": f"Node with name {path} already exists."})
    if old and not overwrite:
        raise refuse(409, "ALREADY_EXISTS", f"{path} already exists.")
    return store(call, path, call.body, kind, language, overwrite)


def info(call, path):
    n = call.ws.all["notebook"].get(path)
    if not n:
        return {"object_type": "DIRECTORY", "path": path, "object_id": 1, "resource_id": "1"}
    out = {"object_type": n.object_type, "path": path, "object_id": n.object_id, "resource_id": str(n.object_id)}
    if n.object_type == "NOTEBOOK":
        return {**out, "language": n.language}
    when = call.notebooks.modified(path)
    return {**out, "created_at": when, "modified_at": when, "size": call.notebooks.size(path)}


def there(call):
    path = path_of(call.query.get("path"))
    if not exists(call, path):
        raise absent(path)
    return path


def get_status(call):
    return Answer(200, info(call, there(call)))


def list_(call):
    path = there(call)
    if call.notebooks.is_file(path):
        return Answer(200, {"objects": [info(call, path)]})
    objects = [info(call, path.rstrip("/") + "/" + n) for n in call.notebooks.names(path)]
    return Answer(200, {"objects": objects} if objects else {})


def export(call):
    path = there(call)
    if call.notebooks.is_dir(path):
        raise invalid(f"{path} is a directory")
    data, n = call.notebooks.read(path), call.ws.all["notebook"][path]
    if call.query.get("direct_download") == "true":
        return Answer(200, data)
    return Answer(200, {"content": base64.b64encode(data).decode(), "file_type": SUFFIXES.get(n.language, "").lstrip(".")})


def mkdirs(call):
    path = path_of(call.json().get("path"))
    if call.notebooks.is_file(path) or call.notebooks.parents(path):
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"{path} already exists and it is not a folder")
    call.notebooks.make(path)
    return Answer()


def delete(call):
    body = call.json()
    path = path_of(body.get("path"))
    if not exists(call, path):
        raise absent(path)
    if call.notebooks.is_dir(path) and call.notebooks.names(path) and not body.get("recursive"):
        raise refuse(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
    call.notebooks.remove(path)
    for n in [n for p, n in call.ws.all["notebook"].items() if p == path or p.startswith(path + "/")]:
        call.ws.drop(n)
    return Answer()
