"""A recording that is slow to begin, on a machine or a disk that has other things to do: it begins all the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartbox_tui.capture import parts as parts_module
from smartbox_tui.capture import recorder as module
from smartbox_tui.capture.clipfile import ClipFile
from smartbox_tui.errors import SmartBoxError
from tests.capture.test_seams import Parts


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_S", 0.1)


@pytest.mark.parametrize("preloaded", [True, False])
def test_pictures_that_have_come_are_not_given_up(
    preloaded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: object, **more: object) -> ClipFile:
        time.sleep(0.5)
        return ClipFile(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(parts_module, "ClipFile", slow)
    parts = Parts(tmp_path, 1 << 30, 1.0)
    if preloaded:
        parts.recorder.preload([parts.unit(number) for number in range(3)])
    else:
        parts.recorder.feed(parts.unit(0))
    begun = parts.recorder.start()
    assert begun.note == ""
    assert not parts.recorder.finished, "it is being recorded, as was answered"
    parts.recorder.feed(parts.unit(3))
    parts.until_written()
    (clip,) = parts.recorder.stop(0, "")
    assert clip.note == ""


def test_where_no_picture_comes_it_says_so(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 1 << 30, 1.0)
    with pytest.raises(SmartBoxError, match="No picture came") as caught:
        parts.recorder.start()
    assert caught.value.code == "no-signal"
    assert parts.recorder.finished
    assert not parts.recorder.closed
