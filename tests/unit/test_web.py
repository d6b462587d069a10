"""What pages are made of: sessions, passwords, cells, words, drawings."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from snowmelt.errors import ConfigError, UnreachableError, UsageError
from snowmelt.project.serving import ServeConfig
from snowmelt.serve import server_thread
from snowmelt.serve.attempts import FREE, Guessing
from snowmelt.serve.cells import FORMULA_SIGNS, write_csv
from snowmelt.serve.doors import local_path
from snowmelt.serve.guard import Door
from snowmelt.serve.pages.acting import require_inside
from snowmelt.serve.pages.drawing import waterfall_bars
from snowmelt.serve.pages.lineage_drawing import draw_needed
from snowmelt.serve.pages.site import Asked
from snowmelt.serve.pages.wording import ago, link, marked, seconds, short
from snowmelt.serve.sessions import LINK_MAX, SESSION_MAX, Sessions
from snowmelt.serve.users import Role, Users
from snowmelt.serve.web_server import bind, holder_of, require_keys

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        raise AssertionError(seconds, wake)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "users.json")


@pytest.fixture
def sessions(tmp_path: Path, users: Users, clock: Hands) -> Sessions:
    return Sessions(tmp_path / "key", users, clock)


def test_a_session_outlives_the_service_and_not_its_time(
    tmp_path: Path, users: Users, clock: Hands, sessions: Sessions
) -> None:
    cookie = sessions.begin_for_owner()
    again = Sessions(tmp_path / "key", users, clock)
    known = again.read(cookie)
    assert known is not None
    assert known.may_act
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    clock.at += SESSION_MAX + timedelta(seconds=1)
    assert again.read(cookie) is None


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_=-]{1,60}\.[0-9a-f]{64}"))
def test_no_cookie_can_be_made_up(made_up: str) -> None:
    class NoUsers:
        def find(self, name: str) -> None:
            raise AssertionError(name)

    sessions = Sessions.__new__(Sessions)
    sessions.__dict__.update(
        _key=b"k" * 32, _users=NoUsers(), _clock=Hands(), _links={}, _ended={}
    )
    assert sessions.read(made_up) is None


def test_every_bit_of_a_cookie_counts(sessions: Sessions) -> None:
    cookie = sessions.begin_for_owner()
    for place, letter in enumerate(cookie):
        other = "A" if letter != "A" else "B"
        assert sessions.read(cookie[:place] + other + cookie[place + 1 :]) is None


def test_a_link_is_good_once_and_for_some_hours(
    sessions: Sessions, clock: Hands
) -> None:
    token = sessions.make_link_token()
    assert sessions.take_link_token(token)
    assert not sessions.take_link_token(token)
    late = sessions.make_link_token()
    clock.at += LINK_MAX
    assert not sessions.take_link_token(late)
    assert not sessions.take_link_token("")


def test_a_password_that_changed_ends_sessions(
    users: Users, sessions: Sessions, clock: Hands
) -> None:
    assert not users.add("ana", Role.OPERATOR, PASSWORD, clock.at.isoformat())
    ana = users.check("ana", PASSWORD)
    assert ana is not None
    assert users.check("ana", PASSWORD + "x") is None
    assert users.check("eve", PASSWORD) is None
    clock.at += timedelta(seconds=1)
    cookie = sessions.begin(ana)
    assert sessions.read(cookie) is not None
    clock.at += timedelta(seconds=1)
    assert users.add("ana", Role.VIEWER, PASSWORD * 2, clock.at.isoformat())
    assert sessions.read(cookie) is None


def test_users_that_are_none_are_refused(users: Users, tmp_path: Path) -> None:
    for name, password in (("", PASSWORD), ("a b", PASSWORD), ("ana", "short")):
        with pytest.raises(UsageError):
            users.add(name, Role.VIEWER, password, NOON.isoformat())
    with pytest.raises(UsageError, match="Known: nobody"):
        users.remove("ana")
    (tmp_path / "users.json").write_text("{")
    with pytest.raises(ConfigError, match="snowmelt users add"):
        users.all()


def test_guessing_becomes_slow_by_name_and_by_address(clock: Hands) -> None:
    guessing = Guessing(clock)
    for _ in range(FREE):
        assert guessing.wait("name:ana") == 0
        guessing.failed("name:ana", "address:1")
    assert guessing.wait("name:ana") == 1
    assert guessing.wait("name:eve", "address:1") == 1
    clock.at += timedelta(seconds=1)
    guessing.failed("name:ana")
    assert guessing.wait("name:ana") == 2
    guessing.passed("name:ana")
    assert guessing.wait("name:ana") == 0


@given(st.text() | st.from_regex(r"[ =+@\t\r\n-][^\0]*"))
def test_no_text_of_a_download_begins_as_a_formula(text: str) -> None:
    import csv
    import io

    written = "".join(write_csv([[text, -5, 1.5, None]]))
    ((cell, *numbers),) = csv.reader(io.StringIO(written, newline=""))
    assert numbers == ["-5", "1.5", ""]
    begins = cell.lstrip(" ").startswith(FORMULA_SIGNS)
    assert not begins or float(cell) <= 0, "a number is a number"
    assert cell in (text, f"'{text}"), "nothing else of it is changed"


@pytest.mark.parametrize(
    "target", ["//evil", "/\\evil", "http://evil", "evil", "", "/a\n", "\t//evil"]
)
def test_logging_in_leads_nowhere_else(target: str) -> None:
    assert local_path(target) == "/"


@given(st.text(min_size=1))
def test_a_part_of_an_address_stays_one_part(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert link("files", text).count("/") == 2
    assert not set('"<> ?#') & set(link("files", text))


@pytest.mark.parametrize("name", ["/etc/passwd", "..", "a/../b", "a\0"])
def test_a_name_stays_in_the_stage(name: str) -> None:
    with pytest.raises(UsageError):
        require_inside(name)
    require_inside("2026/orders..csv")


def test_a_door_knows_its_names(sessions: Sessions) -> None:
    home = Door(sessions, 8321, ("localhost",))
    for host in ("localhost:8321", "127.0.0.1:8321", "[::1]:8321", "127.9.9.9:8321"):
        assert home.knows(host), host
    for host in ("localhost", "10.0.0.1:8321", "a.example", "", "localhost:83x", "@a"):
        assert not home.knows(host), host
    wide = Door(sessions, 8321, ("localhost", "snow.example"), any_address=True)
    for host in ("10.0.0.1:8321", "snow.example", "snow.example:443"):
        assert wide.knows(host), host
    assert not wide.knows("evil.example:8321")


@pytest.mark.parametrize(
    ("host", "said", "wanted"),
    [
        ("localhost:8321", "", "http"),
        ("127.0.0.1:8321", "", "http"),
        ("127.0.0.1:8321", "https", "http"),  # by no name of ours: nobody's word
        ("snow.example", "", "https"),
        ("snow.example:8443", "", "https"),
        ("snow.example:8321", "", "http"),
        ("snow.example:8321", "https", "https"),
        ("snow.example", "http", "http"),
        ("snow.example", "https, http", "https"),
        ("snow.example", "javascript", "https"),
    ],
)
def test_a_door_says_how_it_is_asked(
    sessions: Sessions, host: str, said: str, wanted: str
) -> None:
    door = Door(sessions, 8321, ("snow.example",))
    headers = Headers({"host": host} | ({"x-forwarded-proto": said} if said else {}))
    assert door.origin(headers) == f"{wanted}://{host}"


def test_other_machines_need_a_key(users: Users) -> None:
    wide = ServeConfig(host="0.0.0.0")
    with pytest.raises(ConfigError, match="snowmelt users add"):
        require_keys(wide, users)
    require_keys(ServeConfig(host="0.0.0.0", token="x" * 16), users)
    require_keys(ServeConfig(), users)
    users.add("ana", Role.VIEWER, PASSWORD, NOON.isoformat())
    require_keys(wide, users)


def test_a_port_that_is_taken_is_told_with_its_holder() -> None:
    with bind(ServeConfig(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UnreachableError, match=r"taken by .*pid"):
            bind(ServeConfig(port=port))
        assert "pid" in holder_of(port)
    assert holder_of(1) == "another process"


def test_answers_are_shared_until_something_happens(clock: Hands) -> None:
    asked, calls = Asked(clock), []

    def count(word: str) -> dict[str, object]:
        calls.append(word)
        return {"calls": len(calls)}

    assert asked.ask(count, word="a") == asked.ask(count, word="a")
    asked.ask(count, word="b")
    assert calls == ["a", "b"]
    asked.forget()
    asked.ask(count, word="a")
    clock.at += timedelta(seconds=2)
    asked.ask(count, word="a")
    assert calls == ["a", "b", "a", "a"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (30_102, "30.1k"),
        (999_999, "1,000k"),
        (4_210_000, "4.21M"),
        ("626706.87", "627k"),
        (None, "\N{EN DASH}"),
        ("nothing", "nothing"),
    ],
)
def test_figures_at_a_glance(value: object, told: str) -> None:
    assert short(value) == told


def test_times_are_utc_for_machines_and_exact(clock: Hands) -> None:
    told = ago("2026-11-21T13:00:00.5+01:00")
    assert 'datetime="2026-11-21T12:00:00.500000+00:00"' in told
    assert 'title="2026-11-21 12:00:00.5 UTC"' in told
    assert (seconds(0.0123), seconds(3725)) == ("12 ms", "1 h 2 min")
    del clock


@given(st.text(), st.text())
def test_marking_a_value_changes_no_text(text: str, value: str) -> None:
    told = marked(text, f"'{value}' is not a valid date")
    inside = told.replace("<mark>", "").replace("</mark>", "")
    assert unescape(inside) == unescape(escape(text))
    assert "<" not in inside


COUNTS = st.integers(0, 10**6)


@given(COUNTS, COUNTS, COUNTS, st.lists(COUNTS, min_size=4, max_size=4))
def test_the_waterfall_adds_up(
    loaded: int, rejected: int, replayed: int, gone: list[int]
) -> None:
    replayed = min(replayed, loaded)
    silver = max(loaded - sum(gone), 0)
    found = {
        "parsed_records": loaded - replayed + rejected,
        "rejected_records": rejected,
        "replayed_rows": replayed,
        "loaded_rows": loaded,
        "bronze_rows": silver + sum(gone),
        "silver_rows": silver,
        "models": 1,
        "superseded_rows": gone[0],
        "quarantined_rows": gone[1],
        "dropped_rows": gone[2],
        "deduplicated_rows": gone[3],
    }
    level = 0
    for bar in waterfall_bars(found):
        if bar.sign == "=":
            assert bar.label == "Records in files" or bar.value == level
            level = bar.value
        else:
            level += bar.value
        assert bar.x >= 0
        assert bar.width >= 0


@given(st.sets(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_who_reads_stands_to_the_right(pairs: set[tuple[int, int]]) -> None:
    edges = [[f"model:{a}", f"model:{b}"] for a, b in pairs if a < b]
    nodes = [
        {"id": f"model:{n}", "layer": "silver", "state": "good"} for n in range(13)
    ]
    drawn = draw_needed(json.loads(json.dumps({"nodes": nodes, "edges": edges})))
    places = {box.node["id"]: (box.x, box.y) for box in drawn.boxes}
    assert len(set(places.values())) == 13
    for parent, child in edges:
        assert places[parent][0] < places[child][0]


def test_a_request_that_never_ends_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    monkeypatch.setattr(server_thread, "HEADER_SECONDS_MAX", 0.3)
    bound = bind(ServeConfig(port=0))
    address = bound.getsockname()
    server = server_thread.ServerThread(app, bound, "patient")
    server.start()
    try:
        with socket.create_connection(address, timeout=10) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.recv(4096).startswith(b"HTTP/1.1 200")
            slow.sendall(b"GET / HTTP/1.1\r\nHo")  # the second one, too
            while slow.recv(4096):
                pass
    finally:
        server.stop()


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off for sockets that say they are TCP."""

    async def story() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            told.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bind(ServeConfig(port=0)) as bound:
            server = await asyncio.start_server(accepted, sock=bound)
            _, ours = await asyncio.open_connection(*bound.getsockname())
            ours.close()
            async with server:
                return await told

    assert asyncio.run(story())
