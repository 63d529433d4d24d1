"""Names come out right in every character set that DICOM has, and never as something else."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import Any

import pytest
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset

from smartbox_tui.dicom.datasets import to_json
from smartbox_tui.dicom.decoding import FALLBACKS, Undecodable, fallback, repertoire

NAME = 0x00100010


def decoded(terms: str, raw: bytes) -> str:
    chosen = repertoire(terms.split("\\"))
    assert chosen is not None
    return chosen.decode(raw, name=True)


@pytest.mark.parametrize(
    ("terms", "raw", "name"),
    [
        # The examples of PS3.5 Annexes H to K, byte for byte.
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            "\\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東=".encode(), "Wang^XiaoDong=王^小東="),
        ("GB18030", "Wang^XiaoDong=王^小东=".encode("gb18030"), "Wang^XiaoDong=王^小东="),
        ("GBK", "Wang^XiaoDong=王^小东=".encode("gbk"), "Wang^XiaoDong=王^小东="),
        # One example for every single-byte set (PS3.3 table C.12-2).
        ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 101", "Wałęsa^Żofia".encode("iso8859_2"), "Wałęsa^Żofia"),
        ("ISO_IR 109", "Ĉapek^Ĝi".encode("iso8859_3"), "Ĉapek^Ĝi"),
        ("ISO_IR 110", "Bērziņš^Ģ".encode("iso8859_4"), "Bērziņš^Ģ"),
        ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
        ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
        ("ISO_IR 144", b"\xbb\xee\xda\x63\x65\xdc\xd1yp\xd3", "Люкceмбypг"),
        ("ISO_IR 148", "Çavuşoğlu^İpek".encode("iso8859_9"), "Çavuşoğlu^İpek"),
        ("ISO_IR 166", "ศรี^สมชาย".encode("tis_620"), "ศรี^สมชาย"),
        ("ISO_IR 203", "Œuvré^Ÿ".encode("iso8859_15"), "Œuvré^Ÿ"),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        # Switches between single-byte sets, ended by a delimiter (PS3.5 6.1.2.5.3).
        (
            "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
            b"M\xfcller^\x1b-L\xb8\xd2\xd0\xdd^\xe9=\x1b-F\xc4\xe9",
            "Müller^Иван^é=Δι",
        ),
        # Rare Kanji of JIS X 0212, as one would find them in names.
        ("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B^A", "丂^A"),
        # 出 is 3D 50: its first byte looks like the delimiter of component groups.
        ("\\ISO 2022 IR 87", b"Deguchi=\x1b$B=P8}\x1b(B", "Deguchi=出口"),
        # Seen in the field: a multi-byte set as the first value, a forgotten escape, other spellings.
        ("ISO 2022 IR 87", b"A^B=\x1b$B;3ED\x1b(B", "A^B=山田"),
        ("\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
        ("ISO-IR 100", b"M\xfcller", "Müller"),
        ("ISO 2022 IR 100", b"M\xfcller", "Müller"),
        ("UTF-8", "Müller".encode(), "Müller"),
        ("", b"Mueller^Joerg", "Mueller^Joerg"),
    ],
)
def test_a_name_is_decoded(terms: str, raw: bytes, name: str) -> None:
    assert decoded(terms, raw) == name


@pytest.mark.parametrize(
    ("terms", "raw"),
    [
        ("ISO_IR 192", b"M\xfcller"),
        ("ISO_IR 192", b"M\xc3"),
        ("ISO_IR 100", b"M\x81ller"),  # a control character of C1: not what a name holds
        ("ISO_IR 127", b"\xa1\xb2"),
        ("ISO_IR 166", b"\xdb\xfc"),
        ("ISO_IR 13", b"\xfe"),
        ("\\ISO 2022 IR 87", b"\x1b$B;"),
        ("\\ISO 2022 IR 87", b"\x1b$B\x7a\x7a\x1b(B"),
        ("\\ISO 2022 IR 87", b"\xe4"),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xfb"),
        ("ISO_IR 100", b"\x1b%G\xc3\xbc"),
        ("ISO_IR 100", b"A\x1b"),
        ("GB18030", b"\xff\xff"),
        ("ISO_IR 192", "A�".encode()),  # somebody else's "?"
        ("", b"M\xfcller"),
    ],
)
def test_what_is_no_text_is_refused(terms: str, raw: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded(terms, raw)


def test_an_unknown_term_is_known_as_such() -> None:
    assert repertoire(["ISO_IR 999"]) is None
    assert repertoire(["ISO_IR 100", "NONSENSE"]) is None


@pytest.mark.parametrize(
    ("word", "codec", "name"),
    [
        ("latin-1", "latin-1", "Müller"),
        ("latin-2", "iso8859_2", "Wałęsa"),
        ("cyrillic", "iso8859_5", "Иванов"),
        ("greek", "iso8859_7", "Διον"),
        ("turkish", "iso8859_9", "Ayşe"),
    ],
)
def test_without_a_character_set_the_setting_decides_unless_it_is_utf_8(word: str, codec: str, name: str) -> None:
    assert fallback(word, [name.encode(codec)]).decode(name.encode(codec)) == name
    assert fallback(word, [name.encode()]).decode(name.encode()) == name
    # One text that is no UTF-8 decides for all of them.
    assert fallback(word, [name.encode(), name.encode(codec)]).decode(name.encode(codec)) == name


def test_every_word_of_the_settings_is_known() -> None:
    from smartbox_tui.settings.schema import Worklist

    for word in FALLBACKS:
        assert repertoire([FALLBACKS[word]]) is not None
    assert Worklist().charset in FALLBACKS


def written(dataset: Dataset, *, explicit: bool = False, charset: Any = None) -> bytes:
    buffer = BytesIO()
    target = DicomFileLike(buffer)
    target.is_little_endian, target.is_implicit_VR = True, not explicit
    write_dataset(target, dataset, convert_encodings(charset or dataset.get("SpecificCharacterSet") or ""))
    return buffer.getvalue()


def full() -> Dataset:
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName = "Müller^Jörg=王^小東"
    item.PatientID = "4711"
    item.PatientWeight = "71.5"
    item.PregnancyStatus = 4
    item.OtherPatientIDs = ["A", "", "C"]
    item.PatientBirthDate = ""
    item.add_new(0x00091001, "LO", "private")
    step = Dataset()
    step.Modality = "ES"
    step.ScheduledProcedureStepDescription = "Spiegelung, groß"
    code = Dataset()
    code.CodeValue = "1"
    step.ScheduledProtocolCodeSequence = [code]
    item.ScheduledProcedureStepSequence = [step]
    return item


EXPECTED = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg", "Ideographic": "王^小東"}]},
    "00100020": {"vr": "LO", "Value": ["4711"]},
    "00101000": {"vr": "LO", "Value": ["A", None, "C"]},
    "00101030": {"vr": "DS", "Value": [71.5]},
    "001021C0": {"vr": "US", "Value": [4]},
    "00400100": {
        "vr": "SQ",
        "Value": [
            {
                "00080060": {"vr": "CS", "Value": ["ES"]},
                "00400007": {"vr": "LO", "Value": ["Spiegelung, groß"]},
                "00400008": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["1"]}}]},
            }
        ],
    },
}


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_a_data_set_becomes_json_in_both_syntaxes(explicit: bool, undefined: bool) -> None:
    item = full()
    if undefined:
        item["ScheduledProcedureStepSequence"].is_undefined_length = True
        item.ScheduledProcedureStepSequence[0].is_undefined_length_sequence_item = True
    raw = written(item, explicit=explicit)
    assert (b"\xff\xff\xff\xff" in raw) is undefined
    assert to_json(raw, explicit=explicit) == EXPECTED


def test_numbers_that_are_nought_are_no_empty_values() -> None:
    item = Dataset()
    item.PregnancyStatus, item.PatientWeight = 0, "0"
    assert to_json(written(item)) == {
        "00101030": {"vr": "DS", "Value": [0.0]},
        "001021C0": {"vr": "US", "Value": [0]},
    }


@pytest.mark.parametrize("text", [b"nan", b"1_0 ", b"inf ", b"0x10", b"1e999 ", "٣".encode(), b"7,5 "])
def test_a_number_that_is_none_is_left_out(text: bytes) -> None:
    raw = struct.pack("<HHL", 0x0010, 0x1030, len(text)) + text
    found = to_json(raw, charset="utf-8")
    json.loads(json.dumps(found, allow_nan=False))
    assert "00101030" not in found
    floats = struct.pack("<HHLd", 0x0018, 0x9305, 8, float("nan"))
    assert to_json(floats) == {}


def test_every_cut_is_refused_or_ends_between_two_elements() -> None:
    for explicit in (False, True):
        raw = written(full(), explicit=explicit)
        whole = 0
        for end in range(len(raw)):
            try:
                part = to_json(raw[:end], explicit=explicit)
            except ValueError:
                continue
            whole += 1
            assert all(EXPECTED[tag] == part[tag] for tag in part)
        assert 0 < whole <= 10


def test_garbage_is_refused_and_never_hangs() -> None:
    deep = b""
    for _ in range(50):
        deep = (
            struct.pack("<HHL", 0x0040, 0x0100, len(deep) + 8)
            + struct.pack("<HHL", 0xFFFE, 0xE000, len(deep))
            + deep
        )
    for raw in (b"\xff" * 1000, bytes(1001), deep, b"\xfe\xff\x0d\xe0\0\0\0\0" * 10, bytes(8) * 100):
        for explicit in (False, True):
            with pytest.raises(ValueError, match=r"."):
                to_json(raw, explicit=explicit)


def test_text_that_cannot_be_decoded_is_left_out_and_a_needed_one_refuses_the_whole() -> None:
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName, item.PatientID = "Meier^Eva", "1"
    item.RequestedProcedureDescription = "Spiegelung"
    raw = written(item)
    assert "00321060" not in to_json(raw.replace(b"Spiegelung", b"Spiegel\xfcng"))
    bad = raw.replace(b"Meier^Eva", b"Meier^E\xfca")
    assert "00100010" not in to_json(bad)
    with pytest.raises(Undecodable):
        to_json(bad, needed=frozenset({NAME}))


def test_an_item_may_have_a_character_set_of_its_own() -> None:
    item, step = Dataset(), Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName = "Müller"
    step.SpecificCharacterSet = "ISO_IR 144"
    step.ScheduledProcedureStepDescription = "Иван"
    item.ScheduledProcedureStepSequence = [step]
    found = to_json(written(item))
    assert found["00400100"]["Value"] == [{"00400007": {"vr": "LO", "Value": ["Иван"]}}]
    assert found["00100010"]["Value"] == [{"Alphabetic": "Müller"}]


def test_the_fallback_holds_for_the_whole_answer() -> None:
    """Two texts, the first one valid UTF-8 by chance: the second says that neither is."""
    item = Dataset()
    item.PatientName, item.PatientComments = "AAAA", "BBBB"
    raw = written(item).replace(b"AAAA", b"\xc3\xbcAA").replace(b"BBBB", b"BB\xfcB")
    found = to_json(raw, charset="latin-1")
    assert found["00100010"]["Value"] == [{"Alphabetic": "Ã¼AA"}]
    assert found["00104000"]["Value"] == ["BBüB"]
