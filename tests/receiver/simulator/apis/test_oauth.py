"""Tokens are issued, narrowed, refreshed, expire, and are refused in RFC 6749's shape."""

import base64

from receiver.simulator.apis.tokens import ACCESS_SECONDS, REFRESH_SECONDS
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET
from tests.receiver.simulator.apis.world import CREDENTIALS, MID, TOKEN, Client, World, world

REDIRECT = "https://merchant.example/usps"
BASIC = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.get_secret_value()}".encode()).decode()


async def authorized(client: Client) -> dict[str, str]:
    """A request for a merchant's tokens, with a fresh code."""
    query = {"client_id": CLIENT_ID, "response_type": "code", "redirect_uri": REDIRECT}
    answered = await client.call("GET", "/oauth2/v3/authorize", query=query | {"state": "s"})
    assert answered.body["state"] == "s"
    code = answered.body["code"]
    return CREDENTIALS | {
        "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
    }  # fmt: skip


async def test_tokens_end_after_eight_hours() -> None:
    """A token is good until its last second and not longer."""
    async with world() as usps:
        token = await usps.client.log_in()
        assert token.body["expires_in"] == ACCESS_SECONDS == 8 * 3600 - 1
        usps.clock.advance(ACCESS_SECONDS - 1)
        assert (await usps.client.list()).status == 200
        usps.clock.advance(1)
        refused = await usps.client.list()
        assert refused.status == 401
        assert refused.body["error"]["errors"][0]["title"] == "expired_token"


async def test_unknown_clients_are_told_so() -> None:
    """401, invalid_client."""
    async with world() as usps:
        for more in ({"client_id": "nobody"}, {"client_secret": "schlüssel"}):
            refused = await usps.client.call("POST", TOKEN, CREDENTIALS | more)
            assert (refused.status, refused.body["error"]) == (401, "invalid_client")


async def test_scopes_narrow_and_are_needed() -> None:
    """A named scope is all that the token has; without the right one an API answers 401."""
    async with world() as usps:
        token = await usps.client.log_in(scope="tracking labels")
        assert token.body["scope"] == "tracking"
        refused = await usps.client.list()
        assert refused.status == 401
        assert "Insufficient scope" in refused.body["error"]["message"]
        nothing = await usps.client.call("POST", TOKEN, CREDENTIALS | {"scope": "labels"})
        assert nothing.body["error"] == "invalid_scope"


async def test_codes_are_good_once_and_for_their_redirect() -> None:
    """A merchant's code gives both tokens; used again, or with another URI, it gives none."""
    async with world() as usps:
        asked = await authorized(usps.client)
        tokens = await usps.client.call("POST", TOKEN, asked)
        assert tokens.body["refresh_token_expires_in"] == REFRESH_SECONDS == 7 * 86_400 - 1
        assert tokens.body["refresh_count"] == 0
        again = await usps.client.call("POST", TOKEN, asked)
        assert again.body["error"] == "invalid_grant"
        other = await authorized(usps.client) | {"redirect_uri": "https://other.example"}
        assert (await usps.client.call("POST", TOKEN, other)).body["error"] == "invalid_grant"


async def refresh(usps: World, token: str) -> dict[str, object]:
    """The answer to a refresh."""
    asked = CREDENTIALS | {"grant_type": "refresh_token", "refresh_token": token}
    body: dict[str, object] = (await usps.client.call("POST", TOKEN, asked)).body
    return body


async def test_refresh_tokens_are_replaced_and_end_after_seven_days() -> None:
    """Each is good once, within its week; its successor counts one more."""
    async with world() as usps:
        first = (await usps.client.call("POST", TOKEN, await authorized(usps.client))).body
        usps.clock.advance(REFRESH_SECONDS - 1)
        second = await refresh(usps, first["refresh_token"])
        assert second["refresh_count"] == 1
        assert (await refresh(usps, first["refresh_token"]))["error"] == "invalid_grant"
        usps.clock.advance(REFRESH_SECONDS)
        assert (await refresh(usps, str(second["refresh_token"])))["error"] == "invalid_grant"


async def test_revoked_refresh_tokens_are_gone() -> None:
    """Revoking takes the client's credentials by Basic authentication."""
    async with world() as usps:
        tokens = (await usps.client.call("POST", TOKEN, await authorized(usps.client))).body
        asked = {"token": tokens["refresh_token"]}
        path, login = "/oauth2/v3/revoke", f"Basic {BASIC}"
        refused = await usps.client.call("POST", path, asked, Authorization="Basic e")
        assert refused.body["error"] == "invalid_client"
        done = await usps.client.call("POST", path, asked, Authorization=login)
        assert (done.status, done.body) == (200, None)
        again = await usps.client.call("POST", path, asked, Authorization=login)
        assert again.body["error"] == "invalid_request"
        assert (await refresh(usps, tokens["refresh_token"]))["error"] == "invalid_grant"


async def test_forms_are_read_too() -> None:
    """OAuth's own encoding gives the same as JSON."""
    async with world() as usps:
        url = usps.client.base_url + TOKEN
        async with usps.client.session.post(url, data=CREDENTIALS) as response:
            assert (response.status, (await response.json())["token_type"]) == (200, "Bearer")
        async with usps.client.session.post(url, data=b"grant_type=a&grant_type=b") as response:
            assert response.status == 400


WRONG: list[tuple[object, str]] = [
    ({"grant_type": "client_credentials"}, "invalid_request"),
    (CREDENTIALS | {"grant_type": "password"}, "unsupported_grant_type"),
    (CREDENTIALS | {"code": "1"}, "invalid_request"),
    (CREDENTIALS | {"grant_type": "refresh_token"}, "invalid_request"),
    (CREDENTIALS | {"undeclared": "1"}, "invalid_request"),
    ([], "invalid_request"),
]


async def test_wrong_requests_are_refused_by_code() -> None:
    """What a grant lacks, or does not know, is refused; secrets are not repeated."""
    async with world() as usps:
        for body, error in WRONG:
            refused = await usps.client.call("POST", TOKEN, body, valid=False)
            assert (refused.status, refused.body["error"]) == (400, error)
            assert CLIENT_SECRET.get_secret_value() not in str(refused.body)


async def test_same_seed_gives_the_same_tokens() -> None:
    """Ids and tokens depend on the seed and the order of calls alone."""
    found = []
    for seed in (1, 1, 2):
        async with world(seed=seed) as usps:
            created = await usps.client.subscribe("http://127.0.0.1:1/a", MID)
            found.append((usps.client.token, created.body["subscriptionId"], created.etag))
    assert found[0] == found[1] != found[2]
