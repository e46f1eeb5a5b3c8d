"""What a new, an edited and an ensured connection is."""

from pathlib import Path

import pytest

from shared.connections.rules import (
    ConnectionInvalid,
    ConnectionSettings,
    HostAmbiguous,
    NameTaken,
    NoSuchConnection,
    StaleEdit,
    edited_connection,
    ensured_connection,
    least_used_slot,
    new_connection,
    with_scan_base_above,
)
from shared.connections.secrets import EncryptedSecret
from shared.messages.connection_changed import Connection
from tests.support.certificates import make_authority
from tests.unit.connections.samples import HARBOR, NOTHING, PARTITIONS, a_connection, created, holding

FIXED = {"version", "registry", "revision", "slot", "scan_base", "cancelled"}


def ensured(snapshot: object, target: str, **settings: object) -> Connection:
    return ensured_connection(snapshot, "newregistry", PARTITIONS, target, settings)  # type: ignore[arg-type]


def test_a_person_can_set_every_field_but_those_that_are_fixed() -> None:
    assert set(ConnectionSettings.__annotations__) == set(Connection.model_fields) - FIXED


def test_a_new_connection_starts_at_the_first_revision_with_the_given_settings() -> None:
    connection = created(name="prod", max_rps=7)
    assert (connection.registry, connection.revision, connection.scan_base) == ("newregistry", 1, 1)
    assert (connection.name, connection.host, connection.max_rps) == ("prod", HARBOR, 7)


def test_a_new_connection_without_a_name_is_called_after_its_host_and_port() -> None:
    assert created(host="https://Registry.Example.com:5000/v").name == "registry.example.com:5000"


def test_a_name_taken_from_the_host_is_numbered_until_it_is_free() -> None:
    first = a_connection("registry1", name="harbor.example.com", host=HARBOR + "/one")
    second = a_connection("registry2", name="harbor.example.com-2", host=HARBOR + "/two")
    assert created(holding(first, second)).name == "harbor.example.com-3"


@pytest.mark.parametrize("name", ["prod", "PROD"])
def test_a_given_name_that_another_connection_has_is_refused_in_any_case(name: str) -> None:
    with pytest.raises(NameTaken, match=f"prod is taken by the connection to {HARBOR}"):
        created(holding(a_connection()), name=name, host="https://other.example.com")


def test_a_deleted_connections_name_is_free_again() -> None:
    snapshot = holding(a_connection())
    deleted = snapshot.records["registry1"].__class__(9, "registry1", None)
    assert created(snapshot.after([deleted]), name="prod").name == "prod"


def test_a_host_without_a_scheme_is_refused_with_the_form_it_should_have() -> None:
    with pytest.raises(ConnectionInvalid, match="host: a host starts with https:// or http://") as caught:
        ensured(NOTHING, "registry.example.com")
    assert caught.value.reason == "connection_invalid"


def test_a_refusal_never_quotes_what_was_given() -> None:
    with pytest.raises(ConnectionInvalid) as caught:
        created(host="https://user:hunter2@registry.example.com")
    shown = [caught.value, caught.value.__cause__]
    assert not any("hunter2" in str(error) for error in shown)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("host", ["https://host:port", "https://[::1", "https://host:99999"])
def test_a_host_that_is_no_url_is_refused(host: str) -> None:
    with pytest.raises(ConnectionInvalid):
        ensured(holding(a_connection()), host)


def test_new_connections_go_round_the_slots() -> None:
    snapshot, slots = NOTHING, []
    for number in range(6):
        slot = least_used_slot(snapshot, PARTITIONS)
        slots.append(slot)
        snapshot = holding(*(c for c, _ in snapshot.present()), a_connection(f"registry{number}", slot=slot))
    assert slots == [0, 1, 2, 3, 0, 1]


def test_a_slot_is_used_by_each_shard_that_lies_on_it() -> None:
    giant = a_connection(slot=3, shards=2)
    assert least_used_slot(holding(giant), PARTITIONS) == 1
    assert least_used_slot(holding(giant), PARTITIONS, shards=2) == 1
    assert least_used_slot(holding(giant), PARTITIONS, shards=10**9) == 0


def test_an_edit_changes_only_what_is_given_and_raises_the_revision() -> None:
    before = a_connection(slot=3, scan_base=40, max_rps=9, page_size=77)
    after = edited_connection(holding(before), "registry1", 1, {"max_rps": 10})
    assert after == before.model_copy(update={"max_rps": 10, "revision": 2})


