"""EXIF by hand-made bytes, and by bytes that nobody should make."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbox_tui.media.exif import Exif, parse_tiff, read_exif
from tests.support.exifbytes import ASCII, LONG, SHORT, UNDEFINED, camera, tiff, with_exif

JPEG = b"\xff\xd8\xff\xda\0\x02\xff\xd9"


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_a_camera_says(order: Literal["<", ">"]) -> None:
    body = camera(
        "PID-1|Prüf, Jörg|1970-01-31|M|",
        taken="2026:11:21 06:30:00", offset="-03:30", orientation=6, description="Ward 3",
        barcode="E-1|Prüf, Jörg|1970-01-31|M|Knie", order=order,
    )  # fmt: skip
    found = read_exif(with_exif(JPEG, body))
    assert found == Exif(
        orientation=6,
        taken=datetime(2026, 11, 21, 6, 30, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
        make="RICOH",
        model="G900SE",
        serial="SN-0815",
        texts=("E-1|Prüf, Jörg|1970-01-31|M|Knie", "PID-1|Prüf, Jörg|1970-01-31|M|", "Ward 3"),
    )


def test_a_time_without_offset_stays_without_one_and_keeps_its_fraction() -> None:
    entries = [(0x9003, ASCII, b"2026:11:21 06:30:01\0"), (0x9291, ASCII, b"25\0")]
    assert parse_tiff(tiff([], entries)).taken == datetime(2026, 11, 21, 6, 30, 1, 250_000)


@pytest.mark.parametrize(
    "text", [b"0000:00:00 00:00:00\0", b"2026:13:01 00:00:00\0", b"    :  :     :  :  \0", b"\0"]
)
def test_a_clock_that_was_never_set_is_no_time(text: bytes) -> None:
    assert parse_tiff(tiff([], [(0x9003, ASCII, text)])).taken is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ASCII\0\0\0Pruef", "Pruef"),
        (b"ASCII\0\0\0Pr\xfcf", "Prüf"),  # Windows-1252 in what calls itself ASCII
        (b"ASCII\0\0\0" + "Łukasz".encode(), "Łukasz"),
        (b"UNICODE\0" + "Łukasz".encode("utf-16-be"), "Łukasz"),
        (b"UNICODE\0" + "Prüf|a|b".encode("utf-16-le"), "Prüf|a|b"),  # not in the file's byte order
        (b"UNICODE\0" + "Prüf".encode("utf-16"), "Prüf"),
        (b"JIS\0\0\0\0\0" + "山田".encode("iso2022_jp"), "山田"),
        (b"\0" * 8 + b"PID-1\0\0\0\0\0", "PID-1"),
        (b"PID-1|without a code", "PID-1|without a code"),
    ],
)
def test_the_character_codes_of_a_user_comment(raw: bytes, text: str) -> None:
    assert parse_tiff(tiff([], [(0x9286, UNDEFINED, raw)])).texts == (text,)


@pytest.mark.parametrize(
    "raw", [b"ASCII\0\0\0Pr\x81f\xff", b"UNICODE\0\xd8\0\0A", b"JIS\0\0\0\0\0\xff\xfe", b"\0" * 30]
)
def test_what_cannot_be_read_for_sure_is_not_read(raw: bytes) -> None:
    assert parse_tiff(tiff([], [(0x9286, UNDEFINED, raw)])).texts == ()


def test_the_texts_of_windows() -> None:
    entries = [(0x9C9C, 1, "Prüf|Ä\0".encode("utf-16-le"))]
    assert parse_tiff(tiff(entries)).texts == ("Prüf|Ä",)


def test_what_a_maker_note_says_of_the_camera_is_no_patient() -> None:
    maker = (b"RICOH\0MM", [(0x0002, ASCII, b"1.00 firmware\0"), (0x0005, ASCII, b"a|b\0")])
    assert parse_tiff(tiff([], [], maker=maker)).texts == ()


def test_offsets_that_point_elsewhere() -> None:
    whole = camera("PID-1|A^B|1970-01-01|F|", taken="2026:11:21 06:30:00")
    loop = tiff([(0x8769, LONG, 8), (0x0112, SHORT, 3)])  # the EXIF directory is the first one again
    assert parse_tiff(loop).orientation == 3
    for cut in range(len(whole)):
        assert isinstance(parse_tiff(whole[:cut]), Exif)


@given(st.binary(max_size=400), st.sampled_from([b"II*\0", b"MM\0*"]))
@settings(max_examples=400, deadline=None)
def test_any_bytes_give_an_answer(body: bytes, head: bytes) -> None:
    for data in (body, head + b"\0\0\0\x08" + body, head + b"\x08\0\0\0" + body):
        found = read_exif(with_exif(JPEG, data))
        assert 1 <= found.orientation <= 8
        assert isinstance(read_exif(body), Exif)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_whole_one_gives_an_answer(data: st.DataObject) -> None:
    whole = bytearray(camera("PID-1|A^B|1970-01-01|F|", taken="2026:11:21 06:30:00", barcode="E|A|B|C|D"))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = read_exif(with_exif(JPEG, bytes(whole)))
    assert all(len(text) <= 8192 for text in found.texts)


def test_a_segment_full_of_entries_that_all_name_the_same_bytes_takes_no_time() -> None:
    entries = [(tag, ASCII, b"") for tag in range(0x9000, 0x9000 + 4000)]
    body = bytearray(tiff([(0x8769, LONG, 26)], None)) + len(entries).to_bytes(2, "big")
    for tag, kind, _ in entries:
        body += (
            tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (8000).to_bytes(4, "big") + (8).to_bytes(4, "big")
        )
    body += bytes(8000)
    began = time.process_time()
    for _ in range(20):
        parse_tiff(bytes(body))
    assert time.process_time() - began < 2
