"""Why a settings file does not hold, in the language of the screens: the sentences of settings.load and
settings.site. What is not known here is shown as it is."""

from __future__ import annotations

import re
from typing import Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe
from smartbox_tui.ui import setting_words, words
from smartbox_tui.ui.i18n import N_, Texts

_KEPT: Final = re.compile(
    r"(?P<why>.+?) In force is what the file said when it last held, kept on (?P<at>\S+)\.", re.DOTALL
)
_AT: Final = re.compile(r"(?P<what>.+) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")
_IN: Final = r"(?: \(in (?P<file>[^)]+)\))?"

_SHAPES: Final = (
    (r"(?P<file>.+) is not readable as TOML: (?P<toml>.+?)(?P<hint> Mend that line\.)?", N_("{file}: {toml}")),
    (r"(?P<file>.+) is not UTF-8: .+?(?P<hint> Mend that line\.)?", N_("{file} is no text in UTF-8.")),
    (rf"There is no setting '(?P<key>[^']+)'{_IN}\.(?P<hint> .+)?", N_("There is no setting {key}{where}.")),
    (r"The setting '(?P<key>[^']+)' is missing\.(?P<hint> .+)?", N_("The setting {key} is missing.")),
    (
        r"(?P<file>.+): each \[\[(?P<section>\w+)\]\] needs its (?P<key>\w+)\.(?P<hint> .+)?",
        N_("{file}: each [[{section}]] needs its {key}."),
    ),
    (
        r"(?P<file>.+) is empty, and it was not before\.(?P<hint> Write .+)?",
        N_("{file} is empty, and it was not before."),
    ),
    (r"There is no settings file (?P<file>.+?)\.(?P<hint> Check --config\.)?", N_("There is no file {file}.")),
    (
        r"(?P<file>.+) cannot be read: (?P<system>.+?)(?P<hint> Check its permissions\.| Its permissions\?)?",
        N_("{file} cannot be read: {system}."),
    ),
    (r"(?P<key>\w+) does not name a key\.(?P<hint> .+)?", N_("The variable {key} names no setting.")),
    (r"(?P<key>[\w.-]+): (?P<rule>.+?) \(in (?P<file>[^)]+)\)(?P<hint> .+)?", N_("{key}{where}: {rule}")),
    (r"(?P<key>[\w.-]+): (?P<rule>must be a (?:table|list of tables))(?P<hint> \[.+)?", N_("{key}{where}: {rule}")),
)
"""What is raised, and how it is said. A shape that would also fit another one's sentences stands behind it."""

_HINTS: Final = {
    "Mend that line.": N_("Mend that line."),
    "Mend the value.": N_("Mend the value."),
    "Write it again; where no settings are meant, a comment says so.": N_(
        "Write it again; where no settings are meant, a comment says so."
    ),
    "Check --config.": N_("Check --config."),
    "Check its permissions.": N_("Check its permissions."),
    "Its permissions?": N_("Check its permissions."),
}
_TOML: Final = (
    (r"Expected '=' after a key in a key/value pair", N_("a key needs = and its value")),
    (r"Expected newline or end of document after a statement", N_("more stands on the line than one setting")),
    (r"Expected '\]' at the end of a table declaration", N_("the ] of a section is missing")),
    (r"Expected '\]\]' at the end of an array declaration", N_("the ]] of a section is missing")),
    (r"Invalid initial character for a key part", N_("no key may begin like this")),
    (r"Invalid statement", N_("this is no setting")),
    (r"Invalid value", N_("this is no value; texts stand in quotation marks")),
    (r"Unclosed array", N_("the ] of a list is missing")),
    (r"Unclosed inline table", N_("a } is missing")),
    (r"Unterminated string|Illegal character '\\n'|Expected \"'+\"", N_("a closing quotation mark is missing")),
    (r"Unescaped '\\' in a string", N_("within quotation marks a backslash is written twice")),
    (r"(?:Found invalid|Illegal) character .+", N_("a character that does not belong there")),
    (r"Cannot declare .+ twice", N_("a section stands there twice")),
    (r"(?:Cannot overwrite a value|Duplicate inline table key .+)", N_("a setting stands there twice")),
    (r".+ codec can't decode byte .+", N_("it is no text in UTF-8")),
)
"""What Python's tomllib says."""
_KINDS: Final = {
    "must be a text": N_("a text, in quotation marks."),
    "must be true or false": N_("true or false, without quotation marks."),
    "must be a whole number": N_("a whole number, without quotation marks."),
    "must be a number": N_("a number, without quotation marks."),
    "must be a table": N_("a section of its own."),
    "must be a list of tables": N_("sections of their own, in two brackets."),
}
"""What a value must be in a file, where a screen has a field of that kind."""
_SYSTEM: Final = {
    "Permission denied": N_("the box has no right to"),
    "Is a directory": N_("it is a folder"),
    "Input/output error": N_("the disk has an error there"),
}


