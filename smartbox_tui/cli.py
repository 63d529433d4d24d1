"""The command line: the only place that parses argv. Each subcommand imports its room only when it is chosen.

Exit 0 done, 1 failed, 2 wrong usage, 3 the process needed is away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from smartbox_tui.commands.options import Options
from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError

_ANYWHERE_FLAGS = ("--json",)
_ANYWHERE_VALUES = ("--config", "--state", "--runtime")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs the program and exits."""
    started_ns = time.monotonic_ns()
    sys.exit(run(list(sys.argv[1:] if argv is None else argv), started_ns))


def run(argv: list[str], started_ns: int | None = None) -> int:
    """The exit status; errors are printed as CONTRACT says."""
    parser = build_parser(argv)
    found, rest = _take_anywhere(parser, argv)
    arguments = parser.parse_args(rest)
    options = Options(
        json=bool(found.get("--json")),
        config=_path(found.get("--config")),
        state=_path(found.get("--state")),
        runtime=_path(found.get("--runtime")),
        started_ns=started_ns or time.monotonic_ns(),
    )
    try:
        return int(_dispatch(arguments, options))
    except SmartBoxError as exc:
        if options.json:
            print(json.dumps({"error": exc.as_dict()}), flush=True)
        print(f"{exc.message}\n{exc.hint}".rstrip(), file=sys.stderr)
        return 3 if exc.code == PROCESS_AWAY else 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter must not complain about it at its end
        return 1
    except KeyboardInterrupt:
        return 130


