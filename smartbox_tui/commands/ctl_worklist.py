"""`smartbox ctl worklist` and `ctl mpps`: what is planned, and what is said of what was done."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.output import note, table

PATIENCE_S: Final = 660.0
"""The engine gives a query up after ten minutes."""


class Worklist(Area):
    def run(self) -> int:
        """Raises SmartBoxError. With the server away: what is on the box, and why on standard error; exit 0."""
        arguments = self.arguments
        value = self._send(
            self.paths.engine_socket,
            "worklist-query",
            timeout_s=PATIENCE_S,
            date=arguments.date,
            patient=arguments.patient,
            name=arguments.name,
            patient_id=arguments.patient_id,
            accession=arguments.accession,
            modality=arguments.modality,
            station=arguments.station,
            cached=arguments.cached,
        )
        if error := value.get("trouble"):
            note(f"{error['message']}\n{error['hint']}")
        if value["from_cache"] and value["age_s"] is not None:
            note(f"From the box, {_age(value['age_s'])} old.")
        elif not value["complete"]:
            note("There is more: ask for less.")
        rows = [_line(item) for item in value["items"]]
        return self._out(value, table(rows, ["ID", "TIME", "NAME", "BORN", "PATIENT ID", "ACCESSION", "PROCEDURE"]))


def _line(item: dict[str, Any]) -> list[Any]:
    patient = item["patient"]
    return [
        item["id"],
        (item["scheduled_at"] or "")[:16].replace("T", " "),
        patient["name"],
        patient["birth_date"],
        patient["id"],
        item["accession_number"],
        item["procedure"],
    ]


def _age(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


class Performed(Area):
    """The performed procedure steps that wait, are blocked, or were sent."""

    def run(self) -> int:
        """Raises SmartBoxError."""
        arguments = self.arguments
        if arguments.action != "list":
            value = self._send(
                self.paths.engine_socket,
                "performed-change",
                action=arguments.action,
                messages=arguments.messages,
                all=arguments.all,
                server=arguments.server,
            )
            return self._out(value, f"{value['changed']} changed")
        value = self._engine("/v1/performed")
        rows = [
            [item["id"], item["server"], item["verb"], item["state"], item["exam"], item["reason"]]
            for item in value["messages"]
            if arguments.server in (None, item["server"])
        ]
        return self._out(value, table(rows, ["ID", "SERVER", "VERB", "STATE", "EXAM", "REASON"]))
