"""A server in a thread."""

from __future__ import annotations

import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pay88kit import PortInUse, WrongUse
from pay88kit.serving import Server, bind, browser_url

app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])


def test_it_answers_as_soon_as_it_exists_and_frees_its_port() -> None:
    server = Server(app)
    assert httpx.get(server.url).text == "here"
    server.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
    again = Server(app, server.port)
    assert again.port == server.port
    again.close()


def test_it_listens_on_this_machine_only() -> None:
    with bind() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_answers_are_not_held_back() -> None:
    # asyncio switches Nagle's algorithm off for such sockets only.
    with bind() as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_named() -> None:
    with bind() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse, match=f"Port {port} is in use"):
            bind(port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_wrong_use(port: int) -> None:
    with pytest.raises(WrongUse, match="does not exist"):
        bind(port)


def test_links_of_a_hub_go_through_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ana/")
    assert browser_url(8088, "/checkout/ABC") == "/user/ana/proxy/8088/checkout/ABC"


def test_without_jupyter_a_link_is_the_port_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert browser_url(8088, "/checkout/ABC") == "http://127.0.0.1:8088/checkout/ABC"
