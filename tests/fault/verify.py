"""At the end: what the box has promised, what it has, and what the archives hold must be the same."""

from __future__ import annotations

import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import pydicom

from smartbox_tui.model.uids import uid_of
from smartbox_tui.spool import ledger
from smartbox_tui.spool.layout import exam_folders, sidecar_paths
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from tests.fault.operator import Operator
from tests.fault.rig import Archive, Rig
from tests.support.reassigning import KOS, rejected

_PREAMBLE: Final = 132
_SHOWN: Final = 10


def data_set(part10: bytes) -> bytes:
    """All but the preamble and group 2, whose length stands in its first element (PS3.10 7.1)."""
    assert part10[128:_PREAMBLE] == b"DICM"
    assert part10[_PREAMBLE : _PREAMBLE + 8] == b"\x02\0\0\0UL\x04\0"
    return part10[_PREAMBLE + 12 + int.from_bytes(part10[_PREAMBLE + 8 : _PREAMBLE + 12], "little") :]


class Verdict:
    """`wrong` lists every finding; empty is good."""

    def __init__(self, rig: Rig, operator: Operator) -> None:
        self.wrong: list[str] = []
        self.figures: dict[str, Any] = {}
        self._rig, self._operator, self._taken = rig, operator, operator.taken
        self._spool = rig.box.state / "spool"
        self._database = rig.box.state / "smartbox.db"

    def find(self) -> None:
        """With the engine stopped and all archives up."""
        sidecars = self._sidecars()
        self._taken_once(sidecars)
        files = self._exported()
        current = self._pictures_of_database()
        self._same("export and database", files.keys(), current.keys())
        self._same("sidecars and database", (item.id for item in sidecars), current.values())
        self._right_patients(files, current)
        rows = self._rows()
        self._states(rows)
        self._promises(rows)
        for name, archive in (("archive", self._rig.archive), ("copy", self._rig.copy)):
            self._held(name, archive, files, [row for row in rows if row["destination"] == name])
        checked = self._rig.box.smartbox("store", "check")
        if not checked["ok"]:
            self._say("store check", checked["problems"])
        self.figures |= {"pictures": len(files), "acknowledged": len(self._taken.pictures)}
        self.figures |= {"exams": len(self._taken.exams), "repeated_calls": self._taken.repeats}

    # ---- the spool

    def _sidecars(self) -> list[Sidecar]:
        """Of all pictures that count."""
        found = []
        for folder in exam_folders(self._spool):
            for path in sidecar_paths(folder):
                sidecar = read_sidecar(path)
                if sidecar.state is not SidecarState.CLOSED:
                    self.wrong.append(f"{sidecar.kind} {sidecar.id} is left {sidecar.state}")
                else:
                    found.append(sidecar)
        self.figures["kinds"] = dict(Counter(item.kind for item in found))
        return found

    def _taken_once(self, sidecars: list[Sidecar]) -> None:
        """Each acknowledged picture is there, each press made one, and nothing came from nowhere."""
        uids = {uid_of(UUID(item.id)) for item in sidecars}
        self._say("acknowledged, but not in the spool", set(self._taken.pictures) - uids)
        resumed = {str(uuid5(UUID(item.id), "resumed")) for item in sidecars}
        self.figures["resumed_clips"] = sum(item.command in resumed for item in sidecars)
        commands = Counter(item.command for item in sidecars)
        self._say("of no press", commands.keys() - self._taken.commands - resumed)
        self._say("refused, and taken all the same", commands.keys() & self._taken.refused)
        self._say("more than one of a press", _doubles(item.command for item in sidecars))
        self._say(
            "twice in the spool", [key for key, count in Counter(i.id for i in sidecars).items() if count > 1]
        )

    def _exported(self) -> dict[str, Path]:
        out = self._rig.folder / "export"
        done = self._rig.box.raw("dicom", "export", "--destination", "archive", "--out", str(out), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return {item["sop_instance_uid"]: Path(item["file"]) for item in json.loads(done.stdout)["exported"]}

    # ---- the database

    def _query(self, sql: str) -> list[dict[str, Any]]:
        connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def _pictures_of_database(self) -> dict[str, str]:
        """SOP Instance UID of now: the picture's own UUID."""
        rows = self._query("SELECT id, sop_uid FROM instance WHERE kind IN ('still', 'burst', 'clip')")
        return {row["sop_uid"]: row["id"] for row in rows}

    def _rows(self) -> list[dict[str, Any]]:
        return self._query("SELECT id, sop_uid, destination, kind, state, reason, code FROM delivery")

    def _right_patients(self, files: dict[str, Path], current: dict[str, str]) -> None:
        now = {uid_of(UUID(picture)): uid for uid, picture in current.items()}
        for first_uid, exam in self._taken.pictures.items():
            uid = now.get(first_uid)
            if uid is None or uid not in files:
                self.wrong.append(f"{first_uid} has no object")
                continue
            found = pydicom.dcmread(files[uid], stop_before_pixels=True, specific_tags=["PatientID"]).PatientID
            if found != (wanted := self._operator.patient_of(exam)):
                self.wrong.append(f"{uid} is of patient {found}, not {wanted}")

    def _states(self, rows: list[dict[str, Any]]) -> None:
        self.figures["states"] = dict(Counter(f"{row['destination']} {row['state']}" for row in rows))
        over = {"stored", "superseded", "cancelled"}
        self._say("not at an end", [dict(row) for row in rows if row["state"] not in over])
        odd = [
            row for row in rows if row["state"] == "cancelled" and row["code"] not in ("cancelled", "no-context")
        ]
        self._say("cancelled without a reason", odd)

    def _promises(self, rows: list[dict[str, Any]]) -> None:
        """The ledgers and the table say the same of every promise."""
        told: dict[tuple[str, str], str] = {}
        for folder in exam_folders(self._spool):
            for promise in ledger.read(folder):
                told[promise.uid, promise.destination] = promise.state
        table = {(row["sop_uid"], row["destination"]): row["state"] for row in rows}
        ledgers, rows_say = ({key for key, state in of.items() if state == "stored"} for of in (told, table))
        self._say("stored in the table, not in a ledger", rows_say - ledgers)
        self._say("stored in a ledger, not in the table", ledgers - rows_say)

    # ---- an archive

    def _held(self, name: str, archive: Archive, files: dict[str, Path], rows: list[dict[str, Any]]) -> None:
        instances = archive.running.json("/instances?expand")
        held = {item["MainDicomTags"]["SOPInstanceUID"]: item["ID"] for item in instances}
        self._say(f"twice in {name}", _doubles(item["MainDicomTags"]["SOPInstanceUID"] for item in instances))
        self._say(f"not in {name}", files.keys() - held.keys())
        with ThreadPoolExecutor(4) as pool:
            different = pool.map(
                lambda uid: self._differs(archive, held[uid], files[uid]), files.keys() & held.keys()
            )
            self._say(f"different in {name}", [uid for uid in different if uid])
        promised = {row["sop_uid"] for row in rows if row["state"] == "stored"}
        self._say(f"stored, but not in {name}", promised - held.keys())
        self._say(f"in {name}, not stored", (held.keys() & files.keys()) - promised)
        notes, covered = set(), set()
        for uid in held.keys() - files.keys():
            found = pydicom.dcmread(io.BytesIO(archive.running.get(f"/instances/{held[uid]}/file")))
            if found.SOPClassUID == KOS:
                notes.add(uid)
                covered |= rejected(found)
        before = {row["sop_uid"] for row in rows if row["state"] == "superseded"}
        old = held.keys() - files.keys() - notes
        self._say(f"in {name} from nowhere", old - before)
        self._say(f"superseded in {name} and in no note", old - covered)
        self._say(f"rejected in {name} though it counts", covered & files.keys())
        self._say(
            f"notes in {name} from nowhere", notes - {row["sop_uid"] for row in rows if row["kind"] == "note"}
        )
        self.figures[name] = {"instances": len(instances), "notes": len(notes), "superseded": len(old)}

    @staticmethod
    def _differs(archive: Archive, identity: str, file: Path) -> str:
        same = data_set(archive.running.get(f"/instances/{identity}/file")) == data_set(file.read_bytes())
        return "" if same else file.stem

    # ---- words

    def _same(self, what: str, one: Iterable[str], other: Iterable[str]) -> None:
        if difference := set(one) ^ set(other):
            self._say(f"{what} differ", difference)

    def _say(self, what: str, items: Iterable[Any]) -> None:
        if found := list(items):
            self.wrong.append(f"{len(found)} {what}: {', '.join(map(str, found[:_SHOWN]))}")


def _doubles(items: Iterable[str]) -> list[str]:
    return [key for key, count in Counter(items).items() if count > 1]
