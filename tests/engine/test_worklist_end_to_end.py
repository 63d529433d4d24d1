"""From a worklist server to the object in the archive, through real processes: right names in every alphabet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydicom
import pytest

from smartbox_tui.wire import client
from tests.support.box import Box, CtlError, settings, until
from tests.support.dcmtk import free_port
from tests.support.mpps import StepServer, step_server, value_of
from tests.support.orthanc import Orthanc, orthanc
from tests.support.worklist import Scheduled, orthanc_worklist, wlmscpfs, write_worklist
from tests.support.worklist_peer import entry, worklist_peer

pytestmark = pytest.mark.orthanc

STEPS = [
    Scheduled("L1", "Müller^Jörg", "ISO_IR 100", accession="A-L1", procedure="Spiegelung, groß", time="080000"),
    Scheduled("U8", "Łukaszewska^Zofia=王^小東", "ISO_IR 192", accession="A-U8", time="090000"),
    Scheduled("L2", "Wałęsa^Żofia", "ISO_IR 101", accession="A-L2", time="100000"),
    Scheduled("CY", "Иванов^Иван", "ISO_IR 144", accession="A-CY", time="110000", priority="STAT"),
    Scheduled(
        "JP", "Yamada^Tarou=山田^太郎=やまだ^たろう", ("", "ISO 2022 IR 87"), accession="A-JP", time="120000"
    ),
]


def worklist(port: int, aet: str = "RIS", more: str = "") -> str:
    return f'[worklist]\nhost = "127.0.0.1"\nport = {port}\naet = "{aet}"\nrefresh_s = 5\ntimeout_s = 5\n{more}\n'


def mpps(port: int) -> str:
    return (
        f'[mpps]\nhost = "127.0.0.1"\nport = {port}\naet = "MPPS"\ntimeout_s = 3\n'
        "retry = { first_s = 0.2, max_s = 1 }\n"
    )


@dataclass
class House:
    archive: Orthanc
    steps: StepServer
    box: Box

    def object(self, uid: str) -> pydicom.Dataset:
        return pydicom.dcmread(BytesIO(self.archive.file_of(uid)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Orthanc is archive and worklist server at once, as small hospitals have it."""
    folder = tmp_path_factory.mktemp("house")
    lists = write_worklist(folder / "lists", STEPS)
    with orthanc(folder / "orthanc", **orthanc_worklist(lists)) as archive, step_server(folder / "mpps") as steps:
        box = Box(settings(archive.port, extra=worklist(archive.port, archive.aet) + mpps(steps.port)))
        try:
            box.start()
            yield House(archive, steps, box)
        finally:
            box.close()


def assert_is_of_order(stored: pydicom.Dataset, step: Scheduled) -> None:
    order = step.dataset()
    assert str(stored.PatientName) == step.name
    assert stored.PatientID == step.patient_id
    assert stored.IssuerOfPatientID == "HOSPITAL"
    assert (stored.PatientBirthDate, stored.PatientSex) == (step.birth_date, step.sex)
    assert stored.StudyInstanceUID == order.StudyInstanceUID
    assert stored.AccessionNumber == step.accession
    assert stored.StudyDescription == step.procedure
    assert str(stored.ReferringPhysicianName) == "Arzt^Anna"
    (request,) = stored.RequestAttributesSequence
    assert request.RequestedProcedureID == order.RequestedProcedureID
    assert request.ScheduledProcedureStepID == order.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "P1-1"
    assert request.ScheduledProtocolCodeSequence[0].CodeValue == "S1-1"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.patient_id)
def test_from_the_worklist_to_the_archive(house: House, step: Scheduled) -> None:
    box = house.box
    answer = box.ctl("worklist", "query")
    assert (answer["from_cache"], answer["age_s"], answer["complete"]) == (False, 0.0, True)
    assert [item["patient"]["id"] for item in answer["items"]] == [item.patient_id for item in STEPS]  # by time
    (item,) = [item for item in answer["items"] if item["patient"]["id"] == step.patient_id]
    assert item["patient"]["name"] == step.name
    assert item["emergency"] == (step.priority == "STAT")
    assert item["scheduled_at"].startswith(f"{date.today()}T{step.time[:2]}:{step.time[2:4]}:00")
    assert item["exam"] is None
    exam = box.ctl("exam", "open", "--worklist", item["id"])["exam"]
    assert exam["patient"]["name"] == step.name
    assert (exam["accession_number"], exam["worklist"], exam["procedure"]) == (
        step.accession, item["id"], step.procedure,
    )  # fmt: skip
    (again,) = box.ctl("worklist", "query", "--cached", "--patient", step.patient_id)["items"]
    assert again["exam"] == exam["id"]
    taken = box.ctl("still")["instance"]
    box.ctl("exam", "close")
    box.wait_stored(exam["id"], 1)
    stored = house.object(taken["sop_instance_uid"])
    assert_is_of_order(stored, step)
    (reference,) = stored.ReferencedPerformedProcedureStepSequence
    uid = reference.ReferencedSOPInstanceUID
    until(lambda: house.steps.states().get(uid) == "COMPLETED", 20, "the step to be completed")
    performed = house.steps.steps()[uid]
    assert pydicom.Dataset.from_json({"00100010": performed["00100010"]}).PatientName == step.name
    assert value_of(performed, "00400253") == stored.PerformedProcedureStepID
    assert value_of(performed, "00400270", "0020000D") == stored.StudyInstanceUID
    assert value_of(performed, "00400270", "00080050") == step.accession
    assert value_of(performed, "00400270", "00400009") == item["step_id"]
    assert value_of(performed, "00400340", "0020000E") == stored.SeriesInstanceUID
    assert value_of(performed, "00400340", "00081140", "00081155") == taken["sop_instance_uid"]


