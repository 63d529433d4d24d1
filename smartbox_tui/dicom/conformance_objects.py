"""The statement's annexes: what stands in the objects, where it comes from, codes and character sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from smartbox_tui.dicom import conformance_origins as origins
from smartbox_tui.dicom import conformance_samples as samples
from smartbox_tui.dicom import marks
from smartbox_tui.dicom.charset import DEFINED_TERMS
from smartbox_tui.dicom.conformance_page import Block, Heading, Table, Text, table
from smartbox_tui.dicom.conformance_samples import Path, name_of, tag_of, vr_of
from smartbox_tui.dicom.decoding import ESCAPES, FALLBACKS, G1, TWO_BYTES, WHOLE
from smartbox_tui.dicom.iods import IODS, SYNTAX_NAMES, Iod
from smartbox_tui.dicom.keyobjects import KEY_OBJECT
from smartbox_tui.dicom.modules import MODULES
from smartbox_tui.dicom.rejection import TITLE
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, SOP_CLASSES
from smartbox_tui.model.performed import REASONS

_TYPES: Final = (
    "Types as in PS3.5 7.4. Type 2 attributes without a value are present and empty, type 3 attributes without a "
    "value are absent. `>` marks an attribute of the items of the sequence above it."
)


def iods_of(pairs: Iterable[tuple[str, str]]) -> list[Iod]:
    """The image IODs of (SOP class, transfer syntax) pairs, in the order of their table."""
    wanted = {sop_class for sop_class, _ in pairs}
    return [iod for uid, iod in IODS.items() if uid in wanted]


def examples(iods: Iterable[Iod]) -> list[Iod]:
    """One IOD for each way that a worklist entry matters to it: only the modality depends on the IOD."""
    return list({iod.modality is None: iod for iod in iods}.values())


def brought(iods: Iterable[Iod]) -> tuple[dict[Path, list[Path]], dict[Path, list[Path]]]:
    """Attribute of an object, and of the performed step: the worklist keys that its value comes from."""
    into_object: dict[Path, list[Path]] = {}
    into_step: dict[Path, list[Path]] = {}
    for key in samples.return_keys():
        for iod in examples(iods):
            _, found, steps = samples.uses(key, iod)
            for paths, known in ((found, into_object), (steps, into_step)):
                for path in paths:
                    if key not in known.setdefault(path, []):
                        known[path].append(key)
    return into_object, into_step


def origin(path: Path, table_of: Mapping[str, str], keys: Mapping[Path, list[Path]]) -> str:
    """Where a value comes from, in words; empty when nothing is known of it."""
    text = table_of.get("/".join(path), "")
    # a part of a code or reference disappears with any other part of it: only its own key says anything
    own = [key for key in keys.get(path, []) if key[-1] == path[-1]] or keys.get(path, [])
    names = list(dict.fromkeys(_label(key) for key in own if len(key) == len(own[0])))
    if text:
        return text
    if names:
        return f"worklist: {', '.join(names)}"
    return "as received" if vr_of(path[-1]) == "SQ" else ""


def _label(key: Path) -> str:
    return name_of(key[-1]) if key[-1] not in _PARTS else f"{name_of(key[-2])} > {name_of(key[-1])}"


_PARTS: Final = frozenset(
    {"CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning"}
    | {"ReferencedSOPClassUID", "ReferencedSOPInstanceUID"}
)


def named(path: Path) -> str:
    """The attribute's name with one > for every sequence above it."""
    return f"{'> ' * (len(path) - 1)}{name_of(path[-1])}"


def objects(iods: list[Iod]) -> Iterator[Block]:
    """Annex A."""
    yield Heading(1, "Annex A: Information object definitions")
    yield Text(
        "The attribute tables are those that the objects are written from. The box writes Standard SOP Classes; "
        "private attributes: none, Standard Extended, Specialized or Private SOP Classes: none; overlays, "
        "look-up tables and grayscale display: none."
    )
    yield Heading(2, "A.1 IODs and their modules")
    rows = [
        (f"{iod.name} (PS3.3 {iod.section})", iod.sop_class_uid, iod.modality or "worklist, else OT",
         ", ".join(name for name in iod.modules if MODULES[name]))
        for iod in iods
    ]  # fmt: skip
    yield table("IOD | SOP Class UID | Modality | Modules", rows)
    yield Heading(2, "A.2 Modules of the images")
    yield Text(_TYPES)
    keys, _ = brought(iods)
    inside = {path: iod for iod in iods for path in samples.object_values(iod)}
    lines: list[tuple[str, ...]]
    used = [name for name in MODULES if MODULES[name] and any(name in iod.modules for iod in iods)]
    for name in used:
        yield Heading(3, f"{name} module")
        lines = []
        for attribute in MODULES[name]:
            for path in [(attribute.keyword,), *_below(attribute.keyword, inside)]:
                kind = attribute.type if len(path) == 1 else ""
                keyword = path[-1]
                lines.append(
                    (named(path), tag_of(keyword), vr_of(keyword), kind, origin(path, origins.OBJECT, keys))
                )
        yield table("Attribute | Tag | VR | Type | Value", lines)


def _below(keyword: str, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if len(path) > 1 and path[0] == keyword]


