"""`tallyman images`, `tags`, `scans`, `sql`."""

from shared.settings import Settings
from tallyman.inventory import TABLE_COLUMNS, VIEWS, statement
from tallyman.output import Format, print_rows
from tallyman.reading import open_reading


async def show(
    settings: Settings,
    what: str,
    form: Format,
    order: tuple[str, ...],
    registry: str | None,
    repository: str | None = None,
    architecture: str | None = None,
) -> int:
    """Print a public view's rows, filtered; return 0."""
    columns = TABLE_COLUMNS[what] if form is Format.TABLE else "*"
    select = statement(
        VIEWS[what],
        registry=registry,
        repository=repository,
        architecture=architecture,
        order=order,
        columns=columns,
    )
    return await sql(settings, select, form)


async def sql(settings: Settings, select: str, form: Format) -> int:
    """Print the answer to one read-only statement; return 0. Raises NotReadOnly for any other."""
    async with open_reading(settings) as reads, reads.select(select) as (columns, rows):
        await print_rows(form, columns, rows)
    return 0