def test_an_edit_of_an_older_revision_is_told_that_it_is_stale() -> None:
    with pytest.raises(StaleEdit, match="prod was changed meanwhile"):
        edited_connection(holding(a_connection(revision=5)), "registry1", 4, {"max_rps": 10})


def test_an_edit_of_a_deleted_connection_is_told_so() -> None:
    with pytest.raises(NoSuchConnection, match="registry1"):
        edited_connection(NOTHING, "registry1", 1, {})


def test_an_edit_may_not_take_anothers_name_but_may_keep_its_own() -> None:
    snapshot = holding(a_connection("registry1", name="one"), a_connection("registry2", name="two"))
    assert edited_connection(snapshot, "registry2", 1, {"name": "Two"}).name == "Two"
    with pytest.raises(NameTaken):
        edited_connection(snapshot, "registry2", 1, {"name": "one"})


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConnectionInvalid, match="choose one"):
        edited_connection(
            holding(a_connection(ca="-----BEGIN CERTIFICATE-----")), "registry1", 1, {"skip_tls_verification": True}
        )


@pytest.mark.parametrize("inside", ["", "AAAA", "a\u00e9\U0001f433"])
def test_a_ca_that_holds_no_certificate_is_refused(inside: str) -> None:
    pem = f"-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConnectionInvalid, match="no certificate in it that can be read") as caught:
        new_connection(NOTHING, "registry1", 12, {"host": HARBOR, "ca": pem})
    assert caught.value.fields.keys() == {"ca"}


def test_a_ca_of_certificates_is_taken(tmp_path: Path) -> None:
    pem = make_authority(tmp_path).certificate_file.read_text()
    assert new_connection(NOTHING, "registry1", 12, {"host": HARBOR, "ca": pem}).ca == pem


def test_a_stored_password_is_not_sent_to_another_host() -> None:
    snapshot = holding(a_connection(password="token"))
    with pytest.raises(ConnectionInvalid, match="give the password again"):
        edited_connection(snapshot, "registry1", 1, {"host": "https://evil.example.com"})
    anew: ConnectionSettings = {"host": "https://new.example.com", "password": EncryptedSecret("other")}
    assert edited_connection(snapshot, "registry1", 1, anew).password == "other"
    assert edited_connection(snapshot, "registry1", 1, {"host": HARBOR + ":443/"}).password == "token"


@pytest.mark.parametrize("target", [HARBOR, HARBOR + "/", "https://HARBOR.example.com:443", "prod", "Prod"])
def test_the_same_host_or_its_name_means_the_same_registry(target: str) -> None:
    known = a_connection()
    assert ensured(holding(known), target) == known
    assert ensured(holding(known), target, page_size=5) == known.model_copy(update={"page_size": 5, "revision": 2})


@pytest.mark.parametrize("target", ["http://harbor.example.com", HARBOR + ":8443", HARBOR + "/path"])
def test_another_protocol_port_or_path_means_another_registry(target: str) -> None:
    connection = ensured(holding(a_connection()), target)
    assert (connection.registry, connection.host, connection.slot) == ("newregistry", target, 1)


def test_a_new_name_for_a_known_host_renames_its_connection() -> None:
    connection = ensured(holding(a_connection()), HARBOR, name="production")
    assert (connection.registry, connection.name) == ("registry1", "production")


def test_a_name_stays_the_same_registry_when_its_host_moves() -> None:
    first = ensured(NOTHING, "sample", host="http://127.0.0.1:5001")
    again = ensured(holding(first), "sample", host="http://127.0.0.1:5002")
    assert (first.name, again.name, again.registry) == ("sample", "sample", first.registry)
    assert again.host == "http://127.0.0.1:5002"


def test_of_several_connections_to_one_host_the_name_says_which_is_meant() -> None:
    snapshot = holding(a_connection("registry1", name="one"), a_connection("registry2", name="two"))
    assert ensured(snapshot, HARBOR, name="two").registry == "registry2"
    with pytest.raises(HostAmbiguous, match="one, two"):
        ensured(snapshot, HARBOR)


def test_a_scan_base_is_only_ever_raised_and_that_is_no_edit() -> None:
    connection = a_connection(scan_base=50, revision=3)
    assert with_scan_base_above(connection, 20) == connection
    assert with_scan_base_above(connection, 99) == connection.model_copy(update={"scan_base": 100})


def test_a_product_that_takes_tokens_only_is_refused_with_basic() -> None:
    with pytest.raises(ConnectionInvalid, match="take tokens only: choose bearer as the auth type"):
        created(type="gitlab")
    assert created(type="gitlab", auth_type="bearer").type == "gitlab"
