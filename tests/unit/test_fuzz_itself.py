"""The fuzzing finds what it looks for: a crash, a hang, a parser that eats memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.fuzzing import Target, run_confined


def crash(data: bytes) -> None:
    if len(data) < 90:
        raise IndexError


def hang(data: bytes) -> None:
    if len(data) < 90:
        time.sleep(60)


def eat(data: bytes) -> None:
    if len(data) < 90:
        bytes(1 << 30)


def refuse(data: bytes) -> None:
    if len(data) < 90:
        raise ValueError


TARGETS = {name.__name__: Target(name, (ValueError,)) for name in (crash, hang, eat, refuse)}


def seeds(name: str, folder: Path) -> list[bytes]:
    return [bytes(range(100))]


@pytest.mark.parametrize(
    ("name", "said"), [("crash", "IndexError"), ("hang", "Timeout"), ("eat", "MemoryError"), ("refuse", "")]
)
def test_it_finds(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTBOX_HANGS_S", "1")
    place = f"tests.unit.test_fuzz_itself:{name}"
    if not said:
        run_confined(place, tmp_path, 50)
        return
    with pytest.raises(AssertionError, match=said):
        run_confined(place, tmp_path, 50)
    assert (tmp_path / "last").stat().st_size < 90
