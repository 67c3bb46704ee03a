# SPDX-License-Identifier: ISC
import contextlib
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus
from hypothesis import given
from hypothesis import strategies as st

from pki import chain_certificates, keys, ocsp, ocsp_staple, responders
from pki.chain_certificates import ReadCertificate
from pki.errors import PkiError
from pki.keys import KeySigner
from pki.ocsp import RequestInvalid, Responder, Standing
from pki.ocsp_service import Answer, OcspService
from pki.records import Record
from pki.registry import Registry
from pki.responders import Responders
from tests.pki import factory
from tests.pki.databases import execute
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca
from tests.pki.openssl_tool import openssl

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)


def request(
    certificate: x509.Certificate | int,
    issuer: x509.Certificate,
    *extensions: tuple[x509.ExtensionType, bool],
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A request by certificate, or by serial number."""
    algorithm = algorithm or hashes.SHA1()
    builder = library.OCSPRequestBuilder()
    if isinstance(certificate, int):
        own = factory.leaf(factory.authority())
        name_hash, key_hash = (
            getattr(library.load_der_ocsp_request(request(own.certificate, issuer, algorithm=algorithm)), name)
            for name in ("issuer_name_hash", "issuer_key_hash")
        )
        builder = builder.add_certificate_by_hash(name_hash, key_hash, certificate, algorithm)
    else:
        builder = builder.add_certificate(certificate, issuer, algorithm)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build().public_bytes(Encoding.DER)


@pytest.fixture
def record(ca: Ca) -> Record:
    return ca.issue("gw.example.org")


def service(ca: Ca, **options: datetime.timedelta) -> OcspService:
    return OcspService(ca.registry, Responders(ca.directory, ca.registry), **options)


def asked(ca: Ca, record: Record, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    return request(record.certificate, ca.authority.certificate.certificate, *extensions)


def believed(answer: Answer, record: Record, ca: Ca, now: datetime.datetime = NOW) -> ocsp_staple.Answer:
    """What a peer makes of it."""
    return ocsp_staple.answer(answer.der, record.read(), ca.authority.certificate.read(), now)


# --- what is answered


def test_good_revoked_and_unknown(ca: Ca, record: Record) -> None:
    answering = service(ca)
    good = answering.answer(asked(ca, record), NOW)
    assert (good.status, good.serial, good.next_update) == ("good", int(record.serial, 16), NOW + HOUR)
    assert believed(good, record, ca).status is ocsp_staple.Status.GOOD

    ca.revoke(record, NOW + MINUTE)
    revoked = answering.answer(asked(ca, record), NOW + MINUTE)  # at once, whatever was kept
    told = believed(revoked, record, ca, NOW + MINUTE)
    assert told.status is ocsp_staple.Status.REVOKED
    assert told.revoked is not None
    assert (told.revoked.at, told.revoked.reason) == (NOW + MINUTE, "keyCompromise")

    issuer = ca.authority.certificate.certificate
    for serial in (1, (1 << 159) + 1, 1 << 200):
        assert answering.answer(request(serial, issuer), NOW).status == "unknown"


def test_a_negative_serial_number_is_no_question(ca: Ca) -> None:
    whole = request(1, ca.authority.certificate.certificate)
    before, number, after = whole.rpartition(b"\x02\x01\x01")
    assert number
    answer = service(ca).answer(before + b"\x02\x01\xff" + after, NOW)
    assert (answer.status, answer.why) == ("malformed_request", "request asks for a negative serial number")
    status = library.load_der_ocsp_response(answer.der).response_status
    assert status is library.OCSPResponseStatus.MALFORMED_REQUEST


def test_only_what_is_issued_is_good(ca: Ca, record: Record) -> None:
    execute(ca.directory.registry_path, f"UPDATE certificate SET state = 'pending' WHERE serial = '{record.serial}'")
    assert service(ca).answer(asked(ca, record), NOW).status == "unknown"


def test_other_authorities_are_unknown(ca: Ca, record: Record) -> None:
    other = factory.authority(factory.name("Example CA"))  # the same name, another key
    answer = service(ca).answer(request(int(record.serial, 16), other.certificate), NOW)
    assert answer.status == "unknown"
    assert library.load_der_ocsp_response(answer.der).certificate_status is OCSPCertStatus.UNKNOWN


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_issuers_are_known_by_each_hash(ca: Ca, record: Record, algorithm: hashes.HashAlgorithm) -> None:
    issuer = ca.authority.certificate.certificate
    answer = service(ca).answer(request(record.certificate, issuer, algorithm=algorithm), NOW)
    assert answer.status == "good"
    response = library.load_der_ocsp_response(answer.der)
    assert response.hash_algorithm.name == algorithm.name


def test_no_reason_where_there_is_none(ca: Ca, record: Record) -> None:
    ca.revoke(record, NOW, "unspecified")
    response = library.load_der_ocsp_response(service(ca).answer(asked(ca, record), NOW).der)
    assert response.certificate_status is OCSPCertStatus.REVOKED
    assert response.revocation_reason is None


def test_who_answers_is_told_by_the_hash_of_the_key(ca: Ca, record: Record) -> None:
    response = library.load_der_ocsp_response(service(ca).answer(asked(ca, record), NOW).der)
    own = ca.authority.certificate.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert response.responder_name is None
    assert response.responder_key_hash == own.digest
    assert response.certificates == []


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_comes_back(ca: Ca, record: Record, length: int) -> None:
    answering = service(ca)
    nonce = x509.OCSPNonce(bytes(range(length)))
    answer = answering.answer(asked(ca, record, (nonce, False)), NOW)
    response = library.load_der_ocsp_response(answer.der)
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value == nonce
    without = library.load_der_ocsp_response(answering.answer(asked(ca, record), NOW).der)
    assert len(without.extensions) == 0


@pytest.mark.parametrize(
    "extension",
    [
        (x509.OCSPNonce(b""), False),
        (x509.OCSPNonce(bytes(129)), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
    ],
)
def test_what_a_request_may_not_ask(ca: Ca, record: Record, extension: tuple[x509.ExtensionType, bool]) -> None:
    answer = service(ca).answer(asked(ca, record, extension), NOW)
    assert answer.status == "malformed_request"
    assert library.load_der_ocsp_response(answer.der).response_status is OCSPResponseStatus.MALFORMED_REQUEST


def test_an_unknown_extension_that_is_not_critical_is_ignored(ca: Ca, record: Record) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
    assert service(ca).answer(asked(ca, record, (extension, False)), NOW).status == "good"


def test_two_questions_are_one_too_many(ca: Ca, record: Record, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(ca.authority.certificate.certificate.public_bytes(Encoding.PEM))
    openssl(
        *("ocsp", "-issuer", tmp_path / "ca.pem", "-serial", "0x11", "-serial", "0x12", "-no_nonce"),
        *("-reqout", tmp_path / "request.der"),
    )
    assert service(ca).answer((tmp_path / "request.der").read_bytes(), NOW).status == "malformed_request"


# Invariant: any bytes are a question, or RequestInvalid.
@given(st.binary(max_size=300))
def test_reading_is_total(data: bytes) -> None:
    with contextlib.suppress(RequestInvalid):
        ocsp.read(data)


WHOLE = request(
    factory.leaf(factory.authority()).certificate,
    factory.authority().certificate,
    (x509.OCSPNonce(bytes(16)), False),
)


# Invariant: a request with some bytes changed is a question, or RequestInvalid.
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), st.integers(0, 40))
def test_reading_what_was_changed_is_total(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    with contextlib.suppress(RequestInvalid):
        ocsp.read(bytes(data[: len(data) - cut]))


def test_long_requests_are_not_looked_at() -> None:
    with pytest.raises(RequestInvalid, match="16385 bytes"):
        ocsp.read(bytes(16385))


# --- by whom


def test_a_certificate_that_answers_for_the_authority(ca: Ca, record: Record) -> None:
    made = responders.certify(ca.directory, ca.registry, ca.authority, ca.signer, NOW, 30 * DAY)
    assert (made.name, made.profile, made.not_after) == ("OCSP of Example CA", "ocsp", NOW + 30 * DAY)
    assert made.subject == "/C=XX/O=Test/CN=OCSP of Example CA"
    assert made.certificate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert keys.kind(made.read().public_key) == "p-256"
    answer = service(ca).answer(asked(ca, record), NOW)
    told = believed(answer, record, ca)
    assert told.status is ocsp_staple.Status.GOOD
    assert told.responder == int(made.serial, 16)
    entry = ca.registry.audit
    with entry.reading() as snapshot:
        assert [it.action for it in snapshot.entries()] == ["issue"] * 3


def test_the_authoritys_key_need_not_be_there(ca: Ca, record: Record) -> None:
    responders.certify(ca.directory, ca.registry, ca.authority, ca.signer, NOW)
    assert ca.authority.certificate.key_file is not None
    ca.directory.key_path(ca.authority.certificate.key_file).unlink()
    assert service(ca).answer(asked(ca, record), NOW).status == "good"


def test_without_any_key_nobody_answers(ca: Ca, record: Record) -> None:
    assert ca.authority.certificate.key_file is not None
    ca.directory.key_path(ca.authority.certificate.key_file).unlink()
    warned: list[str] = []
    answering = OcspService(ca.registry, Responders(ca.directory, ca.registry, warn=warned.append))
    answer = answering.answer(asked(ca, record), NOW)
    assert answer.status == "unauthorized"
    assert library.load_der_ocsp_response(answer.der).response_status is OCSPResponseStatus.UNAUTHORIZED
    assert len(warned) == 1
    assert warned[0].startswith("`Example CA` does not answer: private key ")


def test_a_revoked_or_expired_responder_answers_no_more(ca: Ca, record: Record) -> None:
    answering = service(ca)
    short = responders.certify(ca.directory, ca.registry, ca.authority, ca.signer, NOW, DAY)
    assert believed(answering.answer(asked(ca, record), NOW), record, ca).responder == int(short.serial, 16)
    late = NOW + DAY + MINUTE
    assert believed(answering.answer(asked(ca, record), late), record, ca, late).responder is None
    long = responders.certify(ca.directory, ca.registry, ca.authority, ca.signer, NOW)
    assert believed(answering.answer(asked(ca, record), NOW), record, ca).responder == int(long.serial, 16)
    ca.revoke(long, NOW)
    assert believed(answering.answer(asked(ca, record), NOW), record, ca).responder == int(short.serial, 16)


def test_an_answer_does_not_outlive_who_answers(ca: Ca, record: Record) -> None:
    made = responders.certify(ca.directory, ca.registry, ca.authority, ca.signer, NOW, DAY)
    now = made.not_after - MINUTE
    assert service(ca).answer(asked(ca, record), now).next_update == made.not_after


@pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048", "ml-dsa-44"])
def test_every_kind_of_key_answers(kind: str) -> None:
    key = factory.rsa_key("ca") if kind == "rsa-2048" else keys.generate(kind)
    issuer = factory.authority()
    prepared = responders.prepare("OCSP", _read(issuer), key.public_key(), NOW, DAY)
    certificate = prepared.sign(KeySigner(factory.rsa_key("ca")))
    responder = Responder(1, _read(issuer), _load(certificate), KeySigner(key))
    leaf = factory.leaf(issuer, "gw")
    question = ocsp.read(request(leaf.certificate, issuer.certificate))
    der = ocsp.answer(question, ocsp.GOOD, responder, NOW, NOW + HOUR)
    assert ocsp_staple.answer(der, _load(leaf.certificate), _read(issuer), NOW).status is ocsp_staple.Status.GOOD
    with pytest.raises(PkiError, match="not the key of"):
        Responder(1, _read(issuer), _read(issuer), KeySigner(factory.rsa_key("other")))


def _read(issued: factory.Issued) -> ReadCertificate:
    return _load(issued.certificate)


def _load(certificate: x509.Certificate) -> ReadCertificate:
    return chain_certificates.from_certificate(certificate)


def test_what_cannot_be_answered_is_an_error_of_ours() -> None:
    issuer = _read(factory.authority())
    question = ocsp.read(WHOLE)
    responder = Responder(1, issuer, issuer, KeySigner(factory.rsa_key("ca")))
    with pytest.raises(PkiError, match="no such answer can be made"):
        ocsp.answer(question, Standing(OCSPCertStatus.REVOKED), responder, NOW, NOW + HOUR)


# --- how often


def test_answers_are_kept_until_something_is_done(ca: Ca, record: Record) -> None:
    answering = service(ca)
    first = answering.answer(asked(ca, record), NOW)
    assert answering.answer(asked(ca, record), NOW + MINUTE) is first
    nonce = (x509.OCSPNonce(bytes(16)), False)
    assert answering.answer(asked(ca, record, nonce), NOW) is not answering.answer(asked(ca, record, nonce), NOW)
    ca.issue("other.example.org")
    second = answering.answer(asked(ca, record), NOW + MINUTE)
    assert second is not first
    assert second.this_update == NOW + MINUTE


def test_answers_are_made_anew_when_half_of_their_time_is_over(ca: Ca, record: Record) -> None:
    answering = service(ca, lifetime=10 * MINUTE)
    first = answering.answer(asked(ca, record), NOW)
    assert first.next_update == NOW + 10 * MINUTE
    assert answering.answer(asked(ca, record), NOW + 4 * MINUTE) is first
    assert answering.answer(asked(ca, record), NOW + 5 * MINUTE) is not first
    assert answering.answer(asked(ca, record), NOW - MINUTE) is not first  # a clock that went back


def test_not_more_answers_are_kept_than_that(ca: Ca, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.ocsp_service._KEPT_MAX", 2)
    answering = service(ca)
    issuer = ca.authority.certificate.certificate
    first = answering.answer(request(1, issuer), NOW)
    answering.answer(request(2, issuer), NOW)
    assert answering.answer(request(1, issuer), NOW) is first
    answering.answer(request(3, issuer), NOW)
    assert answering.answer(request(1, issuer), NOW) is first
    assert len(answering._kept) == 2


def test_the_right_to_read_is_enough(ca: Ca, record: Record) -> None:
    reader = Registry.open_read_only(ca.directory.registry_path)
    answering = OcspService(reader, Responders(ca.directory, reader))
    assert answering.answer(asked(ca, record), NOW).status == "good"


def test_a_registry_that_is_gone_is_told(ca: Ca, record: Record) -> None:
    answering = service(ca)
    assert answering.answer(asked(ca, record), NOW).status == "good"
    ca.directory.registry_path.rename(ca.directory.path / "away")
    answer = answering.answer(asked(ca, record), NOW)
    assert answer.status == "try_later"
    assert "the registry cannot be used" in answer.why
    assert library.load_der_ocsp_response(answer.der).response_status is OCSPResponseStatus.TRY_LATER
