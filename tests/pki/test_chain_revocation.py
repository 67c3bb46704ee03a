# SPDX-License-Identifier: ISC
"""Revocation beside what is remembered, and ways around what was revoked; single answers are in the zoo."""

import pytest

from pki import chain, revocation_lists, sent_lists
from pki.chain import ChainError, Reason, RevocationCheck, RevocationPolicy, TrustAnchors
from pki.revocation_lists import RevocationLists
from tests.pki import factory, revocations
from tests.pki.factory import DAY, NOW
from tests.pki.revocations import entry, revocation_list, staple
from tests.pki.zoo.chains import three

GOOD = three()
REQUIRE = RevocationPolicy.REQUIRE


def known(*lists: bytes) -> RevocationLists:
    return RevocationLists(revocation_lists.read(data) for data in lists)


def validate(
    anchors: TrustAnchors, revocation: RevocationCheck | None, *, leaf: bytes = GOOD.leaf.der
) -> chain.ValidatedChain:
    return chain.validate(leaf, [GOOD.below.der], anchors, NOW, revocation=revocation)


def test_a_revocation_takes_effect_on_a_chain_that_is_remembered() -> None:
    anchors = TrustAnchors([GOOD.root.certificate])
    before = RevocationCheck(known(revocation_list(GOOD.below)))
    held = validate(anchors, before)
    assert validate(anchors, before) is held
    assert validate(anchors, None) is held
    after = RevocationCheck(known(revocation_list(GOOD.below, GOOD.leaf, number=6)))
    for _ in range(2):
        with pytest.raises(ChainError, match="revoked on 2026-10-31 12:00:00Z: keyCompromise") as caught:
            validate(anchors, after)
        assert caught.value.reason is Reason.REVOKED
    assert validate(anchors, before) is held


def test_what_is_required_is_required_of_a_chain_that_is_remembered() -> None:
    anchors = TrustAnchors([GOOD.root.certificate])
    validate(anchors, None)
    with pytest.raises(ChainError) as caught:
        validate(anchors, RevocationCheck(policy=REQUIRE))
    assert caught.value.reason is Reason.REVOCATION_UNKNOWN
    lists = known(revocation_list(GOOD.root), revocation_list(GOOD.below))
    validate(anchors, RevocationCheck(lists, REQUIRE))
    with pytest.raises(ChainError, match="stale since"):
        chain.validate(
            GOOD.leaf.der, [GOOD.below.der], anchors, NOW + 2 * DAY, revocation=RevocationCheck(lists, REQUIRE)
        )


def test_a_staple_counts_for_the_certificate_that_it_is_about() -> None:
    anchors = TrustAnchors([GOOD.root.certificate])
    staples = (staple(GOOD.leaf, GOOD.below), staple(GOOD.below, GOOD.root))
    validate(anchors, RevocationCheck(policy=REQUIRE, staples=staples))
    with pytest.raises(ChainError, match="about another certificate"):
        validate(anchors, RevocationCheck(policy=REQUIRE, staples=staples[:1]))


def test_a_responder_that_was_revoked_answers_no_more() -> None:
    responder = revocations.responder(GOOD.below)
    stapled = (staple(GOOD.leaf, GOOD.below, responder=responder, this_update=NOW - DAY),)
    lists = known(revocation_list(GOOD.below, responder, next_update=NOW - DAY / 2), revocation_list(GOOD.root))
    with pytest.raises(ChainError, match="the responder's certificate is revoked"):
        validate(TrustAnchors([GOOD.root.certificate]), RevocationCheck(lists, REQUIRE, stapled))


def crossed() -> tuple[bytes, list[bytes], TrustAnchors, tuple[factory.Issued, ...]]:
    root, other = factory.authority(), factory.authority("Other CA", key="other-ca")
    one = factory.authority("Below", root, key="below")
    two = factory.authority("Below", other, key="below")
    leaf = factory.leaf(one, "gw.example.org")
    anchors = TrustAnchors([root.certificate, other.certificate])
    return leaf.der, [one.der, two.der], anchors, (root, other, one, two)


