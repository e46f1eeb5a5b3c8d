"""The variables that name CA files for other programs, and so for a download here, too."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Trust(BaseSettings):
    """CA files, PEM, or folders of such files. pip, curl and requests read these variables."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    ssl_cert_file: Path | None = None
    pip_cert: Path | None = None
    requests_ca_bundle: Path | None = None
    curl_ca_bundle: Path | None = None

    def named(self) -> dict[str, Path]:
        """Return the files that are named, by their variable."""
        return {field.upper(): path for field, path in self if path is not None}
