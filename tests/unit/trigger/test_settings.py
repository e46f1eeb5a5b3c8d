"""The settings of webhooks: a wrong one stops the start with what to do, and no secret is shown."""

import pytest

from shared.errors import SettingsError
from shared.settings import load_settings

KEY = "whsec_" + "QUFB" * 8


@pytest.mark.parametrize(
    "address", ["ftp://a", "https://", "https://me:pw@a.example.com/x", "a.example.com", "https://a b", "https://a/#x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="TALLYMAN_WEBHOOKS holds an address that is none") as refused:
        load_settings(webhooks=f"https://fine.example.com/hook,{address}", webhook_secret=KEY)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("secret", [None, "secret", "whsec_", "whsec_short", "whsec_" + "A" * 200, KEY[6:], KEY + "!"])
def test_webhooks_need_a_secret_to_sign_with(secret: str | None) -> None:
    with pytest.raises(SettingsError, match=r"openssl rand -base64 32") as refused:
        load_settings(webhooks="https://a.example.com/hook", webhook_secret=secret)
    assert secret is None or len(secret) < 7 or secret not in str(refused.value)


def test_addresses_are_separated_by_commas_and_shown_nowhere() -> None:
    settings = load_settings(webhooks=" https://a.example.com/hidden , http://b:1/x?y=1,", webhook_secret=KEY)
    assert settings.webhook_urls == ("https://a.example.com/hidden", "http://b:1/x?y=1")
    assert settings.webhook_key == b"AAA" * 8
    assert "hidden" not in repr(settings)
    assert KEY not in repr(settings)
