"""Loaded by Schemathesis: whatever it makes up, no request leaves this machine."""

import re
from typing import Any

import schemathesis
from pydantic import TypeAdapter, ValidationError

from shared.messages.connection_fields import CaCertificates, Host

NOWHERE = "http://127.0.0.1:9"
_HOST: TypeAdapter[str] = TypeAdapter(Host)
_CA: TypeAdapter[str] = TypeAdapter(CaCertificates)


@schemathesis.hook
def map_body(_: Any, body: Any) -> Any:
    """Lead every made-up registry to a port where nobody listens, and take made-up certificates away.

    What breaks the schema stays, to be refused.
    """
    if not isinstance(body, dict):
        return body
    mapped = dict(body)
    if _passes(_HOST, body.get("host")):
        mapped["host"] = NOWHERE
    if _passes(_CA, body.get("ca")) and body.get("skip_tls_verification") is not True:  # both at once are refused
        mapped["ca"] = None
    return mapped


def _passes(kind: TypeAdapter[str], value: Any) -> bool:
    """Whether the schema or the model takes it: nobody can make up a real certificate, or a host that nobody has."""
    schema = kind.json_schema()
    if not isinstance(value, str):
        return False
    if len(value) <= schema["maxLength"] and re.search(schema["pattern"], value):
        return True
    try:
        return bool(kind.validate_python(value))
    except ValidationError:
        return False
