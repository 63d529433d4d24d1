"""What the box itself writes: checked as a whole, kept in one step, undone to the byte."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import describe, history, schema
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.keys import key
from smartbox_tui.settings.load import load
from smartbox_tui.settings.site import Site

FILE = """
station_name = "OR7"
language = "en"
[[sources]]
id = "endo"
kind = "pattern"
[[destinations]]
name = "archive"
host = "a.example"
port = 11113
aet = "PACS"
"""


class Room:
    def __init__(self, folder: Path, text: str = FILE) -> None:
        self.config = folder / "box.toml"
        self.config.write_text(text, encoding="utf-8")
        self.state = folder / "state"
        self.state.mkdir()
        self.environ: dict[str, str] = {}

    @property
    def site(self) -> Site:
        """A new one each time: nothing is remembered between two commands."""
        return Site(self.state, self.config, self.environ)

    @property
    def settings(self) -> schema.Settings:
        return load(self.config, self.state, self.environ).settings

    def put(self, **changes: Any) -> Any:
        return self.site.put({path.replace("__", "."): value for path, value in changes.items()}, "tester")

    def data(self) -> bytes | None:
        path = self.state / "site.toml"
        return path.read_bytes() if path.exists() else None

    def refused(self, code: str, changes: dict[str, Any]) -> SmartBoxError:
        """The error, after which nothing is other than before."""
        before, kept = self.data(), history.numbers(self.state)
        with pytest.raises(SmartBoxError) as caught:
            self.site.put(changes, "tester")
        assert caught.value.code == code, caught.value.message
        assert self.data() == before
        assert history.numbers(self.state) == kept
        return caught.value


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def destinations(room: Room) -> dict[str, Destination]:
    return {item.name: item for item in room.settings.destinations}


def test_values_are_put_by_path_and_the_file_of_the_engineer_is_not_touched(room: Room) -> None:
    before = room.config.read_bytes()
    outcome = room.put(worklist__host="ris", worklist__aet="RIS", destinations__archive__port=104, port=11199)
    settings = room.settings
    assert (settings.worklist.host, settings.port) == ("ris", 11199)
    assert settings.destinations[0] == dataclasses.replace(
        destinations(room)["archive"], host="a.example", port=104
    )
    assert outcome.change.values["destinations.archive.port"] == [11113, 104]
    assert set(outcome.change.paths) == {"worklist.host", "worklist.aet", "destinations.archive.port", "port"}
    assert room.config.read_bytes() == before


def test_null_brings_back_what_the_file_says(room: Room) -> None:
    room.put(language="de", destinations__archive__retry__first_s=1)
    assert destinations(room)["archive"].retry.first_s == 1
    room.put(language=None, destinations__archive__retry__first_s=None)
    assert (room.settings.language, destinations(room)["archive"].retry.first_s) == ("en", 5.0)
    assert tomllib.loads((room.data() or b"").decode()) == {}


def test_an_entry_comes_goes_and_comes_back_as_what_it_is_put_as(room: Room) -> None:
    room.put(destinations__second={"host": "b", "aet": "B"})
    assert list(destinations(room)) == ["archive", "second"]
    room.put(destinations__archive=None, destinations__second=None)
    assert destinations(room) == {}
    room.put(destinations__archive={"host": "new", "aet": "NEW"})
    # not the port that the file gave the old one
    assert destinations(room)["archive"] == Destination(name="archive", host="new", aet="NEW")
    room.put(destinations__archive__port=4)
    assert destinations(room)["archive"].port == 4


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("bad-value", {"language": "fr"}),
        ("bad-value", {"port": 0}),
        ("bad-value", {"port": "x"}),
        ("bad-value", {"station_name": ["x"]}),
        ("bad-value", {"station_name": {"x": None}}),
        ("bad-value", {"station_name": "\ud800"}),
        ("bad-value", {"worklist": 5}),
        ("bad-value", {"worklist.host": "ris"}),  # without its AE title
        ("bad-value", {"destinations": None}),
        ("bad-value", {"destinations.archive": 5}),
        ("bad-value", {"destinations.archive.name": "other"}),
        ("bad-value", {"destinations.a b": {"host": "x", "aet": "X"}}),
        ("bad-value", {"destinations.new": {"host": "x"}}),
        ("bad-value", {"destinations.new": {"host": "x", "aet": "X", "retry": 5}}),
        ("unknown-key", {"destinations.new": {"host": "x", "aet": "X", "prot": 5}}),
        ("unknown-key", {"langauge": "de"}),
        ("unknown-key", {"langauge": None}),
        ("unknown-key", {"worklist": {"hots": "x"}}),
        ("unknown-key", {"destinations.archive.prot": 5}),
        ("unknown-key", {"": 5}),
        ("not-found", {"destinations.none.port": 5}),
        ("not-found", {"destinations.none": None}),
        ("bad-value", {"language": "de", "port": 0}),  # all or nothing
    ],
)
def test_what_does_not_hold_changes_nothing(room: Room, code: str, changes: dict[str, Any]) -> None:
    room.put(station_name="KEPT")
    error = room.refused(code, changes)
    assert error.message


def test_what_a_variable_decides_is_refused_with_its_name(room: Room) -> None:
    room.environ = {"SMARTBOX_LANGUAGE": "de", "SMARTBOX_DESTINATIONS__ARCHIVE__PORT": "4"}
    for changes in (
        {"language": "en"},
        {"destinations.archive.port": 5},
        {"destinations.archive": {"host": "x", "aet": "X", "port": 5}},
        {"destinations.archive": None},
    ):
        assert "SMARTBOX_" in room.refused("refused", changes).message
    room.put(destinations__archive={"host": "x", "aet": "X"})  # what the variable does not say is free
    assert (destinations(room)["archive"].host, destinations(room)["archive"].port) == ("x", 4)


def test_a_defect_that_was_there_keeps_nobody_from_changing_something_else(tmp_path: Path) -> None:
    room = Room(tmp_path, '[[destinations]]\nname = "half"\n')
    room.put(language="en")
    assert room.settings.language == "en"
    room.refused("bad-value", {"destinations.other": {}})


def test_undo_brings_back_the_bytes_and_can_be_undone(room: Room) -> None:
    assert room.data() is None
    room.put(language="de")
    first = room.data()
    room.put(station_name="A")
    second = room.data()
    room.site.undo(None, "tester")
    assert room.data() == first
    room.site.undo(None, "tester")  # the undoing undone
    assert room.data() == second
    room.site.undo(1, "tester")  # before the very first change there was no file
    assert room.data() is None
    assert [(item.action, item.of) for item in history.changes(room.state)] == [
        ("undo", 1), ("undo", 3), ("undo", 2), ("put", None), ("put", None),
    ]  # fmt: skip
    assert room.settings.language == "en"


def test_there_may_be_nothing_to_undo(room: Room) -> None:
    for number in (None, 1, 7):
        with pytest.raises(SmartBoxError) as caught:
            room.site.undo(number, "tester")
        assert caught.value.code == "not-found"


def test_putting_what_is_there_is_no_change(room: Room) -> None:
    room.put(language="de")
    before = history.numbers(room.state)
    assert room.put(language="de").change is None
    assert history.numbers(room.state) == before


def test_an_edit_by_hand_is_a_change_like_any_other(room: Room) -> None:
    room.put(language="de")
    (room.state / "site.toml").write_text('language = "de"\nstation_name = "HAND"\n', encoding="utf-8")
    by_hand = room.data()
    room.put(port=1)
    assert [item.action for item in history.changes(room.state)] == ["put", "by-hand", "put"]
    assert history.changes(room.state)[1].paths == ["station_name"]
    room.site.undo(None, "tester")
    assert room.data() == by_hand


def test_the_history_is_bounded(room: Room) -> None:
    for number in range(history.KEPT + 10):
        room.put(port=1000 + number)
    assert len(history.changes(room.state)) == history.KEPT
    assert len(list((room.state / "settings").iterdir())) == 2 * (history.KEPT + 1)
    oldest = history.changes(room.state)[-1].number
    room.site.undo(oldest, "tester")
    assert room.settings.port == 1000 + oldest - 2


@pytest.mark.parametrize("step", range(12))
def test_a_plug_pulled_at_any_step_leaves_the_old_or_the_new_file(
    room: Room, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each rename and fsync in turn is the last thing that happens."""
    room.put(language="de")
    old = room.data()
    count = 0

    class Plug(BaseException):
        pass

    def pulled(call: Any) -> Any:
        def stop(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count > step:
                raise Plug
            return call(*arguments, **named)

        return stop

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", pulled(os.fsync))
        patch.setattr(Path, "replace", pulled(Path.replace))
        try:
            room.put(language="en", station_name="NEW")
            done = True
        except Plug:
            done = False
    new, settings = room.data(), room.settings
    assert (settings.language, settings.station_name) in (("de", "OR7"), ("en", "NEW"))
    assert (settings.station_name == "NEW") == (new != old)
    assert done == (step >= 9), "three files, each with two fsyncs and a rename"
    assert not done or new != old
    # and it goes on: the next change, and back to what was there
    room.put(port=4)
    room.site.undo(None, "tester")
    assert room.data() == new
    if settings.station_name == "NEW":
        put = next(item for item in history.changes(room.state) if "station_name" in item.paths)
        room.site.undo(put.number, "tester")
        assert room.data() == old


def test_a_full_disk_changes_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put(language="de")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        room.refused("disk-full", {"language": "en"})
    room.put(language="en")


@pytest.mark.parametrize("bad", [b"language = ", b'langauge = "de"', b"\xff\xfe", b"schema_version = 9\n"])
def test_a_file_that_does_not_hold_gives_way_to_the_last_one_that_did(room: Room, bad: bytes) -> None:
    room.put(station_name="ONE")
    room.put(station_name="TWO")
    good = room.data()
    (room.state / "site.toml").write_bytes(bad)
    with pytest.raises(SmartBoxError):
        load(room.config, room.state, {})
    loaded = load(room.config, room.state, {}, fallback=True)  # capture and console: they write nothing
    assert loaded.settings.station_name == "TWO"
    assert loaded.trouble
    assert room.data() == bad
    assert room.site.repair()  # the engine
    assert room.data() == good
    assert [path.read_bytes() for path in (room.state / "settings").glob("bad-*.toml")] == [bad]
    assert room.site.set_aside() is not None
    assert not room.site.repair()
    assert room.site.undo(None, "tester").change is None
    assert room.site.set_aside() is None, "somebody has looked"
    assert room.settings.station_name == "TWO"
    assert load(room.config, room.state, {}, fallback=True).trouble == ""


def test_a_bad_file_with_no_history_gives_way_to_none(room: Room) -> None:
    (room.state / "site.toml").write_bytes(b"port = 0")
    assert load(room.config, room.state, {}, fallback=True).settings.station_name == "OR7"
    assert room.site.repair()
    assert room.settings.station_name == "OR7"


def test_a_bad_file_of_the_engineer_is_told_and_nothing_is_set_aside(room: Room) -> None:
    room.put(station_name="ONE")
    before = room.data()
    room.config.write_text("port = 0", encoding="utf-8")
    for attempt in (lambda: load(room.config, room.state, {}, fallback=True), lambda: room.site.repair()):
        with pytest.raises(SmartBoxError):
            attempt()
    assert room.data() == before


def test_export_and_import_make_the_same_box(tmp_path: Path, room: Room) -> None:
    room.put(
        language="de",  # the default, but the file says otherwise
        worklist={"host": "ris", "aet": "RIS"},
        destinations__archive=None,
        destinations__second={"host": "b", "aet": "B", "retry": {"attempts": 9}},
    )
    text = room.site.export(load(room.config, room.state, {}))
    wanted = room.settings
    (tmp_path / "other").mkdir()
    other = Room(tmp_path / "other", '[[destinations]]\nname = "old"\nhost = "o"\naet = "O"\n')
    other.put(port=77)
    other.site.import_text(text, "tester")
    assert other.settings == wanted
    room.put(language="en", destinations__archive={"host": "x", "aet": "X"})
    room.site.import_text(text, "tester")
    assert room.settings == wanted
    room.site.undo(None, "tester")
    assert room.settings.language == "en"


@pytest.mark.parametrize("text", ["x", "port = 0", "sources = 5", "sources = [1]", 'prot = 5\nlanguage = "de"'])
def test_an_import_that_does_not_hold_changes_nothing(room: Room, text: str) -> None:
    room.put(language="de")
    before = room.data()
    with pytest.raises(SmartBoxError) as caught:
        room.site.import_text(text, "tester")
    assert caught.value.code in ("bad-value", "unknown-key")
    assert room.data() == before


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    host: str = key("", "name")
    password: str = key("", "secret one", secret=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Small:
    server: Server = key(Server)  # noqa: RUF009


def test_secrets_are_masked_wherever_values_are_shown() -> None:
    old, new = Small(), Small(server=Server(host="h", password="hunter2"))
    assert describe.shown(new) == {"server": {"host": "h", "password": "***"}}
    assert describe.changed(old, new)["server.password"] == ("", "***")
    assert describe.masked("no.such.key", "x", Small) == "***"


def test_every_key_is_described() -> None:
    sections = {item.name: item for item in describe.sections()}
    assert set(sections) >= {"box", "sources", "pedals", "destinations", "worklist", "mpps", "recording", "display"}
    flat = describe.flat(load(None, None, {}).settings)
    assert set(flat) == {item.path(key.key) for item in sections.values() if not item.list_key for key in item.keys}
    port = sections["destinations"].key("port")
    assert port is not None
    assert (port.type, port.minimum, port.maximum, port.input, port.default) == ("integer", 1, 65535, "number", 104)
    kind = sections["pedals"].key("kind")
    assert kind is not None
    assert kind.choices == ("evdev", "serial-line", "serial-bytes", "key")
    assert all(key.doc for item in sections.values() for key in item.keys)
    assert describe.place("destinations.archive.retry.first_s").section.name == "destinations"
