"""Uses a built wheel the way a stranger would: `python .ci/check_wheel.py DIST`. Standard library only."""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

PATIENCE_S = 30.0
SCENARIO = """\
version: 1
name: wheel-check
stubs:
  - reply: Hello from the wheel.
"""
REQUEST = b'{"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hello"}]}'


class CheckError(Exception):
    """What is wrong with the wheel, in a sentence."""


def main(dist: Path) -> None:
    """Run every check on the one wheel and the one sdist of a folder."""
    wheel, sdist = only(dist, "*.whl"), only(dist, "*.tar.gz")
    check_wheel_files(wheel)
    check_sdist_files(sdist)
    with tempfile.TemporaryDirectory() as scratch:
        check_installed(wheel, Path(scratch))
    print(f"{wheel.name} and {sdist.name} are good")


def only(dist: Path, pattern: str) -> Path:
    """The one file that fits; more than one would leave open which was checked."""
    found = sorted(dist.glob(pattern))
    if len(found) != 1:
        raise CheckError(f"{dist.name}/ has {len(found)} files like {pattern}, wanted one")
    return found[0]


def check_wheel_files(wheel: Path) -> None:
    """Nothing but the package and its metadata, and the marker of its types."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {PurePosixPath(name).parts[0] for name in names}
    version = wheel.name.split("-")[1]
    strangers = tops - {"mockbifrost", f"mockbifrost-{version}.dist-info"}
    if strangers:
        raise CheckError(f"the wheel has more than the package: {sorted(strangers)}")
    expect(names, "mockbifrost/py.typed", f"mockbifrost-{version}.dist-info/licenses/LICENSE", what="the wheel")


def check_sdist_files(sdist: Path) -> None:
    """The tests, and the scenarios that they load, travel with the source."""
    with tarfile.open(sdist) as archive:
        names = ["/".join(PurePosixPath(name).parts[1:]) for name in archive.getnames()]
    expect(names, "pyproject.toml", "mockbifrost/py.typed", "tests/test_project.py", what="the sdist")
    if not any(name.startswith("scenarios/") for name in names):
        raise CheckError("the sdist has no scenarios/")


def expect(names: list[str], *wanted: str, what: str) -> None:
    """Fail on the first of the wanted files that an archive lacks."""
    for name in wanted:
        if name not in names:
            raise CheckError(f"{what} lacks {name}")


def check_installed(wheel: Path, scratch: Path) -> None:
    """Install the wheel where nothing else of the project can be seen, and use it."""
    venv.create(scratch / "venv", with_pip=True)
    bin_dir = scratch / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python, mockbifrost = str(bin_dir / "python"), str(bin_dir / "mockbifrost")
    (scratch / "hello.yaml").write_text(SCENARIO)
    run(scratch, python, "-m", "pip", "install", "--quiet", str(wheel))

    where = run(scratch, python, "-I", "-c", "import mockbifrost; print(mockbifrost.__file__)")
    if scratch.resolve() not in Path(where.strip()).resolve().parents:
        raise CheckError(f"import mockbifrost came from elsewhere: {where.strip()}")
    version = wheel.name.split("-")[1]
    said = run(scratch, mockbifrost, "--version")
    if version not in said.split():
        raise CheckError(f"mockbifrost --version said {said.strip()!r}, wanted {version}")
    run(scratch, mockbifrost, "check", "hello.yaml")
    with serving(scratch, mockbifrost) as base_url:
        answer = ask(f"{base_url}/pydanticai/v1/chat/completions")
    if "Hello from the wheel." not in answer:
        raise CheckError(f"the served answer is not the scenario's: {answer}")


def run(cwd: Path, *command: str) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(command, cwd=cwd, env=clean_env(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckError(f"{name_of(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def name_of(command: tuple[str, ...]) -> str:
    """A command without the folders of this machine."""
    return " ".join([Path(command[0]).name, *command[1:]])


def clean_env() -> Mapping[str, str]:
    """This environment without what could let the repository's own package be found."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


@contextmanager
def serving(scratch: Path, mockbifrost: str) -> Iterator[str]:
    """Start the server on a free port, and stop it whatever happens; gives its base URL."""
    port_file, log = scratch / "port", scratch / "serve.log"
    command = (mockbifrost, "serve", "--port", "0", "--port-file", str(port_file), "hello.yaml")
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=scratch, env=clean_env(), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{wait_for_port(server, port_file, log)}"
    finally:
        server.terminate()
        try:
            server.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            raise CheckError("mockbifrost serve did not stop when asked to") from None


def wait_for_port(server: subprocess.Popen[bytes], port_file: Path, log: Path) -> int:
    """The port, as soon as the server has written it down."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CheckError(f"mockbifrost serve ended with {server.returncode}:\n{log.read_text()}")
        if port_file.exists() and re.fullmatch(r"\d+\n?", port_file.read_text()):
            return int(port_file.read_text())
        time.sleep(0.02)
    raise CheckError(f"mockbifrost serve wrote no port within {PATIENCE_S:.0f} s:\n{log.read_text()}")


def ask(url: str) -> str:
    """One chat completion."""
    request = urllib.request.Request(url, data=REQUEST, headers={"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE_S) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        raise CheckError(f"POST {error.url} got {error.code}: {error.read().decode()}") from None


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except CheckError as error:
        sys.exit(f"wheel check failed: {error}")
