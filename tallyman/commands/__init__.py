"""What each command does; the command line in `tallyman.cli` only reads its options."""

from tallyman.commands.events import events
from tallyman.commands.inventory import show, sql
from tallyman.commands.load import connection_settings, load
from tallyman.commands.run import run

__all__ = ["connection_settings", "events", "load", "run", "show", "sql"]
