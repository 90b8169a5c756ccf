"""What the server says: an answer, or a refusal in one of the documented shapes."""
import dataclasses
import json


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: object = None             # dict: as JSON; bytes: as they are; None: {} or nothing, as the options say
    headers: dict = dataclasses.field(default_factory=dict)

    def encode(self, empty_body=False):
        """Bytes and headers as they go out."""
        headers = {"Server": "databricks", "Vary": "Accept-Encoding", **self.headers}
        if self.status == 204 or (self.body is None and empty_body):
            return b"", headers
        if isinstance(self.body, bytes):
            headers.setdefault("Content-Type", "application/octet-stream")
            return self.body, headers
        headers.setdefault("Content-Type", "application/json; charset=utf-8")
        return json.dumps({} if self.body is None else self.body).encode(), headers


class Refused(Exception):
    """Ends a call with an error. body: dict, or bytes where it is no JSON."""

    def __init__(self, status, body, headers=None):
        super().__init__(f"{status} {body}")
        self.answer = Answer(status, body, headers or {})


def refuse(status, code, message, details=None):
    body = {"error_code": code, "message": message}
    if details:
        body["details"] = details
    return Refused(status, body)


def request_info(request_id):
    return {"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": request_id, "serving_data": ""}


def error_info(reason, domain):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": {}}


def invalid(message):
    return refuse(400, "INVALID_PARAMETER_VALUE", message)


def malformed(message):
    return refuse(400, "MALFORMED_REQUEST", message)


def no_credential(request_id):
    return Refused(401, {"error_code": 401, "message": "Credential was not sent or was of an unsupported type for this "
                         f"API. [ReqId: {request_id}]"})


def bad_token(status=403, message="Invalid access token."):
    """The code is a number here, and the text stands in a header too."""
    return Refused(status, {"error_code": status, "message": message},
                   {"X-Databricks-Reason-Phrase": message, "Cache-Control": "no-cache, no-store, must-revalidate"})


def no_permission(user, words, job_id, request_id):
    return refuse(403, "PERMISSION_DENIED", f"User {user} does not have {words} permissions on job {job_id}",
                  [request_info(request_id)])
