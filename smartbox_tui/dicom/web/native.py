"""DICOM JSON (PS3.18 Annex F), and the native XML of PS3.19 A.1 for who answers with that, as plain values."""

from __future__ import annotations

import json
from typing import Any, Final
from xml.etree import ElementTree

Values = dict[str, list[Any]]
"""Tag of eight upper case digits -> its values: text, numbers, or Values of each item of a sequence."""

_DEEPEST: Final = 8


def read(body: bytes) -> list[Values]:
    """The data sets of an answer; empty for what is neither JSON nor XML of DICOM. Never raises."""
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if text[:1] in (b"{", b"["):
            value = json.loads(text)
            return [_of_json(item, 0) for item in (value if isinstance(value, list) else [value])]
        if text[:1] == b"<" and b"<!" not in text.replace(b"<!--", b""):  # no document type, no entities
            return [_of_xml(ElementTree.fromstring(text), 0)]  # noqa: S314
    except (ValueError, RecursionError, ElementTree.ParseError, LookupError):
        pass
    return []


def texts(values: Values, tag: str) -> list[str]:
    """An attribute's values as text; empty where it has none."""
    return [str(item) for item in values.get(tag, ()) if isinstance(item, str | int | float)]


def text(values: Values, tag: str) -> str:
    found = texts(values, tag)
    return found[0].strip(" \0") if found else ""


def items(values: Values, tag: str) -> list[Values]:
    return [item for item in values.get(tag, ()) if isinstance(item, dict)]


def number(values: Values, tag: str) -> int | None:
    """Of US, also where it was written as text."""
    found = text(values, tag)
    return int(found) if found.isascii() and found.isdigit() and len(found) < 8 else None


def _of_json(value: Any, depth: int) -> Values:
    if not isinstance(value, dict) or depth > _DEEPEST:
        return {}
    result: Values = {}
    for tag, attribute in value.items():
        found = attribute.get("Value") if isinstance(attribute, dict) else None
        if isinstance(found, list):
            nested = isinstance(attribute, dict) and attribute.get("vr") == "SQ"
            result[tag.upper()] = [_of_json(item, depth + 1) for item in found] if nested else found
    return result


def _of_xml(element: ElementTree.Element, depth: int) -> Values:
    result: Values = {}
    if depth > _DEEPEST:
        return result
    for attribute in element:
        if _name(attribute) != "DicomAttribute":
            continue
        values: list[Any] = []
        for child in attribute:
            if _name(child) == "Item":
                values.append(_of_xml(child, depth + 1))
            elif _name(child) == "Value" and child.text:
                values.append(child.text)
        result[attribute.get("tag", "").upper()] = values
    return result


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