def _take_anywhere(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Takes the options that may stand anywhere out of argv, up to a `--`."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    items = iter(argv)
    for item in items:
        name, equals, value = item.partition("=")
        if item == "--":
            rest += [item, *items]
        elif item in _ANYWHERE_FLAGS:
            found[item] = True
        elif name in _ANYWHERE_VALUES:
            taken = value if equals else next(items, None)
            if not taken:
                parser.error(f"{name} needs a value")
            if name == "--state" and rest[:3] == ["ctl", "queue", "list"] and not _is_folder(taken):
                rest += [name, taken]
            else:
                found[name] = taken
        else:
            rest.append(item)
    return found, rest


def _is_folder(text: str) -> bool:
    """`queue list --state S` filters by a delivery's state, and `--state DIR` may stand anywhere: a word is the
    state, a path the folder."""
    return os.sep in text or text in (".", "..") or Path(text).is_dir()


def _count(text: str) -> int:
    """A whole number from 0 on. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _dispatch(arguments: argparse.Namespace, options: Options) -> int:
    match arguments.command:
        case "engine" | "capture" | "console":
            from smartbox_tui.commands import processes

            return processes.run(arguments.command, options)
        case "demo":
            from smartbox_tui.commands import demo

            return demo.run(arguments, options)
        case "ctl" if arguments.area == "settings":
            from smartbox_tui.commands import settings

            return settings.run(arguments, options)
        case "ctl":
            from smartbox_tui.commands import ctl

            return ctl.run(arguments, options)
        case "dicom":
            from smartbox_tui.commands import dicom

            return dicom.run(arguments, options)
        case "media":
            from smartbox_tui.commands import media

            return media.run(arguments, options)
        case "store":
            from smartbox_tui.commands import store

            return store.run(arguments, options)
        case "panel":
            from smartbox_tui.commands import panel

            return panel.run(arguments, options)
        case "conformance":
            from smartbox_tui.commands import conformance

            return conformance.run(arguments, options)
        case _:
            from smartbox_tui.commands import doctor

            return doctor.run(options, arguments.bundle)


class _Parser(argparse.ArgumentParser):
    """Usage errors to standard error with exit 2; no abbreviations, scripts must not depend on them."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)


def build_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """`words`: what stands on the command line. The options of commands that are not among them are left out: all
    of them take as long to make as a tenth of the imports."""
    parser = _Parser(
        prog="smartbox",
        description="Medical capture box. --json, --config FILE, --state DIR and --runtime DIR may stand anywhere.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, text, options in _COMMANDS:
        one = commands.add_parser(command, help=text) if text else commands.add_parser(command)  # not for people
        if options is not None and (words is None or command in words):
            options(one)
    return parser


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="without the console")
    parser.add_argument(
        "--pacs", metavar="HOST:PORT:AET", help="deliver to this archive instead of the simulated one"
    )


def _store(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="compare spool and database")
    check.add_argument("--fast", action="store_true", help="without reading every bitstream for its hash")
    actions.add_parser("rebuild", help="make the database anew from the spool")


def _conformance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", action="store_true", help="as one page to print")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="a .tar.gz for service, without patients")


def _ctl(parser: argparse.ArgumentParser) -> None:
    areas = parser.add_subparsers(dest="area", required=True, metavar="WHAT")
    areas.add_parser("status")
    areas.add_parser("sources")
    source = areas.add_parser("source", help="what a grabber can do, and its controls")
    source.add_argument("action", choices=("controls", "formats"))
    source.add_argument("source", nargs="?", metavar="ID", help="of the first where none is named")
    events = areas.add_parser("events")
    events.add_argument("--follow", action="store_true")

    _exam(areas.add_parser("exam"))
    _worklist(areas.add_parser("worklist"), areas.add_parser("mpps", help="performed procedure steps"))

    still = areas.add_parser("still")
    still.add_argument("--source")
    still.add_argument("--burst", type=int, default=1, metavar="N")
    still.add_argument("--at", type=int, metavar="MONOTONIC_NS")
    still.add_argument("--id", help="UUID of the command")
    discard = areas.add_parser("discard-last")
    discard.add_argument("--reason", required=True)
    discard.add_argument("--id", help="UUID of the command")

    record = areas.add_parser("record").add_subparsers(dest="action", required=True, metavar="ACTION")
    for name in ("start", "stop", "mark"):
        one = record.add_parser(name)
        one.add_argument("--source")
        one.add_argument("--id", help="UUID of the command")
        if name == "mark":
            one.add_argument("--text", default="")

    instance = areas.add_parser("instance").add_subparsers(dest="action", required=True, metavar="ACTION")
    instance.add_parser("show").add_argument("uid", metavar="UID")

    queue = areas.add_parser("queue").add_subparsers(dest="action", required=True, metavar="ACTION")
    queued = queue.add_parser("list")
    queued.add_argument("--state", dest="delivery_state")
    queued.add_argument("--destination")
    queued.add_argument("--limit", type=_count, metavar="N", help="at most so many; `next` says where to go on")
    queued.add_argument("--after", type=_count, default=0, metavar="ID", help="those made after this one")
    for name in ("retry", "cancel", "prioritise", "pause", "resume"):
        change = queue.add_parser(name)
        change.add_argument("deliveries", nargs="*", type=int, metavar="ID")
        change.add_argument("--all", action="store_true")
        change.add_argument("--destination")

    destination = areas.add_parser("destination").add_subparsers(dest="action", required=True, metavar="ACTION")
    destination.add_parser("list")
    for name in ("test", "remove", "eject"):
        destination.add_parser(name).add_argument("name", metavar="NAME")
    adding = destination.add_parser("add")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--kind", default="dimse")
    for option, kind in (("--host", str), ("--port", int), ("--aet", str), ("--calling-aet", str), ("--send", str)):
        adding.add_argument(option, type=kind)
    for option in ("--url", "--auth", "--user", "--password-file", "--token-file", "--token-url"):
        adding.add_argument(option, help="of a dicomweb archive; secrets stand in files")
    for option in ("--ca-file", "--cert-file", "--key-file", "--tls-name"):
        adding.add_argument(option, help="for an encrypted connection")
    adding.add_argument("--fallback", action=argparse.BooleanOptionalAction, help="of dicomweb: by C-STORE, too")
    adding.add_argument("--path", help="of a folder: where it, or the medium, is mounted")
    for option in ("--mounted", "--plain"):
        adding.add_argument(option, action=argparse.BooleanOptionalAction, help="of a folder; default: yes")
    hook = areas.add_parser("hook", help="whom the box tells what happens").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    hook.add_parser("list")
    hook.add_parser("test", help="sends a test event now").add_argument("name", metavar="NAME")
    _settings(areas.add_parser("settings", help="what the settings screens do"))


def _who(parser: argparse.ArgumentParser) -> None:
    """Who it is: one of the options, or the patient's data one by one."""
    parser.add_argument("--worklist", metavar="ID")
    parser.add_argument("--emergency", choices=("male", "female", "child"))
    parser.add_argument("--age", help="an estimate, as in 8Y")
    parser.add_argument("--patient-file", metavar="FILE|-", help="PATIENT as JSON; - reads standard input")
    for option in ("--patient-id", "--name", "--birth-date", "--sex"):
        parser.add_argument(option, help="visible to local users: prefer --patient-file -")
    parser.add_argument("--accession", default="")
    parser.add_argument("--referring", default="", metavar="NAME", help="the referring physician, FAMILY^GIVEN")
    parser.add_argument("--id", help="UUID of the command; a repeat finds what it made")


def _exam(parser: argparse.ArgumentParser) -> None:
    exam = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _who(exam.add_parser("open"))
    reassign = exam.add_parser("reassign", help="the pictures are somebody else's")
    reassign.add_argument("exam", metavar="ID")
    reassign.add_argument("--exam", dest="to_exam", metavar="OTHER-ID", help="into that exam, as a new series")
    _who(reassign)
    closing = exam.add_parser("close")
    closing.add_argument(
        "--discontinued", default="", metavar="WORD", help="not carried through: unspecified, patient-refused ..."
    )
    closing.add_argument("--id", help="UUID of the command")
    exam.add_parser("current")
    for name in ("show", "release", "resume", "append", "hold"):
        one = exam.add_parser(name)
        one.add_argument("exam", metavar="ID")
    listing = exam.add_parser("list")
    listing.add_argument("--date", metavar="YYYY-MM-DD")
    listing.add_argument("--open", action="store_true")
    listing.add_argument("--unassigned", action="store_true")


def _worklist(worklist: argparse.ArgumentParser, mpps: argparse.ArgumentParser) -> None:
    query = worklist.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser("query")
    query.add_argument("--date", default="", metavar="D", help="YYYY-MM-DD, a range YYYY-MM-DD/YYYY-MM-DD, or any")
    query.add_argument("--patient", default="", metavar="WHO", help="an ID, or where none matches a name")
    for option in ("--name", "--patient-id", "--accession", "--modality", "--station"):
        query.add_argument(option, default="")
    query.add_argument("--cached", action="store_true", help="only what is on the box")
    query.add_argument("--id", help="UUID of the command")

    steps = mpps.add_subparsers(dest="action", required=True, metavar="ACTION")
    steps.add_parser("list").add_argument("--server")
    for name in ("retry", "cancel"):
        change = steps.add_parser(name)
        change.add_argument("messages", nargs="*", type=int, metavar="ID")
        change.add_argument("--all", action="store_true")
        change.add_argument("--server")


def _settings(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    showing = actions.add_parser("show", help="what somebody has set, and where")
    showing.add_argument("--all", action="store_true", help="the defaults, too")
    for name in ("get", "set", "unset"):
        one = actions.add_parser(name)
        one.add_argument("path", metavar="PATH", help="as in worklist.host, destinations.archive.port")
        if name == "set":
            one.add_argument(
                "value", metavar="VALUE", help='for a whole entry a table: \'{host = "a", aet = "B"}\''
            )
    undo = actions.add_parser("undo", help="back to before the last change, or before that one")
    undo.add_argument("change", nargs="?", type=int, metavar="CHANGE")
    actions.add_parser("history")
    actions.add_parser("export").add_argument("file", nargs="?", metavar="FILE")
    actions.add_parser("import").add_argument("file", metavar="FILE|-")
    test = actions.add_parser("test", help="is it the right server, does it take us?")
    test.add_argument("what", choices=("worklist", "mpps", "destination", "hook"))
    test.add_argument("name", nargs="?", metavar="NAME")
    teach = actions.add_parser("teach", help="press a pedal: which one was it?")
    teach.add_argument("pedal", nargs="?", metavar="PEDAL", help="the pedal of the settings that it becomes")
    teach.add_argument("--seconds", type=float, default=15.0)


def _media(parser: argparse.ArgumentParser) -> None:
    from smartbox_tui.commands import media_options

    media_options.add(parser)


def _panel(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    setup = actions.add_parser("setup", help="font, palette and brightness, before the console starts")
    setup.add_argument("--tty", default="/dev/tty1", metavar="TTY")
    font = actions.add_parser("font", help="builds a console font, from an outline font by Pillow")
    font.add_argument("--size", required=True, choices=("8x16", "12x24", "16x32"))
    font.add_argument("--out", required=True, type=Path, metavar="FILE")
    font.add_argument("--outline", type=Path, metavar="TTF", help="default: DejaVu Sans Mono")


def _dicom(parser: argparse.ArgumentParser) -> None:
    from smartbox_tui.commands import build_options

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build_options.add(actions.add_parser("build", help="an object of pictures or a video, whoever made them"))
    send = actions.add_parser("send", help="the engine's own sender")
    send.add_argument("--to", required=True, metavar="HOST:PORT:AET")
    send.add_argument("--calling", default="SMARTBOX", metavar="AET")
    send.add_argument("--tls", action="store_true", help="encrypted, the server's certificate verified")
    for name in ("ca-file", "cert-file", "key-file", "tls-name"):
        send.add_argument(f"--{name}", default="", metavar=name.split("-")[1].upper(), help="as in the settings")
    send.add_argument("files", nargs="+", metavar="FILE", type=Path)
    validate = actions.add_parser("validate", help="is each file what it says it is? (PS3.3, PS3.5, its bitstream)")
    validate.add_argument("files", nargs="+", metavar="FILE", type=Path)
    export = actions.add_parser("export", help="DICOM files from the spool alone")
    export.add_argument("--study", metavar="UID")
    export.add_argument("uids", nargs="*", metavar="SOP-UID")
    export.add_argument("--destination", metavar="D")
    export.add_argument("--out", required=True, type=Path, metavar="DIR")


_COMMANDS: Final[tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None] | None], ...]] = (
    ("demo", "the whole box in one command, simulated where --config says nothing", _demo),
    ("engine", "store, exams, delivery, API", None),
    ("capture", "grabbers, pedals, recorder", None),
    ("console", "the screen, on this terminal", None),
    ("ctl", "talk to the running box", _ctl),
    ("dicom", "DICOM files, no engine needed", _dicom),
    ("store", "the spool and its database, with the engine stopped", _store),
    ("media", "", _media),
    ("panel", "the box's own screen: its letters and colours", _panel),
    ("conformance", "the DICOM conformance statement, as Markdown", _conformance),
    ("doctor", "what works, what does not, and what to do", _doctor),
)


if __name__ == "__main__":
    main()
