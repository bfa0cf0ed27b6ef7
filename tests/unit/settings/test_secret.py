"""A secret is renewed from its file, kept if the file becomes unusable, and never shown."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from genesys_gateway.settings.secret import Secret, one_word, role_tokens


class SetClock:
    """A monotonic clock whose time the test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_secret_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    file, clock = tmp_path / "secret", SetClock()
    file.write_text("first-secret")
    secret = Secret("first-secret", file=file, monotonic=clock)
    file.write_text("second-secret")

    clock.seconds = 59.9
    assert secret.reveal() == "first-secret"
    clock.seconds = 60
    assert secret.reveal() == "second-secret"


def test_a_secret_file_is_read_again_at_once_when_told_to(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret")
    secret = Secret.of_file(file)
    file.write_text("second-secret")

    secret.refresh()

    assert secret.reveal() == "second-secret"


@pytest.mark.parametrize("content", ["", "two words", None])
def test_a_secret_file_that_turns_bad_leaves_the_secret_that_was_good(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret")
    secret = Secret.of_file(file, one_word)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)

    with capture_logs() as logged:
        secret.refresh()

    assert secret.reveal() == "first-secret"
    assert [line["event"] for line in logged] == ["secret_file_unusable"]


def test_a_secret_is_not_shown_by_repr_str_or_format() -> None:
    secret = Secret.of("canary")

    assert "canary" not in f"{secret} {secret!r} {[secret]}"


def test_role_tokens_may_be_separated_by_commas_and_line_breaks() -> None:
    assert role_tokens("bofe:token-one, bofe:token-two\r\nops:token:with:colons\n") == (
        ("bofe", "token-one"),
        ("bofe", "token-two"),
        ("ops", "token:with:colons"),
    )