def told(t: Texts, text: str) -> str:
    """A message with its hint behind it, and, for a file in whose stead a copy is in force, of when that is."""
    kept = _KEPT.fullmatch(text)
    if kept is None:
        return _said(t, text)
    moment = words.when(kept["at"])
    at = f"{t.date(moment)} {t.clock(moment)}" if moment is not None else kept["at"]
    since = t("In force is what the file said on {at}.", at=at)
    return f"{_said(t, kept['why'])} {since}"


def _said(t: Texts, text: str) -> str:
    for shape, sentence in _SHAPES:
        found = re.fullmatch(shape, text, re.DOTALL)
        if found is not None:
            return _filled(t, sentence, found.groupdict())
    return text


def _filled(t: Texts, sentence: str, found: dict[str, str | None]) -> str:
    parts = {name: part or "" for name, part in found.items()}
    key = parts.get("key", "")
    parts["where"] = t(" (in {file})", file=parts["file"]) if parts.get("file") else ""
    parts["toml"] = _toml(t, parts.get("toml", ""))
    parts["system"] = t(_SYSTEM.get(parts.get("system", ""), parts.get("system", "")))
    parts["rule"] = _rule(t, key, parts.get("rule", ""))
    return f"{t(sentence, **parts)} {_hint(t, parts.get('hint', '').strip())}".rstrip()


def _toml(t: Texts, text: str) -> str:
    place = _AT.fullmatch(text)
    what = text if place is None else place["what"]
    said = t(next((said for shape, said in _TOML if re.fullmatch(shape, what, re.DOTALL)), what))
    if place is None:
        return f"{said}."
    if place["line"] is None:
        return t("at the end, {what}.", what=said)
    return t("line {line}, column {column}: {what}.", line=place["line"], column=place["column"], what=said)


def _rule(t: Texts, path: str, why: str) -> str:
    try:
        key = describe.place(path).key
    except SmartBoxError:
        key = None
    if why in _KINDS:
        return t(_KINDS[why])
    if choices := re.fullmatch(r"must be one of (.+)", why):
        return t("one of {choices}.", choices=choices[1])
    return setting_words.reason(t, key, why).rstrip(".") + "."


def _hint(t: Texts, hint: str) -> str:
    if hint in _HINTS:
        return t(_HINTS[hint])
    if meant := re.fullmatch(r"Did you mean '(.+)'\?", hint):
        return t("Is {key} meant?", key=meant[1])
    if known := re.fullmatch(r"Known here: (.+)\.", hint):
        return t("There are: {keys}.", keys=known[1])
    if hint.startswith("[") or " = " in hint:
        return t("As in {example}", example=hint.removesuffix("."))
    return _docs(t).get(hint.removesuffix("."), hint)


def _docs(t: Texts) -> dict[str, str]:
    return {key.doc: f"{setting_words.doc(t, key)}." for section in describe.sections() for key in section.keys}
