"""An editor's language server completes, explains and underlines a scenario whose first line names the published schema.

The lane `node` of .ci/noxfile.py installs the server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_node import FOLDER, NODE
from tests.docs.reader import ROOT

SERVER = FOLDER / "node_modules/yaml-language-server/bin/yaml-language-server"
HEAD = "# yaml-language-server: $schema=./scenario.schema.json\nversion: 1\n"
SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="Node is not installed"),
    pytest.mark.skipif(not SERVER.exists(), reason="yaml-language-server is not installed: run nox's `tests(node)`"),
]


class LanguageServer:
    """One process, spoken to as an editor does. Source: Language Server Protocol 3.17."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.number = 0
        self.diagnostics: dict[str, list[str]] = {}

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message; what the server asks the editor is answered on the way."""
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            length = int(line.partition(b":")[2]) if line.lower().startswith(b"content-length") else length
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:
            asked = message["method"] == "workspace/configuration"
            answer = [SETTINGS.get(item.get("section"), {}) for item in message["params"]["items"]] if asked else None
            self.send(id=message["id"], result=answer)
        if message.get("method") == "textDocument/publishDiagnostics":
            found = [item["message"] for item in message["params"]["diagnostics"]]
            self.diagnostics[message["params"]["uri"]] = found
        return message

    def ask(self, method: str, **params: Any) -> Any:
        self.number += 1
        self.send(id=self.number, method=method, params=params)
        while True:
            message = self.read()
            if message.get("id") == self.number and "method" not in message:
                return message["result"]

    def open(self, text: str) -> str:
        """Open a new file beside the schema."""
        self.number += 1
        uri = (self.folder / f"{self.number}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send(method="textDocument/didOpen", params={"textDocument": document})
        return uri

    def at_cursor(self, method: str, text: str) -> Any:
        """Ask at the place of the `|`."""
        before, _, after = text.partition("|")
        uri = self.open(HEAD + before + after)
        line, character = (HEAD + before).count("\n"), len(before.rpartition("\n")[2])
        return self.ask(method, textDocument={"uri": uri}, position={"line": line, "character": character})

    def completed(self, text: str) -> set[str]:
        return {item["label"] for item in self.at_cursor("textDocument/completion", text)["items"]}

    def explained(self, text: str) -> str:
        return str(self.at_cursor("textDocument/hover", text)["contents"]["value"]).replace("\\", "")

    def underlined(self, text: str) -> list[str]:
        uri = self.open(text)
        while uri not in self.diagnostics:
            self.read()
        return self.diagnostics[uri]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    assert NODE is not None
    folder = tmp_path_factory.mktemp("scenarios")
    shutil.copy(ROOT / "scenarios/scenario.schema.json", folder)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([NODE, str(SERVER), "--stdio"], **pipes) as process:  # type: ignore[call-overload]  # pipes
        server = LanguageServer(process, folder)
        asks = {"workspace": {"configuration": True}, "textDocument": {"publishDiagnostics": {}}}
        server.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities=asks)
        server.send(method="initialized", params={})
        server.send(method="workspace/didChangeConfiguration", params={"settings": SETTINGS})
        yield server
        process.terminate()


@pytest.mark.parametrize(
    ("text", "some"),
    [
        pytest.param("|", {"stubs", "gateway", "defaults"}, id="a file"),
        pytest.param("stubs:\n  - |", {"when", "reply", "sequence", "times"}, id="a stub"),
        pytest.param("stubs:\n  - when:\n      |", {"user", "tool_result", "body"}, id="when"),
        pytest.param("stubs:\n  - when:\n      user:\n        |", {"equals", "regex", "any"}, id="a text matcher"),
        pytest.param("stubs:\n  - error: |", {"overloaded", "rate_limited"}, id="an error by name"),
        pytest.param("stubs:\n  - reply: a\n    pace: |", {"slow", "typing"}, id="a pace by name"),
        pytest.param("stubs:\n  - reply:\n      fragments: |", {"per_char", "one_chunk"}, id="a choice"),
    ],
)
def test_it_completes(editor: LanguageServer, text: str, some: set[str]) -> None:
    assert some - editor.completed(text) == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stubs:\n  - reply: a\n    ti|mes: 2\n", "Answers so often at the most."),
        ("stubs:\n  - reply: a\n    when:\n      us|er: b\n", "The conversation ends with a user message"),
        ("defaults:\n  pa|ce: slow\n", "Laid under the pace of each stub."),
    ],
)
def test_it_explains(editor: LanguageServer, text: str, words: str) -> None:
    assert words in editor.explained(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stubs:\n  - {reply: b, when: {usr: a}}\n", "usr"),
        ("stubs:\n  - error: overloded\n", "overloaded"),
        ("stubs:\n  - {reply: a, times: none}\n", "integer"),
        ("stub: []\n", "stub"),
    ],
)
def test_it_underlines(editor: LanguageServer, text: str, words: str) -> None:
    assert words in "\n".join(editor.underlined(HEAD + text))


@pytest.mark.parametrize("path", [pytest.param(it, id=it.name) for it in sorted((ROOT / "scenarios").glob("*.yaml"))])
def test_what_ships_has_no_red_lines(editor: LanguageServer, path: Path) -> None:
    assert editor.underlined(path.read_text(encoding="utf-8")) == []
