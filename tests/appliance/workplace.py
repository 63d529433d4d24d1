"""What an engineer sets and an operator does at the virtual box, and what has then arrived outside."""

from __future__ import annotations

import json
from typing import Any, Final

import av
import numpy as np
import pydicom
from numpy.typing import NDArray

from smartbox_tui.errors import SmartBoxError
from tests.appliance.virtualbox import HOST, UNITS, VirtualBox
from tests.support.box import until
from tests.support.orthanc import Orthanc

SLOW_S: Final = 600.0
"""For what takes seconds on a real box."""
SETTINGS: Final = "/etc/smartbox/smartbox.toml"
SITE: Final = "/var/lib/smartbox/site.toml"
HISTORY: Final = "/var/lib/smartbox/settings"
"""What was set on the screens, and what was set before; where there is none, nothing was."""
_BASE: Final = """
port = 11112
station_name = "VIRTUAL"
language = "en"
[clock]
wait_s = 0
[[destinations]]
name = "archive"
host = "{host}"
port = {port}
aet = "ORTHANC"
timeout_s = 60
retry = {{ first_s = 1, max_s = 5 }}
"""


def settings(archive: Orthanc, *sources: dict[str, Any]) -> str:
    """A workplace's settings with these sources, which send to that archive outside."""
    parts = [_BASE.format(host=HOST, port=archive.port)]
    for source in sources:
        parts += ["[[sources]]", *(f"{key} = {json.dumps(value)}" for key, value in source.items())]
    return "\n".join(parts) + "\n"


class Workplace:
    """`configure`, then exams. `leave` gives the box back with the settings that it had."""

    def __init__(self, box: VirtualBox, archive: Orthanc) -> None:
        self.box, self.archive = box, archive
        self._before = box.ssh(f"cat {SETTINGS}")
        self._restart: tuple[str, ...] = UNITS

    def leave(self) -> None:
        """Also when a test has failed: what it left open is closed."""
        if self.exam_now() is not None:
            self.box.ctl("exam", "close")
        self.box.write(SETTINGS, self._before)
        self.box.ssh(f"rm -rf {SITE} {HISTORY}")
        self.box.ssh(f"systemctl restart --no-block {' '.join(UNITS)}")

    def configure(self, *sources: dict[str, Any], more: str = "") -> None:
        """Writes the settings: these sources, then `more`. Starts capture anew (the first time all of the box), and
        answers when it serves."""
        self.box.write(SETTINGS, settings(self.archive, *sources) + more)
        self.box.ssh(f"systemctl stop {' '.join(self._restart)}; systemctl start --no-block {' '.join(UNITS)}")
        first, self._restart = self._restart == UNITS, UNITS[:1]
        wanted = [source["id"] for source in sources]
        until(lambda: [each["id"] for each in self._sources()] == wanted, SLOW_S, "the sources")
        until(lambda: self._ask("engine", "/v1/status") is not None, SLOW_S, "the engine")
        if first and self.exam_now() is not None:  # of a test that was killed
            self.box.ctl("exam", "close")

    # ---- sources

    def _ask(self, process: str, target: str) -> Any:
        try:
            return self.box.ask(process, target)
        except SmartBoxError:
            return None

    def _sources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (self._ask("capture", "/v1/status") or {}).get("sources", [])
        return found

    def source(self, name: str = "endo") -> dict[str, Any]:
        return next((each for each in self._sources() if each["id"] == name), {})

    def wait_state(self, *states: str, name: str = "endo") -> dict[str, Any]:
        """The source, once its signal's state is one of these."""

        def there() -> dict[str, Any]:
            found = self.source(name)
            return found if found.get("signal_state") in states else {}

        try:
            return until(there, SLOW_S, f"source {name} to be {' or '.join(states)}")
        except AssertionError as exc:
            raise AssertionError(f"{exc}; it is {self.source(name)}") from None

    def wait_recorded(self, seconds: float, name: str = "endo") -> dict[str, Any]:
        """The recording, once it has gone on that long."""

        def there() -> dict[str, Any]:
            found: dict[str, Any] | None = self.source(name).get("recording")
            return found if found and found["seconds"] >= seconds else {}

        return until(there, SLOW_S, f"{seconds} s of recording")

    # ---- exams

    def exam_now(self) -> Any:
        status = self._ask("engine", "/v1/status")
        return status and status["exam"]

    def open_exam(self, identity: str, name: str) -> str:
        patient = {"id": identity, "name": name, "birth_date": "1980-02-29", "sex": "F"}
        self.box.write("/run/patient.json", json.dumps(patient))
        try:
            exam: str = self.box.ctl("exam", "open", "--patient-file", "/run/patient.json")["exam"]["id"]
        finally:
            self.box.ssh("rm /run/patient.json")
        return exam

    def close_exam(self, exam: str, count: int) -> list[dict[str, Any]]:
        """The rows of its deliveries, once there are `count` and the archive has said so of all."""
        self.box.ctl("exam", "close")

        def all_stored() -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = self.box.ask("engine", f"/v1/exams/{exam}")["deliveries"]
            assert not [row for row in rows if row["state"] == "blocked"], rows
            return rows if len(rows) == count and {row["state"] for row in rows} == {"stored"} else []

        return until(all_stored, SLOW_S, f"{count} stored deliveries")

    # ---- outside

    def arrived(self, exam: str = "") -> list[str]:
        """The SOP Instance UIDs that the archive holds, of an exam or of all, sorted."""
        tags = [self.archive.json(f"/instances/{one}/simplified-tags") for one in self.archive.instances()]
        if exam:
            study = self.box.ask("engine", f"/v1/exams/{exam}")["exam"]["study_instance_uid"]
            tags = [each for each in tags if each["StudyInstanceUID"] == study]
        return sorted(each["SOPInstanceUID"] for each in tags)

    def data_set(self, uid: str) -> pydicom.Dataset:
        from io import BytesIO

        return pydicom.dcmread(BytesIO(self.archive.file_of(uid)))

    def pictures(self, uid: str) -> list[NDArray[np.uint8]]:
        """The luma of each frame of a clip, as the archive gives it back: (height, width)."""
        from io import BytesIO

        from pydicom.encaps import generate_frames

        held = self.data_set(uid)
        bitstream = b"".join(generate_frames(held.PixelData, number_of_frames=1))
        with av.open(BytesIO(bitstream)) as container:
            return [frame.reformat(format="gray").to_ndarray() for frame in container.decode(video=0)]
