"""The registry as programs look things up in it."""

from schemas.registry.index import Registry
from tests.schemas.registry.entities import MID, NUMBER, granted, merchant, owned, token


def test_an_entity_replaces_the_one_of_its_id_wherever_it_was_found() -> None:
    """A grant that moves to another MID is not found under the former."""
    registry = Registry([granted("m"), granted("m", mid="123456")])
    assert not list(registry.grants_of_mid(MID))
    assert [grant.id for grant in registry.grants_of_mid("123456")] == ["g"]


def test_what_is_removed_is_found_nowhere() -> None:
    """By id, MID, number or platform."""
    registry = Registry(
        [
            merchant("m"),
            owned("m"),
            granted("m"),
            granted("m", "n", tracking_number=NUMBER),
            token("p"),
        ]
    )
    for kind, entity_id in [("mid", MID), ("grant", "g"), ("grant", "n"), ("merchant", "m")]:
        registry.remove(kind, entity_id)
    registry.remove("merchant_access_token", "t")
    assert registry.merchant("m") is None
    assert not list(registry.owners(MID))
    assert not list(registry.grants_of_mid(MID))
    assert not list(registry.grants_of_number(NUMBER))
    assert not list(registry.tokens_between("owner", "p"))
    assert registry.token("t") is None


def test_removing_what_is_not_there_changes_nothing() -> None:
    """A tombstone may come again."""
    registry = Registry([merchant("m")])
    registry.remove("merchant", "x")
    registry.remove("a_newer_versions_kind", "x")
    assert registry.merchant("m") is not None
