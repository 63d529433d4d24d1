"""The catalogues of the screens: `python -m tests.ui.catalogs` brings the .po files up to the code, compiled.
`python -m tests.ui.catalogs FILE.json` takes German texts by their English ones, too.

New texts arrive untranslated and make the test fail until somebody has translated them; English is its own
translation.
"""

from __future__ import annotations

import fcntl
import json
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from smartbox_tui.settings import describe
from smartbox_tui.ui import i18n

UI = Path(i18n.__file__).parent
KEYWORDS = {"t": None, "N_": None, "n": (1, 2)}


def extracted() -> Catalog:
    """Every text that the code names."""
    catalog = Catalog(domain=i18n.DOMAIN, charset="utf-8")
    found = extract_from_dir(UI, method_map=[("**.py", "python")], keywords=KEYWORDS)
    for file, _line, message, comments, context in sorted(found, key=lambda item: (item[0], item[1])):
        catalog.add(message, locations=[(file, 0)], auto_comments=comments, context=context)
    for section in describe.sections():  # what the settings screens say of each key
        for key in section.keys:
            if not key.fixed:
                catalog.add(key.doc, locations=[("../settings/schema.py", 0)])
    return catalog


def path(language: str) -> Path:
    return i18n.LOCALE_FOLDER / language / "LC_MESSAGES" / f"{i18n.DOMAIN}.po"


def read(language: str) -> Catalog:
    with path(language).open("rb") as file:
        return read_po(file, locale=language, domain=i18n.DOMAIN)


def compile_all() -> None:
    """Writes the .mo files where they are missing or older than their source."""
    for language in i18n.LANGUAGES:
        source, target = path(language), path(language).with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            with target.open("wb") as file:
                write_mo(file, read(language))


def update() -> None:
    """Takes new texts in, drops those that are gone, keeps the translations."""
    template = extracted()
    for language in i18n.LANGUAGES:
        old = read(language) if path(language).exists() else Catalog(locale=language)
        new = Catalog(locale=language, domain=i18n.DOMAIN, charset="utf-8", fuzzy=False, project="SmartBox")
        for message in template:
            if not message.id:
                continue
            known = old.get(message.id)
            string = known.string if known is not None else ""
            if language == "en":
                string = message.id
            files = sorted({(file, 0) for file, _line in message.locations})
            new.add(message.id, string, locations=files)
        path(language).parent.mkdir(parents=True, exist_ok=True)
        with path(language).open("wb") as file:
            new.header_comment = (
                "# The screens of SmartBox. Brought up to the code by `python -m tests.ui.catalogs`."
            )
            write_po(file, new, omit_header=False, sort_by_file=True, width=110, include_lineno=False)
        text = path(language).read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith(_DATED)]
        path(language).write_text("\n".join(kept) + "\n", encoding="utf-8")


_DATED = (
    '"POT-Creation-Date',
    '"PO-Revision-Date',
    '"Generated-By',
    '"Last-Translator',
    '"Report-Msgid',
    '"Language-Team',
)
"""Header lines that would make every run a change."""


def translate(german: dict[str, str | list[str]]) -> None:
    """Brings the catalogues up to the code, puts these German texts in and compiles them; a list holds the singular
    and the plural. One at a time, whoever else is at it."""
    lock = Path(tempfile.gettempdir()) / "smartbox-catalogs.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        update()
        catalog = read("de")
        for message in catalog:
            one = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
            if one in german:
                text = german[one]
                message.string = tuple(text) if isinstance(text, list) else text
        with path("de").open("wb") as out:
            write_po(out, catalog, omit_header=False, sort_by_file=True, width=110, include_lineno=False)
        update()
        compile_all()


if __name__ == "__main__":
    translate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")) if len(sys.argv) > 1 else {})
