"""The settings, each with its unit and meaning; the README's table is held against this file by a test."""

import re
from base64 import b64decode
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingsError

_LEAST_HISTORY_DAYS = 7
_WEBHOOK = r"https?://[^/\s@?#]+[^\s@#]*"
_OF_SECRETS = "whsec_"  # as Standard Webhooks writes it


class Settings(BaseSettings):
    """Read from environment variables `TALLYMAN_<NAME>`; a wrong one stops the start."""

    model_config = SettingsConfigDict(env_prefix="TALLYMAN_", extra="ignore", frozen=True)

    data: Path = Field(Path("data"), description="Folder of the embedded broker, the embedded store and the key file.")

    kafka: str | None = Field(
        None,
        pattern=r"^[^,\s:]+:\d+(,[^,\s:]+:\d+)*$",
        description="Kafka bootstrap servers, host:port[,host:port]. Unset: the embedded broker.",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka security protocol."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, with SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_username: str | None = Field(None, description="SASL user name.")
    kafka_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ca: Path | None = Field(None, description="PEM file of the CA that signed the brokers' certificates.")
    topic_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="Put before the name of every topic, consumer group and transactional id, to share a cluster.",
    )
    kafka_replication: int = Field(1, ge=1, le=7, description="Replication factor of topics that are created.")

    clickhouse: str | None = Field(
        None,
        pattern=r"^https?://[^/\s@]+(/[A-Za-z0-9_]+)?$",
        description="ClickHouse server, http[s]://host:port[/database]. Unset: the embedded engine.",
    )
    clickhouse_username: str = Field("default", description="ClickHouse user name.")
    clickhouse_password: SecretStr | None = Field(None, description="ClickHouse password.")
    clickhouse_ca: Path | None = Field(None, description="PEM file of the CA that signed ClickHouse's certificate.")

    reader_username: str = Field(
        "tallyman_reader",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$",
        description="ClickHouse user that may read the public views and nothing else.",
    )
    reader_password: SecretStr | None = Field(
        None, min_length=8, description="Its password. Unset: no such user is made. For a server only."
    )
    history_days: int = Field(
        0, ge=0, description="Days that moves of tags, and what scans told, are kept; 0 = for ever. Else at least 7."
    )
    events_days: int = Field(0, ge=0, description="Days that image.events keeps events; 0 = for ever.")
    dead_letters_days: int = Field(30, ge=0, description="Days that dead letters are kept; 0 = for ever.")

    secret_key: SecretStr | None = Field(
        None,
        description="Fernet keys that encrypt stored passwords, separated by commas: the first encrypts, all decrypt. "
        "Unset: the file secret.key in the data folder.",
    )

    console: str = Field(
        "127.0.0.1:8321",
        pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$",
        description="Where the console listens, host:port. Off loopback only with TLS or a trusted proxy.",
    )
    console_hosts: str = Field(
        "", description="Names by which browsers reach the console, host[:port], separated by commas, beside its own."
    )
    console_tls_certificate: Path | None = Field(None, description="PEM file of the console's certificate and chain.")
    console_tls_key: Path | None = Field(None, description="PEM file of its key.")
    console_trusted_proxy: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F.:/]+$",
        description="Address or network of the proxy before the console, which does the TLS and tells who asks.",
    )
    admin_password: SecretStr | None = Field(
        None, min_length=8, description="Password of the console. Unset: one is made at the first start and shown once."
    )

    url: str | None = Field(
        None, pattern=r"^https?://[^\s]+$", description="A console that commands ask, as https://tallyman.example.com."
    )
    token: SecretStr | None = Field(None, description="API token that commands show there.")

    username: str | None = Field(None, description="User name at the registry that `tallyman run --load` connects.")
    password: SecretStr | None = Field(None, description="Its password.")

    partitions: int = Field(24, ge=1, le=1000, description="Partitions of every topic of the chain, when created.")
    stage_concurrency: int = Field(
        32,
        ge=1,
        le=1000,
        description="Messages one stage process works at once; one more of each registry that has none at work.",
    )
    registry_concurrency: int = Field(
        8, ge=1, le=1000, description="Messages of one registry a stage process works at once."
    )
    buffer_messages: int = Field(200, ge=1, description="Messages of a partition held in memory before it is paused.")
    window_repositories: int = Field(
        100, ge=1, description="Repositories of one registry the lister keeps unfinished at most (W)."
    )
    attempts: int = Field(4, ge=1, le=20, description="Times a message is tried on a transient failure.")
    drain_seconds: float = Field(10.0, gt=0, description="Time in-flight work gets at a stop or a rebalance.")
    errors_in_a_row: int = Field(5, ge=1, description="Unexpected errors in a row that stop a stage.")
    listing_pages: int = Field(10_000, ge=1, description="Pages of one listing after which a registry is not believed.")
    stall_seconds: float = Field(
        300.0,
        gt=0,
        description="A scan of which nothing was heard for so long, with nothing of it waiting, ends partial.",
    )
    fuse_share: float = Field(0.5, gt=0, le=1, description="Share of removals above which a fuse holds them back.")
    fuse_minimum: int = Field(20, ge=0, description="Number of removals below which a fuse never trips.")
    sink_rows: int = Field(10_000, ge=1, description="Rows the sink collects in one batch under backlog.")
    sink_delay_seconds: float = Field(
        0.2,
        gt=0,
        le=5,
        description="Shortest time between two batches of a partition; up to ten times that under a backlog.",
    )
    events_mode: Literal["binary", "structured"] = Field(
        "binary",
        description="How CloudEvents lie on image.events: attributes as headers (binary), or all in the value.",
    )
    trigger_data: Path | None = Field(
        None,
        description="Folder of the trigger service's table, one of its own for each process; made anew from Kafka "
        "where it is lost. Unset: trigger in the data folder.",
    )
    triggers_per_second: float = Field(
        20.0, gt=0, le=10_000, description="The most scan triggers that one trigger process sends in a second."
    )
    webhooks: SecretStr | None = Field(
        None,
        description="Where each scan trigger is posted, beside its topic: http[s]:// addresses, separated by commas.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="What these are signed with (HMAC-SHA256): whsec_ and 24 to 64 bytes in base64. Needed with them.",
    )
    scanner: str | None = Field(
        None,
        pattern=r"^https?://[^/\s@?#]+[^\s@?#]*$",
        description="A scanner adapter (pluggable scanner API) that is asked to scan: its address before /api/v1.",
    )
    scanner_authorization: SecretStr | None = Field(
        None, description="The Authorization header it is shown, as in Bearer …. Unset: none."
    )
    scanner_pulls_with: Literal["nothing", "basic"] = Field(
        "nothing",
        description="How it signs in at the registries: nothing, or basic: it is given each connection's user name and "
        "password.",
    )
    delivery_attempts: int = Field(
        8,
        ge=1,
        le=100,
        description="Times a webhook or the scanner is tried, up to a minute apart, before it is given up.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["text", "json"] = Field("text", description="How: key=value lines, or JSON lines.")
    metrics: str | None = Field(
        None,
        pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$",
        description="Where a service tells its numbers to Prometheus, host:port; open to whoever reaches it. Unset: "
        "only the console tells, at /metrics.",
    )
    otlp: str | None = Field(
        None,
        pattern=r"^https?://[^/\s@?#]+[^\s@?#]*$",
        description="An OpenTelemetry collector that takes traces by OTLP over HTTP, http[s]://host:4318. Unset: none.",
    )
    heartbeat: Path | None = Field(None, description="File a service writes every 5 s, for health checks. Unset: none.")

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if self.kafka_security.startswith("SASL") and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                "TALLYMAN_KAFKA_SECURITY asks for SASL: set TALLYMAN_KAFKA_USERNAME and TALLYMAN_KAFKA_PASSWORD"
            )
        for name in ("kafka_ca", "clickhouse_ca", "console_tls_certificate", "console_tls_key"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"TALLYMAN_{name.upper()} names {path}, which is not a file")
        if (self.console_tls_certificate is None) != (self.console_tls_key is None):
            raise ValueError("TALLYMAN_CONSOLE_TLS_CERTIFICATE and TALLYMAN_CONSOLE_TLS_KEY go together: set both")
        for url in self.webhook_urls:
            if not re.fullmatch(_WEBHOOK, url):
                raise ValueError(
                    "TALLYMAN_WEBHOOKS holds an address that is none: each starts with https:// or http:// and holds "
                    "no blank, no user name and no #"
                )
        if self.webhook_urls and self.webhook_key is None:
            raise ValueError(
                "TALLYMAN_WEBHOOKS is set and TALLYMAN_WEBHOOK_SECRET is not one to sign with: write whsec_ and behind "
                "it what `openssl rand -base64 32` prints"
            )
        if 0 < self.history_days < _LEAST_HISTORY_DAYS:
            raise ValueError(
                f"TALLYMAN_HISTORY_DAYS is {self.history_days}: running scans are kept there, too; set at least "
                f"{_LEAST_HISTORY_DAYS}, or 0 to keep history for ever"
            )
        if self.kafka is not None and self.clickhouse is None:
            raise ValueError(
                "TALLYMAN_KAFKA is set and TALLYMAN_CLICKHOUSE is not: several processes cannot share the embedded "
                "store; set both, or neither"
            )
        return self

    @property
    def webhook_urls(self) -> tuple[str, ...]:
        """Where scan triggers are posted."""
        told = self.webhooks.get_secret_value() if self.webhooks else ""
        return tuple(url.strip() for url in told.split(",") if url.strip())

    @property
    def webhook_key(self) -> bytes | None:
        """What webhooks are signed with, None where there is no usable secret."""
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        try:
            key = b64decode(secret.removeprefix(_OF_SECRETS), validate=True)
        except ValueError:
            return None
        return key if secret.startswith(_OF_SECRETS) and 24 <= len(key) <= 64 else None


def load_settings(**overrides: object) -> Settings:
    """Return the settings from the environment, `overrides` (by field name) winning.

    Raises SettingsError with a sentence that names the variable and what is wrong with it.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        if problem["loc"]:
            name = "TALLYMAN_" + str(problem["loc"][0]).upper()
            parts.append(f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}")
        else:
            parts.append(problem["msg"].removeprefix("Value error, "))
    return "Wrong setting: " + "; ".join(parts) + "."
