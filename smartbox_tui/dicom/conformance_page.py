"""A document of headings, texts and tables: as Markdown, and as one HTML page that prints well, without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` 1 to 4 below the title; `text` begins with the section's number where it has one."""

    level: int
    text: str

    @property
    def anchor(self) -> str:
        """As Markdown viewers make it of the text: the same link works in both forms."""
        kept = "".join(char for char in self.text.lower() if char.isalnum() or char in " -_")
        return kept.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; what stands between back quotes is code."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """The table of contents, down to level 2, in its place."""


@dataclass(frozen=True, slots=True)
class NewPage:
    """In print, what follows begins on a new page."""


Block = Heading | Text | Items | Table | Contents | NewPage


def table(heads: str, rows: Sequence[Sequence[str]]) -> Table:
    """`heads` separated by |. Raises ValueError for a row of another length."""
    names = tuple(part.strip() for part in heads.split("|"))
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"a row with another number of cells than {names}")
    return Table(names, tuple(tuple(row) for row in rows))


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    blocks: tuple[Block, ...]

    def headings(self) -> Iterator[Heading]:
        return (block for block in self.blocks if isinstance(block, Heading))

    def markdown(self) -> str:
        """Ends with a line feed."""
        parts = [f"# {_marked(self.title)}", *(part for block in self.blocks if (part := self._markdown(block)))]
        return "\n\n".join(parts) + "\n"

    def _markdown(self, block: Block) -> str:
        match block:
            case Heading():
                return f"{'#' * (block.level + 1)} {_marked(block.text)}"
            case Text():
                return _marked(block.text)
            case Items():
                return "\n".join(f"- {_marked(item)}" for item in block.items)
            case Table():
                lines = [block.heads, ("---",) * len(block.heads), *block.rows]
                return "\n".join(f"| {' | '.join(_marked(cell) for cell in line)} |" for line in lines)
            case Contents():
                return "\n".join(
                    f"{'  ' * (item.level - 1)}- [{_marked(item.text)}](#{item.anchor})" for item in self._listed()
                )
            case NewPage():
                return ""

    def _listed(self) -> list[Heading]:
        return [item for item in self.headings() if item.level < 3]

    def html(self) -> str:
        """Complete, with its style inside; loads nothing."""
        body = "\n".join([f"<h1>{_shown(self.title)}</h1>", *(self._html(block) for block in self.blocks)])
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n"
            "</html>\n"
        )

    def _html(self, block: Block) -> str:
        match block:
            case Heading():
                tag = f"h{block.level + 1}"
                return f'<{tag} id="{html.escape(block.anchor)}">{_shown(block.text)}</{tag}>'
            case Text():
                return f"<p>{_shown(block.text)}</p>"
            case Items():
                return "<ul>" + "".join(f"<li>{_shown(item)}</li>" for item in block.items) + "</ul>"
            case Table():
                head = "".join(f"<th>{_shown(cell)}</th>" for cell in block.heads)
                rows = "".join(
                    "<tr>" + "".join(f"<td>{_shown(cell)}</td>" for cell in row) + "</tr>\n" for row in block.rows
                )
                return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
            case Contents():
                items = "".join(
                    f'<li class="l{item.level}"><a href="#{html.escape(item.anchor)}">'
                    f"{_shown(item.text)}</a></li>\n"
                    for item in self._listed()
                )
                return f'<ul class="contents">\n{items}</ul>'
            case NewPage():
                return '<div class="page"></div>'


_CODE: Final = re.compile(r"`([^`]*)`")
_SIGNS: Final = re.compile(r"([\\|*\[\]])")


def _marked(text: str) -> str:
    """Text for Markdown: nothing in it but back quotes means anything there."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(
        f"`{part.replace('|', chr(92) + '|')}`" if number % 2 else _SIGNS.sub(r"\\\1", part).replace("<", "&lt;")
        for number, part in enumerate(parts)
    )


def _shown(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(
        f"<code>{html.escape(part)}</code>" if number % 2 else html.escape(part)
        for number, part in enumerate(parts)
    )


_STYLE: Final = """\
@page { size: A4; margin: 18mm 15mm; }
body { font: 10pt/1.4 "DejaVu Sans", "Liberation Sans", Arial, sans-serif; color: #111; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7em; border-bottom: 2px solid #246; padding-bottom: .2em; }
h2 { font-size: 1.35em; margin-top: 1.8em; border-bottom: 1px solid #9ab; }
h3 { font-size: 1.12em; margin-top: 1.4em; }
h4, h5 { font-size: 1em; margin-top: 1.2em; }
h1, h2, h3, h4, h5 { break-after: avoid; line-height: 1.25; color: #123; }
table { border-collapse: collapse; width: 100%; margin: .6em 0 1em; font-size: .9em; }
th, td { border: 1px solid #aab; padding: .2em .45em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { background: #e6edf3; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
code { font-family: "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: .92em; }
ul.contents { list-style: none; padding-left: 0; }
ul.contents .l2 { padding-left: 1.5em; }
a { color: #246; text-decoration: none; }
@media print { body { margin: 0; max-width: none; padding: 0; } .page { break-before: page; } }
"""
