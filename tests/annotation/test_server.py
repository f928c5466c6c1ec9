"""The page's server: who may ask, what is told, and what is kept."""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from fairaudit.annotation.answers import Answers
from fairaudit.annotation.server import serving
from fairaudit.annotation.session import Session
from fairaudit.errors import ImageError, UsageError
from tests.annotation.sessions import VALUES, session

JSON = {"Content-Type": "application/json"}


class Browser:
    """Asks a server below its secret address."""

    def __init__(self, address: str) -> None:
        self.parts = urlsplit(address)

    def __call__(self, method: str, place: str, body=None, headers=None, root: str | None = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.parts.port, timeout=10)
        path = (self.parts.path if root is None else root) + place
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, content, (JSON if content is not None else {}) | (headers or {}))
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def post(self, place: str, body) -> dict:
        status, content, _ = self("POST", place, body)
        assert status == 200, content
        return json.loads(content)

    def state(self) -> dict:
        return json.loads(self("GET", "state")[1])


@contextmanager
def browsing(asked: Session) -> Iterator[Browser]:
    with serving(asked) as address:
        yield Browser(address)


def test_answers_are_kept_taken_back_and_gone_on_with(tmp_path: Path) -> None:
    with browsing(session(tmp_path)) as browser:
        assert browser.post("answer", {"question": 0, "value": "female"}) == {"answered": 1}
        browser.post("answer", {"question": 1, "value": None})
        browser.post("answer", {"question": 2, "value": "male"})
        assert browser.post("undo", {}) == {"question": 2}
        state = browser.state()
    assert state["answers"] == [{"value": "female"}, {"value": None}, None, None]
    with browsing(session(tmp_path)) as browser:
        assert browser.state() == state
        assert [browser.post("undo", {})["question"] for _ in range(3)] == [1, 0, None]
    assert Answers(tmp_path, "ada").given == []


def test_two_annotators_do_not_see_each_other(tmp_path: Path) -> None:
    with browsing(session(tmp_path)) as ada, browsing(session(tmp_path, "bob")) as bob:
        ada.post("answer", {"question": 0, "value": "female"})
        bob.post("answer", {"question": 0, "value": "male"})
        assert bob.post("undo", {}) == {"question": 0}
        assert ada.state()["answers"][0] == {"value": "female"}
        assert bob.state()["answers"][0] is None


def test_the_page_is_told_nothing_that_could_sway(tmp_path: Path) -> None:
    with browsing(session(tmp_path)) as browser:
        for place in ("", "page.js", "page.css", "state"):
            status, content, headers = browser("GET", place)
            assert status == 200
            assert b"switching" not in content
            assert b"alert(1)" not in content
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
        status, content, headers = browser("GET", "image/3")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(content)).size == (64, 48)


def test_it_listens_on_this_machine_only_and_for_who_knows_the_address(tmp_path: Path) -> None:
    with serving(session(tmp_path)) as address:
        browser, port = Browser(address), urlsplit(address).port
        assert address.startswith("http://127.0.0.1:")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=2)
        for root in ("/", "//", "/" + "x" * 32 + "/", browser.parts.path.upper()):
            assert browser("GET", "state", root=root)[0] == 404
            assert browser("POST", "answer", {"question": 0, "value": "male"}, root=root)[0] == 404
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"evil.example:{port}"},
            {"Host": f"127.0.0.1:{port + 1}"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            assert browser("GET", "state", headers=headers)[0] == 403
            assert browser("POST", "answer", {"question": 0, "value": "male"}, headers)[0] == 403
        assert browser("GET", "state", headers={"Host": f"localhost:{port}"})[0] == 200
    assert not (tmp_path / "annotations").exists()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"question=0&value=male", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b'{"question": 0, "value": "male"}', {"Content-Type": "text/plain"}),
        (b"[" * 4000, {}),
        (b"null", {}),
        (b"{" + b" " * 5000 + b"}", {}),
        ({"question": 99, "value": "male"}, {}),
        ({"question": -1, "value": "male"}, {}),
        ({"question": True, "value": "male"}, {}),
        ({"question": 0, "value": "robot"}, {}),
        ({"question": 0, "value": {"a": 1}}, {}),
        ({"question": 0}, {}),
    ],
)
def test_what_is_no_answer_is_refused_and_not_kept(tmp_path: Path, body, headers) -> None:
    with browsing(session(tmp_path)) as browser:
        assert browser("POST", "answer", body, headers)[0] in (400, 404)
        for place in ("image/99", "image/-1", "image/x", "../server.py", "page.py", "%2e%2e/server.py"):
            assert browser("GET", place)[0] in (400, 404)
        assert browser.post("answer", {"question": 0, "value": "male"}) == {"answered": 1}
    assert len(Answers(tmp_path, "ada").given) == 1


def test_a_picture_that_is_gone_says_so(tmp_path: Path) -> None:
    def gone(*_: object) -> bytes:
        raise ImageError("not readable (No such file)")

    lost = Session(session(tmp_path).questions, VALUES, Answers(tmp_path, "ada"), gone)
    with browsing(lost) as browser:
        status, content, _ = browser("GET", "image/0")
    assert status == 410
    assert "not readable" in json.loads(content)["error"]


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with (
        serving(session(tmp_path)) as address,
        pytest.raises(UsageError, match="leave out --port"),
        serving(session(tmp_path), urlsplit(address).port),
    ):
        pass
