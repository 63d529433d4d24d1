"""What an operator does and what fails meanwhile, drawn beforehand from a seed: the same seed, the same lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

PER_HUNDRED: Final[dict[str, dict[str, float]]] = {
    # lane: what goes wrong there, how often in a hundred instances
    "engine": {"kill": 3.0, "terminate": 0.6},
    "capture": {"kill": 2.5, "terminate": 0.5},
    "archive": {"kill": 1.5, "restart": 1.5},
    "network": {"cut": 1.5, "reset": 1.0, "cut_in": 2.5, "stall": 0.8, "drop": 0.8, "throttle": 1.5, "away": 1.0},
    "second": {"cut_in": 1.0, "stall": 0.3, "away": 0.6},
    "disk": {"full": 1.0},
}
"""A lane is a thread of its own: what happens in one overlaps with what happens in another."""

_LASTS_S: Final = {"kill": (0.0, 2.0), "terminate": (0.0, 1.0), "restart": (0.2, 2.0), "stall": (1.0, 5.0),
                   "drop": (1.0, 5.0), "throttle": (1.0, 4.0), "away": (0.5, 4.0), "full": (0.5, 3.0)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Happens `delay_s` after the operator's step `at` has begun and lasts so long; `amount`: bytes until the cut,
    bytes a second, bytes that are left on the disk."""

    lane: str
    kind: str
    at: int
    delay_s: float
    lasts_s: float
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: open, emergency, still, burst, clip, close, assign (to a patient), merge (into the exam `into`).
    `exam` counts from 0; `pause_s` before the next step."""

    kind: str
    exam: int
    pause_s: float = 0.0
    length: float = 0.0
    into: int = -1


@dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]

    def counts(self) -> dict[str, Any]:
        """For the report: how often what."""
        lanes: dict[str, dict[str, int]] = {}
        for fault in self.faults:
            kinds = lanes.setdefault(fault.lane, {})
            kinds[fault.kind] = kinds.get(fault.kind, 0) + 1
        return {"steps": dict(Counter(step.kind for step in self.steps)), "faults": lanes}


@dataclass
class _Exams:
    """`waiting`: closed ones that are given to somebody else later, and how many exams from now. `gone` were merged
    into `targets`; neither may be merged once more."""

    closed: list[int] = field(default_factory=list)
    waiting: list[tuple[int, int]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)


def drawn(seed: int, count: int, *, disk: bool = True) -> Schedule:
    """At least `count` pictures. Without `disk` nothing fails there, all else stays the same."""
    random = Random(seed)
    steps = _operator(random, count)
    faults = []
    for lane, kinds in PER_HUNDRED.items():
        mine = _of_lane(Random(f"{seed} {lane}"), lane, kinds, count, len(steps))
        faults += mine if disk or lane != "disk" else []
    return Schedule(seed, tuple(steps), tuple(faults))


def _operator(random: Random, count: int) -> list[Step]:
    steps: list[Step] = []
    exams = _Exams()
    exam = taken = 0
    while taken < count:
        emergency = random.random() < 0.2
        steps.append(Step("emergency" if emergency else "open", exam))
        pictures = min(random.randint(3, 14), max(1, count - taken))
        for _ in range(pictures):
            steps.append(_picture(random, exam))
        taken += pictures
        steps.append(Step("close", exam))
        if random.random() < (0.6 if emergency else 0.15):
            exams.waiting.append((exam, random.choice((0, 0, 1, 3))))
        exams.closed.append(exam)
        steps += _corrections(random, exams, last=taken >= count)
        exam += 1
    return steps


def _picture(random: Random, exam: int) -> Step:
    pause_s = random.choice((0.0, 0.0, 0.02, 0.1))
    kind = random.choices(("still", "burst", "clip"), (86, 8, 6))[0]
    length = {"still": 0.0, "burst": float(random.randint(2, 5)), "clip": random.uniform(0.3, 1.5)}[kind]
    return Step(kind, exam, pause_s, length)


def _corrections(random: Random, exams: _Exams, *, last: bool) -> list[Step]:
    due = [exam for exam, wait in exams.waiting if wait == 0 or last]
    exams.waiting = [(exam, wait - 1) for exam, wait in exams.waiting if exam not in due]
    steps = []
    for exam in due:
        targets = [each for each in exams.closed if each != exam and each not in exams.gone]
        if targets and exam not in exams.gone | exams.targets and random.random() < 0.25:
            into = random.choice(targets)
            exams.gone.add(exam)
            exams.targets.add(into)
            steps.append(Step("merge", exam, into=into))
        elif exam not in exams.gone:
            steps.append(Step("assign", exam))
    return steps


def _of_lane(random: Random, lane: str, kinds: dict[str, float], count: int, steps: int) -> list[Fault]:
    total = max(2 if lane in ("engine", "capture", "network") else 1, round(sum(kinds.values()) * count / 100))
    faults = []
    for at in sorted(random.sample(range(steps), min(total, steps))):
        kind = random.choices(list(kinds), list(kinds.values()))[0]
        lasts_s = random.uniform(*_LASTS_S.get(kind, (0.0, 0.0)))
        amount = {
            "cut_in": random.choice((1, 100, 700, 5_000, 40_000, 200_000)),
            "throttle": random.choice((20_000, 100_000, 400_000)),
            "full": random.choice((0, 4096, 30_000, 200_000)),
        }.get(kind, 0)
        faults.append(Fault(lane, kind, at, random.uniform(0.0, 0.6), lasts_s, amount))
    return faults
