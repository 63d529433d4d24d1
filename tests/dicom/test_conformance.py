"""The conformance statement says what the box does: no more, no less."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pynetdicom import AE, evt

from smartbox_tui.commands.conformance import site_of
from smartbox_tui.dicom import conformance_origins as origins
from smartbox_tui.dicom import conformance_samples as samples
from smartbox_tui.dicom import performed
from smartbox_tui.dicom.build import build_dataset
from smartbox_tui.dicom.conformance import Statement, statement
from smartbox_tui.dicom.conformance_objects import iods_of, terms
from smartbox_tui.dicom.conformance_page import Heading, Page, Table
from smartbox_tui.dicom.decoding import repertoire
from smartbox_tui.dicom.iods import IODS, Iod
from smartbox_tui.dicom.lineage import Lineage, LossyStep, Source
from smartbox_tui.dicom.marks import build_marks
from smartbox_tui.dicom.modules import MODULES
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.dicom.scp_table import SERVICES
from smartbox_tui.dicom.scu import commit, get, mpps
from smartbox_tui.dicom.scu.check import check_mpps, check_worklist
from smartbox_tui.dicom.scu.echo import echo
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.query import identifier
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.engine.configuration import connection
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    KEY_OBJECT_SELECTION,
    MADE,
    RECORDED,
    SOP_CLASSES,
    Kind,
    h264_transfer_syntax,
)
from smartbox_tui.model.marks import Mark, MarkedFrames
from smartbox_tui.model.performed import REASONS, PerformedSeries, StepBegin, StepEnd, StepIdentity, StepState
from smartbox_tui.model.rejection import RejectionNote
from smartbox_tui.model.worklist import WorklistKeys
from smartbox_tui.settings import describe
from smartbox_tui.settings.destination import CLASSES_CLIP, CLASSES_STILL
from smartbox_tui.settings.load import settings_from
from smartbox_tui.settings.schema import Settings
from tests.dicom.pictures import EMERGENCY_CHILD, EQUIPMENT, ORDERED, TAKEN, UNASSIGNED, still

ROOT = Path(__file__).parents[2]
STUDIES = (ORDERED, UNASSIGNED, EMERGENCY_CHILD)
Pair = tuple[str, str]


@pytest.fixture(scope="module")
def made() -> Statement:
    return statement(site_of(Settings(), own=False))


def rows(page: Page, heading: str) -> list[tuple[str, ...]]:
    """The rows of all tables directly below a heading that begins so."""
    found: list[tuple[str, ...]] = []
    inside = False
    for block in page.blocks:
        if isinstance(block, Heading):
            inside = block.text.startswith(heading)
        elif inside and isinstance(block, Table):
            found += block.rows
    assert found, heading
    return found


def uid_in(text: str) -> str:
    found = re.search(r"[12](\.\d+){4,}", text)
    assert found, text
    return found.group()


def stated(page: Page) -> set[Pair]:
    return {(uid, uid_in(syntax)) for _, _, uid, syntax, _ in rows(page, "7.2.1")}


# ---- presentation contexts


@contextmanager
def recorder() -> Iterator[tuple[Peer, set[Pair]]]:
    """A peer that accepts all that it has heard of and keeps what was proposed to it."""
    proposed: set[Pair] = set()
    lock = threading.Lock()

    def requested(event: Any) -> None:
        with lock:
            for context in event.assoc.requestor.requested_contexts:
                assert len(context.transfer_syntax) == 1
                proposed.add((str(context.abstract_syntax), str(context.transfer_syntax[0])))

    ae = AE("RECORDER")
    ae.add_supported_context("1.2.840.10008.1.1")
    handlers: list[Any] = [(evt.EVT_REQUESTED, requested)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer("127.0.0.1", server.socket.getsockname()[1], "RECORDER", timeout_s=10), proposed
    finally:
        server.shutdown()


def everything(still_class: str, clip_class: str, codec: str) -> Settings:
    source = {"id": "s", "kind": "pattern", "still_class": still_class, "clip_class": clip_class, "codec": codec}
    return settings_from(
        {
            "sources": [source],
            "destinations": [{"name": "archive", "host": "127.0.0.1", "aet": "RECORDER"}],
        }
    )


def test_what_is_proposed_is_stated_and_what_is_stated_is_proposed(made: Statement) -> None:
    step = performed.created(ORDERED, StepBegin(StepIdentity("1.2.3", "P1"), "ENDO1", "SMARTBOX", "ES", TAKEN))
    key = get.Key("1.2", "1.3", "1.4", "1.2.840.10008.5.1.4.1.1.7", ("1.2.840.10008.1.2.4.50",))
    with recorder() as (peer, proposed):
        echo(peer)
        check_worklist(peer)
        check_mpps(peer)
        for call in (
            lambda: find_worklist(peer, WorklistKeys(), on_entry=lambda _: None),
            lambda: mpps.create(peer, "1.2.3", step),
            lambda: mpps.set_final(peer, "1.2.3", step),
            lambda: commit.CommitSession(peer, lambda _: 0).open(),
            lambda: get.get_instance(peer, key, lambda _: lambda _: None),
        ):
            with pytest.raises(SmartBoxError):
                call()
        for settings in _all_settings():
            server = dataclasses.replace(settings.destinations[0], port=peer.port)
            connection._check(server, peer, settings)
    assert proposed == stated(made.page)
    assert proposed == {(item.sop_class, item.transfer_syntax) for item in made.contexts}


def _all_settings() -> list[Settings]:
    """With every class and codec that the settings allow: the schema's own choices."""
    section = describe.section("sources")
    assert section is not None
    keys = ("still_class", "clip_class", "codec")
    stills, clips, codecs = (getattr(section.key(key), "choices", ()) for key in keys)
    assert stills
    pairs = [(clip, codec) for clip in clips for codec in codecs]
    assert len(pairs) >= len(stills)
    return [everything(stills[index % len(stills)], *pair) for index, pair in enumerate(pairs)]


