"""Writes what consumers are given into `docs/events`: `make event-documents`."""

import json
from pathlib import Path
from typing import Any, Final

from shared.messages.documents import asyncapi, schemas

FOLDER: Final = Path(__file__).parents[2] / "docs" / "events"


def files() -> dict[Path, str]:
    """Return each file's path and what it has to hold."""
    by_schema = {FOLDER / "schemas" / f"{name}.json": _text(schema) for name, schema in schemas().items()}
    return {FOLDER / "asyncapi.json": _text(asyncapi()), **by_schema}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(files())} files in {FOLDER.relative_to(Path.cwd())}")
