# SPDX-License-Identifier: ISC
"""What is wanted → an assertion: its text, and that nothing gets around its end."""

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

import keynote
from keynote.layout import formatted
from keynote.signatures import verify
from pki import condition_templates, delegations
from pki.delegation_records import Draft
from pki.delegations import Wanted
from pki.errors import ConditionsInvalid, DelegationInvalid
from tests.pki import factory
from tests.pki.factory import NOW

ALICE = "DN:/O=Test/CN=alice@example.org"
UNTIL = datetime.datetime(2027, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)
IN_TIME, TOO_LATE = {"GMTTimeOfDay": "20270131235959"}, {"GMTTimeOfDay": "20270201000000"}


def built(conditions: str = 'app_domain == "IPsec policy"', **more: object) -> Draft:
    return delegations.build(Wanted("POLICY", ALICE, conditions, until=UNTIL, **more))  # type: ignore[arg-type]


def allowed(draft: Draft, action: dict[str, str], who: str = ALICE) -> bool:
    session = keynote.Session(keynote.parse_policy(draft.assertion, name="delegation"))
    return session.query({"app_domain": "IPsec policy", **action}, [who]).allowed


def test_the_whole_text() -> None:
    draft = built('app_domain == "IPsec policy" && esp_present == "yes" -> "true"', comment="while Bob is away")
    assert draft.assertion == (
        "KeyNote-Version: 2\n"
        "Comment: while Bob is away\n"
        'Authorizer: "POLICY"\n'
        'Licensees: "DN:/O=Test/CN=alice@example.org"\n'
        "Conditions:\n"
        '    GMTTimeOfDay <= "20270131235959" -> {\n'
        '        app_domain == "IPsec policy" && esp_present == "yes" -> "true";\n'
        "    };\n"
    )
    assert draft.not_after == UNTIL
    assert draft.comment == "while Bob is away"


def test_it_is_in_the_layout_of_keynote_fmt() -> None:
    draft = built(tests=condition_templates.made_of(["networks=10.1.0.0/16", "hours=Mon-Fri,08:00-18:00"]))
    assert formatted(draft.assertion, name="delegation") == draft.assertion


@pytest.mark.parametrize(
    "conditions",
    [
        "true",
        "true;",
        'true -> "true"',
        'esp_present == "yes" || true',
        'false -> "false"; true -> "true"',
        "true # and so on",
        "true; # }; true -> {",
        "\n\n  true\n\n ;\n\n",
        'true -> { esp_present == "no"; true; }',
        'local == "a\\\n    b" || true',
    ],
)
def test_nothing_that_is_written_gets_around_the_end_or_the_tests(conditions: str) -> None:
    tests = condition_templates.made_of(["lifetime=1h"])
    draft = built(conditions, tests=tests)
    short, long = ({"doi": "ipsec", "esp_life_seconds": seconds} for seconds in ("60", "36000"))
    assert allowed(draft, IN_TIME | short)
    assert not allowed(draft, IN_TIME | long)
    assert not allowed(draft, TOO_LATE | short)
    assert not allowed(draft, IN_TIME | short, "DN:/O=Test/CN=bob@example.org")


@pytest.mark.parametrize(
    "conditions",
    [
        "true; }; true -> { true",
        'true;\nLicensees: "DN:/CN=eve"',
        'true;\n\nAuthorizer: "POLICY"',
        "app_domain = 5",
        'a == "open',
        "true }",
        "true \x00",
        "true;\r",
    ],
)
def test_what_is_no_conditions(conditions: str) -> None:
    with pytest.raises(ConditionsInvalid) as refused:
        built(conditions)
    assert refused.value.complaints


def test_a_mistake_has_its_place() -> None:
    with pytest.raises(ConditionsInvalid) as refused:
        built('app_domain = "IPsec policy"')
    (complaint,) = refused.value.complaints
    assert str(complaint.where) == "--conditions:1:12"
    assert complaint.hint == "string comparison is `==`"
    assert "^" in complaint.excerpt


def test_without_conditions_nothing_is_delegated() -> None:
    with pytest.raises(DelegationInvalid, match="everything"):
        built("")
    assert allowed(
        built("", tests=condition_templates.made_of(["lifetime=1h"])),
        IN_TIME
        | {
            "doi": "ipsec",
            "esp_life_seconds": "60",
        },
    )


