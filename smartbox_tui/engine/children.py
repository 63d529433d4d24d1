"""Short-lived children of the engine, `smartbox media …`: what they decode may be damaged, and must not harm it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.load import PARENT_VARIABLE

END_S: Final = 2.0
LINE_BYTES: Final = 64 << 10


async def start(*arguments: str) -> Process:
    """`smartbox media ARGUMENTS`; it dies with the engine (prctl(2), PR_SET_PDEATHSIG), which is why the loop's own
    thread starts it. Its standard output is a pipe. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "smartbox_tui.cli",
        "media",
        *arguments,
        stdin=DEVNULL,
        stdout=PIPE,
        limit=LINE_BYTES,
        env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
    )


async def end(process: Process) -> None:
    """Ends it, if need be the hard way."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def ask(*arguments: str, timeout_s: float) -> Any:
    """The JSON that a child answers with. Raises the SmartBoxError in it; timeout; refused when it died."""
    process = await start(*arguments, "--json")
    try:
        said, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise SmartBoxError(
            "timeout", f"`media {arguments[0]}` took more than {timeout_s:.0f} s.", "The box is busy: try again."
        ) from None
    finally:
        await end(process)
    try:
        value = json.loads(said)
        error = value.get("error")
    except (ValueError, AttributeError):
        raise SmartBoxError(
            "refused", f"`media {arguments[0]}` ended with status {process.returncode}.", "The log has more."
        ) from None
    if error:
        raise SmartBoxError.from_dict(error)
    return value
