"""The page's server: this machine only, and only for who knows the address."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from typing import Any

from fairaudit.annotation.session import Session
from fairaudit.errors import ImageError, UsageError

LOOPBACK = "127.0.0.1"
_PAGES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_LONGEST_BODY = 4096
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@contextmanager
def serving(session: Session, port: int = 0) -> Iterator[str]:
    """Serve an annotator's page while the block lasts; gives its address.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    token = secrets.token_urlsafe(24)
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, session, token))
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot serve on port {port}: {error}; leave out --port for a free one") from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}/{token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request.

    Another page in the browser can send requests here, but it does not know the token; a name that it
    makes point to this machine is refused for its Host header.
    """

    protocol_version = "HTTP/1.0"  # no connection outlives the server
    server_version, sys_version = "fairaudit", ""
    timeout = 60

    def __init__(self, session: Session, token: str, *arguments: Any) -> None:
        self.session, self.token = session, token
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """The page, its state, or a picture."""
        place = self._place()
        if place is None:
            return
        if place in _PAGES:
            name, kind = _PAGES[place]
            self._send(HTTPStatus.OK, (files("fairaudit.annotation") / name).read_bytes(), kind)
        elif place == "state":
            self._send(HTTPStatus.OK, json.dumps(self.session.state).encode(), "application/json")
        elif place.startswith("image/") and place[6:].isdecimal() and len(place) < 20:
            self._try(lambda: (self.session.picture(int(place[6:])), "image/png"))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """An answer, or that the last one is taken back."""
        place, body = self._place(), self._body()
        if place is None:
            return
        if body is None:
            self._refuse(HTTPStatus.BAD_REQUEST, "expected a small JSON object")
        elif place == "answer" and type(body.get("question")) is int and "value" in body:
            self._try(lambda: (self._answer(body), "application/json"))
        elif place == "undo":
            self._try(lambda: (json.dumps({"question": self.session.undo()}).encode(), "application/json"))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _answer(self, body: dict[str, Any]) -> bytes:
        value = body["value"]
        if not (value is None or isinstance(value, str)):
            raise UsageError("an answer is a value, or null")
        self.session.answer(body["question"], value)
        return json.dumps({"answered": self.session.answered}).encode()

    def _place(self) -> str | None:
        """What is asked for below the secret address; a request from elsewhere is refused."""
        port = self.connection.getsockname()[1]
        hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts or (
            origin is not None and origin.removeprefix("http://") not in hosts
        ):
            self._refuse(HTTPStatus.FORBIDDEN, "this page is for this machine only")
            return None
        _, _, rest = self.path.partition("/")
        token, slash, place = rest.partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here; open the whole address")
            return None
        return place

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        small = length.isdecimal() and len(length) < 6 and int(length) <= _LONGEST_BODY
        if not small or self.headers.get_content_type() != "application/json":
            return None
        try:
            content = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def _try(self, work: Callable[[], tuple[bytes, str]]) -> None:
        """Send what is made, with its type, or why it cannot be made."""
        try:
            content, kind = work()
        except ImageError as error:
            self._refuse(HTTPStatus.GONE, f"this picture is not there any more: {error}")
        except UsageError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"cannot keep the answer: {error.strerror}")
        else:
            self._send(HTTPStatus.OK, content, kind)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (_HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the terminal belongs to the summary."""
