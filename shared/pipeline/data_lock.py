"""One process at a time works on a data folder."""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from shared.errors import TallymanError


class DataLockedError(TallymanError):
    """Another process works on the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        super().__init__(
            f"The data folder {folder} is in use by {who}: stop that one first, or give another folder "
            "(--data or TALLYMAN_DATA).",
            reason="data_locked",
        )


class DataFolderError(TallymanError):
    """The folder cannot be used."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"The data folder {folder} cannot be written ({error.strerror}): let the user that runs Tallyman "
            "write there, or give another folder (--data or TALLYMAN_DATA).",
            reason="data_folder",
        )


class DataLock:
    """An exclusive lock on a folder, held until `release` or the end of the process, however it ends.

    folder: made when missing, for this user alone.  Use it with `with`, or `acquire` and `release`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises DataLockedError, naming the process that holds it, or DataFolderError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The file stays when the lock goes: removing it would let two processes lock two files of one name.
            file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(self._folder, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip()
            os.close(file)
            raise DataLockedError(self._folder, holder) from error
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back; without one, do nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
