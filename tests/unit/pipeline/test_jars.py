"""The jars are those of the lock, or there is no broker."""

import hashlib
import re
from pathlib import Path

import pytest

from shared.pipeline.jars import Jar, JarError, ensure_jars, jars_folder, locked_jars


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def jars(tmp_path: Path) -> tuple[Jar, ...]:
    """Two made-up jars that lie in tmp_path as their lock says."""
    made = []
    for name in ("first", "second"):
        body = name.encode()
        (tmp_path / f"{name}-1.0.jar").write_bytes(body)
        made.append(Jar(f"org.example:{name}:1.0", sha256(body)))
    return tuple(made)


def test_the_lock_holds_kafka_and_its_logger_each_jar_once_with_a_sha256() -> None:
    locked = locked_jars()
    names = [jar.file_name for jar in locked]
    assert {"kafka_2.13-4.4.0.jar", "slf4j-simple-1.7.36.jar"} <= set(names)
    assert len(set(names)) == len(names) == 45
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in locked)


def test_a_lock_is_read_in_its_order_without_comments_and_empty_lines(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("# a comment\norg.example:b:2 bb\n\norg.example:a:1 aa\n")
    assert locked_jars(lock) == (Jar("org.example:b:2", "bb"), Jar("org.example:a:1", "aa"))


def test_jars_that_are_there_are_given_in_the_order_of_the_lock(tmp_path: Path, jars: tuple[Jar, ...]) -> None:
    assert ensure_jars(tmp_path, jars) == (tmp_path / "first-1.0.jar", tmp_path / "second-1.0.jar")


def test_a_jar_that_was_changed_is_refused_by_name_and_says_what_to_do(tmp_path: Path, jars: tuple[Jar, ...]) -> None:
    (tmp_path / "second-1.0.jar").write_bytes(b"changed")
    with pytest.raises(JarError) as refused:
        ensure_jars(tmp_path, jars)
    sentence = str(refused.value)
    assert "second-1.0.jar is not the one" in sentence
    assert sha256(b"changed") in sentence
    assert f"delete {tmp_path / 'second-1.0.jar'} and run `make setup`" in sentence


def test_jars_are_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = jars_folder(tmp_path / "data")
    assert folder == tmp_path / ".cache" / "tallyman" / "jars"
    assert folder.is_dir()


@pytest.mark.parametrize("home", ["", "a-file", "/"])
def test_jars_are_kept_with_the_data_where_there_is_no_home_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / home) if home == "a-file" else home)
    folder = jars_folder(tmp_path / "data")
    assert folder == tmp_path / "data" / ".cache" / "jars"
    assert folder.is_dir()
