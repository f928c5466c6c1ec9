"""Downloads: resumed, from mirrors, through proxies' and hub's settings, and only what is pinned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from fairaudit import fetching
from fairaudit.errors import UsageError
from fairaudit.fetching import Asset, fetch_file, find_asset

CONTENT = bytes(range(256)) * 5000


class Server(ThreadingHTTPServer):
    """Sends CONTENT at /good, other bytes at /other, ignores ranges at /whole, breaks off at /broken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.path == "/absent":
            self.send_error(404)
            return
        content = CONTENT[::-1] if self.path == "/other" else CONTENT
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.path != "/whole" else 0
        if begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin : 700_000 if self.path == "/broken" else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.shutdown()


@pytest.fixture
def offer(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Offer CONTENT as the asset `thing` at these paths of the server."""
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def at(*paths: str) -> None:
        urls = tuple(server.url(path) for path in paths)
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        monkeypatch.setattr(
            fetching, "ASSETS", {"thing": Asset("thing.bin", urls, sha256, "1 MB", "MIT", "")}
        )

    return at


def test_what_is_fetched_is_there_and_not_fetched_again(server: Server, offer: Callable[..., None]) -> None:
    offer("good")
    assert find_asset("thing") is None
    seen: list[tuple[int, int]] = []
    path = fetch_file(fetching.ASSETS["thing"], lambda there, total: seen.append((there, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch_file(fetching.ASSETS["thing"]) == path == find_asset("thing")
    assert len(server.asked) == 1


@pytest.mark.parametrize("place", ["good", "whole"])
def test_an_interrupted_download_is_gone_on_with(
    place: str, server: Server, offer: Callable[..., None]
) -> None:
    offer("absent")
    with pytest.raises(UsageError) as refused:
        fetch_file(fetching.ASSETS["thing"])
    assert "goes on" not in str(refused.value)
    offer("broken")
    with pytest.raises(UsageError, match=r"cannot download thing\.bin.*same command goes on from what is"):
        fetch_file(fetching.ASSETS["thing"])
    assert find_asset("thing") is None
    offer(place)
    assert fetch_file(fetching.ASSETS["thing"]).read_bytes() == CONTENT
    assert server.asked[-1] == (f"/{place}", "bytes=700000-")


def test_mirrors_are_tried_in_turn_and_other_content_is_never_kept(
    server: Server, offer: Callable[..., None], tmp_path: Path
) -> None:
    offer("absent", "other", "good")
    assert fetch_file(fetching.ASSETS["thing"]).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/absent", "/other", "/good"]
    fetching.cache_folder().joinpath("thing.bin").write_bytes(b"changed")
    with pytest.raises(UsageError, match="delete it"):
        fetch_file(fetching.ASSETS["thing"])


def test_nothing_is_left_where_no_place_has_it(offer: Callable[..., None]) -> None:
    offer("other", "absent")
    with pytest.raises(UsageError, match=r"sha256 differs.*404.*put it at") as caught:
        fetch_file(fetching.ASSETS["thing"])
    assert "\n" not in str(caught.value)
    assert list(fetching.cache_folder().iterdir()) == []


def test_a_leftover_that_is_too_long_is_thrown_away(server: Server, offer: Callable[..., None]) -> None:
    offer("good", "good")
    leftover = fetching.cache_folder() / "thing.bin.part"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(CONTENT + b"more")
    assert fetch_file(fetching.ASSETS["thing"]).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_offline_asks_nobody(
    server: Server, offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer("good")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="network is not to be used"):
        fetch_file(fetching.ASSETS["thing"])
    assert server.asked == []


def test_the_hub_s_mirror_is_asked_instead_of_the_hub(
    server: Server, offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer("good")
    monkeypatch.setattr(fetching, "HUB", server.url("").rstrip("/"))
    monkeypatch.setenv("HF_ENDPOINT", server.url("mirror/"))
    fetch_file(fetching.ASSETS["thing"])
    assert server.asked[0][0] == "/mirror/good"


def test_a_proxy_is_asked_for_what_lies_behind_it(
    server: Server, offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "url", lambda self, path: f"http://weights.invalid/{path}")
    proxy = f"http://127.0.0.1:{server.server_port}"
    offer("good")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr("urllib.request._opener", None)  # which has read the settings before
    assert fetch_file(fetching.ASSETS["thing"]).read_bytes() == CONTENT
    assert server.asked == [("http://weights.invalid/good", None)]


def test_every_pinned_file_says_what_it_is_and_under_which_licence() -> None:
    for asset in fetching.ASSETS.values():
        assert len(bytes.fromhex(asset.sha256)) == 32
        assert asset.licence
        assert asset.about
        assert all(url.startswith("https://") for url in asset.urls)


def test_the_command_lists_fetches_and_refuses(
    fairaudit: Callable[..., int], offer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    offer("good")
    assert fairaudit("fetch") == 0
    assert "thing" in capsys.readouterr().out
    assert fairaudit("fetch", "thing", "--quiet") == 0
    path = capsys.readouterr().out.strip()
    assert path.endswith("thing.bin")
    assert fairaudit("fetch", "thing", "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out) == {"thing": path}
    assert fairaudit("fetch", "--json") == 0
    listed = {"thing": {"size": "1 MB", "here": True, "licence": "MIT", "about": ""}}
    assert json.loads(capsys.readouterr().out) == listed
    assert fairaudit("fetch", "thimg") == 2
    assert "did you mean 'thing'" in capsys.readouterr().err


def test_what_is_to_be_carried_elsewhere_goes_to_a_folder(
    fairaudit: Callable[..., int],
    offer: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    offer("good")
    asked = {}

    def snapshot_download(repository: str, **options: object) -> str:
        asked.update(options)
        return str(options["local_dir"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    out = tmp_path / "carried"
    assert fairaudit("fetch", "thing", "hf:org/model@v1", "--out", out, "--json", "--quiet") == 0
    expected = {"thing": str(out / "thing.bin"), "hf:org/model@v1": str(out / "org" / "model")}
    assert json.loads(capsys.readouterr().out) == expected
    assert (out / "thing.bin").read_bytes() == CONTENT
    assert asked["revision"] == "v1"
    assert "*.bin" in asked["ignore_patterns"]
    assert find_asset("thing") is None


def test_the_option_offline_holds_for_the_hub_too(
    fairaudit: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # put back afterwards
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read when it is imported
    assert fairaudit("fetch", "--offline", "hf:nobody/nothing") == 2
    assert "nobody/nothing" in capsys.readouterr().err


def test_an_address_is_fetched_if_it_is_pinned(
    fairaudit: Callable[..., int],
    server: Server,
    offer: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    offer("good")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert fairaudit("fetch", server.url("good"), "--quiet") == 2
    assert "--sha256" in capsys.readouterr().err
    assert server.asked == []
    assert fairaudit("fetch", server.url("good"), "--sha256", sha256, "--quiet") == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes() == CONTENT
    assert fairaudit("fetch", server.url("other"), "--sha256", sha256, "--quiet") == 2
    assert "sha256 differs" in capsys.readouterr().err
    assert fairaudit("fetch", server.url(""), "--sha256", sha256, "--quiet") == 2
    assert "names no file" in capsys.readouterr().err
