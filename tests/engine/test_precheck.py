"""What is wrong with an object is told before it is sent, and a defect of the check itself withholds nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.dicom.compose import Composition
from smartbox_tui.engine.delivery import precheck
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.sidecar import Sidecar, write_sidecar
from tests.support.archive import own_archive
from tests.support.box import Box, settings, until
from tests.support.spooled import jpeg, put_exam, put_still


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[scp.Archive]:
    with own_archive(tmp_path / "archive", require_called_aet=True) as made:
        yield made


@pytest.fixture
def box(archive: scp.Archive) -> Iterator[Box]:
    made = Box(settings(archive.port))
    (made.state / "spool").mkdir(parents=True)
    yield made
    made.close()


def _replace(folder: Path, sidecar: Sidecar, data: bytes) -> None:
    """Another bitstream, as if capture had written it."""
    (folder / sidecar.file).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    write_sidecar(folder, dataclasses.replace(sidecar, bytes=len(data), sha256=digest))


def test_a_broken_picture_is_blocked_with_its_reason_and_the_others_go(box: Box, archive: scp.Archive) -> None:
    folder = box.state / "spool" / (exam := put_exam(box.state / "spool"))
    put_still(box.state / "spool", exam, number=1)
    bad = put_still(box.state / "spool", exam, number=2)
    _replace(folder, bad, jpeg(160, 120))
    box.start("engine")
    until(lambda: sorted(row["state"] for row in box.deliveries(exam)) == ["blocked", "stored"])
    (row,) = (row for row in box.deliveries(exam) if row["state"] == "blocked")
    assert (row["code"], row["attempts"]) == ("invalid-object", 0)
    assert row["reason"].startswith("size: Rows and Columns are not the bitstream's.")
    assert len(archive.stored()) == 1

    box.ctl("queue", "retry", str(row["id"]))  # nothing was mended: the same answer
    until(lambda: [item["state"] for item in box.deliveries(exam) if item["id"] == row["id"]] == ["blocked"])
    assert len(archive.stored()) == 1

    _replace(folder, bad, jpeg(shade=2))
    box.ctl("queue", "retry", str(row["id"]))
    until(lambda: {item["state"] for item in box.deliveries(exam)} == {"stored"})
    assert len(archive.stored()) == 2


COMPOSITION = Composition("1.2.840.10008.5.1.4.1.1.7", "1.2", "1.2.840.10008.1.2.1", b"", (b"\x08",), 1)


def test_the_first_error_is_the_reason() -> None:
    with pytest.raises(SmartBoxError, match="data-set: ") as caught:
        precheck.check_before_sending(COMPOSITION)
    assert caught.value.code == "invalid-object"
    assert caught.value.hint


def test_a_defect_of_the_check_withholds_nothing_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_composition: Composition) -> None:
        raise KeyError("Müller^Jörg")

    monkeypatch.setattr(precheck, "validate_composition", broken)
    with caplog.at_level(logging.ERROR):
        precheck.check_before_sending(COMPOSITION)
    assert "KeyError" in caplog.text
    assert "Müller" not in caplog.text


def test_a_disk_that_says_no_is_no_defect_of_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_composition: Composition) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(precheck, "validate_composition", gone)
    with pytest.raises(OSError, match="Input"):
        precheck.check_before_sending(COMPOSITION)
