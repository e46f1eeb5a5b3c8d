"""All settings, read in one place from the environment (`TALLYMAN_…`)."""

from shared.settings.settings import Settings, load_settings
from shared.settings.trust import Trust

__all__ = ["Settings", "Trust", "load_settings"]
