"""`smartbox ctl exam`: opening, closing, whose the pictures are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.ctl_queue import whereabouts
from smartbox_tui.commands.output import table
from smartbox_tui.errors import SmartBoxError


class Exams(Area):
    def run(self) -> int:
        """Raises SmartBoxError."""
        arguments = self.arguments
        engine = self.paths.engine_socket
        match arguments.action:
            case "open":
                value = self._send(engine, "exam-open", **self._who())
            case "close":
                value = self._send(engine, "exam-close", discontinued=arguments.discontinued)
            case "reassign":
                value = self._send(
                    engine, "exam-reassign", exam=arguments.exam, to_exam=arguments.to_exam, **self._who()
                )
            case "release" | "resume" | "append" | "hold":
                value = self._send(engine, f"exam-{arguments.action}", exam=arguments.exam)
            case "current":
                value = self._engine("/v1/exams/current")
            case "show":
                value = self._engine(f"/v1/exams/{quote(arguments.exam, safe='')}")
            case _:
                return self._list()
        exam = value["exam"]
        text = f"{exam['state']} {exam['id']}, {exam['instances']} pictures" if exam else "no exam"
        if arguments.action == "show" and value["instances"]:
            text += "\n\n" + whereabouts(value["instances"], value["deliveries"])
        return self._out(value, text)

    def _list(self) -> int:
        arguments = self.arguments
        asked = {"date": arguments.date, "open": arguments.open, "unassigned": arguments.unassigned}
        query = urlencode({key: "1" if item is True else item for key, item in asked.items() if item})
        value = self._engine(f"/v1/exams?{query}")
        rows = [
            [item["id"], item["state"], item["opened_at"][:19], item["instances"], item["released"]]
            for item in value["exams"]
        ]
        return self._out(value, table(rows, ["ID", "STATE", "OPENED", "PICTURES", "RELEASED"]))

    def _who(self) -> dict[str, Any]:
        arguments = self.arguments
        typed = {
            "id": arguments.patient_id,
            "name": arguments.name,
            "birth_date": arguments.birth_date,
            "sex": arguments.sex,
        }
        typed = {key: value for key, value in typed.items() if value is not None}
        patient: dict[str, Any] | None = typed or None
        if arguments.patient_file is not None:
            if typed:
                raise SmartBoxError(
                    "bad-value", "Either --patient-file or single values.", "Leave one of them out."
                )
            patient = read_patient(arguments.patient_file)
        if arguments.age and arguments.emergency is None:
            raise SmartBoxError("bad-value", "--age goes with --emergency.", "A patient has a birth date.")
        return {
            "patient": patient,
            "emergency": arguments.emergency,
            "age": arguments.age,
            "worklist": arguments.worklist,
            "accession": arguments.accession,
            "referring_physician": arguments.referring,
        }


def read_patient(name: str) -> dict[str, Any]:
    """PATIENT from a file or standard input. The errors name the place, never the content."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        value = json.loads(text)
    except FileNotFoundError:
        raise SmartBoxError("not-found", f"There is no file {name}.", "Check --patient-file.") from None
    except OSError as exc:
        raise SmartBoxError("refused", f"{name} cannot be read: {exc.strerror}", "Check its permissions.") from None
    except ValueError as exc:
        place = f"line {exc.lineno}" if isinstance(exc, json.JSONDecodeError) else "its encoding"
        raise SmartBoxError(
            "bad-value", f"The patient file is not JSON in UTF-8 ({place}).", "See PATIENT."
        ) from None
    if not isinstance(value, dict):
        raise SmartBoxError("bad-value", "The patient file must hold one JSON object.", '{"id": …, "name": …}')
    return value
