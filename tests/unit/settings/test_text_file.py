"""A secret file is read in whatever harmless form an editor left it; any other file is named for what it is."""

import codecs
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from genesys_gateway.settings import Settings, SettingsError
from genesys_gateway.settings.secret import Secret
from genesys_gateway.settings.text_file import read_text
from tests.doubles.environment import mistakes, read
from tests.doubles.genesys import ENVIRONMENT
from tests.doubles.identity_provider import pair, signing

Change = Callable[[bytes], bytes]
MARK = codecs.BOM_UTF8
#: The secret of each setting that can be in a file, in two lines where it may have two.
SECRETS = {
    "GENESYS_CLIENT_SECRET": "canary-client-secret",
    "GENESYS_SAML_ASSERTION_URL_TOKEN": "canary-idp-token",
    "COMMUNICATION_HISTORY_TOKEN": "canary-history-token",
    "GATEWAY_TOKENS": "bofe:canary-bofe-token-0001\nops:canary-ops-token-00001",
    "DATABASE_URL": "sqlite:////var/lib/gateway/canary.db",
}
HARMLESS: Mapping[str, Change] = {
    "a line break": lambda text: text + b"\n",
    "several line breaks and blanks": lambda text: b"\n " + text + b" \t\n\n",
    "CRLF": lambda text: text.replace(b"\n", b"\r\n") + b"\r\n",
    "CR": lambda text: text.replace(b"\n", b"\r") + b"\r",
    "a byte order mark": lambda text: MARK + text,
    "marks where files were joined": lambda text: MARK + text.replace(b"\n", b"\n" + MARK) + b"\n" + MARK,
    "a mark and CRLF": lambda text: MARK + text.replace(b"\n", b"\r\n") + b"\r\n",
    "a no-break space at the end": lambda text: text + "\u00a0".encode(),
}
HARMFUL: Mapping[str, Change] = {
    "is UTF-16 text; save it as UTF-8": lambda text: text.decode().encode("utf-16"),
    "is UTF-16 text; save it as UTF-8 ": lambda text: codecs.BOM_UTF16_BE + text.decode().encode("utf-16-be"),
    "is UTF-16 text; save it as UTF-8  ": lambda text: text.decode().encode("utf-16-le"),
    "is UTF-16 text; save it as UTF-8   ": lambda text: text.decode().encode("utf-16-be"),
    "is UTF-32 text; save it as UTF-8": lambda text: text.decode().encode("utf-32"),
    "is not UTF-8 text": lambda text: text + b"\xe9\xff",
    "is not text: it has bytes of value 0": lambda text: text + b"\0\0",
    "is empty": lambda _: b"",
    "is empty ": lambda _: MARK + b"\r\n",
    "is too big": lambda text: text * 10_000,
}


def settings_of(name: str, file: Path) -> Settings:
    """Settings whose secret of that name is in the file."""
    extra = {"GENESYS_SAML_ASSERTION_URL": "https://idp.example/"} if "ASSERTION_URL" in name else {}
    environ = ENVIRONMENT | extra | {f"{name}_FILE": str(file)}
    environ.pop(name, None)
    return Settings.from_environment(environ)


def revealed(name: str, settings: Settings) -> str:
    found = getattr(settings, name.lower().removeprefix("gateway_"))
    return found.reveal() if isinstance(found, Secret) else str(found)


