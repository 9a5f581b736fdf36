"""What holds for any updates, in any order, however often they are repeated."""

from collections import Counter
from dataclasses import astuple
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.packages.line import Line
from processors.packages.stage import _NO_UPDATE
from processors.packages.state import fold
from schemas.event import ScanEvent
from schemas.package import PackageState
from tests.processors.packages.story import MID, OTHER_MID, Scan, Story, Update, scan, told, update

CODES = ["GX", "MA", "03", "10", "07", "OF", "01", "02", "NT", "DX", "GC", "ZZ", "09"]
AT = "2026-01-02T10:00:00.000Z"
CHANNELS = ["webhook", "scan_event_extract", "api"]


@st.composite
def scans(draw: st.DrawFn) -> Scan:
    """A scan of one of two pieces under a number, stated more or less exactly."""
    month = draw(st.sampled_from(["2026-01", "2026-01", "2026-07"]))
    day = f"{month}-{draw(st.integers(1, 9)):02d}"
    minute = f"{day}T{draw(st.integers(0, 23)):02d}:{draw(st.sampled_from([0, 30])):02d}"
    local = draw(st.sampled_from([minute, minute, f"{minute}:15", day, None]))
    # The instant belongs to the minute stated; feeds may know it or not, and with seconds.
    stated_instant = draw(st.sampled_from([None, f"{minute}:07Z", f"{minute}:42.5Z"]))
    return scan(
        draw(st.sampled_from(CODES)),
        local,
        gmt=stated_instant if local and len(local) > 10 else None,
        zip_code=draw(st.sampled_from(["10001", "90001", None])),
        city=draw(st.sampled_from(["NEW YORK", None])),
    )


@st.composite
def updates(draw: st.DrawFn) -> list[Update]:
    """Some updates of a number, in no order, each told once or more."""
    known = draw(st.lists(scans(), min_size=1, max_size=8))
    made = []
    for number in range(draw(st.integers(1, 6))):
        history = draw(st.lists(st.sampled_from(known), min_size=1, max_size=6))
        channel = draw(st.sampled_from(CHANNELS))
        mid = None if channel == "api" else draw(st.sampled_from([MID, OTHER_MID]))
        at = f"2026-07-10T{draw(st.integers(0, 23)):02d}:{number:02d}:00.000Z"
        made.append(update(*history, at=at, channel=channel, mid=mid))
    return made


def shape(story: Story) -> tuple[Any, ...]:
    """What must not depend on order and repetition."""
    state = story.state
    assert state is not None
    order = [(one["event_id"], one["ordered_at"], one["order_basis"]) for one in state["events"]]
    return state["category"], state["first_event_at"], state["last_event_at"], order


@settings(max_examples=300, deadline=None)
@given(updates(), st.data())
def test_the_outcome_depends_on_no_order_and_no_repetition(
    given_updates: list[Update], data: st.DataObject
) -> None:
    """Category, ids and the order of events are the same for every arrival of the same updates."""
    in_order = told(*given_updates)
    repeated = given_updates + data.draw(st.lists(st.sampled_from(given_updates), max_size=4))
    shuffled = told(*data.draw(st.permutations(repeated)))
    assert shape(shuffled) == shape(in_order)


@settings(max_examples=200, deadline=None)
@given(updates())
def test_each_event_is_published_once_and_again_only_with_new_evidence(
    given_updates: list[Update],
) -> None:
    """Sequences are 1, 2, … without a gap; later publications of an id keep its sequence."""
    story = told(*given_updates)
    first = [event for event in story.published if not event["new_evidence"]]
    assert [event["sequence"] for event in first] == list(range(1, len(first) + 1))
    assert len({event["event_id"] for event in first}) == len(first)
    ways = Counter((event["event_id"], event["channel"], event["mid"]) for event in story.published)
    assert set(ways.values()) == {1}
    sequence = {event["event_id"]: event["sequence"] for event in first}
    for event in story.published:
        assert event["sequence"] == sequence[event["event_id"]]
        assert event["evidence"][-1]["channel"] == event["channel"]
        assert event["evidence"][-1]["mid"] == event["mid"]


@settings(max_examples=200, deadline=None)
@given(updates())
def test_the_state_has_the_end_of_its_line(given_updates: list[Update]) -> None:
    """What is read off the state is what walking through all its events comes to."""
    story = Story()
    for one in given_updates:
        story.tell(one)
        assert story.state is not None
        events = story.state["events"]
        read = Line(story.state, events, moved=False).tail
        walked = Line(story.state, events, moved=True).tail
        assert astuple(read) == astuple(walked)
        assert Line(story.state, events, moved=True).known == events


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_what_is_no_update_is_refused_in_one_way(data: st.DataObject) -> None:
    """A field of any other kind is refused like any other, or what comes of it is valid."""
    expected = {"expected_delivery_date": "2026-01-09"}
    broken = update(
        scan("03", "2026-01-01T10:00"), scan("NT"), expected=expected, reported_at=AT, at=AT
    )
    target = data.draw(st.sampled_from([broken, broken, broken["events"][0], broken["package"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        folded = fold(None, broken)
    except _NO_UPDATE:
        return
    if folded.state is not None:
        PackageState.model_validate(folded.state)
    for event in folded.events:
        ScanEvent.model_validate(event)
