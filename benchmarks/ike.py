# SPDX-License-Identifier: ISC
"""IKE: a whole handshake against the cryptography in it, the codec, and the memory of established SAs."""

import gc
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

import keynote
from benchmarks.table import Row
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.authorization.revocations import Revocations
from ike_auth.config import isakmpd
from ike_auth.crypto import authenticators, groups, key_material, prf
from ike_auth.crypto.ciphers import Cbc, phase1_cipher
from ike_auth.crypto.key_material import Skeyid
from ike_auth.crypto.secrets import Secret
from ike_auth.daemon import memory
from ike_auth.effects import Ask, Effect, InstallSa, SendDatagram
from ike_auth.network import Datagram, Now
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import Message, decode_payloads, encode_payloads
from ike_auth.wire.numbers import EncryptionAlgorithm, Group, HashAlgorithm, ProtocolId
from pki.chain import TrustAnchors
from tests.ike_auth.configurations import NAME, A, B, gateway
from tests.ike_auth.simulation import START, AllowAll, Credential, Host, Network
from tests.pki import factory

ROUNDS, BATCH = 100, 8  # handshakes, and as many times the primitives, taken in turns
CAPTURES = Path(__file__).parent.parent / "tests" / "vectors" / "isakmpd"
SA_PAIRS = 1000
POLICY = """\
Authorizer: "POLICY"
Licensees: "DN:/C=XX/O=Test/CN=Bench CA"
Conditions: app_domain == "IPsec policy" && doi == "ipsec" && pfs == "yes" && esp_present == "yes" &&
            esp_enc_alg == "aes" && remote_id_type == "FQDN" &&
            (remote_id == "a.example.org" || remote_id == "b.example.org") -> "true";
"""
ANYBODY = """\
Authorizer: "POLICY"
Licensees: "DN:/C=XX/O=Test/CN=Bench CA"
Conditions: app_domain == "IPsec policy" && esp_present == "yes" && remote_id ~= "\\.example\\.org$" -> "true";
"""
DEFAULT_RESPONDER = f"""
[Phase 1]
Default= anybody

[anybody]
Phase= 1
Configuration= main-mode
ID= own-id

[own-id]
ID-type= FQDN
Name= {NAME[B]}

[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-256-SHA2-256-GRP14-RSA_SIG
"""


def run() -> list[Row]:
    return [*handshake(), *codec(), *crowd()]


def handshake() -> list[Row]:
    """CPU time of both ends together, authorization by KeyNote included.

    Of peers that come again, whose certificates are remembered, and of peers that nobody has seen: these are checked
    and become assertions. What else runs on the machine can only add to it, so the least of many rounds counts, of
    whole and parts alike.
    """
    returning, strangers = _rsa_hosts(fresh=False), _rsa_hosts(fresh=True)
    primitives, certificate_checks = _primitives(), _certificate_checks()
    again: list[float] = []
    first: list[float] = []
    parts: list[float] = []
    checks: list[float] = []
    _handshake(*returning())
    with _settled():
        for _ in range(ROUNDS):
            for make, times in (returning, again), (strangers, first):
                pairs = [make() for _ in range(BATCH)]
                times.append(_cpu([partial(_handshake, *pair) for pair in pairs]))
            parts.append(_cpu([primitives] * BATCH))
            checks.append(_cpu([certificate_checks] * BATCH))
    all_parts = min(parts) + min(checks)
    ratio = min(again) / min(parts)
    typical = median(a / b for a, b in zip(again, parts, strict=True))
    return [
        Row("ike", "handshake: main mode RSA-2048, quick mode PFS, MODP-2048", f"{min(again) * 1e3:.2f} ms CPU"),
        Row("ike", "its cryptographic primitives", f"{min(parts) * 1e3:.2f} ms CPU"),
        Row("ike", "handshake / primitives", f"{ratio:.2f}", "at most 1.5", ratio <= 1.5),
        Row("ike", "the same, median of the rounds", f"{typical:.2f}"),
        Row("ike", "with certificates never seen before / with their checks", f"{min(first) / all_parts:.2f}"),
    ]


@contextmanager
def _settled() -> Iterator[None]:
    """The garbage collector as a daemon that is ready has it."""
    usual = gc.get_threshold()
    memory.settle()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def codec() -> list[Row]:
    """Decode and encode of every message of the recorded exchanges, decrypted where they were encrypted."""
    rows = []
    for name in ("psk", "rsa"):
        recorded = json.loads((CAPTURES / f"isakmpd-{name}.json").read_text())
        plain = [bytes.fromhex(d["hex"]) for d in recorded["datagrams"][:4]]
        for number, data in enumerate(plain, start=1):
            rows.append(_codec_row(f"{name}: main mode {number}", lambda data=data: Message.decode(data).encode()))  # type: ignore[misc]
        texts = [bytes.fromhex(v) for label, v in recorded["responder_trace"] if label.endswith("after decryption")]
        firsts = [
            bytes.fromhex(d["hex"])[16] for d in recorded["datagrams"] if d["from"].startswith(recorded["initiator"])
        ][2:]
        for number, (text, first) in enumerate(zip(texts, firsts, strict=False), start=1):
            rows.append(
                _codec_row(
                    f"{name}: encrypted message {number}",
                    lambda text=text, first=first: encode_payloads(decode_payloads(first, text, padded=True)),  # type: ignore[misc]
                )
            )
    return rows


