"""`smartbox conformance`: the DICOM conformance statement, with the values of a box or with the defaults."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import Any, Final

import smartbox_tui
from smartbox_tui.commands.options import Options
from smartbox_tui.commands.output import out
from smartbox_tui.dicom.charset import DEFINED_TERMS
from smartbox_tui.dicom.conformance import Parameter, Server, Site, Statement, statement
from smartbox_tui.model.instance import RECORDED
from smartbox_tui.settings import describe
from smartbox_tui.settings.destination import CLASSES_CLIP, CLASSES_STILL, Destination
from smartbox_tui.settings.load import load
from smartbox_tui.settings.schema import Mpps, Settings, Source, Worklist

_SECTIONS: Final = {
    describe.BOX: "Box",
    "sources": "Sources, each",
    "destinations": "Destinations, each",
    "worklist": "Worklist",
    "mpps": "Performed procedure steps",
    "clock": "Clock",
    "emergency": "Emergency patients",
}
_LEFT_OUT: Final = frozenset(
    {"language", "sources.NAME.preroll_s", "sources.NAME.preroll_bytes", "emergency.pedal"}
)
"""What says nothing of DICOM."""

_LARGEST: Final[int] = Destination(name="any").max_instance_bytes


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints it as Markdown, HTML or in a JSON value. Raises what `load` raises."""
    made = of(options)
    form = "html" if arguments.html else "markdown"
    text = made.page.html() if arguments.html else made.page.markdown()
    if options.json:
        contexts = [dataclasses.asdict(item) for item in made.contexts]
        value = {"version": smartbox_tui.__version__, "format": form, "contexts": contexts, "document": text}
        out(value, "", as_json=True)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
    return 0


def of(options: Options) -> Statement:
    """The statement of the box whose settings are named, with the defaults when none are: so that everybody who
    asks nothing gets the same."""
    if options.config is None and options.state is None:
        return statement(site_of(Settings(), own=False))
    return statement(site_of(load(options.config, options.state, fallback=True).settings, own=True))


def site_of(settings: Settings, *, own: bool) -> Site:
    from smartbox_tui.engine.configuration.connection import offered_contexts
    from smartbox_tui.engine.delivery.forms import NOTE_FORMS

    sources = tuple(
        Source(id=f"{still}-{clip}-{codec}", still_class=still, clip_class=clip, codec=codec)
        for still in CLASSES_STILL
        for clip in CLASSES_CLIP
        for codec in RECORDED
    )
    note = tuple(form.pair for form in NOTE_FORMS)
    chosen = tuple(offered_contexts(settings))
    if chosen and any(item.rejection_note or item.marks for item in settings.destinations):
        chosen += note
    return Site(
        version=smartbox_tui.__version__,
        own=own,
        aet=_plain(settings.aet),
        station_name=_plain(settings.station_name),
        servers=tuple(_servers(settings)),
        offered=(*offered_contexts(dataclasses.replace(settings, sources=sources), ()), *note),
        chosen=chosen,
        port=settings.port,
        web=tuple(
            (_plain(item.name), _plain(item.url), item.auth)
            for item in settings.destinations
            if item.kind == "dicomweb"
        ),
        largest=min((item.max_instance_bytes for item in settings.destinations), default=_LARGEST),
        parameters=tuple(
            (name, tuple(_parameters(section, settings, own=own))) for section, name in _SECTIONS.items()
        ),
    )


def _servers(settings: Settings) -> list[Server]:
    found = []
    for role, name, server in (
        *(("Archive", item.name, item) for item in settings.destinations if item.kind == "dimse" or item.fallback),
        ("Worklist", "", settings.worklist),
        ("Procedure steps", "", settings.mpps),
        *(("Procedure steps", item.name, item) for item in settings.destinations if item.mpps),
    ):
        assert isinstance(server, Destination | Worklist | Mpps)
        if server.host:
            calling = server.calling_aet or settings.aet
            who = _plain(name), _plain(server.host), server.port
            charset = ""
            if role == "Archive" and isinstance(server, Destination):
                charset = DEFINED_TERMS[server.charset]
            found.append(Server(role, *who, _plain(server.aet), _plain(calling), charset, server.tls))
    return found


def _parameters(name: str, settings: Settings, *, own: bool) -> list[Parameter]:
    section = describe.section(name)
    assert section is not None
    found = []
    values = describe.flat(settings) if own else {}
    entries = [getattr(item, section.list_key) for item in getattr(settings, name)] if section.list_key else [""]
    for key in section.keys:
        path = section.path(key.key, "NAME" if section.list_key else "")
        if path in _LEFT_OUT:
            continue
        here = [values[path] for path in (section.path(key.key, entry) for entry in entries) if path in values]
        found.append(
            Parameter(
                path=path,
                doc=key.doc,
                allowed=_allowed(key),
                default="must be given" if key.required else _word(key.default),
                value=", ".join(dict.fromkeys(describe.MASK if key.secret else _word(value) for value in here)),
            )
        )
    return found


def _allowed(key: describe.Key) -> str:
    if key.choices:
        return ", ".join(_word(choice) for choice in key.choices)
    low, high = key.minimum, key.maximum
    if low is not None and high is not None:
        return f"{low:,} to {high:,}".replace(",", " ")
    if low is not None:
        return f"from {low:,}".replace(",", " ")
    return {"bool": "true, false", "text": "text", "integer": "number"}.get(key.type, key.type)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "empty" if value in ("", None) else _plain(f"{value:g}" if isinstance(value, float) else str(value))


def _plain(text: str) -> str:
    """Back quotes would begin code in the document."""
    return text.replace("`", "'")
