"""The public application: the listener, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.listening.answers import PROBE, REFUSALS, Answer, Receive, Scope, Send
from receiver.listening.listener import Listener

PATH: Final = "/usps/tracking"
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def create_app(listener: Listener) -> Application:
    """The application. Callbacks go round Starlette, whose routing costs a fifth of the rate."""
    ordinary = Starlette(
        routes=[Route(PATH, probe, methods=["GET"])],
        exception_handlers={404: refused("not_found"), 405: refused("method_not_allowed")},
    )
    ordinary.router.redirect_slashes = False

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH:
            await listener(scope, receive, send)
        else:
            await ordinary(scope, receive, send)

    return application


async def probe(_: Request) -> Response:
    """For USPS's or a person's look whether somebody is there; changes nothing."""
    return _response(PROBE)


def refused(slug: str) -> Callable[[Request, Exception], Response]:
    """A refusal of requests that are no callbacks."""

    def respond(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _response(REFUSALS[slug])

    return respond


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.start["headers"]}
    return Response(answer.body["body"], answer.start["status"], headers)
