"""The yardstick: a bare uvicorn application that reads the body and answers.

Run as its own process: `python -m benchmarks.bare PORT`.
"""

import sys
from typing import Any

import uvicorn

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"18")],
}
_BODY = {"type": "http.response.body", "body": b'{"received": true}'}


async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI
    """Reads all and answers."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        lifespan="off",
        loop="uvloop",
        http="httptools",
        proxy_headers=False,
        server_header=False,
    )