@pytest.mark.parametrize("which", ["one", "two"])
def test_the_other_certificate_of_an_authority_is_tried(which: str) -> None:
    leaf, sent, anchors, (root, other, one, two) = crossed()
    remembered = chain.validate(leaf, sent, anchors, NOW)
    crl = revocation_list(root, one) if which == "one" else revocation_list(other, two)
    for _ in range(2):
        held = chain.validate(leaf, sent, anchors, NOW, revocation=RevocationCheck(known(crl)))
        assert held.certificates[1].der == (two.der if which == "one" else one.der)
    assert remembered.leaf == held.leaf


def test_a_list_of_one_of_two_roots_is_enough() -> None:
    leaf, sent, anchors, (_, other, one, _) = crossed()
    lists = known(revocation_list(other), revocation_list(one))
    held = chain.validate(leaf, sent, anchors, NOW, revocation=RevocationCheck(lists, REQUIRE))
    assert held.certificates[-1].der == other.der


def test_where_no_way_is_left_the_first_is_told() -> None:
    leaf, sent, anchors, (root, other, one, two) = crossed()
    with pytest.raises(ChainError, match="Below` was revoked") as caught:
        chain.validate(
            leaf,
            sent,
            anchors,
            NOW,
            revocation=RevocationCheck(known(revocation_list(root, one), revocation_list(other, two))),
        )
    assert caught.value.reason is Reason.REVOKED


def test_what_is_revoked_is_told_before_what_is_not_known() -> None:
    check = RevocationCheck(known(revocation_list(GOOD.root, GOOD.below)), REQUIRE)
    with pytest.raises(ChainError) as caught:
        validate(TrustAnchors([GOOD.root.certificate]), check)
    assert caught.value.reason is Reason.REVOKED


