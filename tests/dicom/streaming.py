"""Child of test_compose_stream: composes FOLDER/bitstream and hashes it, then lets pydicom write the same.

Prints {"bytes", "sha256", "growth_mib", "seconds", "pydicom"}; growth_mib is what streaming took at its highest
point above what the process had before.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import time
from pathlib import Path

import pydicom
from pydicom.encaps import encapsulate_buffer

from smartbox_tui.dicom.compose import compose


def memory(name: str) -> float:
    """MiB of VmRSS or VmHWM (proc(5))."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


class Hashed(io.RawIOBase):
    """A file to write that keeps nothing."""

    def __init__(self) -> None:
        self.digest, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size


def main(folder: Path) -> None:
    bitstream = folder / "bitstream"
    began = time.monotonic()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
    item = compose(folder / "header", bitstream, bitstream.stat().st_size)
    mine, view = Hashed(), memoryview(bytearray(1 << 20))
    with item.reader(with_meta=True) as reader:
        while count := reader.readinto(view):
            mine.write(view[:count])
    growth, seconds = memory("VmHWM") - before, time.monotonic() - began
    dataset = pydicom.dcmread(folder / "pydicom")
    with bitstream.open("rb") as file:
        dataset.PixelData = encapsulate_buffer([file], has_bot=False)
        dataset["PixelData"].is_undefined_length = True
        theirs = Hashed()
        pydicom.dcmwrite(theirs, dataset, enforce_file_format=True)
    found = {"bytes": mine.size, "sha256": mine.digest.hexdigest(), "growth_mib": growth, "seconds": seconds}
    print(json.dumps(found | {"pydicom": theirs.digest.hexdigest()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
