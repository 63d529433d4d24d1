"""Real destinations of every kind behind one face, for the suite that all of them pass
(tests/contract/test_destinations.py). A kind more is a class more here, and its name in `KINDS`."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.settings.destination import Destination, Retry
from tests.support import orthanc as orthancs
from tests.support import peer as peers
from tests.support.dcmtk import free_port, need, wait_for_port
from tests.support.mounted import disk
from tests.support.webpeer import Call, Conversation, WebPeer, names_failed

TIMEOUT_S = 2.0
AGAIN = Retry(first_s=0.2, max_s=0.5)


def data_set(file: bytes, name: str = "file") -> tuple[str, bytes]:
    """(SOP Instance UID, what stands behind group 2) of a DICOM file."""
    meta = read_meta(file, name)
    return meta.sop_instance_uid, file[meta.size :]


class Place:
    """A destination that can be away, refuse, and hang. `destination` is what the box is told of it."""

    destination: Destination

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """It is away; what it has it keeps."""
        raise NotImplementedError

    def close(self) -> None:
        self.stop()

    def what_it_has(self) -> dict[str, bytes]:
        """The data sets by SOP Instance UID. Fails when it has one twice."""
        raise NotImplementedError

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Destination]:
        """One that says no to every object, for good."""
        raise NotImplementedError
        yield

    @contextlib.contextmanager
    def hanging(self) -> Iterator[Destination]:
        """One that takes objects and then says, or does, nothing any more."""
        raise NotImplementedError
        yield


def once(found: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    result: dict[str, bytes] = {}
    for uid, data in found:
        assert uid not in result, f"{uid} is there twice"
        result[uid] = data
    return result


# ---- C-STORE


class _Dimse(Place):
    def __init__(self, port: int, aet: str) -> None:
        self.destination = Destination(
            name="place", host="127.0.0.1", port=port, aet=aet, timeout_s=TIMEOUT_S, retry=AGAIN
        )

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Destination]:
        def script(call: peers.Call) -> None:
            call.accept()
            call.read_message()
            call.respond(0xC000, comment="no such ward")
            call.answer_release()

        with peers.scripted_peer(script) as peer:
            yield replace(self.destination, port=peer.port)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[Destination]:
        def script(call: peers.Call) -> None:
            call.accept()
            call.read_message()
            call.silent()

        with peers.scripted_peer(script) as peer:
            yield replace(self.destination, port=peer.port)


class StoreScp(_Dimse):
    def __init__(self, folder: Path) -> None:
        super().__init__(free_port(), "STORESCP")
        self._program = need("storescp")
        self.folder = folder / "stored"
        self.folder.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [self._program, "+xa", "-od", str(self.folder), str(self.destination.port)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.destination.port, self._process)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def what_it_has(self) -> dict[str, bytes]:
        return once(data_set(path.read_bytes(), path.name) for path in self.folder.iterdir())


class Orthanc(_Dimse):
    """`configuration`: more of it."""

    def __init__(self, folder: Path, **configuration: object) -> None:
        need("Orthanc")
        super().__init__(free_port(), "ORTHANC")
        self._http = free_port()
        self._server = orthancs.Orthanc("ORTHANC", self.destination.port, self._http)
        port = self.destination.port
        self._file = orthancs.configure(folder / "orthanc", "ORTHANC", port, self._http, configuration)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port

    def start(self) -> None:
        self._process = orthancs.launch(self._file, self._port, self._http)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            orthancs.end(process)

    def what_it_has(self) -> dict[str, bytes]:
        return once(data_set(self._server.get(f"/instances/{item}/file")) for item in self._server.instances())


# ---- STOW-RS


class Web(Orthanc):
    """Orthanc by its DICOMweb plugin."""

    def __init__(self, folder: Path) -> None:
        if not orthancs.DICOMWEB_PLUGIN.exists():
            pytest.skip("Orthanc's DICOMweb plugin is not installed")
        super().__init__(folder, Plugins=[str(orthancs.DICOMWEB_PLUGIN)], DicomWeb={"Enable": True})
        self.destination = Destination(
            name="place",
            kind="dicomweb",
            url=f"http://127.0.0.1:{self._http}/dicom-web",
            timeout_s=TIMEOUT_S,
            retry=AGAIN,
        )

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Destination]:
        with WebPeer(script=[names_failed(409, 0xC000)]) as peer:
            yield replace(self.destination, url=peer.url)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[Destination]:
        def hang(talk: Conversation, _call: Call) -> None:
            talk.hang()

        with WebPeer(script=[hang]) as peer:
            yield replace(self.destination, url=peer.url)


# ---- folder and medium


class Folder(Place):
    """On a disk that is always there; it is away when somebody has moved it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "share"
        self._away = folder / "share-away"
        self.destination = Destination(
            name="place", kind="folder", path=str(self.path), mounted=False, timeout_s=TIMEOUT_S, retry=AGAIN
        )
        self._away.mkdir(parents=True)

    def start(self) -> None:
        if self._away.exists():
            self._away.rename(self.path)

    def stop(self) -> None:
        if self.path.exists():
            self.path.rename(self._away)

    def what_it_has(self) -> dict[str, bytes]:
        """What its DICOMDIR names: that is what a reader of the medium sees. No file of it may be left out."""
        directory = self.path / "DICOMDIR"
        named: list[Path] = []
        if directory.exists():
            for record in pydicom.dcmread(directory).DirectoryRecordSequence:
                if "ReferencedFileID" in record:
                    named.append(self.path.joinpath(*record.ReferencedFileID))
        assert len(set(named)) == len(named), "a file is named twice"
        lying = {path for path in (self.path / "DICOM").rglob("*") if path.is_file()}
        assert lying == set(named), f"{lying ^ set(named)}"
        return once(data_set(path.read_bytes(), path.name) for path in named)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Destination]:
        """As FAT refuses what is too long for it: here everything is."""
        from smartbox_tui.engine.delivery.medium import mounts

        if mounts.mount_below(self.path) is None:
            pytest.skip("the system does not tell what holds the folder (a chroot?), and so no limit of it")
        known, own = mounts.Mount.longest_file, self.path
        mounts.Mount.longest_file = property(lambda _self: 1000)  # type: ignore[method-assign,assignment]
        try:
            yield replace(self.destination, path=str(own))
        finally:
            mounts.Mount.longest_file = known  # type: ignore[method-assign]

    @contextlib.contextmanager
    def hanging(self) -> Iterator[Destination]:
        pytest.skip("a folder of this machine's own disk cannot be made to hang; the medium's can")
        yield


class Medium(Folder):
    """A file system of its own that is pulled out and plugged in."""

    KIND = "ext4"

    def __init__(self, folder: Path) -> None:
        self.disk = disk(folder, self.KIND)
        self.path = self.disk.mountpoint
        self.destination = Destination(
            name="place", kind="folder", path=str(self.path), timeout_s=TIMEOUT_S, retry=AGAIN
        )

    def start(self) -> None:
        self.disk.plug()

    def stop(self) -> None:
        self.disk.pull()

    def close(self) -> None:
        self.disk.close()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[Destination]:
        self.disk.freeze()
        try:
            yield self.destination
        finally:
            self.disk.thaw()


class FatMedium(Medium):
    KIND = "vfat"


KINDS: dict[str, type[Place]] = {
    "storescp": StoreScp,
    "orthanc": Orthanc,
    "dicomweb": Web,
    "folder": Folder,
    "medium": Medium,
    "fat": FatMedium,
}
