"""What runs the commands of the documents notices what does not do what its page says."""

from pathlib import Path

import pytest

from tests.documents import namespaces
from tests.documents.commands import blocks, by_page_and_stage, mistakes

needs_namespaces = pytest.mark.skipif(not namespaces.available(), reason="unshare makes no namespaces here")


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text)
    return path


def run(folder: Path, text: str) -> str:
    ((_, stage), found), *others = by_page_and_stage(blocks([page(folder, text)])).items()
    assert not others
    return namespaces.run(stage, found, folder)


@needs_namespaces
def test_blocks_of_a_page_share_a_shell_a_server_and_ports_of_their_own(tmp_path: Path) -> None:
    text = """
    * A block in a list counts, too.

      <!-- run: nothing, background -->
      ```sh
      PORT=8080
      python -m http.server --bind 127.0.0.1 8080
      ```

    <!-- run: nothing -->
    ```sh
    PORT=8080
    curl -s http://127.0.0.1:$PORT/
    ```

    <!-- run: nothing, exit 22 -->
    ```sh
    curl -s http://127.0.0.1:$PORT/nothing
    ```

    <!-- not run: it would fail -->
    ```sh
    false
    ```
    """.replace("\n    ", "\n")

    assert run(tmp_path, text) == ""


@needs_namespaces
@pytest.mark.parametrize(
    ("mark", "command", "wrong"),
    [
        ("run: nothing", "true\nfalse\ntrue", "page.md:2: exit code 1, not 0"),
        ("run: nothing", "false | true", "page.md:2: exit code 1, not 0"),
        ("run: nothing", "echo $UNKNOWN", "page.md:2: exit code 1, not 0"),
        ("run: nothing, exit 3", "exit 4", "page.md:2: exit code 4, not 3"),
        ("run: nothing, background", "true", "page.md:2: it ended"),
        (
            "run: nothing, background",
            "timeout 2 python -m http.server --bind 127.0.0.1 80",
            "ended before its page did",
        ),
        ("run: nothing", "curl -s http://192.0.2.1/", "page.md:2: exit code 7, not 0"),
    ],
)
def test_what_a_page_says_wrongly_is_told_with_its_place(tmp_path: Path, mark: str, command: str, wrong: str) -> None:
    after = "<!-- run: nothing -->\n```sh\nsleep 2.2\n```\n" if "timeout" in command else ""

    assert wrong in run(tmp_path, f"<!-- {mark} -->\n```sh\n{command}\n```\n\n{after}")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```sh\nmake demo\n```\n", "need the comment"),
        ("<!-- run by: tests/documents/test_site.py -->\n```sh\nmake demo\n```\n", "does not read this page"),
        ("<!-- run: somewhere -->\n```sh\nmake demo\n```\n", "need the comment"),
        ("<!-- run: nothing -->\n\nText.\n\n```sh\nmake demo\n```\n", "need the comment"),
        ("<!-- run: nothing -->\n```sh\n$ make demo\n```\n", "without '$ '"),
        ("```\nmake demo\n```\n", "give it a language"),
        ("    make demo\n", "give it a language"),
        ("```text\ncurl http://127.0.0.1/\n```\n", "'curl' begins a command"),
    ],
)
def test_a_block_that_hides_commands_is_a_mistake(tmp_path: Path, text: str, wrong: str) -> None:
    (mistake,) = mistakes(page(tmp_path, text))

    assert wrong in mistake


def test_a_command_over_several_lines_is_one(tmp_path: Path) -> None:
    text = "<!-- run: nothing -->\n```sh\n# a comment\ncurl \\\n  x\nfor i in 1; do\n  echo 'a\nb'\ndone\n```\n"

    (block,) = blocks([page(tmp_path, text)])

    assert block.commands == ["curl \\\n  x", "for i in 1; do\n  echo 'a\nb'\ndone"]
