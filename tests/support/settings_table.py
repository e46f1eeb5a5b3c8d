"""The README's settings table, made from the settings; `make settings-table` writes it there."""

import re
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.settings import Settings

README: Final = Path(__file__).parents[2] / "README.md"
_BLOCK: Final = re.compile(r"(?<=<!-- settings -->\n).*(?=<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Return one Markdown row for each setting: variable, default, meaning."""
    rows = [
        f"| `{variable(name)}` | {_default(field)} | {_meaning(field)} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return "".join(["| Variable | Default | Meaning |\n", "| --- | --- | --- |\n", *rows])


def variable(field: str) -> str:
    """Return the environment variable that sets a field."""
    return f"{Settings.model_config['env_prefix']}{field}".upper()


def written_table(readme: str) -> str:
    """Return the table as the README has it."""
    found = _BLOCK.search(readme)
    assert found, "README.md lost its <!-- settings --> … <!-- /settings --> markers"
    return found.group()


def _default(field: FieldInfo) -> str:
    return "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


if __name__ == "__main__":
    README.write_text(_BLOCK.sub(lambda _: settings_table(), README.read_text(encoding="utf-8")), encoding="utf-8")
