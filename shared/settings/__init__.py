"""All settings, read in one place from the environment (`TALLYMAN_…`)."""

from shared.settings.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]
