"""The queue of a real engine, for screens and for ctl: pages, a delivery's history, changes of all rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.store import pages
from smartbox_tui.wire import client
from tests.support.box import Box, settings, until
from tests.support.dcmtk import free_port
from tests.support.spooled import put_exam, put_still

PICTURES = 25


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """Its archive is away."""
    made = Box(settings(free_port()))
    (made.state / "spool").mkdir(parents=True)
    exam = put_exam(made.state / "spool")
    for number in range(PICTURES):
        put_still(made.state / "spool", exam, number=number)
    try:
        made.start("engine")
        until(lambda: get(made, "/v1/status")["queue"]["waiting"] == PICTURES, what="all to wait for the archive")
        yield made
    finally:
        made.close()


def get(box: Box, target: str) -> Any:
    return client.get(box.runtime / "engine.sock", target)


def refusal(box: Box, target: str) -> str:
    with pytest.raises(SmartBoxError) as caught:
        get(box, target)
    assert caught.value.hint
    return caught.value.code


def test_pages_put_together_are_the_queue(box: Box) -> None:
    first = get(box, "/v1/queue/page?limit=10")
    assert (first["total"], first["offset"], len(first["deliveries"])) == (PICTURES, 0, 10)
    name = first["deliveries"][0]["destination"]
    assert sum(first["counts"][name].values()) == PICTURES
    exam = first["deliveries"][0]["exam"]
    assert first["patients"][exam]["name"] == "Test^Spool"
    rest = [
        get(box, f"/v1/queue/page?destination={name}&offset={at}&limit=10")["deliveries"] for at in (10, 20, 30)
    ]
    assert [len(page) for page in rest] == [10, 5, 0]
    ids = [row["id"] for page in (first["deliveries"], *rest) for row in page]
    assert ids == sorted(ids)
    assert len(set(ids)) == PICTURES
    assert get(box, "/v1/queue/page?state=stored,committed")["total"] == 0
    assert get(box, "/v1/queue/page?destination=nobody")["total"] == 0


@pytest.mark.parametrize(
    "target",
    [
        "/v1/queue/page?state=lost",
        "/v1/queue/page?offset=-1",
        "/v1/queue/page?limit=ten",
        f"/v1/queue/page?offset={10**30}",
        "/v1/queue?after=x",
        "/v1/queue?limit=1e3",
        "/v1/queue?state=lost",
        "/v1/queue/x/history",
        "/v1/deliveries/x",
    ],
)
def test_what_is_no_number_and_no_state_is_refused(box: Box, target: str) -> None:
    assert refusal(box, target) == "bad-value"


def test_a_delivery_that_is_not_there(box: Box) -> None:
    assert refusal(box, "/v1/deliveries/999999") == "not-found"


def test_one_delivery_has_its_picture_its_exam_and_its_history(box: Box) -> None:
    row = get(box, "/v1/queue/page?limit=1")["deliveries"][0]
    value = get(box, f"/v1/deliveries/{row['id']}")
    assert value["instance"]["id"] == row["instance"]
    assert value["exam"]["id"] == row["exam"]
    assert [item["id"] for item in value["deliveries"]] == [row["id"]]
    assert value["changes"][0]["old"] == ""
    assert value["changes"][-1]["new"] == "waiting"
    assert value["changes"][-1]["reason"], "it says why"


def test_ctl_lists_a_part_and_says_where_to_go_on(box: Box) -> None:
    whole = box.ctl("queue", "list")["deliveries"]
    assert len(whole) == PICTURES
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        part = box.ctl("queue", "list", "--limit", "10", "--after", str(after), "--state", "waiting")
        found += [row["id"] for row in part["deliveries"]]
        after = part["next"]
    assert found == [row["id"] for row in whole]
    assert box.raw("ctl", "queue", "list", "--limit", "many").returncode == 2


def test_ctl_shows_where_a_picture_and_an_exam_are(box: Box) -> None:
    row = box.ctl("queue", "list", "--limit", "1")["deliveries"][0]
    shown = box.ctl("instance", "show", row["sop_instance_uid"])
    assert [item["new"] for item in shown["deliveries"][0]["changes"]][-1] == "waiting"
    text = box.raw("ctl", "instance", "show", row["sop_instance_uid"]).stdout
    assert "-> waiting [" in text
    grid = box.raw("ctl", "exam", "show", row["exam"]).stdout.splitlines()
    heads = next(line for line in grid if line.startswith("NO"))
    assert heads.split() == ["NO", "KIND", "CAPTURED", row["destination"].upper()]
    assert sum(line.rstrip().endswith("waiting") for line in grid) == PICTURES


def test_all_rows_are_sent_again_and_those_of_an_archive_are_paused_and_cancelled(box: Box) -> None:
    assert box.ctl("queue", "retry", "--all")["changed"] == PICTURES
    rows = box.ctl("queue", "list")["deliveries"]
    change = get(box, f"/v1/queue/{rows[-1]['id']}/history")["changes"]
    assert "retried by hand" in [item["reason"] for item in change]
    ids = [str(row["id"]) for row in rows[:3]]
    assert box.ctl("queue", "pause", *ids)["changed"] == 3
    assert box.ctl("queue", "resume", "--all")["changed"] == 3
    assert box.ctl("queue", "prioritise", ids[2])["changed"] == 1
    assert box.ctl("queue", "cancel", *ids[:2])["changed"] == 2
    assert get(box, "/v1/queue/page?state=cancelled")["total"] == 2
    assert set(pages.ORDER) >= set(get(box, "/v1/queue/page")["counts"][rows[0]["destination"]])
