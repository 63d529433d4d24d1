"""What may be agreed upon with an archive for one picture: presentation contexts, and what each takes to be sent.

One transfer syntax a presentation context (PS3.8 9.3.2.2), so that the archive cannot choose one that nobody wants;
the box takes the best of those that are accepted. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.iods import IODS, JPEG_FAMILY, NATIVE, SYNTAX_NAMES
from smartbox_tui.dicom.scu.association import CONTEXTS_MAX
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    FRAGMENTABLE,
    IMPLICIT_VR_LE,
    JPEG_EXTENDED,
    KEY_OBJECT_SELECTION,
    MADE,
    RECORDED,
    SOP_CLASSES,
    Kind,
)
from smartbox_tui.model.variant import Variant
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Source

LONGEST_FRAGMENT: Final = 2**32 - 2
NEVER: Final = "never"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """`codec`: the video must be encoded anew for it, as a derived instance. Native ones take decoded pixels."""

    sop_class_uid: str
    transfer_syntax_uid: str
    codec: str = ""

    @property
    def pair(self) -> Pair:
        return self.sop_class_uid, self.transfer_syntax_uid

    @property
    def is_native(self) -> bool:
        return self.transfer_syntax_uid in NATIVE and self.sop_class_uid != KEY_OBJECT_SELECTION


def forms(
    sop_class_uid: str, transfer_syntax_uid: str, transcode: str = NEVER, *, length: int = 0, pixels: int = 0
) -> tuple[Form, ...]:
    """What an object of this class, whose bitstream is in this syntax, may be sent as, best first.

    transcode   the destination's setting: another codec as the last resort; not for what is encoded anew already
    length      bytes of the bitstream, `pixels` of the decoded picture: what one item cannot hold is left out
                (PS3.5 7.5); 0: not known
    """
    syntaxes: list[str] = []
    if transfer_syntax_uid in NATIVE:
        syntaxes = [EXPLICIT_VR_LE, IMPLICIT_VR_LE]
    elif transfer_syntax_uid in JPEG_FAMILY:
        syntaxes = [transfer_syntax_uid, JPEG_EXTENDED]
        if pixels < LONGEST_FRAGMENT:
            syntaxes += [EXPLICIT_VR_LE, IMPLICIT_VR_LE]
    else:
        syntaxes = [transfer_syntax_uid] if length < LONGEST_FRAGMENT else []
        syntaxes += [FRAGMENTABLE[uid] for uid in (transfer_syntax_uid,) if uid in FRAGMENTABLE]
    own = [Form(sop_class_uid, uid) for uid in dict.fromkeys(syntaxes)]
    return (*own, *_encoded_anew(sop_class_uid, transfer_syntax_uid, transcode))


def _encoded_anew(sop_class_uid: str, transfer_syntax_uid: str, transcode: str) -> Iterable[Form]:
    target = RECORDED.get(transcode, ())
    if codec_of(transfer_syntax_uid) not in ("", transcode):
        yield from (Form(sop_class_uid, uid, transcode) for uid in target)
        yield from (Form(sop_class_uid, FRAGMENTABLE[uid], transcode) for uid in target if uid in FRAGMENTABLE)


def coming_out(form: Form, width: int, height: int, fps: float) -> bool:
    """Whether encoding anew for this form gives its level: MPEG2 Main Level to 720 x 576 at 30 frames/s (ISO/IEC
    13818-2 table 8-11), H.264 4.1 to 8192 macroblocks, 245760 a second (ITU-T H.264 table A-1)."""
    if not form.codec:
        return True
    low, high = RECORDED[form.codec]
    blocks = -(-width // 16) * -(-height // 16)
    if form.codec == "mpeg2":
        fits = width <= 720 and height <= 576 and blocks * fps <= 40500 * 1.001
    else:
        fits = blocks <= 8192 and blocks * fps <= 245760 * 1.001
    made = low if fits else high
    return form.transfer_syntax_uid in (made, FRAGMENTABLE.get(made))


def codec_of(transfer_syntax_uid: str) -> str:
    """h264, mpeg2, hevc; empty for what is no video."""
    return next((word for word, uids in RECORDED.items() if transfer_syntax_uid in uids), "")


def forms_of_kind(sop_class_uid: str, transfer_syntax_uid: str, variant: Variant, transcode: str) -> list[Form]:
    """The forms of a row of the queue, as far as they are known without its bitstream; class and syntax those of
    the picture as captured."""
    if variant.document:
        return list(NOTE_FORMS)
    sop_class = SOP_CLASSES[variant.sop_class] if variant.sop_class else sop_class_uid
    if not variant.codec:
        return list(forms(sop_class, transfer_syntax_uid, transcode))
    return [form for uid in RECORDED[variant.codec] for form in forms(sop_class, uid)]


def contexts(wanted: Sequence[Form], others: Iterable[Form]) -> list[Pair]:
    """What one association proposes: all that is wanted now, then as much of the rest as there is room for."""
    first = dict.fromkeys(form.pair for form in wanted)
    rest = sorted({form.pair for form in others} - first.keys())
    return [*first, *rest][:CONTEXTS_MAX]


def best(wanted: Sequence[Form], accepted: Iterable[Pair]) -> Form | None:
    pairs = set(accepted)
    return next((form for form in wanted if form.pair in pairs), None)


def every_form(source: Source, destination: Destination | None = None) -> Iterator[Form]:
    """All that the pictures of a source may be sent as to a destination, or to one that has only defaults."""
    wanted = destination or Destination(name="any")
    for own, other, syntaxes, transcode in (
        (source.still_class, wanted.still_class, MADE[Kind.STILL], NEVER),
        (source.burst_class, wanted.burst_class, MADE[Kind.BURST], NEVER),
        (source.clip_class, wanted.clip_class, RECORDED[source.codec], wanted.transcode),
    ):
        for syntax in syntaxes:
            yield from forms(SOP_CLASSES[other or own], syntax, transcode)


NOTE_FORMS: Final = forms(KEY_OBJECT_SELECTION, EXPLICIT_VR_LE)
"""Of a rejection note, and of the marks of a clip."""


# ---- in words


def name_of(uid: str) -> str:
    if uid == KEY_OBJECT_SELECTION:
        return "Key Object Selection"
    return IODS[uid].name if uid in IODS else uid


def said(pairs: Iterable[Pair]) -> str:
    """As in: VL Endoscopic Image as JPEG Baseline, JPEG Extended; … Names, no UIDs where there are names."""
    by_class: dict[str, list[str]] = {}
    for sop_class, syntax in pairs:
        by_class.setdefault(sop_class, []).append(SYNTAX_NAMES.get(syntax, syntax))
    return "; ".join(f"{name_of(uid)} as {', '.join(names)}" for uid, names in by_class.items())
