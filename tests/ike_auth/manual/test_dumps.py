# SPDX-License-Identifier: ISC
"""The layout of `setkey -D` and `setkey -DP`, from the answers of a database."""

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.esp.limits import Counted
from ike_auth.manual import dumps
from ike_auth.manual.checking import load
from ike_auth.manual.control import COMMANDS, answer, handlers
from ike_auth.manual.database import Database
from ike_auth.manual.errors import ManualError
from ike_auth.manual.requests import request_of
from ike_auth.network import Now
from tests.ike_auth.manual.texts import ALGORITHMS, GATEWAY, KEY

START = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> Now:
        return Now(float(self.seconds), START + timedelta(seconds=self.seconds))


class LocalControl:
    """A database without the socket."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def request(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        return answer(self._database, command, arguments or {}, self._clock())


def control(text: str) -> LocalControl:
    """A host at 192.0.2.1 for which these statements were carried out, ninety seconds ago."""
    clock = Clock()
    found = LocalControl(Database(MemoryKernel(), lambda address: address == ip_address("192.0.2.1")), clock)
    for statement in load(text, "f").statements:
        found.request(*request_of(statement))
    clock.seconds = 90
    return found


def test_sas() -> None:
    text = (
        f"add 192.0.2.1[4500] 192.0.2.2[4501] esp-udp 4097 -u 5 -m tunnel -r 4 -lh 100 -ls 80 -bh 4096 {ALGORITHMS};"
    )
    shown = dumps.sas_text(control(text).request("sadb-dump"), pid=7)
    assert shown.split("\n") == [
        "192.0.2.1[4500] 192.0.2.2[4501] ",
        "\tesp-udp mode=tunnel spi=4097(0x00001001) reqid=5(0x00000005)",
        "\tE: aes-cbc  (hidden)",
        "\tA: hmac-sha256  (hidden)",
        "\tseq=0x00000000 replay=4 flags=0x00000000 state=larval ",
        "\tcreated: Feb  3 04:05:06 2024\tcurrent: Feb  3 04:06:36 2024",
        "\tdiff: 90(s)\thard: 100(s)\tsoft: 80(s)",
        "\tlast:                     \thard: 0(s)\tsoft: 0(s)",
        "\tcurrent: 0(bytes)\thard: 4096(bytes)\tsoft: 0(bytes)",
        "\tallocated: 0\thard: 0\tsoft: 0",
        "\tsadb_seq=0 pid=7 refcnt=0",
    ]


def test_what_an_sa_has_carried() -> None:
    """Where somebody counts; else it is not known."""
    clock, database = Clock(), Database(MemoryKernel(), lambda address: address == ip_address("192.0.2.1"))
    for statement in load(GATEWAY, "f").statements:
        database.perform(statement, clock())
    clock.seconds = 90
    out = {(False, b"\0\0\x10\x01", ip_address("192.0.2.2")): Counted(3, 252, 60.0, 80.0)}
    counted, uncounted = handlers(database, clock, lambda: out), handlers(database, clock)
    shown = dumps.sas_text(counted["sadb-dump"]({})).split("\tsadb_seq")[0]
    assert "\tlast: Feb  3 04:06:26 2024\t" in shown
    assert "\tcurrent: 252(bytes)\t" in shown
    assert "\tallocated: 3\t" in shown
    assert "current: ?(bytes)" in dumps.sas_text(uncounted["sadb-dump"]({}))


def test_keys_are_shown_in_groups_of_four_bytes_and_only_if_asked_for() -> None:
    found = control(GATEWAY.replace("hmac-sha256 0x" + "0f" * 32, "hmac-sha2-512 0x" + "0f" * 64))
    answer = found.request("sadb-dump", {"keys": True})
    hidden = dumps.sas_text(answer)
    assert "0f0f" not in hidden
    assert "state=mature" in hidden
    shown = dumps.sas_text(answer, show_keys=True)
    assert "\tE: aes-cbc  00112233 44556677 8899aabb ccddeeff\n" in shown
    row = " 0f0f0f0f" * 8
    assert f"\tA: hmac-sha512 {row}\n{row}\n" in shown
    assert KEY[2:] not in str(found.request("sadb-dump"))


def test_one_sa_of_one_protocol() -> None:
    found = control(GATEWAY)
    name = {"source": "192.0.2.1", "destination": "192.0.2.2", "protocol": "esp", "spi": 4097}
    assert dumps.sas_text(found.request("sadb-get", name)).startswith("192.0.2.1 192.0.2.2 \n")
    assert dumps.sas_text(found.request("sadb-dump", {"protocol": "ah"})) == "No SAD entries."


def test_the_second_last_has_one_left_behind_it() -> None:
    shown = dumps.sas_text(control(GATEWAY).request("sadb-dump"))
    assert [line.split()[0] for line in shown.split("\n") if "sadb_seq" in line] == ["sadb_seq=1", "sadb_seq=0"]


def test_policies() -> None:
    text = GATEWAY + "spdadd 10.1.0.1[any] 10.9.0.0/24[80] tcp -P out discard;"
    zone = timezone(timedelta(hours=1))
    shown = dumps.policies_text(control(text).request("spd-dump"), zone=zone, pid=5651)
    assert shown.split("\n") == [
        "10.1.0.0/16[any] 10.2.0.0/16[any] 255",
        "\tout prio def ipsec",
        "\tesp/tunnel/192.0.2.1-192.0.2.2/require",
        "\tcreated: Feb  3 05:05:06 2024  lastused:                     ",
        "\tlifetime: 0(s) validtime: 0(s)",
        "\tspid=1 seq=2 pid=5651",
        "\trefcnt=0",
        "10.2.0.0/16[any] 10.1.0.0/16[any] 255",
        "\tin prio def ipsec",
        "\tesp/tunnel/192.0.2.2-192.0.2.1/require",
        "\tcreated: Feb  3 05:05:06 2024  lastused:                     ",
        "\tlifetime: 0(s) validtime: 0(s)",
        "\tspid=2 seq=1 pid=5651",
        "\trefcnt=0",
        "10.1.0.1[any] 10.9.0.0/24[80] tcp",
        "\tout prio def discard",
        "\tcreated: Feb  3 05:05:06 2024  lastused:                     ",
        "\tlifetime: 0(s) validtime: 0(s)",
        "\tspid=3 seq=0 pid=5651",
        "\trefcnt=0",
    ]


def test_nothing() -> None:
    assert dumps.sas_text(control("").request("sadb-dump")) == "No SAD entries."
    assert dumps.policies_text(control("").request("spd-dump")) == "No SPD entries."


@pytest.mark.parametrize("answer", [None, {}, {"sas": 1}, {"sas": [1]}, {"sas": [{}]}, {"now": 1, "sas": [{}]}])
def test_what_is_no_answer(answer: Any) -> None:
    with pytest.raises(ManualError):
        dumps.sas_text(answer)
    with pytest.raises(ManualError):
        dumps.policies_text(answer)


def test_times_that_no_calendar_has() -> None:
    answer = control(GATEWAY).request("sadb-dump")
    answer["sas"][0]["created"] = 2**63
    with pytest.raises(ManualError, match="cannot be read"):
        dumps.sas_text(answer)


# Invariant: any answer is shown, or refused in our own words.
@settings(deadline=None)
@given(st.data())
def test_any_answer(data: st.DataObject) -> None:
    answer = control(GATEWAY).request("sadb-dump", {"keys": True})
    entry = data.draw(st.sampled_from(answer["sas"]))
    name = data.draw(st.sampled_from(sorted(entry)))
    entry[name] = data.draw(st.none() | st.integers() | st.text(max_size=4) | st.booleans())
    try:
        assert dumps.sas_text(answer, show_keys=True)
    except ManualError as error:
        assert str(error)  # noqa: PT017


def test_handlers_answer_as_the_database_does() -> None:
    database = Database(MemoryKernel(), lambda address: address == ip_address("192.0.2.1"))
    found = handlers(database, Clock())
    assert tuple(found) == COMMANDS
    for statement in load(GATEWAY, "f").statements:
        command, arguments = request_of(statement)
        assert found[command](arguments) == {}
    assert len(found["sadb-dump"]({})["sas"]) == 2
    with pytest.raises(ManualError, match="there is an SA"):
        found["sadb-add"](request_of(load(GATEWAY, "f").statements[2])[1])
