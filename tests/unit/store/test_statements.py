"""SQL cut into tokens and statements."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store.errors import StoreError
from shared.store.statements import Kind, split, tokens

PIECES = st.sampled_from(
    [
        "SELECT",
        " ",
        "\n",
        ";",
        "'",
        "''",
        "\\",
        "`",
        '"',
        "--",
        "/*",
        "*/",
        "#",
        "# ",
        "a",
        "1",
        "(",
        ")",
        ",",
        "é",
        "$",
    ]
)


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ; ;\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("A; B", ["A", "B"]),
        ("-- all; of it\nA -- b;\n;", ["A"]),
        ("/* ; */ A /* ; */; /* ; */", ["A"]),
        ("SELECT ';', `;`, \";\"; B", ["SELECT ';', `;`, \";\"", "B"]),
        ("SELECT 'it''s; ' ; B", ["SELECT 'it''s; '", "B"]),
        (r"SELECT 'it\'s; ' ; B", [r"SELECT 'it\'s; '", "B"]),
        (r"SELECT '\\' ; B", [r"SELECT '\\'", "B"]),
        ("# a comment; here\nA; #! and here;", ["A"]),
        ("SELECT 1 /* -- */ ; B", ["SELECT 1", "B"]),
        ("SELECT 1 -- /* \n; B", ["SELECT 1", "B"]),
    ],
)
def test_statements_are_split_at_semicolons_outside_of_strings_names_and_comments(
    sql: str, statements: list[str]
) -> None:
    assert split(sql) == statements


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'open",
        "SELECT `open",
        'SELECT "open',
        "SELECT 1 /* open",
        "SELECT /*/ 1",
        "SELECT $$ ; $$",
        "SELECT $tag$ ; $tag$",
        "SELECT x'41'",
        "SELECT b'01'",
        "SELECT `a``b`",
        r"SELECT `a\`b`",
        "SELECT \u2018curly\u2019",
        "SELECT \u201ccurly\u201d",
        "SELECT 1\x00; DROP TABLE tags",
        "SELECT 1\u00a0; A",
        r"SELECT 1\G",
        "SELECT #1",
    ],
)
def test_what_the_engine_might_cut_otherwise_is_refused(sql: str) -> None:
    with pytest.raises(StoreError, match="cannot be read at line 1"):
        split(sql)


def test_the_sentence_names_the_line() -> None:
    with pytest.raises(StoreError, match='at line 3, from "\'open" on'):
        split("SELECT\n1,\n'open")


def test_a_quoted_name_is_an_identifier_and_no_key_word() -> None:
    word, name, string = tokens("into `into` 'into'")
    assert word.is_word("INTO")
    assert not name.is_word("INTO")
    assert [word.identifier, name.identifier, string.identifier] == ["into", "into", None]


@given(st.text() | st.lists(PIECES).map("".join))
def test_any_text_is_cut_or_refused_and_every_token_stands_where_it_says(sql: str) -> None:
    try:
        found = list(tokens(sql))
    except StoreError:
        return
    assert all(sql.startswith(token.text, token.start) for token in found)
    assert all(left.start + len(left.text) <= right.start for left, right in pairwise(found))


@given(st.lists(PIECES).map("".join))
def test_a_statement_splits_into_itself(sql: str) -> None:
    try:
        statements = split(sql)
    except StoreError:
        return
    assert [split(statement) for statement in statements] == [[statement] for statement in statements]


@given(st.text(alphabet=st.characters(exclude_characters="'\\", exclude_categories=["Cs"])))
def test_what_stands_in_a_string_is_never_more_than_a_string(inside: str) -> None:
    assert [token.kind for token in tokens(f"'{inside}'")] == [Kind.STRING]
    assert split(f"SELECT '{inside}'") == [f"SELECT '{inside}'"]