@pytest.mark.parametrize("form", HARMLESS)
@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_is_read_in_each_harmless_form(tmp_path: Path, name: str, form: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(HARMLESS[form](SECRETS[name].encode()))

    assert revealed(name, settings_of(name, file)) == SECRETS[name]


@pytest.mark.parametrize("form", HARMFUL)
@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_in_a_harmful_form_is_a_mistake_that_names_the_form(tmp_path: Path, name: str, form: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(HARMFUL[form](SECRETS[name].encode()))

    with pytest.raises(SettingsError) as caught:
        settings_of(name, file)

    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"{name}_FILE {form.strip()}")
    assert "canary" not in mistake


@pytest.mark.parametrize("form", HARMFUL)
def test_a_file_that_turns_bad_never_replaces_the_secret_that_was_good(tmp_path: Path, form: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(MARK + b"canary-secret\r\n")
    secret = Secret.of_file(file)

    file.write_bytes(HARMFUL[form](b"canary-secret"))
    with capture_logs() as logged:
        secret.refresh()

    assert secret.reveal() == "canary-secret"
    (line,) = logged
    assert (line["event"], line["reason"][:7]) == ("secret_file_unusable", form[:7])


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for name, fault in (
        ("", "is a directory"),
        ("pipe", "is no regular file"),
        ("none", "can't be read: No such file"),
    ):
        with pytest.raises(ValueError, match=fault):
            read_text(tmp_path / name, 100)
        assert mistakes("GATEWAY_TOKENS", GATEWAY_TOKENS_FILE=str(tmp_path / name))[0].startswith(
            f"GATEWAY_TOKENS_FILE {fault}"
        )


@pytest.mark.parametrize("name", ["GENESYS_SAML_ASSERTION_FILE", "GATEWAY_CA_BUNDLE"])
def test_a_directory_or_a_pipe_is_no_file_that_a_setting_may_name(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert mistakes(**{name: str(tmp_path)}) == [f"{name} names a directory, not a file"]
    assert mistakes(**{name: str(tmp_path / "pipe")}) == [f"{name} names something that is no regular file"]


@pytest.mark.parametrize("form", ["a line break", "CRLF", "a byte order mark", "a mark and CRLF"])
def test_authorities_are_read_in_each_harmless_form(tmp_path: Path, form: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(HARMLESS[form](pair()[1] + pair("other")[1]))

    assert read(GATEWAY_CA_BUNDLE=str(file)).ca_bundle == file
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(file)
    assert trusted.cert_store_stats()["x509"] == 2


def test_authorities_in_another_encoding_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pair()[1].decode().encode("utf-16"))

    (mistake,) = mistakes(GATEWAY_CA_BUNDLE=str(tmp_path / "ca.pem"))

    assert mistake == "GATEWAY_CA_BUNDLE names a file that is UTF-16 text; save it as UTF-8"


@pytest.mark.parametrize("form", HARMLESS)
def test_key_and_certificate_are_read_in_each_harmless_form(tmp_path: Path, form: str) -> None:
    environ = ENVIRONMENT | signing(tmp_path)
    for name in ("key.pem", "certificate.pem"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(HARMLESS[form](content))

    assert Settings.from_environment(environ).genesys_saml_key_file == tmp_path / "key.pem"


@pytest.mark.parametrize(("name", "file"), [("KEY", "key.pem"), ("CERTIFICATE", "certificate.pem")])
@pytest.mark.parametrize("form", [form for form in HARMFUL if "big" not in form])
def test_a_key_or_certificate_in_a_harmful_form_is_named(tmp_path: Path, name: str, file: str, form: str) -> None:
    environ = ENVIRONMENT | signing(tmp_path)
    (tmp_path / file).write_bytes(HARMFUL[form]((tmp_path / file).read_bytes()))

    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)

    assert caught.value.mistakes == (f"GENESYS_SAML_{name}_FILE {form.strip()}",)


def test_a_variable_may_have_a_mark_and_foreign_line_breaks_too() -> None:
    settings = read(
        GENESYS_CLIENT_SECRET="\ufeffsecret\r",
        GATEWAY_TOKENS="\ufeffbofe:canary-bofe-token-0001\rops:canary-ops-token-00001\r\n",
        **{"\ufeffGENESYS_CLIENT_ID": "behind-a-mark"},
    )

    assert settings.genesys_client_secret.reveal() == "secret"
    assert settings.genesys_client_id == "behind-a-mark"
    assert settings.tokens is not None
    assert settings.tokens.reveal().split() == ["bofe:canary-bofe-token-0001", "ops:canary-ops-token-00001"]
