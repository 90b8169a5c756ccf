"""/api/2.0/fs/: files and folders of Unity Catalog volumes."""
import email.utils
import posixpath

from .answers import Answer, Refused, error_info, request_info
from .jobs import page_token, read_token

LIMIT = 2 * 1024 ** 3


def fs_error(call, status, code, reason, message):
    return Refused(status, {"error_code": code, "message": message, "details": [
        error_info(f"FILES_API_{reason}", "filesystem.databricks.com"), request_info(call.request_id)]})


def path_of(call, root=False):
    """Below /Volumes/catalog/schema/volume, which must be there. root: the volume itself may be meant."""
    path = "/" + call.args[0].strip("/")
    parts = path.split("/")[1:]
    if parts[0] != "Volumes" or len(parts) < (4 if root else 5):
        raise fs_error(call, 400, "INVALID_PARAMETER_VALUE", "INVALID_PATH", f"Invalid path: {path}")
    volume = "/" + "/".join(parts[:4])
    if call.ws.options["volumes"] and volume not in call.ws.options["volumes"]:
        raise fs_error(call, 404, "NOT_FOUND", "VOLUME_IS_NOT_FOUND", f"Volume '{'.'.join(parts[1:4])}' does not exist.")
    return path.removeprefix("/Volumes")


def absent(call, path):
    return fs_error(call, 404, "NOT_FOUND", "FILE_OR_DIRECTORY_NOT_FOUND", f"The path /Volumes{path} does not exist.")


def done(call):
    return Answer(call.ws.options["fs_status"])


def put(call):
    """Without a word about it a file is overwritten; overwrite=false alone forbids it."""
    path = path_of(call)
    if len(call.body) > LIMIT:
        raise fs_error(call, 413, "REQUEST_ENTITY_TOO_LARGE", "FILE_TOO_LARGE", "The file is too large.")
    if call.volumes.is_dir(path) or call.volumes.parents(path):
        raise fs_error(call, 409, "ALREADY_EXISTS", "PATH_IS_A_DIRECTORY", f"/Volumes{path} is in the way of a file.")
    if call.volumes.is_file(path) and call.query.get("overwrite", "true").lower() == "false":
        raise fs_error(call, 409, "ALREADY_EXISTS", "FILE_ALREADY_EXISTS", f"The file /Volumes{path} exists already.")
    above = posixpath.dirname(path)
    if not call.ws.options["fs_parents"] and above.count("/") > 3 and not call.volumes.is_dir(above):
        raise absent(call, above)
    call.volumes.put(path, call.body)
    return done(call)


def file_headers(call, path):
    return {"Content-Type": "application/octet-stream",
            "Last-Modified": email.utils.formatdate(call.volumes.modified(path) / 1000, usegmt=True)}


def get(call):
    path = path_of(call)
    if not call.volumes.is_file(path):
        raise absent(call, path)
    return Answer(200, call.volumes.read(path), file_headers(call, path))


def delete(call):
    path = path_of(call)
    if not call.volumes.is_file(path):
        raise absent(call, path)
    call.volumes.remove(path)
    return done(call)


# ---- folders ----

def dir_put(call):
    path = path_of(call, root=True)
    if call.volumes.is_file(path) or call.volumes.parents(path):
        raise fs_error(call, 409, "ALREADY_EXISTS", "PATH_IS_NOT_A_DIRECTORY", f"/Volumes{path} is a file.")
    call.volumes.make(path)
    return done(call)


def dir_there(call):
    """A volume's own folder is always there."""
    path = path_of(call, root=True)
    if path.count("/") == 3 and not call.volumes.is_dir(path):
        call.volumes.make(path)
    if not call.volumes.is_dir(path):
        raise absent(call, path)
    return path


def dir_get(call):
    path = dir_there(call)
    entries = []
    for n in call.volumes.names(path):
        p = path + "/" + n
        e = {"path": "/Volumes" + p, "name": n, "is_directory": call.volumes.is_dir(p), "last_modified": call.volumes.modified(p)}
        entries.append(e if e["is_directory"] else {**e, "file_size": call.volumes.size(p)})
    size = call.number("page_size", 1000)
    at = read_token(call.query["page_token"])["at"] if call.query.get("page_token") else 0
    body = {"contents": entries[at:at + size]} if entries[at:at + size] else {}
    if len(entries) > at + size:
        body["next_page_token"] = page_token(at=at + size)
    return Answer(200, body)


def dir_head(call):
    """The root of an empty volume is told as absent, though it takes files."""
    path = dir_there(call)
    if path.count("/") == 3 and not call.volumes.names(path):
        raise absent(call, path)
    return Answer(200)


def dir_delete(call):
    path = dir_there(call)
    if call.volumes.names(path):
        raise fs_error(call, 400, "INVALID_PARAMETER_VALUE", "DIRECTORY_IS_NOT_EMPTY", f"/Volumes{path} is not empty.")
    call.volumes.remove(path)
    return done(call)
