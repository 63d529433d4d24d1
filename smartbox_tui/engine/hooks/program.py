"""A hook that is a program: run without a shell, the event on its standard input, ended when its time is up."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Final

from smartbox_tui.engine.hooks.reply import OUTPUT_BYTES, Outcome, Reply, text_of

ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
NICENESS: Final = 10
"""A program that computes must not take the frames their time."""
_SLICE_S: Final = 0.2
_READ: Final = 65536


def run(arguments: Sequence[str], event: str, body: bytes, timeout_s: float, ending: threading.Event) -> Reply:
    """Exit status 0 is success. Whatever it has started ends with it, or when `timeout_s` are over, or `ending` is
    set. Its output is read to its end, so that it never blocks, and the beginning kept."""
    try:
        process, output = _start(arguments, event, body)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a program's name"
        return Reply(Outcome.AWAY, "refused", f"The program cannot be started: {why}.")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
    deadline = time.monotonic() + timeout_s
    said = b""
    try:
        over, said = _follow(process, output, deadline, ending)
    finally:
        # before its id is given back by wait(): it cannot be anybody else's yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        os.close(output)
        status = process.wait()
    if not over:
        if ending.is_set():
            return Reply(Outcome.ENDED)
        return Reply(Outcome.FAILED, "timeout", f"The program took more than {timeout_s:g} s.", text_of(said))
    if status == 0:
        return Reply(Outcome.TAKEN, said=text_of(said))
    how = f"with exit status {status}" if status > 0 else f"by signal {-status}"
    return Reply(Outcome.FAILED, "archive-refused", f"The program ended {how}.", text_of(said))


def _start(arguments: Sequence[str], event: str, body: bytes) -> tuple[subprocess.Popen[bytes], int]:
    """The process, a group of its own, and the reading end of its output. Raises OSError, ValueError."""
    given = os.memfd_create("event")  # a pipe would wait for a program that does not read
    output, inlet = os.pipe()
    try:
        with open(given, "wb", buffering=0, closefd=False) as file:
            file.write(body)
        os.lseek(given, 0, os.SEEK_SET)
        process = subprocess.Popen(
            list(arguments),
            stdin=given,
            stdout=inlet,
            stderr=inlet,
            cwd="/",
            env={**ENVIRONMENT, "SMARTBOX_EVENT": event},
            start_new_session=True,
        )
    except BaseException:
        os.close(output)
        raise
    finally:
        os.close(given)
        os.close(inlet)
    os.set_blocking(output, False)
    return process, output


def _follow(
    process: subprocess.Popen[bytes], output: int, deadline: float, ending: threading.Event
) -> tuple[bool, bytes]:
    """Whether it came to its end by itself, and the beginning of what it wrote."""
    said = bytearray()
    waiting = select.poll()
    exited = os.pidfd_open(process.pid)
    try:
        waiting.register(exited, select.POLLIN)
        waiting.register(output, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0 and not ending.is_set():
            ready = [descriptor for descriptor, _ in waiting.poll(min(left, _SLICE_S) * 1000)]
            if output in ready and not _drain(output, said):
                waiting.unregister(output)
            if exited in ready:
                _drain(output, said)
                return True, bytes(said)
        return False, bytes(said)
    finally:
        os.close(exited)


def _drain(output: int, said: bytearray) -> bool:
    """Reads what is there; False when nobody can write to it any more."""
    try:
        data = os.read(output, _READ)
    except BlockingIOError:
        return True
    said += data[: OUTPUT_BYTES - len(said)] if len(said) < OUTPUT_BYTES else b""
    return bool(data)
