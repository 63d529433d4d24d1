"""The settings of hooks: what is refused, who may choose a program; the events' table and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import hooks
from smartbox_tui.settings.hooks import confined
from smartbox_tui.settings.site import Site

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"


def site(tmp_path: Path, config: str = "") -> Site:
    file = tmp_path / "etc" / "box.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(config, encoding="utf-8")
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    return Site(state, file, {})


def put(site_: Site, **values: object) -> str:
    """The path that was refused; empty: it was taken."""
    refused: list[SmartBoxError] = []
    try:
        site_.put({"hooks.one": values}, "tester")
    except SmartBoxError as exc:
        refused.append(exc)
    assert all(item.code == "bad-value" and item.hint for item in refused)
    return refused[0].message.partition(":")[0] if refused else ""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("delivery.stored, exam.*", []), ("*", []), ("", []), ("delivery.*,alarm.raised,", []),
        ("delivery.gone", ["delivery.gone"]), ("exam.opened; exam.closed", ["exam.opened; exam.closed"]),
        ("hook.test", ["hook.test"]), ("nothing.*", ["nothing.*"]),
    ],
)  # fmt: skip
def test_patterns(text: str, wrong: list[str]) -> None:
    assert hooks.unknown(text) == wrong


def test_a_pattern_is_for_all_that_it_fits() -> None:
    assert hooks.chosen("delivery.*, box.started") == [
        "delivery.stored",
        "delivery.committed",
        "delivery.blocked",
        "box.started",
    ]
    assert hooks.TEST not in hooks.chosen("*")


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"url": "https://a/b", "events": "exam.*"}, ""),
        ({"url": "http://a/b"}, ""),
        ({"url": "http://a/b", "patient": True}, "hooks.one.url"),
        ({"url": "https://a/b", "patient": True}, ""),
        ({}, "hooks.one.url"),
        ({"kind": "command"}, "hooks.one.command"),
        ({"url": "https://user:secret@a/b"}, "hooks.one.url"),
        ({"url": "ftp://a"}, "hooks.one.url"),
        ({"url": "https://a", "events": "exam.openend"}, "hooks.one.events"),
        ({"url": "https://a", "key_file": "/k.pem"}, "hooks.one.cert_file"),
        ({"url": "https://a", "timeout_s": 0}, "hooks.one.timeout_s"),
        ({"url": "https://a", "keep_days": 0}, "hooks.one.keep_days"),
        ({"kind": "command", "command": "notify"}, "hooks.one.command"),
        ({"kind": "command", "command": "/etc/x 'never ends"}, "hooks.one.command"),
    ],
)
def test_what_the_box_takes(tmp_path: Path, values: dict[str, object], refused: str) -> None:
    assert put(site(tmp_path), **values) == refused


def test_on_the_box_only_a_program_of_the_folder_beside_the_file_can_be_chosen(tmp_path: Path) -> None:
    """Whoever may change settings must not become whoever may run programs as the engine."""
    made = site(tmp_path)
    folder = made.config.parent / "hooks" if made.config else tmp_path
    for bad in (
        "/bin/sh -c id",
        f"{folder}/../box.toml",
        f"{folder}x/notify",
        f"{folder}/sub/notify",
        f"{folder}/",
    ):
        assert put(made, kind="command", command=bad) == "hooks.one.command", bad
        assert put(made, kind="webhook", url="https://a", command=bad) == "hooks.one.command", bad
    assert put(made, kind="command", command=f"{folder}/notify --room 'OR 3'") == ""
    assert confined("", tmp_path / "box.toml")


def test_the_settings_file_may_name_any_program_and_the_screens_may_change_the_rest(tmp_path: Path) -> None:
    made = site(tmp_path, '[[hooks]]\nname = "one"\nkind = "command"\ncommand = "/usr/bin/logger -t box"\n')
    made.put({"hooks.one.events": "exam.*"}, "tester")
    assert made.load().settings.hooks[0].command == "/usr/bin/logger -t box"
    with pytest.raises(SmartBoxError):
        made.put({"hooks.one.command": "/bin/sh"}, "tester")
    with pytest.raises(SmartBoxError):
        made.import_text('[[hooks]]\nname = "two"\nkind = "command"\ncommand = "/bin/sh"\n', "tester")


def test_the_page_names_every_event_and_everything_that_it_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, kind in hooks.EVENTS.items():
        assert f"`{name}`" in text, name
        assert kind.when in text, name
        for key, meaning in kind.data.items():
            assert f"| `{key}` | {meaning} |" in text, (name, key)
