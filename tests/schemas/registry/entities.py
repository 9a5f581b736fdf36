"""Short words for the entities that the tests of registry and access speak of."""

from typing import Any

from schemas.registry.entities import (
    Entity,
    Grant,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
)

MID = "912345678"
NUMBER = "9205512345678000000017"
AGREEMENT = {"reference": "IPA-1", "from": "2026-04-01", "until": "2027-04-01"}


def merchant(merchant_id: str, role: str = "shipper", **more: Any) -> Merchant:
    """A merchant that has accepted the terms."""
    given = {"terms_accepted_on": "2026-03-20", **more}
    return Merchant.model_validate({"id": merchant_id, "name": "A name", "role": role, **given})


def paid(merchant_id: str, role: str = "service_provider", **more: Any) -> Merchant:
    """A merchant with agreement and account."""
    return merchant(merchant_id, role, **{"ip_agreement": AGREEMENT, "eps_account": "1", **more})


def owned(owner: str, mid: str = MID, **more: Any) -> MidOwnership:
    """A row of ownership."""
    return MidOwnership.model_validate({"mid": mid, "owner": owner, **more})


def granted(merchant_id: str, grant_id: str = "g", **more: Any) -> Grant:
    """A grant of the MID on every channel, unless said otherwise."""
    subject = {} if "tracking_number" in more else {"mid": MID}
    channels = ["webhook", "api", "scan_event_extract", "iv_mtr"]
    given = {"channels": channels, "basis": "ip_agreement", **subject, **more}
    return Grant.model_validate({"id": grant_id, "merchant": merchant_id, **given})


def token(platform: str, token_id: str = "t", **more: Any) -> MerchantAccessToken:
    """An active token that the shipper `owner` gave."""
    given = {"merchant": "owner", "state": "active", **more}
    return MerchantAccessToken.model_validate({"id": token_id, "platform": platform, **given})


def records(entities: list[Entity]) -> list[tuple[str, dict[str, Any]]]:
    """Key and value of each, as on the topic."""
    return [(entity.key, entity.record()) for entity in entities]
