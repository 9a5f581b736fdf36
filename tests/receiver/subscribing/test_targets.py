"""What the registry wants at USPS, and what is refused with what to do."""

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from receiver.subscribing.generate import can_be_made, make_secret
from receiver.subscribing.ground import InForce
from receiver.subscribing.targets import Targets, targets
from receiver.whole_file import create_whole, write_whole
from schemas.errors import OperatorError, RecordRejected
from schemas.registry.entities import Subscription, UspsAccount
from schemas.registry.index import Registry
from schemas.secrets import Secrets
from tests.receiver.subscribing.memory import NEW, OLD, URL

SECRETS = Secrets({"NEW": NEW, "OLD": OLD, "SHORT": "short"}, lambda path: Path(path).read_text())


def declared(name: str = "acme", **changes: Any) -> Subscription:
    """A complete declaration, but for the changes."""
    fields = {
        "name": name,
        "account": "main",
        "mid": "912345678",
        "listener_url": URL,
        "admin_emails": ["usps-alerts@acme.example"],
        "secrets": ["env:NEW", "env:OLD"],
    }
    return Subscription.model_validate({**fields, **changes})


def found(*declarations: Subscription, may_generate: bool = False) -> Targets:
    """The targets of a registry with one account."""
    account = UspsAccount(
        id="main", environment="production", client_id="env:ID", client_secret="env:SECRET"
    )
    registry = Registry([account, *declarations])
    return targets(registry, SECRETS, may_generate=lambda _: may_generate)


def test_complete_declaration() -> None:
    """The newest secret goes to USPS; of the others only marks are kept."""
    one = found(declared(event_types=["PACKAGE_DELAYED", "ALL_UPDATES"])).wanted["acme"]
    assert one.secret is not None
    assert one.secret.get_secret_value() == NEW
    assert (len(one.older_marks), one.more_secrets) == (1, 1)
    assert one.filter.text == "mid 912345678: ALL_UPDATES, PACKAGE_DELAYED"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account": "nobody"}, "account nobody is not declared"),
        ({"listener_url": None}, "listener_url is missing"),
        ({"listener_url": "hooks.acme.example"}, "no web address"),
        ({"admin_emails": None}, "admin_emails is missing"),
        ({"secrets": ["env:MISSING", "env:NEW"]}, "env:MISSING"),
        ({"secrets": ["file:/does/not/exist"]}, "--generate-secrets"),
        ({"secrets": ["env:SHORT"]}, "exactly 32"),
    ],
)
def test_incomplete_declaration(changes: dict[str, Any], told: str) -> None:
    """It is refused by name, with what to do; others are not concerned."""
    targets_ = found(declared(**changes), declared("beta", mid="912345679"))
    assert told in targets_.problems["acme"]
    assert list(targets_.wanted) == ["beta"]


def test_declaration_without_account_is_not_managed() -> None:
    """It works as it does, and nobody asks USPS about it."""
    targets_ = found(declared(account=None, listener_url=None))
    assert targets_.unmanaged == ["acme"]
    assert not targets_.problems


def test_ten_listener_urls_are_allowed_and_eleven_are_not() -> None:
    """USPS's limit is per account; none of that account is touched."""
    many = [
        declared(f"s-{number}", listener_url=f"{URL}/{number}", mid=f"9123456{number:02}")
        for number in range(11)
    ]
    assert not found(*many[:10]).problems
    problems = found(*many).problems
    assert len(problems) == 11
    assert "11 listener URLs and USPS allows 10" in problems["s-0"]


def test_two_for_the_same_listener_and_mid_are_refused() -> None:
    """USPS takes one of them; the event types of both go into one."""
    problems = found(declared(), declared("beta", event_types=["PACKAGE_DELAYED"])).problems
    assert problems.keys() == {"acme", "beta"}
    assert "put the event_types of all into one" in problems["acme"]


def test_declaration_that_cannot_be_read_is_not_absent() -> None:
    """What a newer version wrote is declared, so that it is never deleted as removed."""
    log = InForce()
    with pytest.raises(RecordRejected):
        log.apply("subscription/newer", orjson.dumps({"name": "newer", "colour": "blue"}))
    log.apply("subscription/acme", orjson.dumps(declared().record()))
    log.apply("merchant/acme", orjson.dumps({"id": "acme", "name": "A", "role": "shipper"}))
    assert log.unread == {"newer"}
    targets_ = targets(log.registry, SECRETS, may_generate=lambda _: False, unread=log.unread)
    assert "newer" in targets_.declared_ids
    assert "newer" in targets_.problems
    log.apply("subscription/newer", None)
    assert not log.unread


def test_secret_is_generated_once(tmp_path: Path) -> None:
    """32 characters, for the owner's eyes only; one that is there is never replaced."""
    path = tmp_path / "secrets" / "acme"
    reference = f"file:{path}"
    assert can_be_made(reference)
    assert found(declared(secrets=[reference]), may_generate=True).wanted["acme"].secret is None
    make_secret(reference)
    first = path.read_text()
    assert (len(first), first.isalnum()) == (32, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    make_secret(reference)
    assert path.read_text() == first
    assert not can_be_made(reference)
    assert not can_be_made("env:NOT_THERE")
    assert found(declared(secrets=[reference])).wanted["acme"].secret is not None


def test_secret_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said where and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="correct its directory"):
        make_secret(f"file:{tmp_path}/file/secret")


def test_whole_files(tmp_path: Path) -> None:
    """Replaced as a whole, or made once; nothing is left beside them."""
    path = tmp_path / "folder" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert not create_whole(path, b"three")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
