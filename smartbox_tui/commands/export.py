"""`smartbox dicom export`: DICOM files from the spool alone, as captured or as a destination gets them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import note, out
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import paths


def export(arguments: argparse.Namespace, options: Options) -> int:
    """Reads only, so it can run beside an engine; what is not made yet it makes for itself, in a temporary folder.
    Raises SmartBoxError."""
    from smartbox_tui.dicom import export as files
    from smartbox_tui.engine import composing
    from smartbox_tui.settings.load import load
    from smartbox_tui.spool import release as released

    folders = paths(options.state, options.runtime)
    settings = load(options.config, folders.state, fallback=True).settings
    destination = None
    if arguments.destination:
        destination = next((item for item in settings.destinations if item.name == arguments.destination), None)
        if destination is None:
            raise SmartBoxError(
                "not-found",
                f"There is no destination '{arguments.destination}'.",
                "Give --config, or leave it out.",
            )
    station = (settings.station_name, settings.institution_name)
    exported: list[dict[str, Any]] = []
    found: set[str] = set()
    waiting = 0
    gone: list[SmartBoxError] = []
    for folder, sidecar, uids, numbers in _pictures(folders.spool, arguments.study, frozenset(arguments.uids)):
        found |= uids & set(arguments.uids)
        if numbers is None:
            waiting += 1  # the engine has not adopted it yet
            continue
        if (known := released.of_picture(folder, sidecar)) is not None:
            gone.append(released.gone(known))
            if arguments.uids:
                raise gone[0]
            continue
        with ExitStack() as stack:
            variant, source = _rendition(folder, sidecar, destination, arguments.out, stack)
            charset = destination.charset if destination is not None else "utf-8"
            wanted = composing.Wanted(sidecar.id, variant, "", charset, station, numbers)
            composition = composing.composition(folder, wanted, keep=False, source=source)
            file = files.export(composition, arguments.out)
        exported.append(
            {"sop_instance_uid": composition.sop_instance_uid, "file": str(file), "bytes": file.stat().st_size}
        )
    if gone and not exported:
        raise gone[0]
    if (missing := [uid for uid in arguments.uids if uid not in found]) or (arguments.study and not exported):
        raise SmartBoxError(
            "not-found",
            f"There is nothing of {missing[0] if missing else arguments.study} in this spool.",
            "Check --state, and `ctl exam show ID`; the engine adopts pictures first.",
        )
    if gone:
        note(f"{len(gone)} pictures are no longer on the box: {gone[0].message}")
    if waiting:
        note(f"{waiting} pictures are not adopted yet: start the engine once")
    value = {"exported": exported, "count": len(exported), "released": len(gone)}
    out(value, f"{len(exported)} files in {arguments.out}", as_json=options.json)
    return 0


def _pictures(
    spool: Path, study: str | None, wanted: frozenset[str]
) -> Iterator[tuple[Path, Any, frozenset[str], tuple[int, int] | None]]:
    """(folder, sidecar, the picture's UIDs, its series and instance number or None) of each picture asked for: of a
    study, by a UID it has or had, or of all that are closed."""
    from smartbox_tui.dicom.headers import numbers_of
    from smartbox_tui.engine import rendition
    from smartbox_tui.engine.delivery import variants
    from smartbox_tui.model.uids import uid_of
    from smartbox_tui.spool.examfile import read_exam, read_revision
    from smartbox_tui.spool.layout import exam_folders, header_name, sidecar_paths
    from smartbox_tui.spool.sidecar import SidecarState, read_sidecar

    for folder in exam_folders(spool):
        try:
            exam = read_exam(folder)
            revision = read_revision(folder, exam.revision)
        except (OSError, ValueError):
            note(f"{folder.name}: the exam's file is not readable; see smartbox store check")
            continue
        if study and (revision.study_instance_uid or exam.study_instance_uid) != study:
            continue
        for path in sorted(sidecar_paths(folder)):
            try:
                sidecar = read_sidecar(path)
            except (OSError, ValueError):
                note(f"{folder.name}: {path.name} is not readable; see smartbox store check")
                continue
            uids = frozenset({uid_of(_uuid(path.stem))})
            if wanted:
                uids |= variants.renditions_of(rendition.sop_uid(sidecar.id, revision), sidecar.kind).keys()
                if not uids & wanted:
                    continue
            if sidecar.state is not SidecarState.CLOSED and not (
                wanted and sidecar.state is SidecarState.DISCARDED
            ):
                continue
            header = folder / header_name(sidecar.id, exam.revision)
            yield folder, sidecar, uids, numbers_of(header) if header.exists() else None


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


def _rendition(
    folder: Path, sidecar: Any, destination: Any | None, target: Path, stack: ExitStack
) -> tuple[Any, Any | None]:
    """(variant, bitstream): what the destination gets, and where its bitstream was made if it was not there."""
    from smartbox_tui.engine.delivery import variants
    from smartbox_tui.model.variant import AS_CAPTURED
    from smartbox_tui.spool.bitstream import captured

    variant = variants.variant_for(destination, sidecar) if destination is not None else AS_CAPTURED
    made = variants.of_variant(folder, sidecar, variant)
    if made is not None:
        return variant, None
    target.mkdir(parents=True, exist_ok=True)
    temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".making-", dir=target)))
    container = variant.container or sidecar.container
    source = variants.own(folder, sidecar) or captured(sidecar)
    if source.container == container:  # the MP4 of the picture is wanted as it was recorded
        return variant, source
    path = temporary / f"bitstream.{container}"
    answer = _media(
        *("remux", str(folder / source.file), "--length", str(source.bytes)),
        *("--container", container, "--out", str(path)),
    )
    from smartbox_tui.engine.delivery.steps import Step

    record = Step(("remux",), path.name, sidecar.frames, 0.0).result(answer)
    return variant, replace(record, file=str(path))


def _media(*arguments: str) -> Any:
    """A media child, waited for. Raises the SmartBoxError that it answered with, refused when it died."""
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", *arguments, "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    try:
        value = json.loads(done.stdout)
    except ValueError:
        raise SmartBoxError(
            "refused", f"`media {arguments[0]}` ended with status {done.returncode}.", "Try again."
        ) from None
    if "error" in value:
        raise SmartBoxError.from_dict(value["error"])
    return value
