"""A process with a part of a processor, as on Lambda: a number of milliseconds of CPU in each 20,
and then none.

Where no control group can be made this does the same from outside: it reads the other process's CPU
clock, stops the process when its share of the period is used up, and continues it when the next
one begins. Waiting for the network is free.
"""

from __future__ import annotations

import signal
import subprocess
import time

PERIOD_SECONDS = 0.02
_LOOK_SECONDS = 0.001


def wait_throttled(process: subprocess.Popen[str], processors: float, seconds_max: float) -> None:
    """Waits for the process's end. Raises TimeoutError, and then the process is gone, too."""
    clock = _cpu_clock_of(process.pid)
    ends = time.perf_counter() + seconds_max
    owed = 0.0
    """What was used beyond the share: threads on several processors are faster than we look."""
    while process.poll() is None:
        if time.perf_counter() > ends:
            process.kill()
            process.wait()
            raise TimeoutError(f"not done after {seconds_max:.0f} seconds")
        share = processors * PERIOD_SECONDS - owed
        owed = max(0.0, _run_period(process, clock, share) - share)


def _run_period(process: subprocess.Popen[str], clock: int, share: float) -> float:
    """Lets it run until its share or the period is used up. Gives the CPU seconds used."""
    ends = time.perf_counter() + PERIOD_SECONDS
    first = used = _read(clock) or 0.0
    while (left := ends - time.perf_counter()) > 0 and process.poll() is None:
        used = _read(clock) or used
        if used - first >= share:
            process.send_signal(signal.SIGSTOP)
            time.sleep(left)
            process.send_signal(signal.SIGCONT)
            break
        # Two processors at most use it up in half of what is left of it.
        time.sleep(min(left, max(_LOOK_SECONDS, (share - used + first) / 2)))
    return (_read(clock) or used) - first


def _read(clock: int) -> float | None:
    try:
        return time.clock_gettime(clock)
    except OSError:  # it has ended
        return None


def _cpu_clock_of(pid: int) -> int:
    """Linux's number for the CPU clock of another process, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2
