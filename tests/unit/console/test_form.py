"""The form: every field of the model, read back as it was shown, wrong ones told by name."""

import pytest
from starlette.datastructures import FormData

from services.console.pages.form import groups_of, read_form, shown_values
from shared.connections.rules import ConnectionInvalid
from shared.messages.connection_fields import ConnectionFields, Group
from tests.unit.connections.samples import a_connection


def sent(values: dict[str, object], **changes: object) -> FormData:
    """What a browser sends of a form with these values: unticked boxes not at all."""
    every = {**values, **changes}
    return FormData(
        [(name, "true" if value is True else str(value)) for name, value in every.items() if value is not False]
    )


def test_every_field_is_in_its_group_with_title_and_help() -> None:
    groups = groups_of(shown_values(None), {}, {}, has_password=False)
    assert [group.title for group in groups] == list(Group)
    fields = {field.name: field for group in groups for field in group.fields}
    assert fields.keys() == {*ConnectionFields.model_fields, "password"}
    assert [field.name for field in fields.values() if not (field.title and field.help)] == []
    assert fields["read_timeout_seconds"].unit == "seconds"
    kinds = {name: fields[name].kind for name in ("type", "is_active", "max_rps", "include", "ca", "password", "host")}
    expected = {"type": "select", "is_active": "check", "max_rps": "number", "include": "lines", "ca": "long"}
    assert kinds == {**expected, "password": "password", "host": "text"}


def test_what_is_shown_of_a_connection_and_sent_back_is_the_same_connection() -> None:
    connection = a_connection(
        include=("a/*", "b"), newest_tags=5, username="me", is_active=False, read_timeout_seconds=1.5
    )
    draft = read_form(sent(shown_values(connection)), is_new=False)
    assert draft.password is None
    assert not draft.clears_password
    for name, value in draft.settings.items():
        assert value == getattr(connection, name), name


def test_a_new_form_needs_a_name_and_a_host_and_nothing_else() -> None:
    with pytest.raises(ConnectionInvalid) as caught:
        read_form(sent(shown_values(None)), is_new=True)
    assert set(caught.value.fields) == {"name", "host"}
    draft = read_form(sent(shown_values(None), name="x", host="https://r.example.com"), is_new=True)
    assert draft.settings["name"] == "x"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("max_rps", "many", "number"),
        ("max_rps", "1.5", "integer"),
        ("read_timeout_seconds", "-1", "greater than 0"),
        ("include", "re:(", "RE2"),
        ("type", "quay", "input should be"),
    ],
)
def test_a_wrong_value_is_told_at_its_field_and_a_password_is_not_quoted(field: str, value: str, told: str) -> None:
    form = sent(shown_values(None), name="x", host="https://r.example.com", password="hunter2", **{field: value})
    with pytest.raises(ConnectionInvalid, match=told) as caught:
        read_form(form, is_new=True)
    assert set(caught.value.fields) == {field}
    assert "hunter2" not in str(caught.value)


def test_no_user_name_takes_the_password_away() -> None:
    draft = read_form(sent(shown_values(a_connection(username="me")), username=""), is_new=False)
    assert draft.clears_password
