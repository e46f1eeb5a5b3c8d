"""A content digest: `sha256:` and 64 lower-case hex characters."""

import hashlib
import re
from functools import partial
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.errors import PermanentError

_FORM: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """A checked sha256 digest. Being a str it prints, sorts and serialises as its text.

    Raises PermanentError (reason `digest_invalid`) for anything else, other algorithms included: an image
    is identified by its sha256. Source: OCI image-spec, Digests.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _FORM.fullmatch(text):
            raise PermanentError(
                f"{text[:80]!r} is not a sha256 digest (sha256: and 64 hex characters).",
                reason="digest_invalid",
            )
        return super().__new__(cls, text)

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the digest of these bytes."""
        return super().__new__(cls, "sha256:" + hashlib.sha256(body).hexdigest())

    @classmethod
    def from_raw(cls, raw: bytes) -> Self:
        """Return the digest whose 32 bytes are `raw` (the store's FixedString(32))."""
        return super().__new__(cls, "sha256:" + raw.hex())

    @property
    def hex(self) -> str:
        """The 64 hex characters."""
        return self[7:]

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return bytes.fromhex(self[7:])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # The pattern is the check: what is called then only makes one of the text. Messages are full of digests.
        matching = core_schema.str_schema(pattern=f"^{_FORM.pattern}$")
        text = core_schema.no_info_after_validator_function(partial(super().__new__, cls), matching)
        # One that was checked before is taken as it is: a decision is full of them.
        checked = core_schema.union_schema([core_schema.is_instance_schema(cls), text], mode="left_to_right")
        return core_schema.custom_error_schema(
            core_schema.json_or_python_schema(json_schema=text, python_schema=checked),
            custom_error_type="digest_invalid",
            custom_error_message="It is not a sha256 digest (sha256: and 64 hex characters).",
            serialization=core_schema.simple_ser_schema("str"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # Without the pattern: the schemas of the events were published without, and only get optional additions.
        return {"type": "string"}
