"""Files of JSON lines, packed with gzip; what was written is known by its digest when it is read."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from tallyman.backup.manifest import BackupUnusable, Packed

_OWNER_ALONE: Final = 0o600
_PIECE_BYTES: Final = 1024 * 1024
_LEVEL: Final = 6


class PackedFile:
    """One that is being written.  lines: so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file: Final = file
        self.lines = 0

    def write(self, piece: bytes) -> None:
        """Write whole lines, or pieces of them."""
        self.lines += piece.count(b"\n")
        self._file.write(piece)


@contextmanager
def packed_into(path: Path, files: dict[str, Packed]) -> Iterator[PackedFile]:
    """Write a file that only its owner may read; enter it into `files` when the block has ended well."""
    path.touch(_OWNER_ALONE)
    with gzip.open(path, "wb", _LEVEL) as packed:
        file = PackedFile(cast(IO[bytes], packed))
        yield file
    files[path.name] = Packed(lines=file.lines, sha256=_digest(path))


def check(path: Path, told: Packed) -> None:
    """Raise BackupUnusable where the file is not the one that was written."""
    if not path.is_file() or _digest(path) != told.sha256:
        raise BackupUnusable(f"{path} is missing, cut off or altered: this backup cannot be used.")


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the file's lines."""
    with gzip.open(path, "rb") as file:
        yield from cast(IO[bytes], file)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
