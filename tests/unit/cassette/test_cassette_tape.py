"""What was recorded stays, whatever happens to the recorder, the disk or the file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import vcr.serialize  # type: ignore[import-untyped]
from vcr.serializers import jsonserializer, yamlserializer  # type: ignore[import-untyped]

from mockbifrost.cassette import tape as tapes
from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.tape import Tape
from mockbifrost.cassette.writing import HEAD, interaction_text
from mockbifrost.errors import CassetteError, RecordRefusedError
from tests.unit.cassette.recorded import document, recorded, streamed, told, vcr_item

ONE, TWO, THREE = recorded(answered={"n": 1}), streamed("Grü", "ße"), recorded(answered={"n": 3})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "a.yaml"


def saved(path: Path, *interactions: Interaction) -> bytes:
    raw = (HEAD + "".join(map(interaction_text, interactions))).encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    return raw


def held(path: Path) -> list[object]:
    return [told(it) for it in read_cassette(path).interactions]


def test_a_file_is_made_by_the_first_recording(path: Path) -> None:
    with Tape.open(path) as tape:
        assert not path.parent.exists()
        assert tape.append(ONE) == 1
        assert held(path) == [told(ONE)]
        assert tape.append(TWO) == 2

    assert path.read_bytes() == (HEAD + interaction_text(ONE) + interaction_text(TWO)).encode()
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_an_unused_tape_leaves_no_trace(path: Path) -> None:
    Tape.open(path).close()

    assert not path.parent.exists()


def test_a_tape_goes_on_behind_what_is_there(path: Path) -> None:
    raw = saved(path, ONE)

    with Tape.open(path, "short.yaml") as tape:
        assert [told(it) for it in tape.cassette.interactions] == [told(ONE)]
        assert tape.cassette.file == "short.yaml"
        assert tape.append(TWO) == 2

    assert path.read_bytes() == raw + interaction_text(TWO).encode()


def test_a_recording_is_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    write = os.write

    def noted(handle: int, data: bytes) -> int:
        writes.append(data)
        return write(handle, data)

    monkeypatch.setattr(os, "write", noted)

    with Tape.open(path) as tape:
        tape.append(ONE)
        tape.append(TWO)

    assert writes == [(HEAD + interaction_text(ONE)).encode(), interaction_text(TWO).encode()]


def test_a_file_cut_at_any_place_keeps_the_others_and_can_be_recorded_to(path: Path) -> None:
    raw = saved(path, ONE, TWO)
    tail = interaction_text(THREE).encode()
    for cut in range(len(tail) + 1):
        path.write_bytes(raw + tail[:cut])
        complete = cut >= len(tail) - 1  # all, or all but the line end

        with Tape.open(path) as tape:
            assert tape.append(ONE) == 3 + complete

        assert held(path) == [told(it) for it in [ONE, TWO, *[THREE] * complete, ONE]]
        torn = path.with_name("a.yaml.torn")
        assert torn.exists() is (cut > 0 and not complete)
        if torn.exists():
            assert torn.read_bytes() == tail[:cut]
            torn.unlink()


@pytest.mark.parametrize("cut", range(len(HEAD) + 1))
def test_a_file_whose_head_was_cut_can_be_recorded_to(path: Path, cut: int) -> None:
    path.parent.mkdir()
    path.write_bytes(HEAD.encode()[:cut])

    with Tape.open(path) as tape:
        assert tape.append(ONE) == 1

    assert path.read_bytes() == (HEAD + interaction_text(ONE)).encode()


def test_torn_ends_are_kept_one_behind_the_other(path: Path) -> None:
    for _time in range(2):
        raw = saved(path, ONE)
        path.write_bytes(raw + b"- request: {")
        Tape.open(path).close()

    assert path.with_name("a.yaml.torn").read_bytes() == b"- request: {" * 2
    assert path.read_bytes() == raw


def test_a_killed_recorder_loses_nothing_that_it_had_recorded(path: Path) -> None:
    program = f"""\
import os, signal
from pathlib import Path
from mockbifrost.cassette.tape import Tape
from tests.unit.cassette.recorded import recorded
tape = Tape.open(Path({str(path)!r}))
for n in range(5):
    tape.append(recorded(answered={{"n": n}}))
