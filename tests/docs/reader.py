"""A reader who does all that a page says: saves its files, runs its commands and Python, compares what comes out."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import yaml

from mockbifrost.cassette.format import read_text
from mockbifrost.scenario.load import load_text
from tests.docs.pages import Block, commands_of, fits, json_fits

ROOT = Path(__file__).resolve().parent.parent.parent
WRITTEN = "http://127.0.0.1:8080"
"""The address that pages use. The server of a test has a port of its own."""
RECORDER = "http://127.0.0.1:8081"
"""The address of a recorder."""
IN_A_CONTAINER = "http://mockbifrost:8080"
"""The same, as the other containers of a compose file see it."""
PATIENCE_S = 30.0
PIP_MAY_INSTALL = {".", "../mockbifrost", "nox", "uv", "openai", "pytest", "pytest-xdist", "pydantic-ai-slim[openai]"}
COMPOSE_COMMANDS = {"up", "run", "down", "logs"}
NOT_OURS = re.compile(r"(OPENAI|LANGCHAIN|LANGSMITH|MOCKBIFROST|PYTEST)_|(NO|HTTP|HTTPS|ALL)_PROXY$", re.IGNORECASE)


class WrongPage(AssertionError):
    """What a page says does not work."""


class Reader:
    """Works in a folder of its own, where the shipped scenarios and cassettes can be seen. `close` stops the servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}
        self.output: str | None = None
        self.tests: dict[str, bool] = {}
        """Test files of the page, and whether a command has run them."""
        self._server: subprocess.Popen[str] | None = None
        self._serves: list[str] = []
        self._origin = ""
        self._recorder: subprocess.Popen[str] | None = None
        self._recorders_origin = ""
        (folder / "scenarios").symlink_to(ROOT / "scenarios", target_is_directory=True)
        shutil.copytree(ROOT / "cassettes", folder / "cassettes")  # pages record beside them

    def read(self, block: Block) -> None:
        """Do what the block says. Raises WrongPage."""
        reads = {
            "sh": self._commands,
            "python": self._python,
            "yaml": self._yaml,
            "text": self._text,
            "json": self._json,
            "toml": self._toml,
        }
        try:
            if block.language in reads:
                reads[block.language](block)
            elif block.language != "js":  # tests/clients/test_node_page.py runs it
                raise WrongPage(f"a block of {block.language or 'no language'!r}: nothing checks it")
        except Exception as error:
            raise WrongPage(f"{block.place}: {error}") from error

    def finish(self) -> None:
        """Run the tests of the page that no command has run; all must pass."""
        waiting = [name for name, done in self.tests.items() if not done]
        if waiting:
            self._pytest(["-q", *waiting])
            if not re.search(r"^\d+ passed in ", str(self.output), re.MULTILINE):
                raise WrongPage(f"{', '.join(waiting)}:\n{self.output}")

    def close(self) -> None:
        """Stop the servers that run."""
        self._stop_recording()
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=PATIENCE_S)
            self._server = None

    def _save(self, block: Block) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _yaml(self, block: Block) -> None:
        """A whole file, a list of stubs, or something that is no scenario and must be YAML at least."""
        value = yaml.safe_load(block.text)
        if block.file:
            self._save(block)
        if isinstance(value, list):
            indented = "".join(f"  {line}" for line in block.text.splitlines(keepends=True))
            load_text(f"version: 1\nstubs:\n{indented}", block.place)
        elif "interactions" in value:
            read_text(block.text.encode(), block.place)
        elif "services" not in value:
            load_text(block.text, block.place)

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        if block.file:
            self._save(block)

    def _python(self, block: Block) -> None:
        """A file; or a program of its own, where it asks the server of the page; or a piece that builds on those before it."""
        if block.file:
            self._save(block)
            compile(block.text, block.place, "exec")
            if Path(block.file).name.startswith("test_"):
                self.tests[block.file] = False
            return
        if WRITTEN in block.text:
            if self._server is None:
                self._serve(["scenarios/"])
            done = self._run("-c", self._here(block.text))
            if done.returncode:
                raise WrongPage(done.stdout)
        else:
            exec(compile(block.text, block.place, "exec"), self.names)

    def _here(self, text: str) -> str:
        return text.replace(WRITTEN, self._origin) if self._origin else text

    def _text(self, block: Block) -> None:
        """The output of the command before it; where that is an error in JSON, its message. A recorder ends, and says what it did."""
        self._stop_recording()
        if self.output is None:
            raise WrongPage("an output is shown, and no command stands before it")
        real = message_in(self.output)
        if not fits(block.text, real):
            raise WrongPage(f"shown:\n{block.text}\nreal:\n{real}")

    def _json(self, block: Block) -> None:
        """A file, or the output of the command before it."""
        if block.file:
            json.loads(block.text)
            self._save(block)
        elif self.output is None or not json_fits(block.text, self.output):
            raise WrongPage(f"shown:\n{block.text}\nreal:\n{self.output}")

    def _commands(self, block: Block) -> None:
        for words in commands_of(block.text):
            name = words[0].removeprefix(".venv/bin/")
            runs = {
                "curl": self._curl,
                "mockbifrost": self._mockbifrost,
                "pytest": self._pytest,
                "pip": _check_pip,
                "nox": _check_nox,
                "docker": self._check_compose,
                "python3": _check_venv,
                "export": _check_export,
            }
            if name not in runs:
                raise WrongPage(f"nothing checks the command {name}")
            runs[name](words[1:])

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * PATIENCE_S,
            check=False,
        )

    def _pytest(self, arguments: list[str]) -> None:
        for name in arguments:
            if name in self.tests:
                self.tests[name] = True
        parallel = ["-p", "xdist.plugin"] if "-n" in arguments else []
        given = [self._here(word) for word in arguments]
        self.output = self._run("-m", "pytest", "-p", "no:cacheprovider", *parallel, "--rootdir", ".", *given).stdout
        self.output = self.output.replace(str(self.folder.resolve()), "…").replace(str(self.folder), "…")

    def _mockbifrost(self, arguments: list[str]) -> None:
        if arguments[0] == "record":
            self._record(arguments[1:])
            return
        self._stop_recording()
        if arguments[0] == "serve":
            self._serve(arguments[1:])
            return
        if WRITTEN in arguments and self._server is None:
            self._serve(["scenarios/"])
        self.output = self._run("-m", "mockbifrost", *[self._here(word) for word in arguments]).stdout
        self.output = self.output.replace(self._origin, WRITTEN) if self._origin else self.output
        if "Usage:" in self.output and "--help" not in arguments:
            raise WrongPage(self.output)

    def _serve(self, arguments: list[str]) -> None:
        """A real server on a free port, without waits where the page asks for none."""
        arguments = arguments[:-1] if arguments[-1] == "&" else arguments
        if arguments == self._serves:
            return
        self.close()
        fast = [] if "--speed" in arguments else ["--speed", "0"]
        command = [
            sys.executable,
            "-m",
            "mockbifrost",
            "serve",
            *arguments,
            *fast,
            "--port",
            "0",
            "--port-file",
            "port",
        ]
        self._server = subprocess.Popen(
            command, cwd=self.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._server.stdout is not None
        welcome = self._server.stdout.readline()  # comes once requests are accepted
        if not welcome.startswith("mockbifrost serves "):
            raise WrongPage(f"the server did not start: {welcome}{self._server.communicate(timeout=PATIENCE_S)[0]}")
        self._serves = arguments
        self._origin = f"http://127.0.0.1:{(self.folder / 'port').read_text().strip()}"
        self.output = welcome.replace(self._origin, WRITTEN)

    def _record(self, arguments: list[str]) -> None:
        """A recorder in front of the server of the page, or of the shipped scenarios, at the second address that pages use."""
        if self._server is None:
            self._serve(["scenarios/"])
        if "--port" not in arguments or arguments[arguments.index("--port") + 1] != "8081":
            raise WrongPage("a recorder has the port 8081, for its upstream has 8080")
        given = [self._here(word) for word in arguments if word not in ("--port", "8081")]
        command = [
            sys.executable,
            "-m",
            "mockbifrost",
            "record",
            *given,
            "--port",
            "0",
            "--port-file",
            "port-of-recorder",
        ]
        self._recorder = subprocess.Popen(
            command, cwd=self.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._recorder.stdout is not None
        welcome = self._recorder.stdout.readline()
        if not welcome.startswith("mockbifrost "):
            raise WrongPage(f"the recorder did not start: {welcome}{self._recorder.communicate(timeout=PATIENCE_S)[0]}")
        self._recorders_origin = f"http://127.0.0.1:{(self.folder / 'port-of-recorder').read_text().strip()}"

    def _stop_recording(self) -> None:
        """As Ctrl-C does; its last words, from its first interaction on, are the output."""
        if self._recorder is None:
            return
        self._recorder.terminate()
        said = self._recorder.communicate(timeout=PATIENCE_S)[0]
        self._recorder = None
        self.output = said[said.find("#1 ") :] if "#1 " in said else said
        self.output = self.output.replace(self._origin, WRITTEN)

    def _curl(self, arguments: list[str]) -> None:
        """The few options that pages use; any other one is refused."""
        parser = argparse.ArgumentParser()
        parser.add_argument("-s", "-N", "--retry-connrefused", action="store_true")
        parser.add_argument("--retry", type=int)
        parser.add_argument("-i", action="store_true")
        parser.add_argument("-X", default=None)
        parser.add_argument("-H", action="append", default=[])
        parser.add_argument("-d", default=None)
        parser.add_argument("--data-binary", default=None)
        parser.add_argument("address")
        asked, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise WrongPage(f"nothing checks the options {unknown} of curl")
        address = asked.address if "://" in asked.address else f"http://{asked.address}"
        address = address.replace(IN_A_CONTAINER, WRITTEN)
        if self._recorder is not None:
            address = address.replace(RECORDER, self._recorders_origin)
        elif not address.startswith(WRITTEN):
            raise WrongPage(f"{address} is not the address of the server that runs")
        if self._server is None:
            self._serve(["scenarios/"])
        body = asked.d if asked.data_binary is None else self._content(asked.data_binary)
        response = httpx2.request(
            asked.X or ("POST" if body is not None else "GET"),
            self._here(address),
            headers=[tuple(header.split(": ", 1)) for header in asked.H],
            content=body,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        head = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        self.output = "\n".join([*head, "", response.text]) if asked.i else response.text
        self.output = self.output.replace(self._origin, WRITTEN)

    def _content(self, argument: str) -> str:
        return (self.folder / argument[1:]).read_text(encoding="utf-8") if argument.startswith("@") else argument

    def _check_compose(self, arguments: list[str]) -> None:
        """There is no container engine: the command is a known one, and its services are in the file above it."""
        if arguments[0] != "compose" or arguments[1] not in COMPOSE_COMMANDS:
            raise WrongPage(f"docker {arguments}")
        path = self.folder / "docker-compose.yml"
        services = yaml.safe_load((path if path.exists() else ROOT / path.name).read_text(encoding="utf-8"))["services"]
        named = [word for word in arguments[2:] if not word.startswith("-")]
        if set(named) - set(services):
            raise WrongPage(f"{named}: there are {list(services)}")


def message_in(output: str) -> str:
    """The message of an error, as a person reads it; any other output as it is."""
    try:
        return str(json.loads(output)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return output


def _check_pip(arguments: list[str]) -> None:
    if arguments[0] != "install" or not set(arguments[1:]) <= {"-q"} | PIP_MAY_INSTALL:
        raise WrongPage(f"pip {arguments}")


def _check_nox(arguments: list[str]) -> None:
    source = (ROOT / arguments[1]).read_text(encoding="utf-8")
    if arguments[0] != "-f" or arguments[2] != "-s" or f"def {arguments[3]}(" not in source:
        raise WrongPage(f"nox {arguments}")


def _check_venv(arguments: list[str]) -> None:
    if arguments != ["-m", "venv", ".venv"]:
        raise WrongPage(f"python3 {arguments}")


def _check_export(arguments: list[str]) -> None:
    for argument in arguments:
        name, _, value = argument.partition("=")
        if not NOT_OURS.match(name) or ("://" in value and value != f"{WRITTEN}/pydanticai/v1"):
            raise WrongPage(f"export {argument}")


def environment() -> dict[str, str]:
    """This environment without settings of clients, with the package of this repository, its plugin, and anyio's."""
    kept = {name: value for name, value in os.environ.items() if not NOT_OURS.match(name)}
    kept.pop("CI", None)  # pages are read at a desk: CI shows more, and records nothing
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "mockbifrost.pytest_plugin,anyio.pytest_plugin",
    }
