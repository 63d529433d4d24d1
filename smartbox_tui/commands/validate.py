"""`smartbox dicom validate`: what is wrong with DICOM files, no engine needed."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.errors import SmartBoxError

if TYPE_CHECKING:
    from smartbox_tui.dicom.validate_report import Finding


def validate(arguments: argparse.Namespace, options: Options) -> int:
    """Exit status 1 when a file has an error; warnings alone leave it at 0."""
    files, lines = [], []
    for path in arguments.files:
        findings = _findings(path)
        ok = not any(finding.severity == "error" for finding in findings)
        files.append({"file": str(path), "ok": ok, "findings": [asdict(finding) for finding in findings]})
        lines.append(f"{path}: {'good' if ok else 'not good'}")
        for item in findings:
            lines.append(f"  {item.severity}: {item.message} {item.hint} [{item.rule}, {item.section}]")
    out({"files": files}, "\n".join(lines), as_json=options.json)
    return 0 if all(item["ok"] for item in files) else 1


def _findings(path: Path) -> list[Finding]:
    """One bad file must not hide what is to be said of the next."""
    from smartbox_tui.dicom.validate import validate_file
    from smartbox_tui.dicom.validate_report import Finding

    try:
        return validate_file(path)
    except SmartBoxError as exc:
        return [Finding("error", "not-readable", "", exc.message, exc.hint)]
    except OSError as exc:
        return [Finding("error", "not-readable", "", f"It cannot be read: {exc.strerror}.", "Check the disk.")]
