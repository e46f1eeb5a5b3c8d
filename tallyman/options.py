"""The command line's options of a connection, made from the one model that the form and the API show, too."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from shared.connections.certificates import holds_certificates
from shared.messages.connection_fields import ConnectionFields

_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_POSITIONAL: Final = frozenset({"host"})


def with_connection_options(
    *, leave_out: frozenset[str] = frozenset()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field, and the settings that were given as its keyword `settings`.

    leave_out: fields that are the command's own arguments.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        fields = {n: f for n, f in ConnectionFields.model_fields.items() if n not in leave_out | _POSITIONAL}

        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            settings = given_settings({name: given.pop(name) for name in fields})
            command(**given, settings=settings)

        own = [p for p in inspect.signature(command).parameters.values() if p.name != "settings"]
        options = [_option(name, field) for name, field in fields.items()]
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        wrapped.__signature__ = inspect.Signature([*keyword, *options])  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in (*keyword, *options)}
        return wrapped

    return decorate


def given_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that options were given for; an empty one takes a value away.

    --insecure and --ca undo each other, whichever was set earlier. Connections that are kept idle follow
    --max-connections where nothing else is said of them.
    """
    settings = {name: _meant(name, value) for name, value in given.items() if value is not None}
    settings.pop("ca", None)
    settings.update(trust_settings(bool(given.get("skip_tls_verification")), _path(given.get("ca"))))
    if given.get("ca") == "":
        settings["ca"] = None
    if given.get("max_connections") is not None:
        settings.setdefault("max_keepalive_connections", given["max_connections"])
    return settings


def trust_settings(insecure: bool, ca: Path | None) -> dict[str, Any]:
    """Return how the certificate is checked from now on; nothing, where neither option is given."""
    if insecure and ca:
        raise typer.BadParameter("--insecure checks no certificate: leave --ca out, or --insecure", param_hint="--ca")
    if insecure:
        return {"skip_tls_verification": True, "ca": None}
    return {"skip_tls_verification": False, "ca": _read_ca(ca)} if ca else {}


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """Return the field's option: named, typed and told as the model says."""
    extra: Any = field.json_schema_extra or {}
    flag = f"--{extra.get('flag') or name.replace('_', '-')}"
    kind, metavar = _kind(name, field.annotation)
    if kind is bool and "/" not in flag:
        flag = f"{flag}/--no-{flag[2:]}"
    option = typer.Option(
        *(["--ca"] if name == "ca" else [flag]), help=_help(name, field, extra), metavar=metavar, show_default=False
    )
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]  # a type made at run time
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(name: str, field: FieldInfo, extra: Mapping[str, str]) -> str:
    unit = f" In {extra['unit']}." if extra.get("unit") else ""
    more = " Repeat for more; an empty one takes the list away." if tuple in _types(field.annotation) else ""
    file = " A PEM file." if name == "ca" else ""
    default = field.default
    told = "" if field.is_required() or default in (None, (), False) else f" [default: {_shown(default)}]"
    return f"{field.description}{unit}{more}{file}{told}"


def _shown(default: Any) -> str:
    if default is True:
        return "yes"
    if isinstance(default, float) and default.is_integer():
        return str(int(default))
    return str(default)


def _kind(name: str, annotation: Any) -> tuple[Any, str | None]:
    types = _types(annotation)
    if name == "ca":
        return str, "FILE"
    if tuple in types:
        return list[str], "NAME" if name == "repositories" else "PATTERN"
    for kind in (bool, int, float):
        if kind in types:
            return kind, None
    return next((kind for kind in types if kind is not str), str), None


def _types(annotation: Any) -> set[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return set().union(*(_types(part) for part in get_args(annotation))) - {NoneType}
    return {origin or annotation}


def _meant(name: str, value: Any) -> Any:
    """Return what an option's value means; an empty text, or no newest tags, takes the setting away."""
    if isinstance(value, list):
        return tuple(word for word in value if word)
    if value == "" or (name == "newest_tags" and value == 0):
        return None
    return value


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _read_ca(path: Path) -> str:
    """Return the certificates in the file, without the comments that bundles have between them."""
    try:
        found = "\n".join(_CERTIFICATE.findall(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        found = ""
    if not found or not holds_certificates(found):
        raise typer.BadParameter(f"{path} is not a readable file of PEM certificates", param_hint="--ca")
    return found


def option_flags() -> Iterator[tuple[str, str]]:
    """Yield each field with its flag, for whoever checks that the help shows them."""
    for name, field in ConnectionFields.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        yield name, f"--{extra.get('flag') or name.replace('_', '-')}".split("/")[0]
