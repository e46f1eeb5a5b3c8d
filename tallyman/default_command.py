"""A group of commands of which one goes without its name: `tallyman scan NAME` is `tallyman scan start NAME`."""

from typing import Any, ClassVar

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Runs its command `DEFAULT` where the first argument names none."""

    DEFAULT: ClassVar[str] = "start"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self.DEFAULT, *args]
        return super().parse_args(ctx, args)
