"""Answers: one JSON value with --json, else lines for people."""

from __future__ import annotations

import json
import sys
from typing import Any


def out(value: Any, text: str, *, as_json: bool) -> None:
    """Prints the value as JSON or the text; the text may be empty."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False), flush=True)
    elif text:
        print(text, flush=True)


def note(text: str) -> None:
    """A line for people beside the JSON: to standard error."""
    print(text, file=sys.stderr, flush=True)


def table(rows: list[list[Any]], heads: list[str]) -> str:
    """Columns as wide as their widest value."""
    lines = [heads, *[["" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def source_text(item: dict[str, Any]) -> str:
    """A source in a few words: its signal, and why what it delivers cannot be recorded."""
    text = " ".join(filter(None, (str(item["signal_text"]), item.get("warning", ""))))
    if item.get("encoder_failed"):
        text = f"{text}; hardware encoder failed: {item['encoder_failed']}"
    return f"{text}; cannot be recorded: {item['trouble']}" if item.get("trouble") else text