def test_the_status_tells_of_both_servers(house: House) -> None:
    status = until(
        lambda: (now := house.box.ctl("status"))["worklist"]["state"] == "ok" and now, 20, "the first refresh"
    )
    assert (status["worklist"]["name"], status["worklist"]["count"]) == ("worklist", len(STEPS))
    assert [item["name"] for item in status["performed"]] == ["mpps"]
    assert not [alarm for alarm in status["alarms"] if "worklist" in alarm["code"] or "performed" in alarm["code"]]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--patient", "CY"], ["CY"]),
        (["--patient", "müller"], ["L1"]),
        (["--name", "Иванов*"], ["CY"]),
        (["--name", "山田*"], ["JP"]),
        (["--accession", "A-U8"], ["U8"]),
        (["--patient-id", "L?"], ["L1", "L2"]),
        (["--modality", "XC"], []),
        (["--station", "ELSEWHERE"], []),
        (["--date", "2000-01-01"], []),
        (["--date", "any", "--modality", "ES"], ["L1", "U8", "L2", "CY", "JP"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_can_be_asked_for(house: House, arguments: list[str], found: list[str]) -> None:
    items = house.box.ctl("worklist", "query", *arguments)["items"]
    assert [item["patient"]["id"] for item in items] == found


def test_the_list_as_the_screens_get_it(house: House) -> None:
    def listed() -> list[dict[str, Any]]:
        answer = client.get(house.box.runtime / "engine.sock", "/v1/worklist")
        assert answer["service"]["name"] == "worklist"
        items: list[dict[str, Any]] = answer["items"]
        return items if answer["age_s"] is not None else []

    items = until(listed, 20, "the first refresh")
    assert [item["patient"]["id"] for item in items] == [step.patient_id for step in STEPS]
    assert all(item["listed"] for item in items)


def test_the_query_for_people_is_a_table(house: House) -> None:
    done = house.box.raw("ctl", "worklist", "query", "--patient", "JP")
    assert done.returncode == 0
    assert "山田^太郎" in done.stdout
    assert "1961-03-14" in done.stdout


@pytest.mark.parametrize("wrong", [["--date", "yesterday"], ["--patient", "a\\b"]])
def test_a_query_that_is_none(house: House, wrong: list[str]) -> None:
    with pytest.raises(CtlError) as caught:
        house.box.ctl("worklist", "query", *wrong)
    assert (caught.value.code, caught.value.status) == ("bad-value", 1)


def test_an_entry_that_is_not_there(house: House) -> None:
    with pytest.raises(CtlError) as caught:
        house.box.ctl("exam", "open", "--worklist", "6f6d5c0e-2f7b-4c55-9d7c-9f2f5c1f3e1b")
    assert caught.value.code == "not-found"
    assert house.box.ctl("exam", "current")["exam"] is None


@pytest.mark.parametrize("csk", [True, False], ids=["csk", "no csk"])
def test_wlmscpfs_and_the_list_when_it_is_away(tmp_path: Path, archive: Orthanc, csk: bool) -> None:
    steps = STEPS if csk else STEPS[:2]  # without -csk nobody can tell the others' alphabet
    with wlmscpfs(tmp_path / "wl", steps, csk=csk) as server:
        box = Box(settings(archive.port, extra=worklist(server.port)))
        box.start("engine")
        names = {item["patient"]["id"]: item["patient"]["name"] for item in box.ctl("worklist", "query")["items"]}
        assert names == {step.patient_id: step.name for step in steps}
        until(lambda: box.ctl("status")["worklist"]["state"] == "ok", 20, "the refresh")
    try:
        box.kill("engine")
        box.start("capture", "engine")
        answer = box.ctl("worklist", "query")
        assert len(answer["items"]) == len(steps)
        assert (answer["from_cache"], answer["complete"], answer["trouble"]["code"]) == (True, False, "refused")
        assert answer["age_s"] > 0
        status = until(
            lambda: (now := box.ctl("status"))["worklist"]["state"] == "unreachable" and now, 20, "the failure"
        )
        assert status["worklist"]["at"]
        done = box.raw("ctl", "worklist", "query")
        assert done.returncode == 0
        assert "From the box" in done.stderr
        # no network, and still the right patient
        exam = box.ctl("exam", "open", "--worklist", answer["items"][0]["id"])["exam"]
        taken = box.ctl("still")["instance"]
        box.ctl("exam", "close")
        box.wait_stored(exam["id"], 1)
        stored = pydicom.dcmread(BytesIO(archive.file_of(taken["sop_instance_uid"])))
        assert_is_of_order(stored, steps[0])
        assert "ReferencedPerformedProcedureStepSequence" not in stored  # nobody gets steps here
        until(lambda: "worklist-away" in [item["code"] for item in box.ctl("status")["alarms"]], 40, "the alarm")
    finally:
        box.close()


def test_an_entry_without_patient_id_is_nobodys(tmp_path: Path, archive: Orthanc) -> None:
    with wlmscpfs(tmp_path / "wl", [Scheduled("", "Ohne^Nummer", study_uid="1.2.3.4")]) as server:
        box = Box(settings(archive.port, extra=worklist(server.port)))
        try:
            box.start("engine")
            (item,) = box.ctl("worklist", "query")["items"]
            with pytest.raises(CtlError) as caught:
                box.ctl("exam", "open", "--worklist", item["id"])
            assert caught.value.code == "bad-value"
            assert box.ctl("exam", "current")["exam"] is None
        finally:
            box.close()


def test_no_worklist_is_told_with_what_to_do(box: Box) -> None:
    with pytest.raises(CtlError) as caught:
        box.ctl("worklist", "query")
    assert (caught.value.code, caught.value.status) == ("not-found", 1)
    assert box.ctl("status")["worklist"] is None


def test_settings_changed_at_run_time_are_in_force(tmp_path: Path, box: Box) -> None:
    with wlmscpfs(tmp_path / "wl", STEPS[:1]) as server:
        changes = {"worklist.host": "127.0.0.1", "worklist.aet": "RIS", "worklist.port": server.port}
        command = {"type": "settings-put", "id": str(uuid4()), "changes": changes}
        client.command(box.runtime / "engine.sock", command)
        until(lambda: (box.ctl("status")["worklist"] or {}).get("count") == 1, 20, "the first refresh")
        (item,) = box.ctl("worklist", "query", "--cached")["items"]
        assert item["patient"]["id"] == "L1"


def test_a_hanging_server_holds_up_nothing(tmp_path: Path) -> None:
    with worklist_peer() as server:
        server.hold.set()
        server.entries = [entry(1, f"{date.today():%Y%m%d}")]
        box = Box(settings(free_port(), extra=worklist(server.port).replace("timeout_s = 5", "timeout_s = 60")))
        try:
            box.start("engine")
            until(lambda: server.queries, 20, "the refresh")
            query = str(uuid4())
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(box.ctl, "worklist", "query", "--id", query)
                until(lambda: server.queries > 1, 20, "the query")
                assert box.ctl("status")["worklist"]["state"] == "unknown"
                exam = box.open_exam()
                box.ctl("exam", "close")
                assert box.ctl("exam", "show", exam["id"])["exam"]["state"] == "closed"
                command = {"type": "worklist-cancel", "id": str(uuid4()), "query": query}
                assert client.command(box.runtime / "engine.sock", command) == {"cancelled": True}
                answer = asking.result(20)
            assert (answer["items"], answer["complete"], answer["from_cache"]) == ([], False, False)
            assert box.stop("engine") == 0
        finally:
            server.hold.clear()
            box.close()


def test_what_else_an_exam_can_be_told_by_ctl(house: House) -> None:
    box = house.box
    typed = ["--patient-id", "T-9", "--name", "Getippt^Tina", "--birth-date", "1990-02-03", "--sex", "F"]
    exam = box.ctl("exam", "open", *typed, "--accession", "A-9", "--referring", "Haus^Hanna")["exam"]
    taken = box.ctl("still")["instance"]
    assert box.ctl("exam", "hold", exam["id"])["exam"]["held"]
    box.ctl("exam", "close")
    (row,) = box.deliveries(exam["id"])
    assert row["state"] == "held"
    assert not box.ctl("exam", "release", exam["id"])["exam"]["held"]
    box.wait_stored(exam["id"], 1)
    stored = house.object(taken["sop_instance_uid"])
    assert (str(stored.ReferringPhysicianName), stored.AccessionNumber) == ("Haus^Hanna", "A-9")
    (item,) = box.ctl("worklist", "query", "--patient-id", "U8")["items"]
    right = box.ctl("exam", "reassign", exam["id"], "--worklist", item["id"], "--referring", "Neu^Nora")["exam"]
    assert (right["patient"]["id"], right["worklist"], right["generation"]) == ("U8", item["id"], 1)
    (again,) = box.ctl("exam", "show", exam["id"])["instances"]
    assert again["sop_instance_uid"] != taken["sop_instance_uid"]  # the archive has seen it under the wrong name
    until(
        lambda: [row["state"] for row in box.deliveries(exam["id"]) if row["kind"] == "still"][-1] == "stored", 30
    )
    stored = house.object(again["sop_instance_uid"])
    assert stored.PatientID == "U8"
    assert str(stored.ReferringPhysicianName) == "Neu^Nora"
    assert (
        box.ctl("exam", "reassign", exam["id"], "--emergency", "child", "--age", "8Y")["exam"]["emergency"]
        == "child"
    )
