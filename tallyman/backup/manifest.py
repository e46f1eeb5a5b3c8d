"""What a backup holds, written last: a folder without it is no backup."""

from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, ValidationError

from shared.errors import PermanentError

_NAME: Final = "backup.json"
_OWNER_ALONE: Final = 0o600


class BackupUnusable(PermanentError):  # says what has happened
    """The folder holds no whole backup, or one that does not fit here."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason="settings")


class Packed(BaseModel):
    """A file of the backup.  lines: records or rows.  sha256: of the file's bytes."""

    lines: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """schema_number: the last migration of the store.  partitions: of the chain's topics.  files: by name."""

    tallyman_backup: Literal[1] = 1
    made_at: datetime
    schema_number: int
    partitions: int
    files: dict[str, Packed]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the folder a whole backup."""
    file = folder / _NAME
    file.touch(_OWNER_ALONE)
    file.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Return what the folder holds. Raises BackupUnusable."""
    try:
        return Manifest.model_validate_json((folder / _NAME).read_bytes())
    except FileNotFoundError as error:
        raise BackupUnusable(f"{folder} holds no whole backup: there is no {_NAME} in it.") from error
    except ValidationError as error:
        raise BackupUnusable(f"{folder / _NAME} cannot be read: it is damaged, or of a newer Tallyman.") from error
