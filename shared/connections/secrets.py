"""Secrets at rest: encrypted with a key that is in the environment or in a file only its owner can read."""

import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NewType

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from shared.errors import PermanentError, SettingsError
from shared.settings import Settings

EncryptedSecret = NewType("EncryptedSecret", str)
"""What `Secrets.encrypt` made; the only form in which a password enters a record."""

_KEY_FILE: Final = "secret.key"


class SecretUnreadable(PermanentError):  # says what has happened
    """A stored secret was encrypted with another key, or is damaged."""

    def __init__(self) -> None:
        super().__init__(
            "The stored password cannot be decrypted: it was saved with another key. Set TALLYMAN_SECRET_KEY (or put "
            f"back the file {_KEY_FILE} in the data folder) as it was then, or give the password again.",
            reason="secret_unreadable",
        )


class Secrets:
    """Encrypts and decrypts; holds the keys and shows them to nobody.

    keys: Fernet keys, at least one; the first encrypts, each may decrypt.
    Raises ValueError where one is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._fernet: Final = MultiFernet([Fernet(key.get_secret_value()) for key in keys])

    @classmethod
    def of(cls, settings: Settings) -> "Secrets":
        """Return the secrets of this installation; its key file is made where neither it nor a setting is there.

        Raises SettingsError where the key is not one, or where others than the owner can read its file.
        """
        if settings.secret_key is not None:
            return cls._with(settings.secret_key, "TALLYMAN_SECRET_KEY")
        path = settings.data / _KEY_FILE
        return cls._with(_key_in(path), f"the file {path} (TALLYMAN_SECRET_KEY is not set)")

    @classmethod
    def _with(cls, key: SecretStr, origin: str) -> "Secrets":
        try:
            return cls([key])
        except ValueError:
            # `from None`: the library's error may quote the key
            raise SettingsError(
                f"The key in {origin} is not a Fernet key (32 bytes in URL-safe base64). Make one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    def encrypt(self, secret: SecretStr) -> EncryptedSecret:
        """Return the secret encrypted; twice the same secret gives two texts."""
        return EncryptedSecret(self._fernet.encrypt(secret.get_secret_value().encode()).decode())

    def decrypt(self, encrypted: str) -> SecretStr:
        """Return the secret. Raises SecretUnreadable."""
        try:
            return SecretStr(self._fernet.decrypt(encrypted.encode()).decode())
        except (InvalidToken, UnicodeError):
            raise SecretUnreadable from None


def _key_in(path: Path) -> SecretStr:
    try:
        if not path.exists():
            _make_key(path)
        return _read_key(path)
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be used ({error.strerror}). Make the data folder writable, choose another "
            "with TALLYMAN_DATA, or set TALLYMAN_SECRET_KEY."
        ) from error


def _make_key(path: Path) -> None:
    """Make the key file, whole at once: of several processes that start together, the first one's key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _read_key(path: Path) -> SecretStr:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise SettingsError(
                f"The key file {path} can be read by others (mode {mode:04o}). Run: chmod 600 {path} - and if others "
                "may have read it, save the registries' passwords again with a new key."
            )
        return SecretStr(file.read().decode("ascii", "replace").strip())