def test_a_long_list_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signature costs as much as all the rest together."""
    lists = known(revocation_list(GOOD.below, *(entry(number, ()) for number in range(1, 200))))
    checked = []
    signed_with = revocation_lists.RevocationList.signed_with

    def counted(one: revocation_lists.RevocationList, key: object) -> bool:
        checked.append(one)
        return signed_with(one, key)  # type: ignore[arg-type]

    monkeypatch.setattr(revocation_lists.RevocationList, "signed_with", counted)
    anchors = TrustAnchors([GOOD.root.certificate])
    for name in ("one.example.org", "two.example.org"):
        validate(anchors, RevocationCheck(lists), leaf=factory.leaf(GOOD.below, name).der)
    assert len(checked) == 1


def test_a_list_signed_with_sha1_satisfies_legacy_peers() -> None:
    def weak(issuer: factory.Issued) -> bytes:
        return revocations.resigned_list(revocation_list(issuer), issuer, factory.SHA1_WITH_RSA)

    check = RevocationCheck(known(weak(GOOD.root), weak(GOOD.below)), REQUIRE)
    anchors = TrustAnchors([GOOD.root.certificate])
    chain.validate(GOOD.leaf.der, [GOOD.below.der], anchors, NOW, revocation=check, legacy=True)
    with pytest.raises(ChainError, match="sha1"):
        chain.validate(GOOD.leaf.der, [GOOD.below.der], anchors, NOW, revocation=check)


def test_a_newer_list_signed_with_sha1_takes_nothing_back() -> None:
    newer = revocations.resigned_list(revocation_list(GOOD.below, this_update=NOW), GOOD.below, factory.SHA1_WITH_RSA)
    lists = known(newer, revocation_list(GOOD.below, GOOD.leaf))
    with pytest.raises(ChainError) as caught:
        validate(TrustAnchors([GOOD.root.certificate]), RevocationCheck(lists))
    assert caught.value.reason is Reason.REVOKED


# --- what the peer sent


def sending(
    *sent: bytes, lists: RevocationLists | None = None, policy: RevocationPolicy = REQUIRE
) -> RevocationCheck:
    return RevocationCheck(lists or RevocationLists(), policy, sent=sent)


def refused(check: RevocationCheck) -> ChainError:
    with pytest.raises(ChainError) as caught:
        validate(TrustAnchors([GOOD.root.certificate]), check)
    return caught.value


def test_lists_of_the_peer_show_what_they_show_and_until_when() -> None:
    anchors = TrustAnchors([GOOD.root.certificate])
    of_root = revocation_list(GOOD.root, next_update=NOW + 3 * DAY)
    sent = sending(revocation_list(GOOD.below, next_update=NOW + 2 * DAY), of_root)
    for _ in range(2):  # found, and remembered
        assert validate(anchors, sent).expires == NOW + 2 * DAY
    assert validate(anchors, None).expires == GOOD.leaf.certificate.not_valid_after_utc
    here = known(revocation_list(GOOD.below))
    assert validate(anchors, sending(of_root, lists=here)).expires == NOW + 3 * DAY
    assert validate(anchors, sending(of_root, policy=RevocationPolicy.IF_THERE)) == validate(anchors, None)


def test_a_staple_shows_until_when() -> None:
    staples = (staple(GOOD.leaf, GOOD.below, next_update=NOW + DAY / 2), staple(GOOD.below, GOOD.root))
    held = validate(TrustAnchors([GOOD.root.certificate]), RevocationCheck(policy=REQUIRE, staples=staples))
    assert held.expires == NOW + DAY / 2


def test_lists_of_other_authorities_show_nothing() -> None:
    error = refused(sending(revocation_list(GOOD.root)))
    assert error.reason is Reason.REVOCATION_UNKNOWN
    assert str(error).endswith("is revoked by `/C=XX/O=Test/CN=Below`: no revocation list is there")


@pytest.mark.parametrize("newer", [False, True])
def test_a_list_of_the_peer_takes_no_revocation_back(newer: bool) -> None:
    this_update = NOW if newer else NOW - 2 * DAY
    lists = known(revocation_list(GOOD.below, GOOD.leaf), revocation_list(GOOD.root))
    sent = revocation_list(GOOD.below, number=6 if newer else 4, this_update=this_update)
    assert refused(sending(sent, lists=lists)).reason is Reason.REVOKED


def test_an_older_list_of_the_peer_revokes_nothing_that_is_held_no_more() -> None:
    lists = known(revocation_list(GOOD.below), revocation_list(GOOD.root))
    older = revocation_list(GOOD.below, GOOD.leaf, number=4, this_update=NOW - 2 * DAY)
    validate(TrustAnchors([GOOD.root.certificate]), sending(older, lists=lists))


def test_a_newer_list_of_the_peer_revokes_an_authority() -> None:
    lists = known(revocation_list(GOOD.root, number=4, this_update=NOW - 2 * DAY))
    error = refused(sending(revocation_list(GOOD.root, GOOD.below), lists=lists, policy=RevocationPolicy.IF_THERE))
    assert error.reason is Reason.REVOKED
    assert str(error).endswith("from 2026-10-31 12:00:00Z, sent by the peer)")


def test_a_responder_on_a_list_of_the_peer_answers_no_more() -> None:
    responder = revocations.responder(GOOD.below)
    check = RevocationCheck(
        policy=REQUIRE,
        staples=(staple(GOOD.leaf, GOOD.below, responder=responder),),
        sent=(revocation_list(GOOD.below, responder, next_update=NOW - DAY / 2),),
    )
    assert "the responder's certificate is revoked" in str(refused(check))


def test_only_so_much_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of what the authority has not signed, no entry."""
    monkeypatch.setattr(sent_lists, "MAX_BYTES", 2000)
    long = revocation_list(GOOD.below, *(entry(number, ()) for number in range(1, 200)))
    others = [revocation_list(GOOD.root, number=number) for number in range(8)]
    assert f"sent by the peer: revocation list of {len(long)} bytes, more than 2000" in str(refused(sending(long)))
    message = str(refused(sending(*others, revocation_list(GOOD.below))))
    assert "sent by the peer: of 9 lists only 8 are looked at" in message
    monkeypatch.setattr(revocation_lists, "read", pytest.fail)
    forged = revocation_list(GOOD.below, key=factory.rsa_key("somebody"))
    assert "is signed with another key" in str(refused(sending(forged)))