def crowd() -> list[Row]:
    """In a process of its own: what RSS grows by, both ends of each pair counted; what a handshake costs there."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.ike"], check=True, capture_output=True, text=True)
    each, ratio = map(float, done.stdout.split())
    rss = f"RSS for each of {SA_PAIRS} established SA pairs, one end"
    return [
        Row("ike", rss, f"{each:.1f} kB", "at most 15 kB", each <= 15),
        Row("ike", f"handshake where {SA_PAIRS} SA pairs are / where 50 are", f"{ratio:.2f}"),
    ]


def _codec_row(what: str, step: Callable[[], object]) -> Row:
    times = []
    for _ in range(7):
        start = perf_counter()
        for _ in range(200):
            step()
        times.append((perf_counter() - start) / 200)
    return Row("ike", f"decode + encode, {what}", f"{min(times) * 1e6:.0f} µs")


def _cpu(steps: list[Callable[[], object]]) -> float:
    gc.collect()
    start = process_time()
    for step in steps:
        step()
    return (process_time() - start) / len(steps)


def _rsa_hosts(*, fresh: bool) -> Callable[[], tuple[Host, Host]]:
    """Makes the two ends of one handshake. `fresh`: neither remembers a certificate."""
    ca = factory.authority("Bench CA")
    issued = {at: factory.leaf(ca, NAME[at], key=NAME[at]) for at in (A, B)}
    configurations = {
        at: isakmpd.parse(gateway(at, authentication="rsa", active=at == A), f"{at}.conf") for at in (A, B)
    }
    session = keynote.Session(keynote.parse_policy(POLICY, name="bench.policy"))

    def memories() -> dict[str, tuple[TrustAnchors, Revocations, KeyNoteAuthorizer]]:
        authority = x509.load_der_x509_certificate(ca.der)
        return {at: (TrustAnchors([authority]), Revocations(), KeyNoteAuthorizer(session)) for at in (A, B)}

    kept = memories()  # a daemon has one of each for all its handshakes

    def make() -> tuple[Host, Host]:
        hosts: list[Host] = []
        for at, (anchors, revocations, authorizer) in (memories() if fresh else kept).items():
            credential = Credential(Identity.fqdn(NAME[at]), (issued[at].der,), _rsa(issued[at]))
            hosts.append(
                Host(
                    ip_address(at),
                    configurations[at],
                    authorizer,
                    anchors,
                    [credential],
                    revocations=revocations,
                    seed=len(hosts),
                )
            )
        return hosts[0], hosts[1]

    return make


def _handshake(a: Host, b: Host) -> None:
    """The daemons' part is as small as it can be: carry datagrams, answer questions, count the SAs."""
    now = Now(0.0, START)
    installed: list[IpsecSa] = []
    sent: list[Datagram] = []
    _perform(a, a.engine.start(now), sent, installed, now)
    receiver, other = b, a
    while sent:
        arriving, sent = sent, []
        for datagram in arriving:
            _perform(receiver, receiver.engine.receive(datagram, now), sent, installed, now)
        receiver, other = other, receiver
    assert len({sa.spi for sa in installed}) == 2, installed
    assert len(installed) == 4, installed


def _perform(host: Host, effects: list[Effect], sent: list[Datagram], installed: list[IpsecSa], now: Now) -> None:
    """As the daemon does: in order, and what is asked is answered at once. What is sent is kept as it will arrive."""
    for effect in effects:
        match effect:
            case SendDatagram(data, ours, theirs):
                sent.append(Datagram(data, theirs, ours))
            case Ask(id, question):
                answer = host.answer_from_gate(question, now)
                _perform(host, host.engine.answer(id, answer, now), sent, installed, now)
            case InstallSa(sa):
                installed.append(sa)


