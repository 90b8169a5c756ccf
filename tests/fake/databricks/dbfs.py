"""/api/2.0/dbfs/: what the older interface has, at 1 MiB a piece."""
import base64
import binascii
import dataclasses

from .answers import Answer, invalid, refuse

BLOCK = 1024 * 1024


@dataclasses.dataclass
class Handle:
    path: str
    data: bytearray
    used: int       # when it was, ms


def path_of(call, given):
    path = (given or "").removeprefix("dbfs:")
    if not path.startswith("/"):
        raise invalid(f"Path must be absolute: {given}")
    if path == "/Volumes" or path.startswith("/Volumes/"):
        raise invalid("No operations allowed on this path")
    if not call.ws.options["dbfs_root"]:    # that it is told by this status and code is a guess
        raise refuse(403, "PERMISSION_DENIED", f"Public DBFS root is disabled. Access is denied on path: {path}")
    return path


def absent(path):
    return refuse(404, "RESOURCE_DOES_NOT_EXIST", f"No file or directory exists on path {path}.")


def check_place(call, path, overwrite):
    tree = call.dbfs
    if tree.is_dir(path) or tree.parents(path):
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists at the input path {path}.")
    if tree.is_file(path) and not overwrite:
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists at the input path {path}.")


def decoded(text, name):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise invalid(f"'{name}' is not base64") from None


def too_large(name, size):
    return refuse(400, "MAX_BLOCK_SIZE_EXCEEDED", f"The '{name}' data cannot exceed {BLOCK} bytes. Found: {size} bytes. You might "
                  "want to use streaming upload instead.")


def put(call):
    fields = call.multipart()
    if fields is None:
        body = call.json()
        path, overwrite = path_of(call, body.get("path")), body.get("overwrite")
        data = decoded(body.get("contents", ""), "contents")
        if len(data) > BLOCK:
            raise too_large("contents", len(data))
    else:
        path = path_of(call, fields.get("path", b"").decode())
        overwrite = fields.get("overwrite", b"").decode().lower() in ("true", "1")
        data = fields.get("file", fields.get("contents"))
        if data is None:
            raise invalid("The form has no part 'file'.")
    check_place(call, path, overwrite)
    call.dbfs.put(path, data)
    return Answer()


def create(call):
    body = call.json()
    path = path_of(call, body.get("path"))
    check_place(call, path, body.get("overwrite"))
    handle = call.ws.new_id()
    call.ws.handles[handle] = Handle(path, bytearray(), call.ws.now())
    return Answer(200, {"handle": handle})


def handle_of(call, body):
    number = call.id(body, "handle")
    h = call.ws.handles.get(number)
    if h and call.ws.now() - h.used > call.ws.options["handle_idle_s"] * 1000:
        h = call.ws.handles.pop(number, None) and None
    if not h:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"No stream with handle {number} exists.")
    h.used = call.ws.now()
    return number, h


def add_block(call):
    body = call.json()
    _, h = handle_of(call, body)
    data = decoded(body.get("data", ""), "data")
    if len(data) > BLOCK:
        raise too_large("data", len(data))
    h.data += data
    return Answer()


def close(call):
    number, h = handle_of(call, call.json())
    check_place(call, h.path, True)
    call.dbfs.put(h.path, bytes(h.data))
    del call.ws.handles[number]
    return Answer()


# ---- reading and removing ----

def info(call, path):
    return {"path": path, "is_dir": call.dbfs.is_dir(path), "file_size": call.dbfs.size(path),
            "modification_time": call.dbfs.modified(path)}


def there(call, path):
    if not call.dbfs.is_dir(path) and not call.dbfs.is_file(path):
        raise absent(path)
    return path


def get_status(call):
    return Answer(200, info(call, there(call, path_of(call, call.query.get("path")))))


def list_(call):
    path = there(call, path_of(call, call.query.get("path")))
    if call.dbfs.is_file(path):
        return Answer(200, {"files": [info(call, path)]})
    files = [info(call, path.rstrip("/") + "/" + n) for n in call.dbfs.names(path)]
    return Answer(200, {"files": files} if files else {})


def read(call):
    path = there(call, path_of(call, call.query.get("path")))
    offset, length = call.number("offset", 0), call.number("length", BLOCK // 2)
    if call.dbfs.is_dir(path):
        raise invalid(f"{path} is a directory.")
    if length > BLOCK:
        raise refuse(400, "MAX_READ_SIZE_EXCEEDED", f"The read length cannot exceed {BLOCK} bytes.")
    data = call.dbfs.read(path)[offset:offset + length]
    return Answer(200, {"bytes_read": len(data), "data": base64.b64encode(data).decode()})


def mkdirs(call):
    path = path_of(call, call.json().get("path"))
    if call.dbfs.is_file(path) or call.dbfs.parents(path):
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"A file already exists at the input path {path}.")
    call.dbfs.make(path)
    return Answer()


def move(call):
    """Never onto something that is there."""
    body = call.json()
    source, to = there(call, path_of(call, body.get("source_path"))), path_of(call, body.get("destination_path"))
    if call.dbfs.is_dir(to) or call.dbfs.is_file(to) or call.dbfs.parents(to):
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists at the input path {to}.")
    call.dbfs.move(source, to)
    return Answer()


def delete(call):
    """Of what is not there: done."""
    body = call.json()
    path = path_of(call, body.get("path"))
    if call.dbfs.is_dir(path) and call.dbfs.names(path) and not body.get("recursive"):
        raise refuse(400, "IO_ERROR", "Directory is not empty. Use recursive delete or remove contents first.")
    if call.dbfs.is_dir(path) or call.dbfs.is_file(path):
        call.dbfs.remove(path)
    return Answer()
