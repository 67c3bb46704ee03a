# SPDX-License-Identifier: ISC
"""Decisions on record, and what another policy makes of them."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import keynote
from keynote import Session, Unknown, parse_policy
from keynote.complaints import Place
from keynote.diff import Comparer, Comparison, Differences
from keynote.recorded import Recorded, RecordError, Seal, count, line, opened, parsed, read, sealed
from tests.keynote.commands import run_for_lines as run
from tests.pki import factory

OLD = 'Authorizer: "POLICY"\nLicensees: "CA" || "passphrase:hush"\nConditions: enc == "aes" || enc == "3des";\n'
NEW = 'Authorizer: "POLICY"\nLicensees: "CA" || "passphrase:hush"\nConditions: enc == "aes";\n'
CERTIFICATE = keynote.trusted("CA", 'gw "1"', 'time < "2027"', name="certificate of gw")
SEAL = Seal(bytes(range(32)))
WHERE = Place("log", 7)


def decided(enc: str = "aes", *authorizers: str, policy: str = OLD, **more: object) -> Recorded:
    """As by the old policy."""
    action = {"enc": enc, "time": "2026"}
    requesters = authorizers or ("CA",)
    session = Session(parse_policy(policy, name="old.kn")).extended(more.get("assertions", ()))  # type: ignore[arg-type]
    unknown = more.get("unknown", frozenset())
    answer = session.query(action, requesters, unknown=unknown)  # type: ignore[arg-type]
    return Recorded(action, requesters, str(answer), answer.because, **more)  # type: ignore[arg-type]


def differences(*decisions: Recorded, old: str = OLD, new: str = NEW, seal: Seal | None = None) -> list[Comparison]:
    comparer = Comparer(parse_policy(old, name="old.kn"), parse_policy(new, name="new.kn"))
    return [comparer.compare(it, seal) for it in decisions]


def again(recorded: Recorded, seal: Seal = SEAL) -> Recorded:
    return parsed(line(recorded, seal), WHERE)


# -- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_has_all_that_it_takes_to_ask_again() -> None:
    recorded = decided(
        "aes", 'gw "1"', assertions=(CERTIFICATE,), unknown=Unknown.except_(["time"]), values=("false", "true")
    )
    text = line(recorded, SEAL, "2026-11-26T12:00:00Z", "phase 1")
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    found = parsed(text, WHERE)
    assert (found.time, found.about, found.where) == ("2026-11-26T12:00:00Z", "phase 1", WHERE)
    assert (found.action, found.authorizers, found.unknown) == (
        recorded.action,
        recorded.authorizers,
        Unknown.except_(["time"]),
    )
    assert (found.answer, found.because) == ("true", 'POLICY → CA → gw "1", old.kn:3')
    assert [(it.source.name, it.text) for it in found.assertions] == [("certificate of gw", CERTIFICATE.text)]
    (comparison,) = differences(found)
    assert comparison.as_recorded
    assert not comparison.changed


def test_bytes_survive() -> None:
    every = "".join(map(chr, range(1, 256)))
    recorded = Recorded({"a": every}, (every,), "false", every, unknown=frozenset({"b"}))
    found = again(recorded)
    assert (found.action, found.authorizers, found.because, found.unknown) == (
        {"a": every},
        (every,),
        every,
        frozenset({"b"}),
    )


def test_a_signed_credential_keeps_its_signature() -> None:
    key = factory.rsa_key("signer").public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1).hex()
    fields = f'Authorizer: "rsa-hex:{key}"\nLicensees: "K"\n'
    text = f'{fields}Signature: "sig-rsa-sha1-hex:00"\n\nAuthorizer: "x"\n'
    credential = keynote.parse_assertion(text, name="c")
    (found,) = again(Recorded({}, ("K",), "false", "", credentials=(credential,))).credentials
    assert found.signature is not None
    assert found.text == credential.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: wrong from column 1 on$"),
        ('{"a" 5}', "not JSON: wrong from column 6 on$"),
        ("[" * 100_000, "not JSON: nested too deeply$"),
        ("\udcff", "not JSON: no UTF-8$"),
        ("5", "an object"),
        ("{}", "`action` must be"),
        ('{"action": {"a": 5}}', "`action` must be"),
        ('{"action": {}, "authorizers": "K"}', "`authorizers` must be a list"),
        ('{"action": {}, "answer": 5}', "`answer` must be a string"),
        ('{"action": {}, "answer": "yes"}', "`answer` `yes` is none of the values"),
        ('{"action": {}, "answer": "true..false"}', "`answer` `true..false` is none of the values"),
        ('{"action": {}, "answer": "false..false"}', "`answer` `false..false` is none of the values"),
        ('{"action": {}, "values": ["true"]}', "`values` must have a lowest and a highest"),
        ('{"action": {}, "values": ["true", "true"]}', "`values` must have a lowest and a highest"),
        ('{"action": {}, "values": ["", "true"]}', "`values` must have a lowest and a highest"),
        ('{"action": {}, "actions": {}}', "unknown member `actions`"),
        ('{"action": {}, "unknown": [], "unknown_except": []}', "both"),
        ('{"action": {}, "assertions": {}}', "`assertions` must be a list"),
        ('{"action": {}, "assertions": ["x"]}', "`name` and `text`"),
        ('{"action": {}, "assertions": [{"text": "Authorizer: ("}]}', "`assertions`: Authorizer ends too early"),
    ],
)
def test_lines_that_are_none(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message) as error:
        parsed(text.encode(errors="surrogateescape"), WHERE)
    assert str(error.value).startswith("log:7: ")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(decided(), SEAL) + b"\n" + line(decided("3des"), SEAL))
    assert [found.where.line for found in read(path)] == [1, 3]
    assert count(path) == 3


# -- secrets ---------------------------------------------------------------------------------------------------------

SECRETS = ("passphrase:hush", "passphrase-md5-hex:00ff", "PASSPHRASE-SHA1-HEX:ABCDEF")


def test_pre_shared_keys_are_never_written() -> None:
    recorded = decided("aes", *SECRETS, "DN:/CN=gw")
    assert "hush" not in repr(recorded) + repr(SEAL) + repr(sealed(recorded, SEAL))
    text = line(recorded, SEAL)
    for word in (b"hush", b"00ff", b"ABCDEF", b"passphrase-", SEAL.key.hex().encode()):
        assert word not in text
    found = parsed(text, WHERE)
    assert found.authorizers[3] == "DN:/CN=gw"
    assert all(name.startswith("sealed:") and len(name) == 7 + 64 for name in found.authorizers[:3])
    assert found.sealed_by == SEAL.name


def test_the_seal_opens_with_a_policy_that_names_the_key() -> None:
    found = again(decided("aes", *SECRETS))
    assert opened(found, SEAL, ["passphrase:hush", "CA"]).authorizers[0] == "passphrase:hush"
    assert opened(found, SEAL, ["passphrase:other"]).authorizers == found.authorizers
    (comparison,) = differences(found, seal=SEAL)
    assert (comparison.old.value, comparison.new.value) == ("true", "true")
    assert comparison.as_recorded
    (comparison,) = differences(again(decided("3des", *SECRETS)), seal=SEAL)
    assert (comparison.old.value, comparison.new.value) == ("true", "false")
    assert "hush" not in comparison.old.because + comparison.new.because
    (comparison,) = differences(found, new=NEW.replace("hush", "changed"), seal=SEAL)
    assert (comparison.old.value, comparison.new.value) == ("true", "false")


def test_without_the_right_key_nothing_is_said() -> None:
    found = again(decided("aes", *SECRETS))
    with pytest.raises(RecordError, match="log:7: made with a pre-shared key, which is sealed"):
        differences(found)
    with pytest.raises(RecordError, match="log:7: sealed by another key"):
        differences(found, seal=Seal(bytes(32)))
    assert differences(again(decided()), seal=Seal(bytes(32)))[0].as_recorded


@pytest.mark.parametrize("answer", ["", "a..b", "c", "a..b..c", "c..d"])
def test_answers_are_values_and_intervals(answer: str) -> None:
    text = json.dumps({"action": {}, "values": ["a", "a..b", "c", "d"], "answer": answer})
    assert parsed(text.encode(), WHERE).answer == answer


def test_key_files() -> None:
    seal = Seal.fresh(lambda size: b"k" * size)
    assert Seal.read(seal.text().encode(), WHERE) == seal
    for text in (b"", b"00", b"zz" * 32, b"\xff" * 64, b"00" * 33):
        with pytest.raises(RecordError, match="log:7: no key of a decision log"):
            Seal.read(text, WHERE)


# -- differences -----------------------------------------------------------------------------------------------------


def test_what_changes_has_its_reasons_on_both_sides() -> None:
    same, changed = differences(decided("aes"), decided("3des"))
    assert (same.changed, changed.changed) == (False, True)
    assert (changed.old.value, changed.old.because) == ("true", "POLICY → CA, old.kn:3")
    assert (changed.new.value, changed.new.because) == ("false", "new.kn:3: enc is `3des`, needs `aes`")


def test_intervals_change_too() -> None:
    recorded = Recorded({}, ("CA",), "false..true", "", unknown=Unknown.except_([]))
    (comparison,) = differences(recorded, new=NEW.replace('enc == "aes"', "false"))
    assert (comparison.old.value, comparison.new.value) == ("false..true", "false")


def test_assertions_of_a_decision_hold_in_it_only() -> None:
    with_it = decided("aes", 'gw "1"', assertions=(CERTIFICATE,))
    without = decided("aes", 'gw "1"')
    assert [it.old.value for it in differences(with_it, without, with_it)] == ["true", "false", "true"]


def test_credentials_are_not_trusted() -> None:
    recorded = Recorded({"enc": "aes", "time": "2026"}, ('gw "1"',), "false", "", credentials=(CERTIFICATE,))
    assert [it.old.value for it in differences(recorded)] == ["false"]


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (Recorded({}, (), "false", ""), "decision: nobody requests the action: give at least one authorizer"),
        (Recorded({}, ("rsa-hex:00",), "false", ""), "decision: nobody requests the action: `rsa-hex:00` is not"),
        (Recorded({"_x": ""}, ("CA",), "", ""), "decision: `_x` is no attribute name"),
        (
            Recorded({"x": "\u20ac"}, ("CA",), "", ""),
            "decision: the value of `x` has a character",
        ),
        (
            Recorded({"x": ""}, ("CA",), "", "", unknown=frozenset("x")),
            "decision: attribute `x` is given and",
        ),
    ],
)
def test_what_cannot_be_asked_is_no_decision(recorded: Recorded, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        differences(recorded)


def test_counting() -> None:
    found = Differences()
    for comparison in differences(decided("3des"), decided("aes"), Recorded({"enc": "aes"}, ("CA",), "false", "")):
        found.add(comparison)
    assert (found.decisions, len(found.changed), found.otherwise) == (3, 1, 1)
    assert found.first_otherwise is not None


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("old.kn", OLD), ("new.kn", NEW)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "nobody").write_text('{"authorizers": [], "action": {}}\n')
    log = [
        line(decided(enc), SEAL, "now", f"peer {number}") for number, enc in enumerate(["aes", "3des", "des", "3des"])
    ]
    (tmp_path / "log").write_bytes(b"".join(log))
    (tmp_path / "sealed").write_bytes(line(decided("3des", "passphrase:hush"), SEAL))
    (tmp_path / "sealed.key").write_text(SEAL.text())
    (tmp_path / "empty").write_text("")
    (tmp_path / "broken").write_text("{\n")
    return tmp_path


@pytest.mark.usefixtures("folder")
class TestCommand:
    def test_changes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("diff old.kn new.kn --inputs log", capsys) == (
            2,
            [
                "log:2: peer 1 (and 1 more): true → false",
                "  old: POLICY → CA, old.kn:3",
                "  new: new.kn:3: enc is `3des`, needs `aes`",
                "2 of 4 decisions change: 2 from true to false",
            ],
            "",
        )

    def test_no_changes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("diff old.kn old.kn --inputs log", capsys) == (0, ["0 of 4 decisions change"], "")

    def test_a_policy_that_did_not_decide(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("diff new.kn new.kn --inputs log", capsys)
        assert status == 0
        assert lines == [
            "OLD is not the policy that decided 2 of them: log:2 was true",
            "0 of 4 decisions change",
        ]

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("diff old.kn new.kn --inputs log --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 2
        assert (data["decisions"], data["changed"], data["not_as_recorded"]) == (4, 2, 0)
        assert data["changes"][0] == {
            "where": {"file": "log", "line": 2},
            "time": "now",
            "about": "peer 1",
            "recorded": "true",
            "old": {"value": "true", "because": "POLICY → CA, old.kn:3"},
            "new": {"value": "false", "because": "new.kn:3: enc is `3des`, needs `aes`"},
        }

    def test_the_key_beside_the_log_or_elsewhere(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("diff old.kn new.kn --inputs sealed --inputs log", capsys)
        assert (status, lines[-1]) == (2, "3 of 5 decisions change: 3 from true to false")
        assert not any("hush" in line for line in lines)
        (folder / "sealed.key").rename(folder / "elsewhere")
        assert run("diff old.kn new.kn --inputs sealed --key elsewhere", capsys)[0] == 2
        status, _, message = run("diff old.kn new.kn --inputs sealed", capsys)
        assert status == 1
        assert message == (
            "keynote: error: sealed:1: made with a pre-shared key, which is sealed\n"
            "keynote: hint: name the key file of the log with --key\n"
        )

    def test_a_log_that_is_named_twice_counts_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        once = run("diff old.kn new.kn --inputs log", capsys)
        Path("same").symlink_to("log")
        assert run("diff old.kn new.kn --inputs log --inputs ./log", capsys)[1][-1] == once[1][-1]
        assert run("diff old.kn new.kn --inputs log --inputs same", capsys)[1][-1] == once[1][-1]

    def test_what_has_no_end_is_not_counted(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("keynote.recorded.LONGEST", 1_000)
        assert count(Path("/dev/zero")) is None
        status, _, message = run("diff old.kn new.kn --inputs /dev/zero", capsys)
        assert (status, message) == (1, "keynote: error: /dev/zero:1: a line of more than 1,000 bytes\n")

    def test_a_log_may_come_through_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        reading, writing = os.pipe()
        os.write(writing, Path("log").read_bytes())
        os.close(writing)
        try:
            status, lines, _ = run(f"diff old.kn new.kn --inputs /dev/fd/{reading}", capsys)
        finally:
            os.close(reading)
        assert (status, lines[-1]) == (2, run("diff old.kn new.kn --inputs log", capsys)[1][-1])

    def test_common_files(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "more.kn").write_text('Authorizer: "POLICY"\nLicensees: "CA"\nConditions: enc == "3des";\n')
        assert run("diff old.kn new.kn -p more.kn --inputs log", capsys)[0] == 0

    def test_credentials_that_nobody_believes_are_told_once(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "unsigned.kn").write_text('Authorizer: "CA"\nLicensees: "other"\n')
        (folder / "unreadable.kn").write_text('Authorizer: "CA"\nLicensees: ||\n')
        command = "diff old.kn new.kn --inputs log -c unsigned.kn -c unreadable.kn"
        told = [line for line in run(command, capsys)[1] if line.startswith("set aside: ")]
        assert [line.split()[2] for line in told] == ["unreadable.kn:2:12:", "unsigned.kn:1:1:"]
        data = json.loads("\n".join(run(f"{command} --json", capsys)[1]))
        assert [it["where"]["file"] for it in data["set_aside"]] == ["unreadable.kn", "unsigned.kn"]

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ("diff old.kn --inputs log", "missing argument `NEW`"),
            ("diff old.kn new.kn", "missing option `--inputs`"),
            ("diff old.kn new.kn --inputs none", "none: No such file"),
            ("diff none new.kn --inputs log", "none: No such file"),
            ("diff old.kn new.kn --inputs empty", "empty: no decisions"),
            ("diff old.kn new.kn --inputs broken", "broken:1: not JSON"),
            ("diff old.kn new.kn --inputs log --inputs nobody", "nobody:1: nobody requests the action"),
            ("diff old.kn new.kn --inputs log --key broken", "broken: no key of a decision log"),
        ],
    )
    def test_every_error_has_status_1(self, command: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run(command, capsys)
        assert (status, lines) == (1, [])
        assert error in message
