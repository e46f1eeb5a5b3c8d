"""What routes ask for: the office, the connection that a path names, the revision that an edit is of."""

from typing import Annotated, Final

from fastapi import Depends, Header, Path, Query
from starlette.requests import HTTPConnection

from services.console.office import Office
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import ConnectionName

_ETAG: Final = r'^"[1-9][0-9]{0,8}"$'


def office_of(connection: HTTPConnection) -> Office:
    """Return what the application was made with."""
    office: Office = connection.app.state.office
    return office


TheOffice = Annotated[Office, Depends(office_of)]


def _connection(
    office: TheOffice, connection: Annotated[ConnectionName, Path(description="Its name or id.")]
) -> Connection:
    return office.registries.find(connection)


TheConnection = Annotated[Connection, Depends(_connection)]

ScanNumber = Annotated[int, Path(ge=0, lt=2**63, description="The scan's number.")]
Cursor = Annotated[str | None, Query(max_length=4096, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Entries a page has at most.")]


def _revision(if_match: Annotated[str, Header(description='The revision, as "3".', pattern=_ETAG)]) -> int:
    return int(if_match.strip('"'))


TheRevision = Annotated[int, Depends(_revision)]


def etag(connection: Connection) -> dict[str, str]:
    """Return the header that tells a connection's revision."""
    return {"etag": f'"{connection.revision}"'}
