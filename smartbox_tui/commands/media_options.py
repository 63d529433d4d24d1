"""The options of `smartbox media`, the short-lived children; not for people."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    codes = actions.add_parser("codes", help="says what codes are before a source's camera")
    codes.add_argument("--source", required=True)
    poster = actions.add_parser("poster", help="a small JPEG of a picture or a clip")
    poster.add_argument("file", metavar="FILE", type=Path)
    poster.add_argument("--out", required=True, type=Path)
    poster.add_argument("--width", type=int, default=960)
    remux = actions.add_parser("remux", help="a clip in another container, nothing encoded")
    remux.add_argument("file", metavar="FILE", type=Path)
    remux.add_argument("--length", type=int, metavar="N", help="bytes of FILE that belong to it; else all")
    remux.add_argument("--container", required=True, choices=("ts", "mp4"))
    remux.add_argument("--out", required=True, type=Path)
    transcode = actions.add_parser("transcode", help="a clip in another codec")
    transcode.add_argument("file", metavar="FILE", type=Path)
    transcode.add_argument("--length", type=int, metavar="N", help="bytes of FILE that belong to it; else all")
    transcode.add_argument("--codec", required=True, choices=("mpeg2", "h264"))
    transcode.add_argument("--container", required=True, choices=("ts", "mp4"))
    transcode.add_argument("--out", required=True, type=Path)
    transcode.add_argument("--max-bytes", type=int, default=0, metavar="M", help="that it may have; 0: any number")
    probe = actions.add_parser("probe", help="what a file of video is")
    probe.add_argument("file", metavar="FILE", type=Path)
    probe.add_argument("--length", type=int, metavar="N", help="bytes of FILE that belong to it; else all")
    encoder = actions.add_parser("encoder", help="the self-test of an encoder")
    encoder.add_argument("codec", choices=("h264", "mpeg2", "hevc"))
    encoder.add_argument("kind", choices=("software", "nvenc", "qsv", "v4l2m2m"))
    encoder.add_argument("--size", required=True, metavar="WxH")
    encoder.add_argument("--fps", required=True, metavar="N/D")
    encoder.add_argument("--bitrate", required=True, type=int)
    decode = actions.add_parser("decode", help="JPEGs to plain pixels")
    decode.add_argument("file", metavar="FILE", type=Path)
    decode.add_argument("--length", type=int, metavar="N", help="bytes of FILE that belong to it; else all")
    decode.add_argument("--index", metavar="JSON|-", help="[[offset, length], ...] of each frame; else one JPEG")
    decode.add_argument("--out", required=True, type=Path)
    camera = actions.add_parser("camera", help="a picture from a watched folder, made ready for an exam")
    camera.add_argument("file", metavar="FILE", type=Path)
    camera.add_argument("--out", required=True, type=Path)
    camera.add_argument("--crop", default="0,0,0,0")
    camera.add_argument("--mask", default="")
