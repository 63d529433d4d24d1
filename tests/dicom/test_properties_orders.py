"""Whom a worklist or a scanned code names: their pictures can be written, or it is said at once why not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smartbox_tui.dicom.worklist import entry_of
from smartbox_tui.engine.ports import NoWorklist
from smartbox_tui.engine.watched.patients import Patients
from smartbox_tui.engine.who import Identity
from smartbox_tui.model.worklist import WorklistEntry
from smartbox_tui.settings.schema import Settings, Watched
from tests.dicom.people import names, people, texts
from tests.dicom.test_properties import header, kept, read_by_pydicom
from tests.support.fuzzing import examples


def planned(values: dict[str, str]) -> dict[str, Any]:
    """A worklist item in the DICOM JSON model."""

    def groups(text: str) -> dict[str, str]:
        """As `datasets.to_json` reads a name."""
        parts = [group.rstrip(" ^").lstrip(" ") for group in text.split("=")]
        return dict(zip(("Alphabetic", "Ideographic", "Phonetic"), parts, strict=False))

    def element(vr: str, text: str) -> dict[str, Any]:
        return {"vr": vr, "Value": [groups(text) if vr == "PN" else text]}

    step = {
        "00080060": element("CS", "ES"),
        "00400007": element("LO", values["step"]),
        "00400009": element("SH", values["step_id"]),
    }
    code = {
        "00080100": element("SH", values["step_id"]),
        "00080102": element("SH", "99X"),
        "00080104": element("LO", values["procedure"]),
    }
    return {
        "00080050": element("SH", values["step_id"]),
        "00080090": element("PN", values["physician"]),
        "00100010": element("PN", values["name"]),
        "00100020": element("LO", values["id"]),
        "0020000D": element("UI", "1.2.3"),
        "00321060": element("LO", values["procedure"]),
        "00321064": {"vr": "SQ", "Value": [code]},
        "00400100": {"vr": "SQ", "Value": [step]},
        "00401001": element("SH", values["step_id"]),
    }


def decoded(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Half a surrogate pair is no text that decoding could bring."""
    return strategy.map(lambda text: "".join(char for char in text if not "\ud800" <= char < "\ue000"))


ITEMS = st.fixed_dictionaries(
    {
        "name": decoded(names()),
        "id": decoded(texts(70)),
        "physician": decoded(names()),
        "step": decoded(texts(100)),
        "step_id": decoded(texts(20)),
        "procedure": decoded(texts(100)),
    }
)


@given(ITEMS)
@examples(300)
def test_an_entry_that_can_be_chosen_never_keeps_a_picture_back(values: dict[str, str]) -> None:
    """Descriptions may be cut, an order's odd values left out; the patient comes unchanged, or cannot be chosen."""
    try:
        entry = entry_of(planned(values))
    except ValueError:
        return
    identity = Identity(
        entry.patient,
        entry.accession_number,
        entry.referring_physician,
        entry.procedure,
        entry.study_instance_uid,
        entry.source,
        entry.id,
    )
    found = read_by_pydicom(header(kept(identity, "utf-8")))
    groups = [group.rstrip(" ^").lstrip(" ") for group in values["name"].split("=")[:3]]
    assert found["PatientName"] == entry.patient.name == "=".join(groups).rstrip("=")
    assert found["PatientID"] == entry.patient.id == values["id"].strip()


# ---- what a code says that somebody photographed


class Codes(Patients):
    """Without a worklist on the box."""

    def _entries(self, wanted: str) -> list[WorklistEntry]:
        return []


def barcodes() -> st.SearchStrategy[str]:
    """JSON, fields with |, and anything else that a scanner may read."""
    fields = st.tuples(texts(12), names(), st.sampled_from(("1961-03-14", "14.03.1961", "19611414", "", "x")))
    more = st.lists(st.one_of(st.sampled_from(("M", "w", "D", "")), texts(70)), max_size=3)
    piped = st.tuples(fields, more).map(lambda parts: "|".join((*parts[0], *parts[1])))
    return st.one_of(piped, people().map(json.dumps), people().map(json.dumps), texts(300), piped)


@given(barcodes())
@examples(200)
def test_a_scanned_code_names_somebody_who_can_be_written_or_says_why_not(text: str) -> None:
    for first in ("patient", "order"):
        settings = Settings(watched=Watched(first_field=first))
        said = Codes(None, NoWorklist(), lambda settings=settings: settings).of_code(text)  # type: ignore[misc]
        if said.identity is None:
            assert said.unclear or said.nothing
            continue
        found = read_by_pydicom(header(kept(said.identity, "utf-8")))
        assert found["PatientID"] == said.identity.patient.id
        assert found["PatientName"] == said.identity.patient.name
