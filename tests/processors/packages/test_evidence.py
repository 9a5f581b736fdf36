"""How events became known: new evidence, the MID of an answer, the evidence of a piece."""

from tests.processors.packages.story import MID, OTHER_MID, Story, journey, scan, told, update

WHO = [("webhook", MID)]


def parties(event: dict[str, object]) -> list[tuple[object, object]]:
    """(channel, MID) of an event's evidence."""
    evidence = event["evidence"]
    assert isinstance(evidence, list)
    return [(one["channel"], one["mid"]) for one in evidence]


def test_a_first_publication_carries_its_evidence() -> None:
    """How it became known, and how the piece did so far."""
    story = told(update(*journey()[:2]))
    for event in story.published:
        assert parties(event) == WHO
        assert [(one["channel"], one["mid"]) for one in event["piece_evidence"]] == WHO
        assert event["evidence"][0]["received_at"] == event["received_at"]


def test_new_evidence_publishes_again_under_the_same_id_and_sequence() -> None:
    """The facts and the receipt are those of this time; what was judged first stays."""
    first = scan("01", "2026-11-01T23:30", text="Delivered")
    other = scan("01", "2026-11-01T23:30", text="DELIVERED, FRONT DOOR")
    story = told(update(scan("OF", "2026-11-01T22:00"), first))
    (again,) = story.tell(update(other, channel="scan_event_extract", at="2026-11-03T00:00:00Z"))
    original = story.published[1]
    for name in ("event_id", "sequence", "piece", "first_in_category", "late", "variant_of"):
        assert again[name] == original[name]
    assert again["new_evidence"]
    assert (again["event_text"], again["channel"]) == (
        "DELIVERED, FRONT DOOR",
        "scan_event_extract",
    )
    assert again["received_at"] == "2026-11-03T00:00:00Z"
    assert parties(again) == [*WHO, ("scan_event_extract", MID)]
    assert again["package_category"] == "delivered"
    assert story.counts == {"new": 2, "new_evidence": 1, "restated": 1}


def test_evidence_is_new_by_channel_and_mid_only() -> None:
    """Another subscription for the same MID tells nothing new, another MID does."""
    story = told(update(*journey()))
    assert story.tell(update(*journey(), subscription="acme-second")) == []
    again = story.tell(update(*journey(), mid=OTHER_MID, at="2026-11-03T00:00:00Z"))
    assert [event["sequence"] for event in again] == [1, 2, 3, 4, 5, 6, 7]
    assert all(event["mid"] == OTHER_MID and event["new_evidence"] for event in again)
    assert story.tell(update(*journey(), mid=OTHER_MID, at="2026-11-04T00:00:00Z")) == []


def test_old_events_with_new_evidence_come_before_new_events() -> None:
    """Who gets all of them for the first time gets them in order."""
    scans = journey()
    story = told(update(*scans[:3]))
    events = story.tell(update(*scans[:5], mid=OTHER_MID, at="2026-11-03T00:00:00Z"))
    assert [(event["sequence"], event["new_evidence"]) for event in events] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
        (5, False),
    ]


def test_every_record_names_all_evidence_of_its_piece() -> None:
    """One per channel and MID, over all events of the piece."""
    scans = journey()
    story = told(update(*scans[:3]))
    (again, new) = story.tell(update(scans[0], scans[4], mid=OTHER_MID, at="2026-11-03T00:00:00Z"))
    assert parties(again) == [*WHO, ("webhook", OTHER_MID)]
    assert parties(new) == [("webhook", OTHER_MID)]
    for event in (again, new):
        found = [(one["channel"], one["mid"]) for one in event["piece_evidence"]]
        assert found == [*WHO, ("webhook", OTHER_MID)]


def test_another_piece_has_evidence_of_its_own() -> None:
    """Who may know of the first parcel need not know of the second under its number."""
    story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    later = update(*journey("2026-05-20"), mid=OTHER_MID, at="2026-05-21T00:00:00Z")
    for event in story.tell(later):
        assert [one["mid"] for one in event["piece_evidence"]] == [OTHER_MID]
    assert story.state is not None
    assert story.state["mid"] == OTHER_MID


def test_an_answer_of_the_tracking_api_gets_the_piece_s_mid() -> None:
    """Subscriptions and feeds named exactly one: that one, and it says where it is from."""
    scans = journey()
    story = told(update(*scans[:3]))
    answer = update(*scans[:4], channel="api", mid=None, at="2026-11-03T00:00:00Z")
    events = story.tell(answer)
    assert [(event["mid"], event["mid_source"]) for event in events] == [(MID, "package_state")] * 4
    assert [event["new_evidence"] for event in events] == [True, True, True, False]


def test_an_answer_for_a_number_nobody_told_of_has_no_mid() -> None:
    """Then only grants for the number itself apply."""
    story = told(update(*journey(), channel="api", mid=None))
    assert set(story.of("mid")) == {None}
    assert set(story.of("mid_source")) == {None}


def test_an_answer_for_a_piece_of_two_mids_has_none() -> None:
    """An ambiguous MID is not a MID."""
    story = told(update(*journey()), update(*journey(), mid=OTHER_MID))
    before = len(story.published)
    story.tell(update(*journey(), channel="api", mid=None, at="2026-11-03T00:00:00Z"))
    assert set(story.of("mid")[before:]) == {None}


def test_what_packages_filled_in_is_no_evidence_for_more() -> None:
    """A MID from the state never names a MID by itself."""
    story = told(update(*journey()), update(*journey(), channel="api", mid=None))
    assert story.state is not None
    assert story.state["mid"] == MID
    story.tell(update(*journey(), mid=OTHER_MID, at="2026-11-03T00:00:00Z"))
    assert story.state["mid"] is None


def test_an_answer_again_after_the_mid_became_known_is_new_evidence() -> None:
    """Asked before anybody named the MID, asked again after: now it is of that MID."""
    answer = update(*journey()[:2], channel="api", mid=None)
    story = told(answer, update(*journey()[:2], at="2026-11-03T00:00:00Z"))
    again = story.tell({**answer, "received_at": "2026-11-04T00:00:00Z"})
    assert [parties(event)[-1] for event in again] == [("api", MID)] * 2


def test_new_evidence_for_a_trimmed_piece_cannot_be_told() -> None:
    """After 120 days of silence what is not later counts as known: it is too old."""
    story: Story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    late = update(*journey("2026-01-05"), mid=OTHER_MID, at="2026-06-01T00:00:00Z")
    assert story.tell(late) == []
    assert story.counts["too_old"] == 7
