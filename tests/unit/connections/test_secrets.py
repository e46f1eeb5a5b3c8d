"""Secrets are readable with the key they were made with, and to nobody else."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from shared.connections.secrets import Secrets, SecretUnreadable, add_key, drop_old_keys
from shared.errors import SettingsError
from shared.settings import Settings


def a_key() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


def test_what_was_encrypted_is_decrypted_and_does_not_show_the_secret() -> None:
    secrets = Secrets([a_key()])
    encrypted = secrets.encrypt(SecretStr("pässword"))
    assert "pässword" not in encrypted
    assert secrets.decrypt(encrypted) == SecretStr("pässword")


def test_another_key_cannot_read_it_and_says_what_to_do() -> None:
    encrypted = Secrets([a_key()]).encrypt(SecretStr("hunter2"))
    with pytest.raises(SecretUnreadable, match="TALLYMAN_SECRET_KEY") as caught:
        Secrets([a_key()]).decrypt(encrypted)
    assert caught.value.reason == "secret_unreadable"


@pytest.mark.parametrize("damaged", ["", "plain", "gAAAA", "ключ", "x" * 10_000])
def test_a_damaged_secret_is_unreadable(damaged: str) -> None:
    with pytest.raises(SecretUnreadable):
        Secrets([a_key()]).decrypt(damaged)


def test_an_older_key_still_decrypts_while_the_first_encrypts() -> None:
    old, new = a_key(), a_key()
    encrypted = Secrets([old]).encrypt(SecretStr("hunter2"))
    both = Secrets([new, old])
    assert both.decrypt(encrypted) == SecretStr("hunter2")
    assert Secrets([new]).decrypt(both.encrypt(SecretStr("hunter3"))) == SecretStr("hunter3")


def test_the_key_of_the_settings_is_used_and_no_file_made(tmp_path: Path) -> None:
    key = a_key()
    encrypted = Secrets.of(Settings(data=tmp_path, secret_key=key)).encrypt(SecretStr("hunter2"))
    assert Secrets([key]).decrypt(encrypted) == SecretStr("hunter2")
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_one_is_made_that_only_its_owner_can_read_and_that_stays(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new")
    encrypted = Secrets.of(settings).encrypt(SecretStr("hunter2"))
    (file,) = settings.data.iterdir()
    assert file.name == "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Secrets.of(settings).decrypt(encrypted) == SecretStr("hunter2")


def test_of_many_that_start_at_once_all_get_the_same_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: Secrets.of(settings), range(8)))
    encrypted = started[0].encrypt(SecretStr("hunter2"))
    assert {each.decrypt(encrypted) for each in started} == {SecretStr("hunter2")}
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused_with_the_command_to_run(tmp_path: Path, mode: int) -> None:
    settings = Settings(data=tmp_path)
    Secrets.of(settings)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(SettingsError, match=f"chmod 600 {tmp_path}/secret.key"):
        Secrets.of(settings)


def test_a_bad_key_stops_the_start_and_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TALLYMAN_SECRET_KEY") as caught:
        Secrets.of(Settings(data=tmp_path, secret_key=SecretStr("hunter2")))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"\xff")
    (tmp_path / "secret.key").chmod(0o600)
    with pytest.raises(SettingsError, match=r"secret\.key"):
        Secrets.of(Settings(data=tmp_path))


def test_a_data_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="TALLYMAN_DATA"):
        Secrets.of(Settings(data=tmp_path / "file" / "data"))


def test_secrets_show_no_key() -> None:
    key = a_key()
    assert key.get_secret_value() not in repr(Secrets([key]))


def two_keys(tmp_path: Path) -> tuple[SecretStr, SecretStr, Path]:
    old, new, file = a_key(), a_key(), tmp_path / "secret.key"
    file.write_text(old.get_secret_value() + "\n")
    file.chmod(0o600)
    return old, new, file


def test_several_keys_of_the_setting_are_separated_by_commas_and_the_first_encrypts(tmp_path: Path) -> None:
    old, new = a_key(), a_key()
    both = SecretStr(f"{new.get_secret_value()}, {old.get_secret_value()}")
    secrets = Secrets.of(Settings(data=tmp_path, secret_key=both))
    assert secrets.decrypt(Secrets([old]).encrypt(SecretStr("hunter2"))) == SecretStr("hunter2")
    assert Secrets([new]).decrypt(secrets.encrypt(SecretStr("hunter3"))) == SecretStr("hunter3")


def test_what_is_renewed_is_read_by_the_first_key_alone() -> None:
    old, new = a_key(), a_key()
    before = Secrets([old]).encrypt(SecretStr("hunter2"))
    both = Secrets([new, old])
    assert not both.is_current(before)
    after = both.renewed(before)
    assert both.is_current(after)
    assert Secrets([new]).decrypt(after) == SecretStr("hunter2")
    with pytest.raises(SecretUnreadable):
        both.renewed("damaged")


def test_a_running_service_learns_a_key_that_was_added_to_the_file(tmp_path: Path) -> None:
    old, _, file = two_keys(tmp_path)
    settings = Settings(data=tmp_path)
    running = Secrets.of(settings)
    first = running.fingerprints
    add_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    encrypted = Secrets.of(settings).encrypt(SecretStr("hunter2"))
    assert running.decrypt(encrypted) == SecretStr("hunter2")
    assert running.fingerprints[1:] == first
    assert drop_old_keys(file) == 1
    assert Secrets.of(settings).decrypt(encrypted) == SecretStr("hunter2")
    with pytest.raises(SecretUnreadable):
        Secrets.of(settings).decrypt(Secrets([old]).encrypt(SecretStr("hunter2")))


def test_a_key_file_that_is_damaged_while_a_service_runs_leaves_its_keys_as_they_were(tmp_path: Path) -> None:
    old, _, file = two_keys(tmp_path)
    running = Secrets.of(Settings(data=tmp_path))
    file.write_text("garbage")
    with pytest.raises(SecretUnreadable):
        running.decrypt("x")
    assert running.decrypt(Secrets([old]).encrypt(SecretStr("hunter2"))) == SecretStr("hunter2")


def test_a_fingerprint_tells_keys_apart_and_shows_nothing_of_them() -> None:
    one, two = a_key(), a_key()
    first, second = Secrets([one, two]).fingerprints
    assert first != second
    assert first not in one.get_secret_value()
    assert (first, second) == Secrets([one, two]).fingerprints


def test_a_derived_key_is_another_one_for_each_purpose() -> None:
    secrets = Secrets([a_key()])
    assert len({secrets.derived(b"one"), secrets.derived(b"two")}) == 2
    Fernet(secrets.derived(b"one"))