def _primitives() -> Callable[[], None]:
    """What no implementation can do without, both ends: four key pairs and four shared secrets (Phase 1 and PFS), two
    signatures and two checks of them, and the symmetric part: prf, hashes, and five messages encrypted and
    decrypted."""
    key = _rsa(factory.leaf(factory.authority("Bench CA"), NAME[A], key=NAME[A]))
    random_bytes, digest = random.Random(1).randbytes, bytes(32)

    def step() -> None:
        for _ in range(2):
            one, other = (
                groups.generate(Group.MODP_2048, random_bytes),
                groups.generate(Group.MODP_2048, random_bytes),
            )
            one.shared(other.public)
            other.shared(one.public)
            signature = authenticators.sign(key, digest)
            authenticators.verify(key.public_key(), digest, signature)
            _symmetric()

    return step


def _certificate_checks() -> Callable[[], None]:
    """The two of the certificates by which the keys are known."""
    ca = factory.authority("Bench CA")
    certificate, authority = factory.leaf(ca, NAME[A], key=NAME[A]).certificate, _rsa(ca).public_key()

    def step() -> None:
        for _ in range(2):
            authority.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), SHA256())

    return step


def _symmetric() -> None:
    """Of one end: SKEYID, HASH_I and HASH_R, NAT-D, HASH(1) to (3), KEYMAT of two SAs, IVs, and five messages."""
    hash, nonce, cookie, public = HashAlgorithm.SHA2_256, bytes(32), bytes(8), bytes(256)
    named = {"g_xi": public, "g_xr": public, "cky_i": cookie, "cky_r": cookie, "sa_i": bytes(48)}
    keys = Skeyid.from_signature(hash, ni=nonce, nr=nonce, g_xy=Secret(public), cky_i=cookie, cky_r=cookie)
    keys.hash_i(**named, id_i=nonce)
    keys.hash_r(**named, id_r=nonce)
    for _ in range(4):
        prf.digest(hash, nonce)
    iv = key_material.phase1_iv(hash, g_xi=public, g_xr=public, block_size=16)
    key_material.phase2_iv(hash, iv, 1)
    keys.hash_1(1, bytes(400))
    keys.hash_2(1, nonce, bytes(400))
    keys.hash_3(1, nonce, nonce)
    for _ in range(2):
        keys.keymat(ProtocolId.ESP, bytes(4), ni=nonce, nr=nonce, length=64, g_xy=Secret(public))
    cipher = Cbc(phase1_cipher(EncryptionAlgorithm.AES_CBC, 256), Secret(bytes(32)))
    for size in (1200, 1200, 448, 448, 48):
        cipher.encrypt(bytes(size), iv)


def _rsa(issued: factory.Issued) -> RSAPrivateKey:
    assert isinstance(issued.key, RSAPrivateKey)
    return issued.key


def _resident() -> int:
    """Bytes of RSS."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _measure_crowd() -> tuple[float, float]:
    """kB of one end for each pair: an IKE SA with its peer's certificate chain, a tunnel with its two SAs, and what
    is kept for a while to repeat the last messages. Right after the last handshake, so nothing is left out.

    And what the last handshakes cost, in the first ones."""
    ca = factory.authority("Bench CA")
    anchors = [x509.load_der_x509_certificate(ca.der)]
    session = keynote.Session(keynote.parse_policy(ANYBODY, name="bench.policy"))
    own = factory.leaf(ca, NAME[B], key=NAME[B])
    credential = Credential(Identity.fqdn(NAME[B]), (own.der,), _rsa(own))
    responder = Host(
        ip_address(B), isakmpd.parse(DEFAULT_RESPONDER), KeyNoteAuthorizer(session), anchors, [credential]
    )

    def add(number: int) -> float:
        address, name = f"10.98.{number // 250}.{number % 250 + 1}", f"gw-{number}.example.org"
        text = gateway(A, authentication="rsa", remote_id=False, suites="QM-ESP-AES-256-SHA2-256-SUITE")
        text = (
            text.replace(A, address)
            .replace(NAME[A], name)
            .replace("10.1.0.0", f"10.{number // 250 + 100}.{number % 250}.0")
        )
        text = text.replace("Netmask= 255.255.0.0", "Netmask= 255.255.255.0", 1)
        issued = factory.leaf(ca, name, key=NAME[A])
        peer = Credential(Identity.fqdn(name), (issued.der,), _rsa(issued))
        initiator = Host(ip_address(address), isakmpd.parse(text), AllowAll(), anchors, [peer], seed=number)
        network = Network(initiator, responder)
        start = process_time()
        network.start()
        network.run(1)
        spent = process_time() - start
        assert len(initiator.installed) == 2, (initiator.events, responder.events)
        responder.events.clear()
        return spent

    for number in range(SA_PAIRS, SA_PAIRS + 50):  # what is loaded and cached once
        add(number)
    gc.collect()
    before = _resident()
    spent = [add(number) for number in range(SA_PAIRS)]
    gc.collect()
    return (_resident() - before) / SA_PAIRS / 1000, median(spent[-100:]) / median(spent[:100])


if __name__ == "__main__":
    print(*_measure_crowd())
