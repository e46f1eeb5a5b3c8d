"""What passes the read-only door, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store.errors import NotReadOnly
from shared.store.read_only import REFUSED_FUNCTIONS, check_read_only, is_query

GAPS = st.sampled_from(["", " ", "\n", "\t", "/**/", "/* ( */", " -- (\n", "# (\n"])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM current_images",
        "select registry, count() from current_images group by registry order by 2 desc limit 10",
        "WITH 1 AS one SELECT one",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SHOW TABLES",
        "DESCRIBE current_tags",
        "DESC current_tags",
        "EXPLAIN SELECT 1",
        "SELECT 'INTO OUTFILE; file(1)', /* DROP TABLE tags; file() */ 1",
        "SELECT 1 AS `images/day`",
        "SELECT platforms.os FROM current_tags ARRAY JOIN platforms",
        "SELECT * FROM system.settings WHERE readonly = 1",
        "SELECT name, value FROM system.settings",
        "SELECT file, url FROM (SELECT 1 AS file, 2 AS url)",
        "SELECT format('{}', tag) FROM current_tags",
        "SELECT arrayJoin(tags) AS tag FROM current_images WHERE tag IN ('a', 'b')",
        "SELECT * FROM numbers(3)",
        "SELECT 1 - -1, 5 % 2, [1, 2][1], {'a': 1}, 1::UInt8, x -> x + 1",
        "SELECT default FROM (SELECT 1 AS default)",
    ],
)
def test_reading_passes(sql: str) -> None:
    assert check_read_only(sql) == sql


@pytest.mark.parametrize("sql", ["SELECT 1;", " SELECT 1 ; ", "-- why\nSELECT 1;-- that", "/* a */ SELECT 1 /* b */"])
def test_the_bare_statement_is_what_comes_out(sql: str) -> None:
    assert check_read_only(sql) == "SELECT 1"


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("", "here are 0"),
        ("-- nothing", "here are 0"),
        ("SELECT 1; SELECT 2", "here are 2"),
        ("SELECT 1; DROP TABLE tags", "here are 2"),
        ("SELECT 1 PARALLEL WITH DROP TABLE tags", "PARALLEL WITH"),
        ("INSERT INTO tags VALUES (1)", "begin with SELECT"),
        ("DROP TABLE tags", "begin with SELECT"),
        ("SET readonly = 0", "begin with SELECT"),
        ("SYSTEM SHUTDOWN", "begin with SELECT"),
        ("ALTER TABLE tags DELETE WHERE 1", "begin with SELECT"),
        ("KILL QUERY WHERE 1", "begin with SELECT"),
        ("(((", "begin with SELECT"),
        ("'SELECT'", "begin with SELECT"),
        ("WITH x AS (SELECT 1) INSERT INTO tags SELECT * FROM x", "INTO writes"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO writes"),
        ("SELECT 1 iNtO/**/oUtFiLe '/tmp/x' APPEND", "INTO writes"),
        ("EXPLAIN SELECT 1 INTO OUTFILE '/tmp/x'", "INTO writes"),
        ("SELECT 1 SETTINGS readonly = 0", "SETTINGS readonly"),
        ("SELECT 1 settings max_threads=1, readonly=0", "SETTINGS max_threads"),
        ("SELECT * FROM (SELECT 1 SETTINGS readonly = 0)", "SETTINGS readonly"),
        ("SELECT 1 FORMAT CSV", "--format"),
        ("SELECT 1 FORMAT CSV;", "--format"),
        ("SELECT * FROM default.`/etc/passwd`", "database's name"),
        ('SELECT * FROM "default" . "notes.csv"', "database's name"),
        ("SELECT * FROM\n`Default`\n.x", "database's name"),
        ("SELECT * FROM file('/etc/passwd')", "file"),
        ("SELECT * FROM `file`('/etc/passwd')", "file"),
        ('SELECT * FROM "FILE" ("/etc/passwd")', "FILE"),
        ("DESCRIBE TABLE url('http://127.0.0.1/')", "url"),
        ("EXPLAIN SELECT * FROM s3('http://127.0.0.1/')", "s3"),
        ("SELECT * FROM remote('127.0.0.1', system.one)", "remote"),
        ("SELECT * FROM executable('x', 'TSV', 'a String')", "executable"),
        ("SELECT * FROM eval('SELECT * FROM file(1)')", "eval"),
        ("SELECT * FROM merge('default', '.*')", "merge"),
        ("SELECT hasColumnInTable('default', '/etc/passwd', 'c1')", "hasColumnInTable"),
        ("SELECT (SELECT count() FROM mysql('h', 'd', 't', 'u', 'p'))", "mysql"),
        ("SELECT * FROM Python(df)", "Python"),
        ("SELECT 'open", "cannot be read"),
    ],
)
def test_everything_else_is_refused_with_a_sentence(sql: str, sentence: str) -> None:
    with pytest.raises(NotReadOnly, match=sentence) as refused:
        check_read_only(sql)
    assert refused.value.reason == "sql_not_read_only"


@given(
    st.sampled_from(sorted(REFUSED_FUNCTIONS)), GAPS, st.sampled_from([str.upper, str.lower, str.title]), st.booleans()
)
def test_no_way_of_writing_hides_a_refused_function(name: str, gap: str, case: object, quoted: bool) -> None:
    assert callable(case)
    written = f"`{case(name)}`" if quoted else case(name)
    with pytest.raises(NotReadOnly, match="reaches files"):
        check_read_only(f"SELECT * FROM {written}{gap}('x')")


@given(GAPS, GAPS)
def test_no_gap_hides_a_second_statement(before: str, after: str) -> None:
    with pytest.raises(NotReadOnly, match="One statement at a time"):
        check_read_only(f"SELECT 1{before};{after}DROP TABLE tags")


@given(st.text())
def test_any_text_passes_or_is_refused(sql: str) -> None:
    try:
        statement = check_read_only(sql)
    except NotReadOnly:
        return
    assert check_read_only(statement) == statement


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("SELECT 1", True),
        ("((select 1))", True),
        ("WITH 1 AS a SELECT a", True),
        ("SHOW TABLES", False),
        ("DESC t", False),
    ],
)
def test_only_a_query_is_streamed(statement: str, query: bool) -> None:
    assert is_query(statement) is query
