"""The command line, `tallyman`. Exit codes: 0 well, 1 an error, 2 wrong usage or setting, 3 partial, 4 failed.

One module for each group of commands, which adds itself to the application. A command imports what it needs when it
runs: broker, store and stages take a second to import, and neither `--help` nor a question to a running service needs
them.
"""

# isort: off
# In the order in which `--help` shows them.
from tallyman.cli import loading, inventory, events, connection, scan, dead_letters, token, secrets, backup
from tallyman.cli.app import app
# isort: on

__all__ = (
    "app",
    "backup",
    "connection",
    "dead_letters",
    "events",
    "inventory",
    "loading",
    "main",
    "scan",
    "secrets",
    "token",
)


def main() -> None:
    """Run the command line."""
    app(prog_name="tallyman")