tape.replace(2, recorded(answered={{"n": 9}}))
os.kill(os.getpid(), signal.SIGKILL)
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False, timeout=60)

    assert done.returncode == -signal.SIGKILL
    bodies = [it.response.body for it in read_cassette(path).interactions]
    assert bodies == [b'{"n":0}', b'{"n":9}', b'{"n":2}', b'{"n":3}', b'{"n":4}']


def vcr_saved(*interactions: Interaction) -> str:
    text = HEAD + "".join(map(interaction_text, interactions))
    requests, responses = vcr.serialize.deserialize(text, yamlserializer)
    return str(vcr.serialize.serialize({"requests": requests, "responses": responses}, yamlserializer))


def json_saved(*interactions: Interaction) -> str:
    text = HEAD + "".join(map(interaction_text, interactions))
    requests, responses = vcr.serialize.deserialize(text, yamlserializer)
    return str(vcr.serialize.serialize({"requests": requests, "responses": responses}, jsonserializer))


def indented(*interactions: Interaction) -> str:
    items = "".join(map(interaction_text, interactions))
    return HEAD + "".join([f"  {line}" for line in items.splitlines(keepends=True)])


@pytest.mark.parametrize("layout", [vcr_saved, json_saved, indented])
def test_a_file_of_another_layout_is_rewritten_at_the_first_recording(path: Path, layout: object) -> None:
    assert callable(layout)
    path.parent.mkdir()
    path.write_text(layout(ONE, TWO), encoding="utf-8")
    path.chmod(0o600)
    before = path.read_bytes()

    with Tape.open(path) as tape:
        assert path.read_bytes() == before
        assert tape.append(THREE) == 3
        assert tape.append(ONE) == 4
        with pytest.raises(RecordRefusedError, match="is being recorded to"):
            Tape.open(path)

    assert held(path) == [told(it) for it in (ONE, TWO, THREE, ONE)]
    assert path.read_bytes().startswith((HEAD + interaction_text(ONE)).encode())
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("raw", [b"version: 1\ninteractions: []\n", b"\n", b"# nothing yet", b"interactions:\n"])
def test_an_empty_cassette_can_be_recorded_to(path: Path, raw: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(raw)

    with Tape.open(path) as tape:
        assert tape.append(ONE) == 1

    assert held(path) == [told(ONE)]


def test_what_is_recorded_again_takes_its_place_and_the_rest_stays_byte_for_byte(path: Path) -> None:
    raw = saved(path, ONE, TWO, THREE)
    # Written by hand: other bytes than ours would be.
    path.write_bytes(raw.replace(b"method: POST", b"method:  'POST' # by hand"))
    items = path.read_bytes()[len(HEAD) :].split(b"- request:")[1:]
    newer, newest = recorded(answered={"n": 4}), recorded(answered={"n": 5})

    with Tape.open(path) as tape:
        tape.replace(2, newer)
        assert [it.response.body for it in read_cassette(path).interactions][1] == b'{"n":4}'
        assert tape.append(ONE) == 4
        tape.replace(2, newest)
        tape.replace(4, TWO)
        assert held(path) == [told(it) for it in (ONE, newest, THREE, TWO)]

    parts = [items[0], interaction_text(newest).encode()[10:], items[2], interaction_text(TWO).encode()[10:]]
    assert path.read_bytes() == HEAD.encode() + b"".join([b"- request:" + part for part in parts])
    assert b"replaces" not in path.read_bytes()


def test_what_a_killed_recorder_recorded_again_is_put_in_its_place_by_the_next(path: Path) -> None:
    raw = saved(path, ONE, TWO)
    path.write_bytes(raw + interaction_text(THREE, replaces=1).encode())

    Tape.open(path).close()
    assert b"replaces: 1" in path.read_bytes()  # nothing was recorded
    with Tape.open(path) as tape:
        assert tape.append(ONE) == 3

    assert held(path) == [told(it) for it in (THREE, TWO, ONE)]
    assert b"replaces" not in path.read_bytes()


def test_only_what_is_there_can_be_recorded_again(path: Path) -> None:
    with Tape.open(path) as tape, pytest.raises(RecordRefusedError, match="has no interaction 1 that"):
        tape.replace(1, ONE)


def test_a_file_that_somebody_else_changed_is_left_as_it_is(path: Path) -> None:
    saved(path, ONE, TWO)
    tape = Tape.open(path)
    tape.replace(1, THREE)
    changed = path.read_bytes() + interaction_text(ONE).encode()
    path.write_bytes(changed)

    with pytest.raises(RecordRefusedError, match="was changed by somebody else"):
        tape.close()

    assert path.read_bytes() == changed
    Tape.open(path).close()  # it is free


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_has_gone_from_its_place_is_not_written_to(path: Path, replaced: bool) -> None:
    with Tape.open(path) as tape:
        tape.append(ONE)
        before = path.read_bytes()
        path.rename(path.with_name("away.yaml"))
        if replaced:
            path.write_bytes(before)
        with pytest.raises(
            RecordRefusedError, match=r"removed, or replaced by another file, while .* start the recorder again"
        ):
            tape.append(TWO)

    assert path.with_name("away.yaml").read_bytes() == before
    assert path.exists() == replaced


def test_a_file_that_has_gone_from_its_place_is_not_put_in_order(path: Path) -> None:
    with Tape.open(path) as tape:
        tape.append(ONE)
        tape.replace(1, TWO)
        path.unlink()
        with pytest.raises(RecordRefusedError, match="start the recorder again"):
            tape.close()

    assert not path.exists()


def test_a_second_tape_is_refused_until_the_first_is_closed(path: Path) -> None:
    saved(path, ONE)
    with Tape.open(path), pytest.raises(RecordRefusedError, match=r"a\.yaml is being recorded to by another process"):
        Tape.open(path)

    Tape.open(path).close()


def test_of_two_tapes_for_a_new_file_the_second_is_refused(path: Path) -> None:
    first, second = Tape.open(path), Tape.open(path)
    first.append(ONE)

    with pytest.raises(RecordRefusedError, match="was made by another recorder meanwhile"):
        second.append(TWO)

    second.close()
    first.close()
    assert held(path) == [told(ONE)]


def test_a_file_that_can_not_be_read_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    for raw in (b"stubs: []\n", b"interactions: [\n", document({"request": {}}, vcr_item(), version=1)):
        path.write_bytes(raw)

        with pytest.raises(CassetteError):
            Tape.open(path)

        assert path.read_bytes() == raw
        assert list(path.parent.iterdir()) == [path]


def test_a_place_where_no_file_can_be_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere" / "a.yaml")

    with pytest.raises(RecordRefusedError, match=r"file/a\.yaml can't be"):
        Tape.open(tmp_path / "file" / "a.yaml")
    with pytest.raises(RecordRefusedError, match="can't be written: is a directory"):
        Tape.open(tmp_path)
    with pytest.raises(RecordRefusedError, match="is a link to nowhere"):
        Tape.open(tmp_path / "link.yaml")


def test_a_folder_that_can_not_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_args: False)  # the tests may run as root, who may write anywhere

    with pytest.raises(RecordRefusedError, match="can't be written to"):
        Tape.open(tmp_path / "a.yaml")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """A time in which no file can grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_leaves_the_file_as_it_was(path: Path, room: int) -> None:
    raw = saved(path, ONE)
    with Tape.open(path) as tape:
        with room_for(len(raw) + room), pytest.raises(RecordRefusedError, match=r"a\.yaml can't be written: "):
            tape.append(TWO)

        assert path.read_bytes() == raw
        assert tape.append(THREE) == 2

    assert held(path) == [told(ONE), told(THREE)]


def test_a_file_does_not_become_too_large_to_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = saved(path, ONE)
    monkeypatch.setattr(tapes, "LARGEST_BYTES", len(raw) + 10)

    with Tape.open(path) as tape, pytest.raises(RecordRefusedError, match="would become larger than 50 MB"):
        tape.append(TWO)

    assert path.read_bytes() == raw
