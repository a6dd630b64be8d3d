"""The image and the compose file, as far as they can be checked without a container engine."""

import ast
import json
import re
import shlex
from pathlib import Path

import yaml
from click.testing import CliRunner

from mockbifrost.cli import main

ROOT = Path(__file__).resolve().parent.parent


def instructions(name: str) -> list[str]:
    """The values of one kind of instruction of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if re.match(rf"{name}\b", line)]


def copied() -> list[str]:
    """What the image takes from the repository."""
    copies = [shlex.split(line) for line in instructions("COPY") if not line.startswith("--from=")]
    return [source for copy in copies for source in copy[:-1]]


def test_the_image_copies_what_is_there() -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_the_image_may_see_what_it_copies() -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)

    assert {source.rstrip("/") for source in copied()} == set(allowed)


def test_the_images_command_is_one_that_the_server_knows() -> None:
    (entrypoint,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entrypoint) == ["mockbifrost"]

    result = CliRunner().invoke(main, [*json.loads(command), "--help"])  # --help: parsed, not run

    assert result.exit_code == 0, result.output


def test_the_health_check_is_python() -> None:
    (check,) = instructions("HEALTHCHECK")
    program = json.loads(check[check.index("[") :])

    assert program[:2] == ["python", "-c"]
    ast.parse(program[2])


def test_compose_serves_the_scenarios_to_this_machine_only() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    (port,) = instructions("EXPOSE")

    assert service["build"] == "."
    assert service["ports"] == [f"127.0.0.1:8080:{port}"]
    for volume in service["volumes"]:
        assert (ROOT / volume.split(":")[0]).is_dir()
