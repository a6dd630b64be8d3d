"""`mockbifrost serve` as a process: how it says that it is there, and how it ends."""

from __future__ import annotations

import errno
import signal
import socket
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, ServerStartError, UsageError
from tests.socket.process import run, serving
from tests.socket.raw_http import DEADLINE_S, Connection, ask, chat, chat_request, until

SCENARIO = """
version: 1
stubs:
  - {when: {user: hello}, reply: "Hello."}
  - {when: {user: slow}, pace: {tokens_per_second: 0.001, chunk: word}, reply: "one two three"}
  - {when: {user: never}, pace: {ttft: 1h}, reply: "at last"}
"""


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_signal_ends_it_well(tmp_path: Path, how: signal.Signals) -> None:
    with serving(tmp_path, SCENARIO) as server:
        assert chat(server.port, "hello").text == "Hello."
        server.process.send_signal(how)

        assert server.process.wait(DEADLINE_S) == 0
        assert not can_connect(server.port)
        assert server.stderr() == ""


def test_a_signal_ends_it_while_streams_are_under_way(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO) as server:
        with Connection(server.port) as begun, Connection(server.port) as waiting, Connection(server.port) as idle:
            begun.send(chat_request("slow", stream=True))
            begun.head()
            waiting.send(chat_request("never"))
            assert idle.ask("GET", "/health").status == 200

            assert server.end() == 0
            assert not begun.rest().endswith(b"0\r\n\r\n")
            assert waiting.rest() == b""
            assert idle.rest() == b""
        assert server.stderr() == ""


def test_a_second_signal_does_not_harm(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO) as server, Connection(server.port) as waiting:
        waiting.send(chat_request("never"))
        until(lambda: len(ask(server.port, "GET", "/__mockbifrost/sessions").json()) == 1, "the request has come in")
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(DEADLINE_S) == 0
        assert "Traceback" not in server.stderr()


def test_it_says_where_it_listens(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO) as server:
        assert (tmp_path / "server.port").read_text() == f"{server.port}\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["server.err", "server.port", "server.yaml"]
        server.end()
        assert server.process.stdout is not None
        rest = server.process.stdout.read()

    assert f"  base URL      http://127.0.0.1:{server.port}/pydanticai/v1\n" in rest


def test_a_port_file_that_can_not_be_written(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(SCENARIO)
    port_file = tmp_path / "no" / "such" / "folder"

    done = run("serve", file, "--port", "0", "--port-file", port_file)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"The port can't be written to {port_file}: No such file or directory; choose another --port-file.\n"
    )


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(SCENARIO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", file, "--port", str(port))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Port {port} of 127.0.0.1 is taken by another process; "
        "choose another with --port, or let the system choose with --port 0.\n"
    )


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "..", "a" * 300, "\N{SNOWMAN}..x"])
def test_an_address_that_is_not_ours(tmp_path: Path, host: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(SCENARIO)

    done = run("serve", file, "--port", "0", "--host", host)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"The server can't listen on {host}:0: ")
    assert done.stderr.endswith("; choose another --host or --port.\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_this_user_may_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(ServerStartError) as error:
        MockBifrost(port=80).start()
    assert str(error.value) == ("Port 80 of 127.0.0.1 may not be used by this user; choose one above 1023 with --port.")


def test_the_python_server_says_that_its_port_is_taken() -> None:
    with MockBifrost() as first:
        with pytest.raises(ServerStartError) as error:
            MockBifrost(port=first.port).start()

        assert str(error.value).startswith(f"Port {first.port} of 127.0.0.1 is taken by another process;")


def test_the_python_server_refuses_a_port_that_can_not_be() -> None:
    with pytest.raises(
        ServerStartError, match="70000 can't be a port: choose one from 1 to 65535, or 0 for a free one"
    ):
        MockBifrost(port=70_000).start()


def test_a_server_that_failed_to_start_can_be_started_later() -> None:
    with MockBifrost() as first:
        second = MockBifrost(port=first.port)
        with pytest.raises(ServerStartError):
            second.start()
    with second:
        assert ask(second.port, "GET", "/health").status == 200


def test_a_thread_that_dies_is_told_in_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_arguments: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr("mockbifrost.serve.server.Server.run", die)

    with pytest.raises(ServerStartError, match="thread did not start: no memory left") as error:
        MockBifrost().start()
    assert isinstance(error.value.__cause__, RuntimeError)


def test_stopping_frees_the_port_and_is_safe_twice() -> None:
    server = MockBifrost().start()
    port = server.port
    server.stop()
    server.stop()

    assert not can_connect(port)
    with MockBifrost(port=port) as again:
        assert again.port == port


def test_stopping_does_not_wait_for_paced_streams() -> None:
    with MockBifrost(SCENARIO, speed=1) as server:
        begun, waiting, unread = (Connection(server.port) for _ in range(3))
        begun.send(chat_request("slow", stream=True))
        begun.head()
        waiting.send(chat_request("never"))
        unread.send(chat_request("hello")[:-3])
    with begun, waiting, unread:
        assert not begun.rest().endswith(b"0\r\n\r\n")
        assert (waiting.rest(), unread.rest()) == (b"", b"")


def test_a_stopped_server_says_so() -> None:
    server = MockBifrost()
    with pytest.raises(UsageError, match="this MockBifrost is not running"):
        server.port  # noqa: B018
    with server, pytest.raises(UsageError, match="is running already"):
        server.start()
    with pytest.raises(UsageError, match="this MockBifrost is not running"):
        server.open_session()


def test_a_server_can_be_started_again() -> None:
    server = MockBifrost(SCENARIO)
    with server:
        assert chat(server.port, "hello").text == "Hello."
        old = server.open_session("kept")
    with server:
        assert chat(server.port, "hello").header("x-mockbifrost-call") == "1"
        server.open_session("kept")
        old.finish()
        assert ask(server.port, "GET", "/__mockbifrost/sessions/kept").status == 200
