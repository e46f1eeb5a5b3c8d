"""Which migrations are pending."""

import pytest

from shared.store.errors import StoreError
from shared.store.migrate import Migration, pending, shipped
from shared.store.statements import split

ONE, TWO = Migration(1, "0001_one.sql", "SELECT 1"), Migration(2, "0002_two.sql", "SELECT 2")


def test_all_are_pending_on_an_empty_store_and_in_order() -> None:
    assert pending([TWO, ONE], {}) == [ONE, TWO]


def test_what_was_applied_is_not_pending() -> None:
    assert pending([ONE, TWO], {1: ONE.checksum}) == [TWO]
    assert pending([ONE, TWO], {1: ONE.checksum, 2: TWO.checksum}) == []


def test_a_store_of_a_newer_version_is_refused() -> None:
    with pytest.raises(StoreError, match="migration 0003, which this version of Tallyman does not know"):
        pending([ONE], {1: ONE.checksum, 3: "x"})


def test_a_migration_changed_after_it_was_applied_is_refused_by_name() -> None:
    with pytest.raises(StoreError, match=r"0001_one\.sql is not the one that was applied"):
        pending([ONE], {1: "of another text"})


def test_the_migrations_shipped_are_numbered_without_a_gap() -> None:
    found = shipped()
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("statement", [each for migration in shipped() for each in split(migration.sql)])
def test_every_statement_can_be_run_again(statement: str) -> None:
    assert statement.startswith(("CREATE TABLE IF NOT EXISTS ", "CREATE OR REPLACE VIEW ", "ALTER TABLE "))
