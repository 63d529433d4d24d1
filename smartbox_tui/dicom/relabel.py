"""The same instance in another transfer syntax: its header as written, but for what the syntax itself changes.

Not made anew from the exam's values: what a UID means stays, whatever the settings or the program are by then.
"""

from __future__ import annotations

from io import BytesIO

from smartbox_tui.dicom.build import group_2, part10
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.errors import SmartBoxError


def relabelled(header: bytes, transfer_syntax_uid: str) -> bytes:
    """The Part 10 header with another syntax in group 2, the data set untouched: JPEG Extended for Baseline (SOF1
    for SOF0, ITU-T T.81), a video's fragmentable twin. Raises invalid-object for what is no header."""
    meta = read_meta(header, "The header")
    return group_2(meta.sop_class_uid, meta.sop_instance_uid, transfer_syntax_uid) + header[meta.size :]


def decoded(header: bytes, transfer_syntax_uid: str) -> bytes:
    """The header for the picture's decoded pixels, interleaved RGB, in a native transfer syntax.

    The instance and its UID stay: the pixels are those that any viewer would make of the JPEG, and that they were
    lossily compressed, by which method and how much, still stands in it (PS3.3 C.7.6.1.1.5). A grey picture stays
    MONOCHROME2. Raises invalid-object.
    """
    return _encoded(header, transfer_syntax_uid, rgb=True)


def reencoded(data: bytes, transfer_syntax_uid: str) -> bytes:
    """A document, whole, in Implicit or Explicit VR Little Endian. Raises invalid-object."""
    return _encoded(data, transfer_syntax_uid, rgb=False)


def _encoded(data: bytes, transfer_syntax_uid: str, *, rgb: bool) -> bytes:
    import pydicom  # slow

    keep_values_out_of_warnings()
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        if rgb and dataset.SamplesPerPixel == 3:
            dataset.PhotometricInterpretation = "RGB"
        return part10(dataset, transfer_syntax_uid)
    except (pydicom.errors.InvalidDicomError, AttributeError, ValueError, TypeError, EOFError) as exc:
        raise SmartBoxError(
            "invalid-object",
            f"The header cannot be written in another transfer syntax ({type(exc).__name__}).",
            "smartbox store check shows what of the picture is there.",
        ) from None