def test_what_capture_records_in_is_what_is_stated(made: Statement) -> None:
    kinds = ((CLASSES_STILL, Kind.STILL), (("multiframe-sc",), Kind.BURST), (CLASSES_CLIP, Kind.CLIP))
    recorded = {(SOP_CLASSES[word], syntax) for words, kind in kinds for word in words for syntax in MADE[kind]}
    storage = {pair for pair in stated(made.page) if pair[0].startswith("1.2.840.10008.5.1.4.1.1.")}
    images = {pair for pair in storage if pair[0] != KEY_OBJECT_SELECTION}
    assert recorded < images
    assert images == {(iod.sop_class_uid, syntax) for iod in IODS.values() for syntax in iod.transfer_syntaxes}
    assert storage - images == {(KEY_OBJECT_SELECTION, EXPLICIT_VR_LE), (KEY_OBJECT_SELECTION, IMPLICIT_VR_LE)}
    syntaxes = set()
    for level in range(9, 63):
        try:
            syntaxes.add(h264_transfer_syntax(level))
        except ValueError:
            continue
    assert syntaxes == set(RECORDED["h264"])
    from smartbox_tui.capture import stills
    from smartbox_tui.media import encoders

    assert set(encoders.CODECS) == set(RECORDED)
    assert [each for syntaxes in RECORDED.values() for each in syntaxes] == list(MADE[Kind.CLIP])
    assert (stills.JPEG_BASELINE,) == MADE[Kind.STILL] == MADE[Kind.BURST]


def test_a_delivery_proposes_the_object_itself(made: Statement) -> None:
    with recorder() as (peer, proposed):
        for pair in sorted(stated(made.page)):
            session = StoreSession(peer, [pair])
            with pytest.raises(SmartBoxError) if pair[0] != "1.2.840.10008.1.1" else _nothing():
                session.open()
            session.close()
    assert proposed == stated(made.page)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


# ---- attributes


Tags = tuple[str, ...]


def by_tags(table: list[tuple[str, ...]]) -> dict[Tags, tuple[str, ...]]:
    """The rows of attribute tables by the tags from the data set down."""
    found: dict[Tags, tuple[str, ...]] = {}
    above: Tags = ()
    for row in table:
        above = (*above[: row[0].count("> ")], row[1])
        assert above not in found
        found[above] = row
    return found


def described(page: Page, iod: Iod) -> set[Tags]:
    modules = next(row[3] for row in rows(page, "A.1") if row[1] == iod.sop_class_uid)
    return {tags for name in modules.split(", ") for tags in by_tags(rows(page, f"{name} module"))}


