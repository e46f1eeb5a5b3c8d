"""How Tallyman names itself to registries."""

from importlib.metadata import version
from typing import Final

USER_AGENT: Final = f"tallyman/{version('tallyman')}"
"""Sent with every request, so that a registry's log says who asks. Source: RFC 9110, User-Agent."""
