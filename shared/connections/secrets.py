"""Secrets at rest: encrypted with a key that is in the environment or in a file only its owner can read."""

import base64
import hashlib
import hmac
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NewType

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
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
    file: where they were read, to be read again once it has changed: so a running service learns a new key.
    Raises ValueError where one is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[SecretStr], file: Path | None = None) -> None:
        self._file: Final = file
        self._stamp = _stamp(file)
        self._take(keys)

    def _take(self, keys: Sequence[SecretStr]) -> None:
        self._fernets = [Fernet(key.get_secret_value()) for key in keys]
        self._fernet = MultiFernet(self._fernets)
        self._keys = tuple(keys)

    @classmethod
    def of(cls, settings: Settings) -> "Secrets":
        """Return the secrets of this installation; its key file is made where neither it nor a setting is there.

        Raises SettingsError where a key is not one, or where others than the owner can read its file.
        """
        if settings.secret_key is not None:
            keys = [SecretStr(part.strip()) for part in settings.secret_key.get_secret_value().split(",")]
            return cls._with(keys, None, "TALLYMAN_SECRET_KEY")
        path = key_file(settings)
        return cls._with(keys_in(path), path, f"the file {path} (TALLYMAN_SECRET_KEY is not set)")

    @classmethod
    def _with(cls, keys: Sequence[SecretStr], file: Path | None, origin: str) -> "Secrets":
        try:
            return cls(keys, file)
        except ValueError:
            # `from None`: the library's error may quote the key
            raise SettingsError(
                f"A key in {origin} is not a Fernet key (32 bytes in URL-safe base64). Make one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Return what tells the keys apart, the first key's first; nothing of a key can be learned from it."""
        self._read_again()
        return tuple(_fingerprint(key) for key in self._keys)

    def derived(self, purpose: bytes) -> bytes:
        """Return another Fernet key, made of the first one for one purpose; the first cannot be told from it."""
        material = base64.urlsafe_b64decode(self._keys[0].get_secret_value())
        key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(material)
        return base64.urlsafe_b64encode(key)

    def encrypt(self, secret: SecretStr) -> EncryptedSecret:
        """Return the secret encrypted; twice the same secret gives two texts."""
        return EncryptedSecret(self._fernet.encrypt(secret.get_secret_value().encode()).decode())

    def decrypt(self, encrypted: str) -> SecretStr:
        """Return the secret. Raises SecretUnreadable."""
        try:
            return self._decrypted(encrypted)
        except InvalidToken:
            if not self._read_again():
                raise SecretUnreadable from None
        try:
            return self._decrypted(encrypted)
        except InvalidToken:
            raise SecretUnreadable from None

    def is_current(self, encrypted: str) -> bool:
        """Return whether this was encrypted with the first key."""
        try:
            self._fernets[0].decrypt(encrypted.encode())
        except InvalidToken:
            return False
        return True

    def renewed(self, encrypted: str) -> EncryptedSecret:
        """Return the same secret encrypted with the first key. Raises SecretUnreadable."""
        return self.encrypt(self.decrypt(encrypted))

    def _decrypted(self, encrypted: str) -> SecretStr:
        try:
            return SecretStr(self._fernet.decrypt(encrypted.encode()).decode())
        except UnicodeError:
            raise InvalidToken from None

    def _read_again(self) -> bool:
        """Read the key file again if it has changed; return whether it did. A bad file leaves the keys as they are."""
        stamp = _stamp(self._file)
        if self._file is None or stamp == self._stamp:
            return False
        try:
            self._take(keys_in(self._file))
        except (SettingsError, ValueError):
            return False
        self._stamp = stamp
        return True


def key_file(settings: Settings) -> Path:
    """Return where the keys lie that no setting gives."""
    return settings.data / _KEY_FILE


def keys_in(path: Path) -> list[SecretStr]:
    """Return the file's keys, one on each line; a file that is not there is made.

    Raises SettingsError where it cannot be used, or others than its owner can read it.
    """
    try:
        if not path.exists():
            _make_key(path)
        return _read_keys(path)
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be used ({error.strerror}). Make the data folder writable, choose another "
            "with TALLYMAN_DATA, or set TALLYMAN_SECRET_KEY."
        ) from error


def add_key(path: Path) -> None:
    """Put a new key before those in the file. Raises SettingsError as `keys_in`."""
    _write(path, [SecretStr(Fernet.generate_key().decode()), *keys_in(path)])


def drop_old_keys(path: Path) -> int:
    """Leave only the file's first key; return how many were dropped. Raises SettingsError as `keys_in`."""
    keys = keys_in(path)
    _write(path, keys[:1])
    return len(keys) - 1


def _write(path: Path, keys: Sequence[SecretStr]) -> None:
    """Write the file whole at once, readable to its owner alone."""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 0600
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(key.get_secret_value() + "\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise SettingsError(f"The key file {path} cannot be written ({error.strerror}).") from error


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """Return what changes with every write of the file."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def _fingerprint(key: SecretStr) -> str:
    return hmac.new(key.get_secret_value().encode(), b"tallyman key", hashlib.sha256).hexdigest()[:12]


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


def _read_keys(path: Path) -> list[SecretStr]:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise SettingsError(
                f"The key file {path} can be read by others (mode {mode:04o}). Run: chmod 600 {path} - and if others "
                "may have read it, save the registries' passwords again with a new key."
            )
        lines = file.read().decode("ascii", "replace").splitlines()
    return [SecretStr(line.strip()) for line in lines if line.strip()] or [SecretStr("")]
