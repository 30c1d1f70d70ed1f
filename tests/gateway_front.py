"""What stands between a client and a gateway in tests: hands requests on, and notes them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from serving.local_triton import free_ports

_HANDED_ON = ("Accept", "Content-Type", "X-Request-Id")


@dataclass(slots=True)
class GatewayFront:
    """Hands requests on from a port that stays the same, so that a gateway can be away for a while.

    `explained` holds the request ids of `POST /v1/explain` so far. If there is something in `instead`, all get that;
    `refusal` is for `POST /v1/explain` alone, which takes `delay_s` longer.
    """

    gateway_url: str
    port: int = field(default_factory=lambda: free_ports().http)
    explained: list[str] = field(default_factory=list)
    instead: httpx.Response | None = None
    refusal: httpx.Response | None = None
    delay_s: float = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer on the port until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Note a request, and answer it."""
        instead = self.instead
        if path.startswith("/v1/explain"):
            self.explained.append(headers.get("X-Request-Id", ""))
            time.sleep(self.delay_s)
            instead = self.refusal or instead
        if instead is not None:
            return instead
        return httpx.request(method, self.gateway_url + path, headers=headers, content=body, timeout=30)


def _handler(front: GatewayFront) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def _answer(self) -> None:
            headers = {name: self.headers[name] for name in _HANDED_ON if name in self.headers}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = front.answer(self.command, self.path, headers, body)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    return Handler
