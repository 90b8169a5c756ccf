"""Who asks: tokens of people and of service principals, OAuth for machines, "who am I"."""
import base64
import binascii
import hashlib

from .answers import Answer, Refused, bad_token, no_credential
from .records import Token, User

NEAR_END_MS = 30000     # a token this near to its end is refused


def user_of(ws, headers, request_id):
    """The user of a call and the scopes of its token."""
    word, _, value = headers.get("Authorization", "").partition(" ")
    if word != "Bearer" or not value:
        raise no_credential(request_id)
    token = ws.all["token"].get(value.strip())
    if not token:
        raise bad_token()
    if token.expires:
        left = token.expires - ws.now()
        if left <= 0:
            raise bad_token(ws.options["expired_status"])
        if left <= NEAR_END_MS:
            raise bad_token(ws.options["expired_status"], "Token is expiring within 30 seconds. (token expired)")
    return ws.all["user"][token.user], token


def expire(ws, headers):
    """What the fault "expired" means: an OAuth token is over; a person's token stays."""
    token = ws.all["token"].get(headers.get("Authorization", "").partition(" ")[2].strip())
    if token and token.expires:
        token.expires = ws.now()
        ws.keep(token)


def check_scope(token, family, request_id):
    if "all-apis" not in token.scopes and family not in token.scopes:
        raise Refused(403, {"error_code": 403, "message": f"Provided OAuth token does not have required scopes: {family} "
                            f"[ReqId: {request_id}]"})


def add_user(ws, name, **more):
    """A user that is there, or made now."""
    return ws.all["user"].get(name) or ws.keep(User(name, **more))


def me(call):
    u = call.user
    name = u.name
    groups = [{"display": g, "value": str(n)} for n, g in enumerate((["admins"] if u.admin else []) + u.groups, 1)]
    return Answer(200, {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": str(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)), "userName": name, "displayName": name, "active": True,
        "emails": [] if u.application else [{"value": name, "type": "work", "primary": True}], "groups": groups,
    }, {"X-Databricks-Org-Id": call.ws.options["org_id"]})


# ---- OAuth ----

def config(call):
    return Answer(200, {"oidc_endpoint": call.base + "/oidc", "workspace_id": call.ws.options["org_id"],
                        "account_id": "6a3c0d2e-0000-4000-8000-000000000001", "cloud": call.ws.options["cloud"].upper(),
                        "host_type": "WORKSPACE_HOST"})


def discover(call):
    return Answer(200, {"issuer": call.base + "/oidc", "authorization_endpoint": call.base + "/oidc/v1/authorize",
                        "token_endpoint": call.base + "/oidc/v1/token"})


def oauth_error(status, error, text):
    return Refused(status, {"error": error, "error_description": text})


def token(call):
    word, _, value = call.headers.get("Authorization", "").partition(" ")
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        client_id = secret = ""
    client = call.ws.all["client"].get(client_id)
    if word != "Basic" or not client or client.secret != secret:
        raise oauth_error(401, "invalid_client", "Client authentication failed")
    form = call.form()
    if form.get("grant_type") != "client_credentials":
        raise oauth_error(400, "unsupported_grant_type", "The grant type is not supported")
    scopes = form.get("scope", "all-apis").split()
    missing = [s for s in scopes if s not in client.scopes and "all-apis" not in client.scopes]
    if missing:
        raise oauth_error(400, "access_denied", f"Scopes '{' '.join(missing)}' are not assigned to this client")
    life = call.ws.options["token_life_s"]
    add_user(call.ws, client_id, application=True)
    t = call.ws.keep(Token(f"eyfake.{call.ws.new_id()}", client_id, call.ws.now() + life * 1000, scopes))
    return Answer(200, {"access_token": t.value, "token_type": "Bearer", "scope": " ".join(scopes),
                        "expires_in": str(life) if call.ws.options["expires_in_text"] else life})
