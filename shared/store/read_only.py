"""The check before the read-only door: one statement that reads our tables, and nothing else of the machine.

The engine's own `readonly = 1` comes on top. It alone lets through INTO OUTFILE and, in the embedded engine,
files named as tables of the database `default`.
"""

from collections.abc import Iterable
from typing import Final

from shared.store.errors import NotReadOnly, StoreError
from shared.store.statements import Kind, Token, split, tokens

QUERYING: Final = ("SELECT", "WITH")
READING: Final = (*QUERYING, "SHOW", "DESCRIBE", "DESC", "EXPLAIN")

_MAKE_ROWS: Final = """
    format generate_series generateseries generaterandom null numbers numbers_mt primes sqlstandardvalues values
    view viewifpermitted zeros zeros_mt
"""
_REACH_OUT: Final = """
    arrowflight arrowstream azureblobstorage azureblobstoragecluster bigquery cluster clusterallreplicas cosn
    deltalake deltalakeazure deltalakeazurecluster deltalakecluster deltalakelocal deltalakes3 deltalakes3cluster
    dictionary eval executable file filecluster filesystem fuzzjson fuzzquery gcs hdfs hdfscluster hive hudi
    hudicluster iceberg icebergazure icebergazurecluster icebergcluster iceberghdfs iceberghdfscluster icebergs3
    icebergs3cluster iceberglocal iceberglocalcluster input jdbc loop merge mergetreeanalyzeindexes
    mergetreeanalyzeindexesuuid mergetreecodecblockcounts mergetreeindex mergetreeprojection mergetreetextindex
    mongodb mysql odbc oss paimon paimonazure paimonazurecluster paimoncluster paimonhdfs paimonhdfscluster
    paimonlocal paimons3 paimons3cluster postgresql prometheusquery prometheusqueryrange python redis remote
    remotesecure s3 s3cluster sqlite timeseriesdata timeseriesmetricfamilies timeseriesmetrics timeseriessamples
    timeseriesselector timeseriestags url urlcluster viewexplain ytsaurus
    catboostevaluate hascolumnintable joinget joingetornull reversednsquery
"""
HARMLESS_TABLE_FUNCTIONS: Final = frozenset(_MAKE_ROWS.split())
"""Table functions that make rows from nothing; a test holds these two lists against what the engines have."""

REFUSED_FUNCTIONS: Final = frozenset(_REACH_OUT.split())
"""Functions that reach files, the network, other programs or tables by name, in lower case."""

_FILES_AS_TABLES: Final = "default"  # the embedded engine's database of this name shows files as tables


def check_read_only(sql: str) -> str:
    """Return the one statement in `sql`, without its semicolon.

    Raises NotReadOnly, with a sentence for the person who typed it, where it is anything but one SELECT, WITH,
    SHOW, DESCRIBE or EXPLAIN, or reaches outside the store.
    """
    try:
        statements = split(sql)
        found = list(tokens(sql))
    except StoreError as error:
        raise NotReadOnly(str(error)) from error
    if len(statements) != 1:
        raise NotReadOnly(f"One statement at a time, please: here are {len(statements)}.")
    found = [token for token in found if not token.is_symbol(";")]
    _check_verb(found)
    for place, token in enumerate(found):
        _check_token(token, found[place + 1 : place + 3])
    _check_settings(found)
    return statements[0]


def is_query(statement: str) -> bool:
    """Say whether this is a query, whose answer may be of any length, rather than a question about the store."""
    first = _verb(tokens(statement))
    return first is not None and first.is_word(*QUERYING)


def _verb(found: Iterable[Token]) -> Token | None:
    return next((token for token in found if not token.is_symbol("(")), None)


def _check_verb(found: list[Token]) -> None:
    first = _verb(found)
    if first is None or not first.is_word(*READING):
        raise NotReadOnly("Only reading is allowed here: begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN.")


def _check_token(token: Token, after: list[Token]) -> None:
    follows = after[0] if after else None
    if token.is_word("INTO"):
        raise NotReadOnly("INTO writes (INTO OUTFILE would make a file): leave it out and redirect the output.")
    if follows is None:
        return
    name = (token.identifier or "").lower()
    if follows.is_symbol("(") and name in REFUSED_FUNCTIONS:
        raise NotReadOnly(f"{token.text}(…) reaches files, the network or other programs: read Tallyman's own tables.")
    if follows.is_symbol(".") and name == _FILES_AS_TABLES:
        raise NotReadOnly("Leave the database's name out: the tables and views are found without it.")
    if token.is_word("PARALLEL") and follows.is_word("WITH"):
        raise NotReadOnly("One statement at a time, please: PARALLEL WITH joins several.")
    if token.is_word("FORMAT") and follows.kind is Kind.WORD and len(after) == 1:
        raise NotReadOnly("Leave FORMAT out: the output's form is chosen with --format.")


def _check_settings(found: list[Token]) -> None:
    """Refuse a SETTINGS clause: `readonly = 1` would, less clearly."""
    for token, name, equals in zip(found, found[1:], found[2:], strict=False):
        if token.is_word("SETTINGS") and name.kind is Kind.WORD and equals.is_symbol("="):
            raise NotReadOnly(f"Settings cannot be changed here: leave out SETTINGS {name.text}.")
