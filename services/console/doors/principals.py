"""Who somebody is, and what that lets them do."""

from dataclasses import dataclass

from shared.messages.connection_notes import Role


@dataclass(frozen=True)
class Principal:
    """Somebody who is known.  name: for the log.  csrf: what their pages' requests carry; "" for tokens."""

    name: str
    role: Role
    csrf: str = ""

    @property
    def may_change(self) -> bool:
        return self.role is Role.ADMIN


OWNER = Principal("owner of the data folder", Role.ADMIN)
"""Whoever comes through the socket in the data folder, which only its owner can open."""
