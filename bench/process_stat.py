"""What processes and the machine have used, read from /proc: Linux only, `None` elsewhere."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time


def cpu_s(pid: int) -> float | None:
    """Seconds of CPU, user and system, of all threads of `pid` so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float | None:
    """Memory of `pid` that is resident now, in MiB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine_busy_s() -> float | None:
    """Seconds of CPU that anybody on this machine has used, its neighbours' (stolen time) included."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Meter:
    """Counts the CPU of some servers, and of everybody else, from its making on."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._servers_s = [cpu_s(pid) for pid in pids]
        self._busy_s = machine_busy_s()
        self._own_s, self._begun = process_time(), perf_counter()

    def servers_s(self) -> list[float | None]:
        """The CPU of each server since then."""
        now = [cpu_s(pid) for pid in self._pids]
        pairs = zip(now, self._servers_s, strict=True)
        return [None if after is None or before is None else after - before for after, before in pairs]

    def others_share(self) -> float | None:
        """The share of the machine that was used by nobody of us: neither these servers nor this process."""
        seconds, own_s, busy_s = perf_counter() - self._begun, process_time() - self._own_s, machine_busy_s()
        used = [used_s for used_s in self.servers_s() if used_s is not None]
        if busy_s is None or self._busy_s is None or not used:
            return None
        others_s = busy_s - self._busy_s - own_s - sum(used)
        return max(0.0, others_s / (seconds * (os.cpu_count() or 1)))