def test_without_an_end() -> None:
    draft = delegations.build(Wanted("POLICY", ALICE, "true"))
    assert draft.not_after is None
    assert "GMTTimeOfDay" not in draft.assertion
    assert allowed(draft, TOO_LATE)


def test_the_end_is_told_in_utc() -> None:
    berlin = datetime.timezone(datetime.timedelta(hours=1))
    draft = delegations.build(Wanted("POLICY", ALICE, "true", until=datetime.datetime(2027, 2, 1, tzinfo=berlin)))
    assert '"20270131230000"' in draft.assertion
    assert draft.not_after == datetime.datetime(2027, 1, 31, 23, tzinfo=datetime.UTC)


def test_names_with_odd_characters_are_quoted() -> None:
    odd = 'DN:/O=\\x2Fa "b"/CN=x'
    draft = delegations.build(Wanted("POLICY", odd, "true"))
    assert allowed(draft, {}, odd)


def test_a_comment_is_one_line() -> None:
    assert built(comment="für Åsa").assertion.encode("latin-1").decode().splitlines()[1] == "Comment: für Åsa"
    for comment in ('x\nAuthorizer: "POLICY"', "x" * 501, "\x1b[31m"):
        with pytest.raises(DelegationInvalid, match="comment"):
            built(comment=comment)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("POLICY", "passphrase:open sesame", "true"),
        Wanted("POLICY", ALICE, 'a == "passphrase:open sesame"'),
        Wanted("POLICY", ALICE, "true", comment="passphrase:open sesame"),
        Wanted("private-rsa-hex:00", ALICE, "true"),
    ],
)
def test_no_secret_gets_into_the_registry(wanted: Wanted) -> None:
    with pytest.raises(DelegationInvalid) as refused:
        delegations.build(wanted)
    assert "sesame" not in str(refused.value)


# --- the linter


def codes(draft: Draft) -> list[str]:
    return [finding.code for finding in delegations.findings(draft, NOW)]


def test_templates_leave_the_linter_nothing_to_say() -> None:
    arguments = ["algorithms=strong", "identity=alice@example.org", "remote-networks=10.9.0.0/24", "lifetime=1h"]
    arguments += ["hours=Mon-Fri,08:00-18:00", "networks=10.1.0.0/16,2001:db8::/32"]
    assert codes(built("", tests=condition_templates.made_of(arguments))) == []
    algorithms, identity, networks = (["KN502", "KN504"], ["KN505"], ["KN507"])
    for left_out, told in ((0, algorithms), (1, identity), (2, networks)):
        given = [it for at, it in enumerate(arguments[:3]) if at != left_out]
        assert codes(built("", tests=condition_templates.made_of(given))) == told


def test_the_linter_looks_at_it() -> None:
    assert "KN101" in codes(built('app_domain == "IPsec policy" && esp_enc_algo == "aes"'))


def test_a_signature_that_is_still_to_come_is_not_missed() -> None:
    key = keynote.key_principal(factory.ec_key().public_key())
    draft = delegations.build(Wanted(key, ALICE, "true"))
    assert "KN305" not in codes(draft)


# --- signing


@pytest.mark.parametrize(
    "key", [factory.ec_key(), factory.rsa_key(), ed25519.Ed25519PrivateKey.generate()], ids=["ec", "rsa", "ed25519"]
)
def test_a_signature_is_its_authorizers(key: factory.PrivateKey) -> None:
    draft = delegations.build(Wanted(keynote.key_principal(key.public_key()), ALICE, "true", until=UNTIL))
    signed = delegations.sign(draft, key)
    verify(keynote.parse_assertion(signed.assertion, name="delegation"))
    assert signed.assertion.startswith(draft.assertion)
    assert codes(signed) == codes(draft)


def test_somebody_elses_key_signs_nothing() -> None:
    draft = delegations.build(Wanted(keynote.key_principal(factory.ec_key("a").public_key()), ALICE, "true"))
    with pytest.raises(DelegationInvalid, match="not the authorizer's"):
        delegations.sign(draft, factory.ec_key("b"))


def test_keys_that_keynote_has_not() -> None:
    with pytest.raises(DelegationInvalid, match="ml-dsa-44"):
        delegations.sign(built(), mldsa.MLDSA44PrivateKey.generate())
