"""One rule says what is no token, wherever it is entered; the errors say what to do and do not repeat it."""

import json

import pytest

from lanes.errors import SettingsError
from lanes.settings import DashboardSettings, WorkerSettings
from lanes.settings.bare_secret import check_secret
from worker.highlevel.outcomes import Answer
from worker.tokens.credential import CredentialError, from_fields, read_credential
from worker.tokens.oauth import Grant, classify_grant

BARE = "must be the bare value, without Bearer, Authorization or a name before it"
ASCII = "must be printable ASCII without spaces; copy it again"
HIDDEN = "must be printable ASCII without spaces; it has an invisible character"
PLACEHOLDER = "must be a real value, not a placeholder"
REFUSED = {
    '"pit-abc"': "must be without ",
    "'pit-abc": "must be without ",
    "\u201cpit-abc\u201d": "must be without ",
    '{"access_token":"pit-abc"}': "",
    "<TOKEN>": PLACEHOLDER,
    "%TOKEN%": PLACEHOLDER,
    "pit-abc;": PLACEHOLDER,
    "pit-abc\\n": PLACEHOLDER,
    "redacted": PLACEHOLDER,
    "/run/secrets/pit-abc": "must be the value itself, not where it is",
    "op://vault/item/pit-abc": "must be the value itself, not where it is",
    "pit-<abc>": PLACEHOLDER,
    "${PIT_ABC}": PLACEHOLDER,
    "YOUR_TOKEN": PLACEHOLDER,
    "your-api-key-here": PLACEHOLDER,
    "TOKEN": PLACEHOLDER,
    "change-me": PLACEHOLDER,
    "REPLACE_ME": PLACEHOLDER,
    "pit-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx": PLACEHOLDER,
    "pit-...": PLACEHOLDER,
    "pit-": PLACEHOLDER,
    "********": PLACEHOLDER,
    "undefined": PLACEHOLDER,
    "bearer:pit-abc": BARE,
    "Bearer pit-abc": BARE,
    "Bearer%20pit-abc": BARE,
    "Bearer": BARE,
    "Authorization: Bearer pit-abc": BARE,
    '"Authorization: Bearer pit-abc"': "",
    "authorization=pit-abc": BARE,
    "token: pit-abc": BARE,
    "LANES_API_TOKEN=pit-abc": BARE,
    "access_token=pit-abc": BARE,
    "export X=pit-abc": BARE,
    "-H Authorization:pit-abc": BARE,
    "pit-abc pit-abc": ASCII,
    "pit-abc\npit-abc": HIDDEN,
    "pit-abc\u200b": HIDDEN,
    "\ufeffpit-abc": HIDDEN,
    "pit\u00a0abc": ASCII,
    "pit\u2013abc": ASCII,
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_token(text: str) -> None:
    expected = REFUSED[text]
    found = []
    with pytest.raises(SettingsError, match=r"^LANES_API_TOKEN: must be ") as setting:
        DashboardSettings.load({"LANES_API_TOKEN": text}, env_file=None)
    found.append(str(setting.value))
    for name in ("CLIENT_SECRET", "CLIENT_ID"):
        with pytest.raises(SettingsError, match=rf"^LANES_OAUTH_{name}: must be ") as setting:
            WorkerSettings.load({f"LANES_OAUTH_{name}": text}, env_file=None)
        found.append(str(setting.value))
    with pytest.raises(CredentialError) as entered:
        read_credential(text, now=0)
    found.append(str(entered.value))
    for name in ("token", "refresh_token", "access_token", "client_secret"):
        fields = {name: text} if name == "token" else {"refresh_token": "rt-1", name: text}
        with pytest.raises(CredentialError, match=f"^{name} must be ") as entered:
            from_fields(fields, 0)
        found.append(str(entered.value))
    for message in found:
        assert expected in message
        assert text in ("Bearer", "TOKEN") or text not in message
        assert "pit-abc" not in message
        assert "\n" not in message
    answer = Answer(200, {}, json.dumps({"access_token": text}).encode())
    assert not isinstance(classify_grant(answer, (), pair=False), Grant)


@pytest.mark.parametrize(
    "text",
    ["pit-1", "pit-0d7fbb1c-49d8-4a5b-9a6c-1f0a4be5f1a2", "eyJhbGciOi.eyJzdWIiOi.sig_-", "at-1", "mexxx-y", "abc=="],
)
def test_what_may_be_one(text: str) -> None:
    assert check_secret(f" {text}\r\n") == text
