"""The connection's form: its fields come from the model, with titles, units and help; errors stand beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData

from services.console.api.models import ConnectionChanges, ConnectionDraft
from services.console.registries import Draft
from shared.connections.rules import invalid
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import PASSWORD, ConnectionFields, Group

PASSWORD_FIELD: Final = "password"  # noqa: S105  # a name
_LONG: Final = frozenset({"ca"})
_OPEN: Final = frozenset({Group.REGISTRY, Group.SIGN_IN, Group.LOADING})
"""Groups that are open at first: the others' defaults are well for nearly everybody."""


@dataclass(frozen=True)
class FormField:
    """kind: text, number, select, check, lines, long or password.  value: as the element shows it."""

    name: str
    kind: str
    title: str
    help: str
    unit: str
    value: Any
    choices: tuple[str, ...] = ()
    required: bool = False
    step: str = "1"
    error: str = ""
    caution: str = ""


@dataclass(frozen=True)
class FormGroup:
    """is_open: whether it is shown at first."""

    title: str
    fields: tuple[FormField, ...]
    is_open: bool


def groups_of(
    values: Mapping[str, Any], errors: Mapping[str, str], cautions: Mapping[str, str], *, has_password: bool
) -> tuple[FormGroup, ...]:
    """Return the form's groups.  values: by field, as `shown_values` or `given_values` make them."""
    made: dict[str, list[FormField]] = {group.value: [] for group in Group}
    for name, field in _fields().items():
        made[_extra(field)["group"]].append(_form_field(name, field, values, errors, cautions))
        if name == "username":
            made[Group.SIGN_IN.value].append(_password_field(errors, has_password=has_password))
    return tuple(
        FormGroup(title, tuple(fields), title in _OPEN or any(f.error or f.caution for f in fields))
        for title, fields in made.items()
    )


def shown_values(connection: Connection | None) -> dict[str, Any]:
    """Return what the form shows of a connection, or of a new one's defaults."""
    values = {}
    for name, field in _fields().items():
        value = getattr(connection, name) if connection else field.get_default(call_default_factory=True)
        values[name] = _shown("" if field.is_required() and not connection else value)
    return values


def given_values(form: FormData) -> dict[str, Any]:
    """Return what somebody gave, to be shown again where it is wrong. Never the password."""
    return {name: _given(form, name, field) for name, field in _fields().items()}


def read_form(form: FormData, *, is_new: bool) -> Draft:
    """Return what a form says. Raises ConnectionInvalid, with what is wrong by field."""
    fields: dict[str, Any] = {}
    for name, field in _fields().items():
        given = _given(form, name, field)
        if _kind(name, field) == "check":
            fields[name] = bool(given)
        elif _kind(name, field) == "lines":
            fields[name] = [line.strip() for line in given.splitlines() if line.strip()]
        elif given.strip() and _kind(name, field) == "number":
            fields[name] = _number(given.strip())
        elif given.strip() or field.is_required():
            fields[name] = given.strip() if name not in _LONG else given
        else:
            fields[name] = None if _is_nullable(field.annotation) else field.default
    model = ConnectionDraft if is_new else ConnectionChanges
    try:
        read = model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from None  # the library's error quotes what was given
    password = str(form.get(PASSWORD_FIELD) or "")
    return Draft(
        read.draft().settings, SecretStr(password) if password else None, clears_password=not fields["username"]
    )


def _number(text: str) -> int | float | str:
    """Return the number that was typed, or the text, for the model to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _fields() -> Mapping[str, FieldInfo]:
    return {name: field for name, field in ConnectionFields.model_fields.items() if name != "shards"} | {
        "shards": ConnectionFields.model_fields["shards"]
    }


def _form_field(
    name: str, field: FieldInfo, values: Mapping[str, Any], errors: Mapping[str, str], cautions: Mapping[str, str]
) -> FormField:
    kind = _kind(name, field)
    is_float = float in _types(field.annotation)
    return FormField(
        name=name,
        kind=kind,
        title=field.title or name,
        help=field.description or "",
        unit=_extra(field).get("unit", ""),
        value=values.get(name, ""),
        choices=tuple(choice.value for choice in _choices(field)),
        required=field.is_required(),
        step="any" if is_float else "1",
        error=errors.get(name, ""),
        caution=cautions.get(name, ""),
    )


def _password_field(errors: Mapping[str, str], *, has_password: bool) -> FormField:
    told = "A password is kept. " if has_password else ""
    help_ = told + str(PASSWORD["description"])
    return FormField(
        PASSWORD_FIELD, "password", str(PASSWORD["title"]), help_, "", "", error=errors.get(PASSWORD_FIELD, "")
    )


def _given(form: FormData, name: str, field: FieldInfo) -> Any:
    value = form.get(name)
    if _kind(name, field) == "check":
        return value is not None
    return value if isinstance(value, str) else ""


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return "\n".join(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "" if value is None else value


def _kind(name: str, field: FieldInfo) -> str:
    types = _types(field.annotation)
    if name in _LONG:
        return "long"
    if bool in types:
        return "check"
    if tuple in types:
        return "lines"
    if types & {int, float}:
        return "number"
    return "select" if _choices(field) else "text"


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    return next((tuple(kind) for kind in _types(field.annotation) if issubclass(kind, Enum)), ())


def _types(annotation: Any) -> set[type]:
    """Return the plain types that an annotation allows."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return set().union(*(_types(part) for part in get_args(annotation))) - {NoneType}
    return {origin or annotation}


def _is_nullable(annotation: Any) -> bool:
    return NoneType in get_args(annotation)


def _extra(field: FieldInfo) -> dict[str, str]:
    extra: Any = field.json_schema_extra or {}
    return dict(extra)
