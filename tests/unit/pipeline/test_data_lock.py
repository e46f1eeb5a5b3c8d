"""One process at a time works on a data folder."""

import os
from pathlib import Path

import pytest

from shared.pipeline.data_lock import DataFolderError, DataLock, DataLockedError


def test_a_folder_that_is_in_use_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    with DataLock(tmp_path), pytest.raises(DataLockedError, match=rf"{tmp_path} is in use by process {os.getpid()}:"):
        DataLock(tmp_path).acquire()


def test_a_folder_can_be_taken_again_once_it_is_released(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "made" / "for it")
    lock.acquire()
    lock.release()
    lock.release()
    with DataLock(tmp_path / "made" / "for it"), pytest.raises(DataLockedError):
        lock.acquire()


def test_a_folder_that_cannot_be_made_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match=r"file/data cannot be written \(Not a directory\): let the user"):
        DataLock(tmp_path / "file" / "data").acquire()
