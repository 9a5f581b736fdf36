"""Which numbers a back-fill asks for: named ones, a file's, the open pieces of a MID."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.feeds.journal import Journal, WantedNumber, forget_journal, open_journal
from receiver.feeds.open_pieces import StateRecord, is_wanted, mids_of, plan_open_pieces
from receiver.feeds.rights import Planner, why_not_asked
from receiver.feeds.wanted import job_key, numbers_in, plan_numbers
from schemas.errors import OperatorError
from schemas.identifiers import mod10_check_digit
from schemas.registry.index import Registry
from tests.schemas.registry.entities import MID, granted, merchant, owned, paid, token
from tests.schemas.usps.feed import JSON

NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)
OTHER_MID = "923456789"


def number_of(mid: str, serial: int) -> str:
    """A commercial number of this MID."""
    digits = f"92055{mid}{serial:07}"
    return f"{digits}{mod10_check_digit(digits)}"


OURS = number_of(MID, 1)


def why(wanted: str, *entities: Any, mid: str | None = None) -> str | None:
    """What keeps it from being asked for."""
    return why_not_asked(Registry(entities), WantedNumber(wanted, mid), NOW)


def test_who_owns_the_barcodes_mid_may_ask() -> None:
    """The owner with terms, or a grant with the channel; nobody else."""
    assert why(OURS, merchant("acme"), owned("acme")) is None
    assert why(OURS, merchant("acme")) == "not_asked:unknown_mid"
    no_terms = merchant("acme", terms_accepted_on=None)
    assert why(OURS, no_terms, owned("acme")) == "not_asked:terms_not_accepted"
    service = (no_terms, owned("acme"), paid("trackco"))
    assert why(OURS, *service, granted("trackco")) is None
    webhook = granted("trackco", channels=["webhook"])
    assert why(OURS, *service, webhook) == "not_asked:channel_not_granted"
    over = granted("trackco", until="2026-05-01")
    assert why(OURS, *service, over) == "not_asked:grant_expired"


def test_a_platform_needs_an_active_token() -> None:
    """As for its events: a revoked one opens nothing."""
    common = [
        merchant("owner", terms_accepted_on=None),
        owned("owner"),
        merchant("shipfast", "platform"),
        granted("shipfast", basis="merchant_access_token", reference="t"),
    ]
    assert why(OURS, *common, token("shipfast")) is None
    # The owner has a right of its own, which fails for an earlier reason.
    revoked = why(OURS, *common, token("shipfast", state="revoked"))
    assert revoked == "not_asked:terms_not_accepted"


def test_a_number_without_mid_needs_its_own_grant() -> None:
    """A barcode that names no MID opens nothing by itself; a wrong check digit does not matter."""
    everything = (merchant("acme"), owned("acme"), paid("trackco"))
    foreign = "EA123456785US"
    assert why(foreign, *everything) == "not_asked:no_mid"
    assert why(f"{OURS[:-1]}{(int(OURS[-1]) + 1) % 10}", *everything) is None
    assert (
        why("EA123456785US", *everything, granted("trackco", tracking_number="EA123456785US"))
        is None
    )
    assert why("EA123456785US", *everything, mid=MID) is None


@given(st.text(min_size=1, max_size=64))
def test_any_text_is_judged(text: str) -> None:
    """Nothing is asked for that USPS's document forbids, and nothing without a right."""
    assert why(text, merchant("acme"), owned("acme")) in {
        "invalid",
        "not_asked:no_mid",
        "not_asked:ambiguous_mid",
        "not_asked:unknown_mid",
        None,
    }


def test_a_file_gives_its_first_column_once(tmp_path: Path) -> None:
    """Blank lines, comments, a header and repeats; in key form, in order."""
    file = tmp_path / "numbers.csv"
    spaced = f"420 98099 {OURS[:4]} {OURS[4:]}"
    file.write_text(f'\ufefftracking_number,x\n# a note\n\n"{OURS}",1\n{spaced}\nEA123456785US\n')
    journal = Journal.unnamed()
    registry = Registry([merchant("acme"), owned("acme")])
    with journal.planning() as plan:
        plan_numbers(Planner(plan, registry, NOW), numbers_in(file))
    assert journal.planned
    assert journal.open_numbers(10) == [WantedNumber(OURS)]
    assert journal.counts() == {"open": 1, "invalid": 1, "not_asked:no_mid": 1}
    journal.close()