def documents(iods: list[Iod]) -> Iterator[Block]:
    """Annex B."""
    keys, _ = brought(iods)
    yield Heading(1, "Annex B: Structured content: the rejection note, the marks of a clip")
    yield Text(
        f"{KEY_OBJECT.name} (PS3.3 {KEY_OBJECT.section}), {KEY_OBJECT_SELECTION}, TID 2010, title ({TITLE[0]}, "
        f'{TITLE[1]}, "{TITLE[2]}"), Modality {KEY_OBJECT.modality}. Made when an exam is given to another patient '
        "after objects of it were sent, and sent to each destination with `rejection_note` that has them."
    )
    yield _document(samples.note_values(), origins.NOTE, keys)
    yield Heading(2, "B.1 The marks of a clip")
    yield Text(
        f"{KEY_OBJECT.name} as above, title ({marks.TITLE[0]}, {marks.TITLE[1]}, "
        f'"{marks.TITLE[2]}"). Made for a clip in which marks were set, once a destination with `marks` has stored '
        "the clip, and sent to it; one for each instance of a clip that goes on in several."
    )
    yield _document(samples.marks_values(), origins.MARKS, keys)


def _document(values: Iterable[Path], own: Mapping[str, str], keys: Mapping[Path, list[Path]]) -> Table:
    types = {attribute.keyword: attribute.type for name in KEY_OBJECT.modules for attribute in MODULES[name]}
    known = {**origins.OBJECT, **own}
    rows = []
    for path in values:
        text = origin(path, known, keys)
        if not text and path[0] == "ReferencedRequestSequence":
            text = origin(path[1:], origins.OBJECT, keys) or f"worklist: {_label(path)}"
        kind = types.get(path[0], "") if len(path) == 1 and path[0] not in own else ""
        rows.append((named(path), tag_of(path[-1]), vr_of(path[-1]), kind, text))
    return table("Attribute | Tag | VR | Type | Value", rows)


def mapping(iods: list[Iod]) -> Iterator[Block]:
    """Annex D."""
    yield Heading(1, "Annex D: Mapping of attributes")
    yield Text(
        "Where the value of a worklist attribute stands in the objects and in the performed procedure step. Found "
        "by running the box's own functions with and without each key."
    )
    rows = []
    for key in samples.return_keys():
        if key[-1] in _PARTS:
            continue
        found: list[tuple[Path, ...]] = [samples.uses(key, iod)[1] for iod in examples(iods)]
        into_object = dict.fromkeys(_whole(path) for paths in found for path in paths)
        into_step = dict.fromkeys(_whole(path) for path in samples.uses(key, examples(iods)[0])[2])
        if into_object or into_step:
            rows.append((named(key[-1:]), tag_of(key[-1]), "; ".join(into_object), "; ".join(into_step)))
    yield table("Worklist attribute | Tag | In the objects | In the performed procedure step", rows)


def _whole(path: Path) -> str:
    kept = path[:-1] if path[-1] in _PARTS else path
    return " > ".join(name_of(keyword) for keyword in kept)


def codes() -> Iterator[Block]:
    """Annex E."""
    yield Heading(1, "Annex E: Codes")
    yield Heading(2, "E.1 Reasons of a discontinued procedure step")
    yield table(
        "Code | Scheme | Meaning | Word of the command line",
        [(reason.code, "DCM", reason.meaning, f"`{word}`") for word, reason in REASONS.items()],
    )
    yield Heading(2, "E.2 Other codes")
    region = {
        key: origins.OBJECT[f"AnatomicRegionSequence/{key}"].removeprefix("fixed: ")
        for key in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    }
    yield table(
        "Code | Scheme | Meaning | Used in",
        [
            (*TITLE, "title of the rejection note"),
            (*marks.TITLE, "title of the marks of a clip"),
            (*marks.DESCRIPTION, "text of the marks of a clip"),
            (*region.values(), "Anatomic Region Sequence"),
        ],
    )
    yield Text("Codes of a worklist entry are passed on as they came, whatever their scheme.")


def character_sets() -> Iterator[Block]:
    """Section 5.7."""
    yield Heading(2, "5.7 Specific Character Sets")
    yield Heading(3, "5.7.1 Written")
    yield table(
        "Specific Character Set | Setting of the destination (`charset`) | Used for",
        [
            (DEFINED_TERMS["utf-8"], "`utf-8` (default)", "objects; performed procedure steps always"),
            (DEFINED_TERMS["latin-1"], "`latin-1`", "objects, when all of their text can be written in it"),
        ],
    )
    yield Text(
        "Text that the character set cannot hold is never replaced: the object is not sent, and its delivery says "
        "why. Person names keep their ideographic and phonetic groups."
    )
    yield Heading(3, "5.7.2 Read (worklist answers)")
    yield readable()
    yield Text(
        "Answers that name no character set: UTF-8 when all of their text is valid UTF-8, else as set by "
        f"`worklist.charset`: {', '.join(f'`{word}` {term}' for word, term in FALLBACKS.items())}. Text that "
        "cannot be decoded is left out; an answer whose patient name or ID cannot be decoded is not taken."
    )


def terms() -> list[str]:
    """The defined terms of (0008,0005) that are understood in answers."""
    single = [f"ISO_IR {number}" for number in G1 if number not in TWO_BYTES]
    whole = [f"ISO_IR {term}" if term.isdigit() else term for term in WHOLE]
    escaped = sorted({number for _, number in ESCAPES.values() if number != "14"}, key=int)
    return ["ISO_IR 6", *single, *whole, *(f"ISO 2022 IR {number}" for number in escaped)]


def readable() -> Table:
    from itertools import groupby

    kinds = groupby(
        terms(), key=lambda term: "with code extensions" if "2022" in term else "without code extensions"
    )
    return table("Code extensions | Specific Character Set", [(kind, ", ".join(group)) for kind, group in kinds])


def syntax(uid: str) -> str:
    """A transfer syntax by name and UID."""
    return f"{SYNTAX_NAMES[uid]} ({uid})"


def class_name(uid: str) -> str:
    """A storage SOP class's name."""
    return KEY_OBJECT.name if uid == KEY_OBJECT_SELECTION else IODS[uid].name


def word_of(uid: str) -> str:
    return next((word for word, value in SOP_CLASSES.items() if value == uid), "")
