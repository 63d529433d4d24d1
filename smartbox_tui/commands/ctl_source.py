"""`smartbox ctl source`: the controls and formats of a grabber, as the device itself says them."""

from __future__ import annotations

from typing import Any

from smartbox_tui.commands.area import Area
from smartbox_tui.commands.output import table


class Sources(Area):
    def run(self) -> int:
        value = self._send(self.paths.capture_socket, "source-ask", source=self.arguments.source)
        told = value["source"]
        if self.arguments.action == "controls":
            return self._out(value, controls_text(told))
        return self._out(value, formats_text(told))


def controls_text(told: dict[str, Any]) -> str:
    """A table of them, and what of the settings was not taken."""
    if not told["controls"]:
        return "The device has no controls, or is not there."
    rows = [
        [
            each["name"],
            each["value"],
            f"{each['minimum']} to {each['maximum']}{_step(each)}",
            each["default"],
            "; ".join(filter(None, ("" if each["writable"] else "ruled by another control", _choices(each)))),
        ]
        for each in told["controls"]
    ]
    text = table(rows, ["CONTROL", "VALUE", "RANGE", "DEFAULT", ""])
    return f"{text}\n{told['warning']}" if told["warning"] else text


def _step(control: dict[str, Any]) -> str:
    return f", step {control['step']}" if control["step"] > 1 else ""


def _choices(control: dict[str, Any]) -> str:
    return ", ".join(f"{each['value']} = {each['name']}" for each in control["choices"])


def formats_text(told: dict[str, Any]) -> str:
    """What the device is and delivers; `key` is what the settings name it by."""
    if "formats" not in told:
        return "This source is no grabber."
    lines = [
        f"device   {told['device']}  {told['name']}  driver {told['driver']}",
        f"key      {told['key']}  (device in the settings: keeps its place){_serial(told)}",
        f"input    {told['input'] or '-'} of {len(told['inputs'])}: {told['signal_state']} {told['signal_facts']}",
    ]
    rows = [
        [layout["format"] or "not usable", layout["code"], f"{size['width']}x{size['height']}", _rates(size)]
        for layout in told["formats"]
        for size in layout["sizes"] or ({"width": 0, "height": 0, "rates": []},)
    ]
    return "\n".join((*lines, table(rows, ["FORMAT", "CODE", "SIZE", "PICTURES A SECOND"])))


def _serial(told: dict[str, Any]) -> str:
    return f"  serial {told['serial']}" if told["serial"] else ""


def _rates(size: dict[str, Any]) -> str:
    return " ".join(f"{rate:g}" for rate in size["rates"]) or "as its input"
