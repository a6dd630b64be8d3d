"""A cassette that is open for recording: what is recorded stands in the file as soon as it is complete, and stays there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from mockbifrost.cassette.format import LARGEST_BYTES, Reading, item_starts, read_bytes, read_raw, read_text
from mockbifrost.cassette.interaction import Cassette, Interaction
from mockbifrost.cassette.writing import HEAD, interaction_text, replace_file, write_cassette
from mockbifrost.errors import RecordRefusedError

TORN: Final = ".torn"
"""What is added to the name of a file for what was cut off its end."""
_OPEN: Final = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_OUR_END: Final = re.compile(rb"\n {6}code: [1-5][0-9][0-9]\Z")


class Tape:
    """A cassette file that a recorder appends to. The file is made by the first recording, and no other tape may have it open.

    A recording is one complete item, written by one write: whenever the process is killed, all earlier ones can be read.
    """

    def __init__(self, path: Path, reading: Reading, handle: int | None, raw_end: bytes) -> None:
        self._path = path
        self._handle = handle
        self._count = len(reading.cassette.interactions)
        self._numbers = list(reading.numbers)
        self._replaced = len(self._numbers) > self._count
        self._written = False
        self._appendable = reading.open_end and (raw_end.endswith(b"\n") or _OUR_END.search(raw_end) is not None)
        self._needs_line_end = not raw_end.endswith(b"\n")
        self.cassette: Cassette = reading.cassette
        """What was in the file when it was opened."""

    @classmethod
    def open(cls, path: Path, source: str | None = None) -> Tape:
        """Open a file, or the place for one. `source` is what messages call it.

        A last item that was cut goes to `FILE.torn`, behind what is there. Raises CassetteError for a file that can't be read,
        which is left as it is, and RecordRefusedError where nothing can be written, or where another tape has it open.
        """
        source = str(path) if source is None else source
        try:
            handle = os.open(path, _OPEN)
        except FileNotFoundError:
            _check_folder(path)
            return cls(path, read_raw(b"", source), None, b"")
        except OSError as error:
            raise _refused(path, f"can't be written: {_reason(error)}") from None
        try:
            _lock(handle, path)
            raw = read_bytes(path, source)
            reading = read_raw(raw, source)
            if reading.torn is not None:
                _keep_torn(path, raw[reading.torn :])
                os.ftruncate(handle, reading.torn)
                raw = raw[: reading.torn]
            return cls(path, reading, handle, raw[-64:])
        except OSError as error:
            os.close(handle)
            raise _refused(path, f"can't be written: {_reason(error)}") from None
        except BaseException:
            os.close(handle)
            raise

    def __enter__(self) -> Tape:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def append(self, interaction: Interaction) -> int:
        """Record an interaction behind the others. Its number. Raises RecordRefusedError where it can't be written; the others stay."""
        self._write(interaction_text(interaction))
        self._count += 1
        self._numbers.append(self._count)
        return self._count

    def replace(self, number: int, interaction: Interaction) -> None:
        """Record an interaction in the place of the one of that number. Raises RecordRefusedError.

        It stands behind the others until the tape is closed.
        """
        if not 1 <= number <= self._count:
            raise _refused(self._path, f"has no interaction {number} that could be recorded again")
        self._write(interaction_text(interaction, replaces=number))
        self._numbers.append(number)
        self._replaced = True

    def close(self) -> None:
        """Close the file; interactions that were recorded again take their places. Twice is once. Raises RecordRefusedError."""
        if self._handle is None:
            return
        try:
            if self._written and self._replaced:
                self._compact()
        except OSError as error:
            raise _refused(self._path, f"can't be written: {_reason(error)}") from None
        finally:
            os.close(self._handle)
            self._handle = None

    def _write(self, text: str) -> None:
        """Put an item at the end of the file by one write, or leave the file as it was."""
        handle = self._ready()
        size = os.fstat(handle).st_size
        before = HEAD if not size else "\n" if self._needs_line_end else ""
        data = (before + text).encode("utf-8")
        if size + len(data) > LARGEST_BYTES:
            raise _refused(self._path, "would become larger than 50 MB, and could not be read again")
        try:
            done = os.write(handle, data)
        except OSError as error:
            raise _refused(self._path, f"can't be written: {_reason(error)}") from None
        if done < len(data):
            os.ftruncate(handle, size)
            raise _refused(self._path, f"can't be written: only {done} of {len(data)} bytes found room on the disk")
        self._needs_line_end = False
        self._written = True

    def _ready(self) -> int:
        """The open file, whose end an item can be put behind."""
        if self._handle is None:
            self._handle = self._made()
        else:
            self._check_place()
            if not self._appendable and os.fstat(self._handle).st_size:
                self._rewrite()
        self._appendable = True
        return self._handle

    def _check_place(self) -> None:
        """Refuse to write into a file that nobody finds under its name any more. Raises RecordRefusedError."""
        assert self._handle is not None
        try:
            still_there = os.path.samestat(os.stat(self._path), os.fstat(self._handle))
        except FileNotFoundError:
            still_there = False
        except OSError as error:
            raise _refused(self._path, f"can't be written: {_reason(error)}") from None
        if not still_there:
            raise RecordRefusedError(
                f"{self._path} was removed, or replaced by another file, while it was recorded to; start the recorder again"
            )

    def _made(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            raise _refused(self._path, "was made by another recorder meanwhile") from None
        except OSError as error:
            raise _refused(self._path, f"can't be written: {_reason(error)}") from None
        try:
            _lock(handle, self._path)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _rewrite(self) -> None:
        """Bring a file of another layout into ours, with all that is in it."""
        try:
            if self.cassette.interactions:
                write_cassette(self._path, self.cassette.interactions)
                self._take_over()
            elif self._handle is not None:
                os.ftruncate(self._handle, 0)
        except OSError as error:
            raise _refused(self._path, f"can't be written: {_reason(error)}") from None
        self._numbers = list(range(1, self._count + 1))
        self._replaced = self._needs_line_end = False

    def _take_over(self) -> None:
        """Go on with the file that has taken the place of the open one."""
        handle = os.open(self._path, _OPEN)
        _lock(handle, self._path)
        if self._handle is not None:
            os.close(self._handle)
        self._handle = handle

    def _compact(self) -> None:
        self._check_place()
        raw = read_bytes(self._path, str(self._path))
        starts = item_starts(raw)
        if len(starts) != len(self._numbers):
            raise _refused(self._path, "was changed by somebody else while it was recorded to, and is left as it is")
        replace_file(self._path, _compacted(raw, starts, self._numbers))


def _compacted(raw: bytes, starts: Sequence[int], numbers: Sequence[int]) -> Iterator[bytes]:
    """The file with each interaction once, in its place; those that were not recorded again byte for byte."""
    ends = (*starts[1:], len(raw))
    last = {number: at for at, number in enumerate(numbers)}
    yield raw[: starts[0]]
    for at, number in enumerate(numbers):
        if number not in last:  # it stands in its place already
            continue
        taken = last.pop(number)
        item = raw[starts[taken] : ends[taken]]
        yield item if taken == at else _settled(item)


def _settled(item: bytes) -> bytes:
    """An item that was recorded in the place of another one, without the number of that one."""
    (interaction,) = read_text(HEAD.encode() + item, "").interactions
    return interaction_text(interaction).encode("utf-8")


def _keep_torn(path: Path, torn: bytes) -> None:
    with open(f"{path}{TORN}", "ab") as file:
        file.write(torn)


def _check_folder(path: Path) -> None:
    """Refuse a place where no file can be made. The folder itself may be missing."""
    if path.is_symlink():
        raise _refused(path, "is a link to nowhere")
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise _refused(path, f"can't be made: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _refused(path, f"can't be made: {folder} can't be written to")


def _lock(handle: int, path: Path) -> None:
    """Keep other tapes out, where the system can do that."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _refused(path, "is being recorded to by another process or another server") from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _refused(path: Path, what: str) -> RecordRefusedError:
    return RecordRefusedError(f"{path} {what}; give another file to record to, or mend that")