@given(st.binary(max_size=300))
def test_any_file_is_read(content: bytes) -> None:
    """Bytes of any kind are numbers, no numbers, or nothing."""
    journal = Journal.unnamed()
    with journal.planning() as plan:
        lines = content.decode("utf-8", "replace").split("\n")
        plan_numbers(Planner(plan, Registry(), NOW), lines)
    assert journal.open_numbers(10) == []
    journal.close()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By name, in a sentence."""
    with pytest.raises(OperatorError) as error:
        list(numbers_in(tmp_path / "absent"))
    assert "absent cannot be read" in error.value.detail


def test_jobs_are_told_apart() -> None:
    """By each part and where it ends."""
    assert job_key("a", "bc") != job_key("ab", "c")
    assert job_key("a", "b") == job_key("a", "b")


def piece(**changed: Any) -> dict[str, Any]:
    """A state of the packages topic: under way, known by the subscription's MID."""
    return {
        "mail_kind": "package",
        "category": "in_transit",
        "mid": MID,
        "piece": 1,
        "last_event_at": "2026-05-01T00:00:00Z",
        "updated_at": "2026-05-02T00:00:00Z",
        "events": [],
        "past": None,
    } | changed


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, True),
        ({"last_event_at": "2026-05-13T00:00:00Z"}, True),
        ({"category": "return"}, True),
        ({"category": None}, True),
        ({"category": "delivered"}, False),
        ({"mail_kind": "letter"}, False),
        ({"last_event_at": "2025-12-01T00:00:00Z"}, False),
        ({"last_event_at": None}, True),
        ({"mid": None}, False),
        ({"mid": None, "events": [{"piece": 1, "evidence": [{"mid": MID}]}]}, True),
        ({"mid": OTHER_MID, "events": [{"piece": 1, "evidence": [{"mid": MID}]}]}, True),
        ({"mid": None, "piece": 2, "events": [{"piece": 1, "evidence": [{"mid": MID}]}]}, False),
        ({"mid": None, "past": {"piece": 1, "evidence": [{"mid": MID}]}}, True),
    ],
)
def test_a_piece_under_way_is_wanted(changed: dict[str, Any], wanted: bool) -> None:
    """Above all one that heard nothing since: it may be the outage."""
    assert is_wanted(piece(**changed), MID, datetime(2026, 5, 10, tzinfo=UTC)) == wanted


def test_every_mid_of_the_piece_counts() -> None:
    """The state's and the evidence's."""
    state = piece(events=[{"piece": 1, "evidence": [{"mid": OTHER_MID}, {"mid": None}]}])
    assert mids_of(state) == {MID, OTHER_MID}


async def test_the_last_state_of_a_number_counts() -> None:
    """A compacted topic may still hold older ones, and tombstones."""

    async def states() -> AsyncIterator[StateRecord]:
        numbers = [number_of(MID, serial) for serial in range(4)]
        for number in numbers:
            yield number, piece()
        yield numbers[0], piece(category="delivered")
        yield numbers[1], None
        yield numbers[2], piece(category="arrived")

    journal = Journal.unnamed()
    with journal.planning() as plan:
        planner = Planner(plan, Registry([merchant("acme"), owned("acme")]), NOW)
        await plan_open_pieces(planner, states(), MID, NOW)
    found = {one.tracking_number for one in journal.open_numbers(10)}
    assert found == {number_of(MID, 2), number_of(MID, 3)}
    journal.close()


@given(JSON | st.dictionaries(st.sampled_from(list(piece())), JSON, max_size=9))
def test_any_state_is_judged(value: object) -> None:
    """Any JSON object may stand where a state should; it is wanted or not, and no error."""
    if isinstance(value, dict):
        is_wanted(value, MID, NOW)


def test_a_journal_is_held_goes_on_and_is_forgotten(tmp_path: Path) -> None:
    """A second opener is refused; what was settled stays; a half plan is begun anew."""
    with open_journal(tmp_path, "job") as journal:
        with journal.planning() as plan:
            for serial in range(3):
                plan.add(WantedNumber(number_of(MID, serial), MID))
        with pytest.raises(OperatorError) as error, open_journal(tmp_path, "job"):
            pass
        assert error.value.reason == "backfill_running"
        journal.settle({number_of(MID, 0): "found", number_of(MID, 1): "later"})
    with open_journal(tmp_path, "job") as journal:
        assert journal.planned
        assert journal.open_numbers(5) == [WantedNumber(number_of(MID, 2), MID)]
        assert journal.open_again(["later", "unreadable"]) == 1
        assert journal.counts() == {"found": 1, "open": 2}
        with pytest.raises(KeyError), journal.planning():
            raise KeyError
    forget_journal(tmp_path, "job")
    with open_journal(tmp_path, "job") as journal:
        assert not journal.planned


def test_a_broken_journal_is_told(tmp_path: Path) -> None:
    """What is no database says which file to delete."""
    (tmp_path / "backfill-job.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(OperatorError) as error, open_journal(tmp_path, "job"):
        pass
    assert "backfill-job.sqlite" in error.value.detail