def written(dataset: pydicom.Dataset) -> set[Tags]:
    return {tuple(samples.tag_of(keyword) for keyword in path) for path, _ in samples.walk(dataset)}


@pytest.mark.parametrize("iod", IODS.values(), ids=lambda iod: iod.word)
def test_every_attribute_of_a_header_is_stated(iod: Iod, made: Statement, tmp_path: Path) -> None:
    bitstream = tmp_path / "stream"
    bitstream.write_bytes(bytes(1000))
    if iod not in iods_of((item.sop_class, item.transfer_syntax) for item in made.contexts):
        assert iod.word == "multiframe-sc"  # the box can write it, and nothing in it makes one
        assert iod.sop_class_uid not in made.page.markdown().replace(iod.sop_class_uid + ".", "")
        return
    seen: set[tuple[int, str]] = set()
    source = Source(iod.sop_class_uid, "1.2.9", "made smaller")
    for syntax in iod.transfer_syntaxes:
        for study in STUDIES:
            for lineage in (
                Lineage((LossyStep("ISO_10918_1", 9.0),)),
                Lineage((LossyStep("ISO_10918_1", 9.0),), source),
            ):
                picture = still(
                    iod.word,
                    bitstream,
                    sampling="420" if iod.video else "422",
                    transfer_syntax_uid=syntax,
                    number_of_frames=30 if iod.multi_frame else 1,
                    frame_time_ms=40.0 if iod.multi_frame else None,
                    duration_s=1.2 if iod.video else None,
                    frames_lost=2,
                    performed_step=("1.2.3", "P1"),
                )
                seen |= written(build_dataset(study, picture, EQUIPMENT, lineage))
    assert seen <= described(made.page, iod)
    table = described(made.page, iod)
    conditional = {"AnatomicRegionSequence": iod.anatomic_region, "AcquisitionDuration": iod.video}
    absent = {(samples.tag_of(keyword),) for keyword, holds in conditional.items() if not holds}
    assert {tags for tags in table - seen if len(tags) == 1} == absent & table


def test_types_are_those_of_the_tables(made: Statement) -> None:
    for name, attributes in MODULES.items():
        if not attributes:
            continue
        types = {row[1]: row[3] for row in rows(made.page, f"{name} module") if not row[0].startswith(">")}
        assert types == {samples.tag_of(item.keyword): item.type for item in attributes}


def test_every_value_has_an_origin_and_no_origin_is_left_over(made: Statement) -> None:
    tables = [*(f"{name} module" for name in MODULES if MODULES[name]), "Annex B", "B.1", "5.2.2"]
    for name in tables:
        assert [row for row in rows(made.page, name) if not row[-1]] == []
    iods = iods_of((item.sop_class, item.transfer_syntax) for item in made.contexts)
    paths = {"/".join(path) for iod in iods for path in samples.object_values(iod)}
    assert set(origins.OBJECT) == {path for path in paths if path in origins.OBJECT}
    steps = {
        "/".join(path) for word in ("created", "completed", "discontinued") for path in samples.step_values(word)
    }
    assert set(origins.STEP) <= steps
    assert set(origins.NOTE) <= {"/".join(path) for path in samples.note_values()}
    assert set(origins.MARKS) <= {"/".join(path) for path in samples.marks_values()}


def test_what_is_called_fixed_is_fixed(made: Statement) -> None:
    iods = iods_of((item.sop_class, item.transfer_syntax) for item in made.contexts)
    for table_of, values in (
        *((origins.OBJECT, samples.object_values(iod)) for iod in iods),
        (origins.NOTE, samples.note_values()),
        (origins.MARKS, samples.marks_values()),
        (origins.STEP, samples.step_values("created") | samples.step_values("discontinued")),
    ):
        for path, text in table_of.items():
            found = values.get(tuple(path.split("/")))
            if text.startswith("fixed: ") and found is not None:
                assert found == text.removeprefix("fixed: "), path


