"""How any Kafka client of ours reaches the cluster."""

from ssl import SSLContext, create_default_context
from typing import Any

from shared.errors import SettingsError
from shared.settings import Settings


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client needs to connect.

    Raises SettingsError when no broker is known, or the CA file holds no certificate.
    """
    if settings.kafka is None:
        raise SettingsError("No Kafka broker is known: set TALLYMAN_KAFKA, or start the embedded broker first.")
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka, "security_protocol": settings.kafka_security}
    if settings.kafka_security in ("SSL", "SASL_SSL"):
        options["ssl_context"] = _trust(settings)
    if settings.kafka_security.startswith("SASL") and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def _trust(settings: Settings) -> SSLContext:
    try:
        return create_default_context(cafile=settings.kafka_ca)
    except OSError as error:  # an SSLError is one
        raise SettingsError(
            f"TALLYMAN_KAFKA_CA names {settings.kafka_ca}, which holds no readable PEM certificate ({error}): "
            "name the file of the CA that signed the brokers' certificates."
        ) from error
