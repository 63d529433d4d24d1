"""What is offered for one picture, which of it is taken, and how that is said. Pure."""

from __future__ import annotations

import pytest

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.scu.association import CONTEXTS_MAX
from smartbox_tui.engine.delivery.forms import (
    LONGEST_FRAGMENT,
    Form,
    best,
    coming_out,
    contexts,
    every_form,
    forms,
    forms_of_kind,
    said,
)
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    FRAGMENTABLE,
    H264_HP_41,
    HEVC_MP_51,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    KEY_OBJECT_SELECTION,
    MPEG2_MPHL,
    MPEG2_MPML,
    SOP_CLASSES,
)
from smartbox_tui.model.variant import Variant
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Source

STILL, VIDEO = SOP_CLASSES["vl-endoscopic"], SOP_CLASSES["video-endoscopic"]


def syntaxes(found: tuple[Form, ...]) -> list[str]:
    return [form.transfer_syntax_uid for form in found]


def test_a_still_prefers_what_it_is() -> None:
    assert syntaxes(forms(STILL, JPEG_BASELINE)) == [JPEG_BASELINE, JPEG_EXTENDED, EXPLICIT_VR_LE, IMPLICIT_VR_LE]
    assert [form.is_native for form in forms(STILL, JPEG_BASELINE)] == [False, False, True, True]
    assert syntaxes(forms(STILL, JPEG_BASELINE, pixels=LONGEST_FRAGMENT)) == [JPEG_BASELINE, JPEG_EXTENDED]


def test_a_clip_is_encoded_anew_last_and_only_where_that_is_set() -> None:
    twin = FRAGMENTABLE[H264_HP_41]
    assert syntaxes(forms(VIDEO, H264_HP_41)) == [H264_HP_41, twin]
    assert syntaxes(forms(VIDEO, H264_HP_41, length=LONGEST_FRAGMENT)) == [twin]
    anew = forms(VIDEO, H264_HP_41, "mpeg2")
    assert [form.codec for form in anew] == ["", "", "mpeg2", "mpeg2", "mpeg2", "mpeg2"]
    assert syntaxes(forms(VIDEO, H264_HP_41, "h264")) == [H264_HP_41, twin]
    assert syntaxes(forms(VIDEO, HEVC_MP_51)) == [HEVC_MP_51]


@pytest.mark.parametrize(
    ("size", "fps", "syntax", "fits"),
    [
        ((720, 576), 25, MPEG2_MPML, True),
        ((720, 576), 50, MPEG2_MPML, False),
        ((1920, 1080), 30, MPEG2_MPML, False),
        ((1920, 1080), 30, MPEG2_MPHL, True),
        ((720, 480), 30000 / 1001, MPEG2_MPML, True),
    ],
)
def test_only_the_level_that_comes_out_is_offered(
    size: tuple[int, int], fps: float, syntax: str, fits: bool
) -> None:
    assert coming_out(Form(VIDEO, syntax, "mpeg2"), *size, fps) is fits


def test_a_note_is_a_document() -> None:
    found = forms(KEY_OBJECT_SELECTION, EXPLICIT_VR_LE)
    assert syntaxes(found) == [EXPLICIT_VR_LE, IMPLICIT_VR_LE]
    assert not any(form.is_native for form in found)


def test_the_best_of_what_is_taken() -> None:
    wanted = forms(STILL, JPEG_BASELINE)
    assert best(wanted, [(STILL, IMPLICIT_VR_LE), (STILL, JPEG_EXTENDED)]) == wanted[1]
    assert best(wanted, [(VIDEO, H264_HP_41)]) is None


def test_more_than_an_association_holds_leaves_out_the_others_first() -> None:
    wanted = forms(STILL, JPEG_BASELINE)
    others = [Form(f"1.2.{number}", JPEG_BASELINE) for number in range(300)]
    chosen = contexts(wanted, [*others, *wanted])
    assert len(chosen) == CONTEXTS_MAX
    assert chosen[:4] == [form.pair for form in wanted]
    assert len(set(chosen)) == CONTEXTS_MAX


def test_everything_that_a_box_can_make_fits_one_association() -> None:
    assert sum(len(iod.transfer_syntaxes) for iod in IODS.values()) + 2 < CONTEXTS_MAX


def test_forms_of_a_row_follow_its_variant() -> None:
    found = forms_of_kind(VIDEO, H264_HP_41, Variant(sop_class="video-photographic", codec="mpeg2"), "never")
    assert {form.sop_class_uid for form in found} == {SOP_CLASSES["video-photographic"]}
    assert set(syntaxes(tuple(found))) == {
        MPEG2_MPML, MPEG2_MPHL, FRAGMENTABLE[MPEG2_MPML], FRAGMENTABLE[MPEG2_MPHL],
    }  # fmt: skip


def test_a_destinations_classes_are_offered_instead_of_the_sources() -> None:
    source = Source(id="s")
    found = {
        form.sop_class_uid for form in every_form(source, Destination(name="d", still_class="secondary-capture"))
    }
    assert SOP_CLASSES["secondary-capture"] in found
    assert STILL not in found


def test_names_and_no_uids() -> None:
    text = said([(STILL, JPEG_BASELINE), (STILL, EXPLICIT_VR_LE), (KEY_OBJECT_SELECTION, EXPLICIT_VR_LE)])
    assert text == (
        "VL Endoscopic Image as JPEG Baseline, Explicit VR Little Endian; "
        "Key Object Selection as Explicit VR Little Endian"
    )