def test_the_rejection_note_is_stated(made: Statement) -> None:
    rejected = (("1.2.2", KEY_OBJECT_SELECTION, "1.2.5"), ("1.2.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.1"))
    note = RejectionNote("1.2.6", "1.2.7", 900, 1, TAKEN, rejected)
    table = set(by_tags(rows(made.page, "Annex B")))
    for study in STUDIES:
        dataset = pydicom.dcmread(BytesIO(build_rejection_note(study, note, EQUIPMENT)))
        assert written(dataset) <= table


def test_the_marks_of_a_clip_are_stated(made: Statement) -> None:
    marks = (Mark(0.5, 16, "Polyp"), Mark(1.5, 46))
    marked = MarkedFrames(
        "1.2.6", "1.2.7", 8001, 1, TAKEN, ("1.2.2", SOP_CLASSES["video-endoscopic"], "1.2.1"), marks
    )
    table = set(by_tags(rows(made.page, "B.1")))
    for study in STUDIES:
        dataset = pydicom.dcmread(BytesIO(build_marks(study, marked, EQUIPMENT)))
        assert written(dataset) <= table


# ---- worklist, performed steps, character sets, settings


def test_every_key_of_a_query_is_stated(made: Statement) -> None:
    today = datetime.now().astimezone().date()
    keys = WorklistKeys(date_from=today, name="A", patient_id="1", accession="2", modality="ES", station_aet="X")
    data, _ = identifier(keys)
    query = pydicom.dcmread(BytesIO(data), force=True)
    table = {tags: row[3] for tags, row in by_tags(rows(made.page, "5.2.1")).items()}
    assert set(table) == written(query) - {("(0008,0005)",)}
    matching = {
        tuple(samples.tag_of(keyword) for keyword in path)
        for path, element in samples.walk(query)
        if element.VR != "SQ" and str(element.value or "")
    }
    assert matching == {place for place, kind in table.items() if kind}


def test_every_attribute_of_a_performed_step_is_stated(made: Statement) -> None:
    table = by_tags(rows(made.page, "5.2.2"))
    identity = StepIdentity("1.2.3", "P1")
    series = (PerformedSeries("1.2.2", "Koloskopie", (("1.2.840.10008.5.1.4.1.1.7", "1.2.1"),)),)
    end = TAKEN + timedelta(hours=1)
    for study in STUDIES:
        made_of = [(3, performed.created(study, StepBegin(identity, "ENDO1", "SMARTBOX", "ES", TAKEN)))]
        for state, reason in ((StepState.COMPLETED, None), (StepState.DISCONTINUED, REASONS["equipment"])):
            made_of.append((4, performed.ended(study, StepEnd(identity, state, end, reason, series))))
        for column, value in made_of:
            places = written(pydicom.Dataset.from_json(value))
            assert places <= set(table)
            assert [place for place in places if table[place][column] == "-"] == []


def test_the_character_sets_stated_are_those_that_are_read() -> None:
    from pydicom.charset import python_encoding

    known = {term for term in python_encoding if term} | {"ISO_IR 6"}
    understood = {term for term in known if repertoire([term]) is not None}
    assert understood - {"ISO 2022 GBK", "ISO 2022 58"} == set(terms()) & known
    assert [term for term in terms() if repertoire([term]) is None] == []


def test_nothing_is_claimed_that_is_not_built(made: Statement) -> None:
    text = made.page.markdown()
    for uid in ("1.2.840.10008.1.20.2", "1.2.840.10008.5.1.4.1.2.2.2"):  # pull model, C-MOVE
        assert uid not in text
    provided = {row[0] for row in rows(made.page, "1.2 DIMSE") if row[3] == "yes"}
    assert provided == {service.name for service in SERVICES if service.ours == "SCP"} == {"Verification"}


def test_what_the_statement_denies_is_not_built_yet() -> None:
    """Who builds one of these changes the statement, too: its sections 1.3, 6, 7.1, 7.2 and 8."""
    for room in ("engine", "capture"):  # the small archive of the demo is no part of the box
        for file in (ROOT / "smartbox_tui" / room).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"dicom\.scp\b|dicom import .*scp|performed_scp|AE\(", text), file.name


def test_every_keyword_has_a_tag() -> None:
    for table_of in (origins.OBJECT, origins.STEP, origins.NOTE, origins.MARKS):
        assert [path for path in table_of if not tag_for_keyword(path.split("/")[-1])] == []
