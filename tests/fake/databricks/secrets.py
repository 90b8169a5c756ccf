"""/api/2.0/secrets/: values go in and never come out by list; the control tells names and rights, no values."""
import base64
import binascii

from .answers import Answer, invalid, refuse
from .records import Scope

LEVELS = ["READ", "WRITE", "MANAGE"]


def may(call, scope, level):
    u = call.user
    have = [scope.acls.get(p) for p in [u.name, "users", *u.groups, *(["admins"] if u.admin else [])]]
    return u.admin or any(h and LEVELS.index(h) >= LEVELS.index(level) for h in have)


def find(call, name, level):
    scope = call.ws.all["scope"].get(name)
    if not scope:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {name} does not exist!")
    if not may(call, scope, level):
        raise refuse(403, "PERMISSION_DENIED", f"User {call.user.name} does not have {level} permission on scope {name}.")
    return scope


def scopes_list(call):
    scopes = [{"name": s.name, "backend_type": "DATABRICKS"} for s in call.ws.all["scope"].values() if may(call, s, "READ")]
    return Answer(200, {"scopes": scopes} if scopes else {})


def scopes_create(call):
    body = call.json()
    name, manage = body.get("scope"), body.get("initial_manage_principal") or call.user.name
    if not name or not isinstance(name, str) or len(name) > 128:
        raise invalid("The scope name must have 1 to 128 characters.")
    if name in call.ws.all["scope"]:
        raise refuse(400, "RESOURCE_ALREADY_EXISTS", f"Scope {name} already exists!")
    if len(call.ws.all["scope"]) >= 1000:
        raise refuse(400, "RESOURCE_LIMIT_EXCEEDED", "Limit of 1000 scopes is reached.")
    call.ws.keep(Scope(name, manage, {}, {manage: "MANAGE"}))
    return Answer()


def scopes_delete(call):
    call.ws.drop(find(call, call.json().get("scope"), "MANAGE"))
    return Answer()


def put(call):
    body = call.json()
    scope = find(call, body.get("scope"), "WRITE")
    key = body.get("key")
    if not key or not isinstance(key, str) or len(key) > 128:
        raise invalid("The key must have 1 to 128 characters.")
    if ("string_value" in body) == ("bytes_value" in body):
        raise invalid("One of string_value and bytes_value must be specified.")
    try:
        value = body["string_value"].encode() if "string_value" in body else base64.b64decode(body["bytes_value"], validate=True)
    except (binascii.Error, AttributeError):
        raise malformed_value() from None
    if len(value) > 128 * 1024:
        raise refuse(400, "RESOURCE_LIMIT_EXCEEDED", "A secret can have at most 128 KB.")
    scope.secrets[key] = {"value": base64.b64encode(value).decode(), "time": call.ws.now()}
    call.ws.keep(scope)
    return Answer()


def malformed_value():
    return invalid("The value of a secret is a string, or base64.")


def get(call):
    scope = find(call, call.query.get("scope"), "READ")
    key = call.query.get("key")
    if key not in scope.secrets:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Secret does not exist with scope: {scope.name} and key: {key}")
    return Answer(200, {"key": key, "value": scope.secrets[key]["value"]})


def list_(call):
    scope = find(call, call.query.get("scope"), "READ")
    secrets = [{"key": k, "last_updated_timestamp": s["time"]} for k, s in scope.secrets.items()]
    return Answer(200, {"secrets": secrets} if secrets else {})


def delete(call):
    body = call.json()
    scope = find(call, body.get("scope"), "WRITE")
    if body.get("key") not in scope.secrets:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"Secret does not exist with scope: {scope.name} and key: {body.get('key')}")
    del scope.secrets[body["key"]]
    call.ws.keep(scope)
    return Answer()


def acls_list(call):
    scope = find(call, call.query.get("scope"), "MANAGE")
    return Answer(200, {"items": [{"principal": p, "permission": level} for p, level in scope.acls.items()]})


def acls_put(call):
    body = call.json()
    scope = find(call, body.get("scope"), "MANAGE")
    if not body.get("principal") or body.get("permission") not in LEVELS:
        raise invalid("principal and permission (READ, WRITE, MANAGE) must be specified.")
    scope.acls[body["principal"]] = body["permission"]
    call.ws.keep(scope)
    return Answer()


def acls_delete(call):
    body = call.json()
    scope = find(call, body.get("scope"), "MANAGE")
    if scope.acls.pop(body.get("principal"), None) is None:
        raise refuse(404, "RESOURCE_DOES_NOT_EXIST", f"No ACL for {body.get('principal')} on scope {scope.name}")
    call.ws.keep(scope)
    return Answer()
