"""The options of `smartbox dicom build`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from smartbox_tui.commands.build_pictures import RAW_FORMATS, SYNTAXES
from smartbox_tui.model.instance import SOP_CLASSES

DESCRIPTION: Final = f"""\
Makes one DICOM object of pictures or of a video, no engine needed. What fits goes in as it is, bit for bit; what
does not is refused, with the rule and with what mends it. The object is judged as by `dicom validate` before it
gets its name: a file that is there is whole and good.

MEDIA  JPEG (baseline or extended, 4:2:2, 4:4:4 or grey), PNG (8 bits), raw pixels with --raw-size,
       MP4, MOV and MPEG-TS with H.264 High, MPEG2 Main or HEVC Main. Several pictures: --sop-class multiframe-sc.
CLASS  {", ".join(SOP_CLASSES)}, or its UID.

--attributes FILE.json holds any attributes of the data set by keyword or tag, plainly or in the DICOM JSON model:
  {{"PatientName": "Test^Eins", "0010,0020": "T-1", "BodyPartExamined": "COLON",
   "ProcedureCodeSequence": [{{"CodeValue": "1-650", "CodingSchemeDesignator": "99OPS", "CodeMeaning": "Kolo"}}]}}
Rows, NumberOfFrames and the like are the bitstream's, and refused there.

Patient data on the command line is visible to local users: use --patient-file - or --attributes.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("media", nargs="+", metavar="MEDIA", type=Path)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE")
    parser.add_argument("--sop-class", required=True, metavar="CLASS")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE when it is there")

    who = parser.add_argument_group("whose it is")
    who.add_argument("--patient-file", metavar="FILE|-", help="PATIENT as JSON; - reads standard input")
    for option in ("--patient-id", "--name", "--birth-date", "--sex"):
        who.add_argument(option, help="visible to local users: prefer --patient-file -")
    who.add_argument("--attributes", metavar="FILE.json", help="attributes of the data set; - reads standard input")
    who.add_argument("--charset", choices=("utf-8", "latin-1"), default="utf-8")

    what = parser.add_argument_group("what it belongs to")
    what.add_argument("--accession", metavar="NUMBER")
    what.add_argument("--study-uid", metavar="UID", help="of the order or the study it belongs to; else a new one")
    what.add_argument("--series-uid", metavar="UID")
    what.add_argument("--sop-uid", metavar="UID")
    what.add_argument("--study-description", metavar="TEXT")
    what.add_argument(
        "--study-date", metavar="WHEN", help="YYYY-MM-DD, or with THH:MM:SS+HH:MM; else the camera's, else now"
    )
    what.add_argument(
        "--captured-at", metavar="WHEN", help="YYYY-MM-DDTHH:MM:SS+HH:MM; else EXIF's, else it stays empty"
    )
    what.add_argument("--modality", metavar="CODE")
    what.add_argument("--series-number", type=int, metavar="N")
    what.add_argument("--instance-number", type=int, metavar="N")
    what.add_argument(
        "--burned-in", choices=("yes", "no"), help="is a name in the picture? yes until somebody has looked"
    )

    how = parser.add_argument_group("pictures")
    how.add_argument("--transfer-syntax", metavar="WORD|UID", help=f"{', '.join(SYNTAXES)}; else as it is")
    how.add_argument("--reencode", action="store_true", help="compress anew, as JPEG 4:2:2, what does not fit")
    how.add_argument("--quality", type=int, default=95, metavar="1-100", help="of what is compressed anew")
    how.add_argument("--frame-time", type=float, metavar="MS", help="from one frame to the next, of several")
    how.add_argument("--raw-size", metavar="WxH", help="MEDIA are pixels without a header")
    how.add_argument("--raw-format", choices=tuple(RAW_FORMATS), default="rgb24")

    moving = parser.add_argument_group("videos")
    moving.add_argument("--container", choices=("ts", "mp4"), help="put it into this one, without encoding")
    moving.add_argument("--transcode", choices=("h264", "mpeg2"), help="encode it anew")
