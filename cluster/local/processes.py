"""The processes that belong to one stack, recognised by a mark in their environment."""

import contextlib
import time

import psutil

MARK = "IMUSTREAM_STACK"
"""Environment variable with the stack's id; every process `up` starts inherits it."""


def marked_processes(stack_id: str, mark: str = MARK) -> list[psutil.Process]:
    """All live processes of that stack, except this one and those it descends from."""
    own = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(mark) == stack_id:
                found.append(process)
    return found


def end_marked(stack_id: str, mark: str = MARK, gentle_s: float = 5.0) -> int:
    """End what is left of a stack: SIGTERM, then SIGKILL. Returns how many there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + gentle_s
    while left := marked_processes(stack_id, mark):
        gentle = time.monotonic() < deadline
        for process in left:
            with contextlib.suppress(psutil.Error):
                if not gentle:
                    process.kill()
                elif process.pid not in ended:
                    process.terminate()
        ended.update(process.pid for process in left)
        psutil.wait_procs(left, timeout=0.5)
    return len(ended)
