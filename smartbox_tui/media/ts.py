"""Reading transport streams: how many access units are whole, and where the last whole one ends. No decoder.

Made for files that a crash left behind: a torn last unit, zeros or garbage after it. Works through gigabytes in
blocks; one access unit is taken to be one PES packet, as `media.tsmux` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from smartbox_tui.media.tsmux import PACKET, VIDEO_PID

_BLOCK: Final = 16384
_Packets = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TsScan:
    """frames      whole access units from the beginning on
    end         offset in bytes after the last whole one: cut there
    size        of the file
    first_pts, last_pts   of the whole ones, in 1/90000 s; None without one
    missing     frames that the times of the whole ones leave room for, at the rate that was asked about
    """

    frames: int
    end: int
    size: int
    first_pts: int | None
    last_pts: int | None
    missing: int = 0

    @property
    def whole(self) -> bool:
        """Nothing behind the last whole access unit."""
        return self.frames > 0 and self.end == self.size


def scan(path: Path, pid: int = VIDEO_PID, *, frame_ticks: float = 0.0) -> TsScan:
    """Reads the file as far as it is a transport stream without a break; `frame_ticks`: of a frame, in 1/90000 s,
    where what is missing is asked about. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        units = _Units(pid, frame_ticks)
        while units.good:
            data = file.read(_BLOCK * PACKET)
            whole = len(data) // PACKET
            if not whole:
                break
            units.take(np.frombuffer(data, np.uint8, whole * PACKET).reshape(whole, PACKET))
        if units.newest is None:
            return TsScan(0, 0, size, None, None)
        last = _is_whole(file, units.newest, units.packets, pid)
        frames = units.starts if last else units.starts - 1
        if not frames:
            return TsScan(0, 0, size, None, None)
        end, start = (
            (units.last_video + 1, units.newest) if last else (units.end_before, units.before or units.first)
        )
        missing = units.missing - (0 if last else units.missing_before_last)
        first_pts, last_pts = _pts(_packet(file, units.first)), _pts(_packet(file, start))
        return TsScan(frames, end * PACKET, size, first_pts, last_pts, missing)


def first_access_unit(path: Path, pid: int = VIDEO_PID) -> bytes:
    """The first access unit (Annex B); empty when there is none. Raises OSError."""
    unit = bytearray()
    started = False
    with path.open("rb") as file:
        while len(packet := file.read(PACKET)) == PACKET and packet[0] == 0x47:
            if ((packet[1] & 0x1F) << 8 | packet[2]) != pid:
                continue
            if packet[1] & 0x40:
                if started:
                    break
                started = True
            if started:
                unit += _payload(packet)
    return bytes(unit[9 + unit[8] :]) if len(unit) > 9 else b""


class _Units:
    """Where access units begin, by packet number, over block after block, up to the first break."""

    def __init__(self, pid: int, frame_ticks: float) -> None:
        self._pid, self._frame_ticks = pid, frame_ticks
        self._last_pts: int | None = None
        self.missing = 0
        self.missing_before_last = 0  # between the last unit and the one before it
        self._count: int | None = None
        self.good = True
        self.packets = 0
        self.starts = 0
        self.first = 0
        self.before: int | None = None  # where the last but one begins
        self.newest: int | None = None  # where the last begins
        self.end_before = 0  # where the last but one ends
        self.last_video = 0

    def take(self, block: _Packets) -> None:
        usable = self._usable(block)
        self.good = usable == len(block)
        block = block[:usable]
        video = np.flatnonzero(_pids(block) == self._pid)
        starts = np.flatnonzero(block[video, 1] & 0x40)
        for at in starts[-2:] if len(starts) > 1 else starts:
            self.before = self.newest
            self.newest = self.packets + int(video[at])
            self.end_before = self.packets + int(video[at - 1]) + 1 if at else self.last_video + 1
        if len(starts) and not self.starts:
            self.first = self.packets + int(video[starts[0]])
        self.starts += len(starts)
        if self._frame_ticks:
            self._count_missing(block[video[starts]])
        if len(video):
            self.last_video = self.packets + int(video[-1])
            self._count = int(block[video[-1], 3]) & 15
        self.packets += usable

    def _count_missing(self, heads: _Packets) -> None:
        for head in heads:
            pts = _pts(head.tobytes())
            if pts is None:
                continue
            if self._last_pts is not None:
                frames = round((pts - self._last_pts) % (1 << 33) / self._frame_ticks)
                self.missing_before_last = max(0, frames - 1)
                self.missing += self.missing_before_last
            self._last_pts = pts

    def _usable(self, block: _Packets) -> int:
        """How many packets from the block's beginning are sound and follow each other without a break."""
        # Zeros, garbage, the error indicator, or an adaptation field longer than the packet.
        bad = (block[:, 0] != 0x47) | (block[:, 1] & 0x80 != 0)
        bad |= (block[:, 3] & 0x20 != 0) & (block[:, 4] > PACKET - 5)
        video = np.flatnonzero((_pids(block) == self._pid) & ~bad)
        if len(video):
            counts = block[video, 3].astype(np.int16) & 15
            before = np.concatenate(([counts[0] - 1 if self._count is None else self._count], counts[:-1]))
            bad[video[(counts - before) % 16 != 1]] = True
            for at in video[np.flatnonzero(block[video, 1] & 0x40)]:
                if _payload(block[at].tobytes())[:3] != b"\x00\x00\x01":
                    bad[at] = True
        wrong = np.flatnonzero(bad)
        return int(wrong[0]) if len(wrong) else len(block)


def _pids(block: _Packets) -> npt.NDArray[np.int32]:
    high = (block[:, 1] & 0x1F).astype(np.int32)
    return high * 256 + block[:, 2].astype(np.int32)


def _packet(file: BinaryIO, number: int) -> bytes:
    file.seek(number * PACKET)
    return file.read(PACKET)


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _pts(packet: bytes) -> int | None:
    """The PTS of the PES packet that begins in this packet."""
    data = _payload(packet)
    if len(data) < 14 or not data[7] & 0x80:
        return None
    return (data[9] >> 1 & 7) << 30 | data[10] << 22 | (data[11] >> 1) << 15 | data[12] << 7 | data[13] >> 1


def _is_whole(file: BinaryIO, start: int, packets: int, pid: int) -> bool:
    """Whether the access unit that begins at packet `start` is there to its end."""
    file.seek(start * PACKET)
    data = file.read((packets - start) * PACKET)
    wanted = 0
    got = 0
    last = b""
    for at in range(0, len(data), PACKET):
        packet = data[at : at + PACKET]
        if ((packet[1] & 0x1F) << 8 | packet[2]) != pid:
            continue
        body = _payload(packet)
        if not last:
            wanted = int.from_bytes(body[4:6], "big")
        got += len(body)
        last = packet
    if wanted:
        return got >= wanted + 6
    # No length: the writer's last packet of a unit always has stuffing, and no clock reference.
    return bool(last) and last[3] & 0x20 != 0 and (last[4] == 0 or not last[5] & 0x10)
