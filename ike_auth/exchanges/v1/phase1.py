# SPDX-License-Identifier: ISC
"""What main mode and aggressive mode have in common: keys, proofs, and the SA that comes of them (RFC 2409 5)."""

from collections.abc import Iterable
from functools import lru_cache
from hmac import compare_digest

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import load_der_x509_certificate

from ike_auth.authorization.requests import NOTHING_SENT, IdentifyPeer, Negotiation, PeerIdentified, Sent
from ike_auth.config.model import Peer
from ike_auth.crypto import authenticators, key_material
from ike_auth.crypto.ciphers import Cbc, phase1_cipher
from ike_auth.crypto.key_material import Skeyid
from ike_auth.crypto.legacy import legacy_names
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import AuthenticationFailed, InvalidCertificate, LocalError
from ike_auth.exchanges.steps import Local
from ike_auth.exchanges.v1.protection import Protection
from ike_auth.network import Endpoint
from ike_auth.sa import Cookies, IkeSa, Nat
from ike_auth.suites import Phase1Suite
from ike_auth.values import value
from ike_auth.wire import vendor_ids
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import Message, encode_payloads
from ike_auth.wire.numbers import AuthenticationMethod, CertEncoding, ExchangeType, NotifyType
from ike_auth.wire.payloads import (
    Certificate,
    CertificateRequest,
    Hash,
    NatDiscovery,
    Notification,
    Payload,
    Signature,
    VendorId,
)

NONCE_SIZE = 32  # bytes; RFC 2409 5 allows 8 to 256
COOKIE_SIZE = 8
_KEYS_KEPT = 64  # of certificates that peers proved themselves with
MAX_CERTIFICATE_REQUESTS = 8  # above that one that names nobody: message 3 should not need IP fragments
_NAT_TRAVERSAL = VendorId(vendor_ids.NAT_T_RFC)
OUR_VENDOR_IDS = encode_payloads([_NAT_TRAVERSAL, VendorId(vendor_ids.DPD), VendorId(vendor_ids.FRAGMENTATION)])


@value
class Agreed:
    """What both ends know once key exchange values and nonces have crossed."""

    peer: Peer
    exchange: ExchangeType
    initiator: bool  # we are
    cookies: Cookies
    suite: Phase1Suite
    sa_body: bytes  # SAi_b
    public_i: bytes
    public_r: bytes
    keys: Skeyid
    protection: Protection
    nat: Nat
    dpd: bool

    @property
    def signs(self) -> bool:
        """Whether both ends sign; else they share a key."""
        return self.suite.authentication == AuthenticationMethod.RSA_SIG


@value
class Halves:
    """Key exchange values and nonces of both ends, as they go into the hashes."""

    public_i: bytes
    public_r: bytes
    nonce_i: bytes
    nonce_r: bytes


def agree(
    peer: Peer,
    exchange: ExchangeType,
    initiator: bool,
    cookies: Cookies,
    suite: Phase1Suite,
    sa_body: bytes,
    halves: Halves,
    shared: Secret,
    nat: Nat,
    dpd: bool,
) -> Agreed:
    """The keys (RFC 2409 5, appendix B). Raises LocalError if the peer has no pre-shared key and needs one."""
    (cky_i, cky_r), ni, nr = cookies, halves.nonce_i, halves.nonce_r
    if suite.authentication == AuthenticationMethod.PRE_SHARED:
        psk = preshared_key(peer)
        keys = Skeyid.from_psk(suite.hash, psk, ni=ni, nr=nr, g_xy=shared, cky_i=cky_i, cky_r=cky_r)
    else:
        keys = Skeyid.from_signature(suite.hash, ni=ni, nr=nr, g_xy=shared, cky_i=cky_i, cky_r=cky_r)
    kind = phase1_cipher(suite.cipher, suite.key_length)
    cipher = Cbc(kind, key_material.expanded_key(suite.hash, keys.e, kind.key_size))
    iv = key_material.phase1_iv(suite.hash, g_xi=halves.public_i, g_xr=halves.public_r, block_size=cipher.block_size)
    return Agreed(
        peer,
        exchange,
        initiator,
        cookies,
        suite,
        sa_body,
        halves.public_i,
        halves.public_r,
        keys,
        Protection(cipher, iv),
        nat,
        dpd,
    )


def own_identity(peer: Peer, local: Endpoint) -> Identity:
    return peer.own_id or Identity.address(local.host)


def own_hash(agreed: Agreed, identity: Identity) -> bytes:
    """HASH_I if we are the initiator, else HASH_R, over our identity."""
    return _hash(agreed, identity.encode(), of_initiator=agreed.initiator)


def preshared_proof(digest: bytes, identity: Identity) -> tuple[Payload, ...]:
    return (identity, Hash(digest))


def signature_proof(
    identity: Identity, signature: bytes, chain: Iterable[bytes], requests: Iterable[CertificateRequest] = ()
) -> tuple[Payload, ...]:
    """RFC 2409 5.1. The signature comes last, so that the last cipher block is one that it covers."""
    certificates = (Certificate(CertEncoding.X509_SIGNATURE, der) for der in chain)
    return (identity, *certificates, *requests, Signature(signature))


def check_proof(agreed: Agreed, message: Message, local: Local) -> IdentifyPeer:
    """Whether the peer holds the key that goes with its identity; if so, what is left to ask about it.

    Raises AuthenticationFailed, InvalidIdInformation, InvalidCertificate.
    """
    identity = message.one(Identity)
    name = identity.name()
    digest = _hash(agreed, identity.encode(), of_initiator=not agreed.initiator)
    credential: Secret | tuple[bytes, ...]
    sent = NOTHING_SENT
    if agreed.suite.authentication == AuthenticationMethod.PRE_SHARED:
        if not compare_digest(message.one(Hash).data, digest):
            raise AuthenticationFailed(f"wrong hash for {name}: the pre-shared keys differ, or somebody interfered")
        credential = preshared_key(agreed.peer)
    else:
        credential = _encoded(message, CertEncoding.X509_SIGNATURE)
        if len(credential) < message.kinds.count(Certificate):
            lists = _encoded(message, CertEncoding.CRL, CertEncoding.ARL)
            sent = Sent(lists, staples=_encoded(message, CertEncoding.OCSP))
        credential = credential or _known_certificate(name, local)
        authenticators.verify(_public_key(credential[0]), digest, message.one(Signature).data)
    negotiation = Negotiation(
        local.local.host, local.remote.host, agreed.exchange, agreed.suite.group, agreed.initiator
    )
    return IdentifyPeer(agreed.peer, name, credential, negotiation, sent)


def _encoded(message: Message, *encodings: CertEncoding) -> tuple[bytes, ...]:
    return tuple([payload.data for payload in message.all(Certificate) if payload.encoding in encodings])


_PROOF = {Identity, Hash, Signature}


def proof_of(message: Message) -> bytes:
    """Of a message that `check_proof` has passed, what nobody but the peer can have written."""
    return b"".join([p.encode() for p in message.payloads if type(p) in _PROOF])


def establish(agreed: Agreed, answer: PeerIdentified, last_block: bytes, local: Local) -> IkeSa:
    """The SA of an allowed peer. It ends with its agreed lifetime or with what authorized it, whichever is first."""
    assert answer.request is not None
    life = float(agreed.suite.life_seconds)
    if answer.expires is not None:
        life = min(life, (answer.expires - local.now.utc).total_seconds())
    return IkeSa(
        cookies=agreed.cookies,
        initiator=agreed.initiator,
        peer=agreed.peer,
        local=local.local,
        remote=local.remote,
        exchange=agreed.exchange,
        suite=agreed.suite,
        keys=agreed.keys,
        cipher=agreed.protection.cipher,
        last_block=last_block,
        own_identity=own_identity(agreed.peer, local.local),
        authenticated=answer.request,
        because=answer.decision.because,
        nat=_settled(agreed, local),
        established=local.now.monotonic,
        expires=local.now.monotonic + life,
        authorization_ends=answer.expires,
        heard=local.now.monotonic,
        dpd=agreed.dpd,
    )


def _settled(agreed: Agreed, local: Local) -> Nat:
    """What both ends hold of NATs. The hashes by which they detect one are not authenticated, but an initiator that
    has found one moves to the port for it: where it has not, we have been deceived."""
    moved = agreed.initiator or local.local.port == local.settings.nat_port
    return agreed.nat if moved else Nat(agreed.nat.supported)


def legacy_in_use(suite: Phase1Suite) -> tuple[str, ...]:
    """The names of legacy algorithms in it, as `Allow-Legacy=` spells them."""
    return tuple(sorted(legacy_names(suite.cipher, suite.hash, suite.group)))


# --- vendor ids, NAT detection, certificate requests


def supports_nat_traversal(message: Message) -> bool:
    return _NAT_TRAVERSAL in message.all(VendorId)


def supports_dpd(message: Message) -> bool:
    """Some announce it in message 1 or 2, some in 3 or 4."""
    return any(vendor_ids.announces_dpd(v) for v in message.all(VendorId))


def starts_anew(message: Message) -> bool:
    """Whether INITIAL-CONTACT stands beside the proof, which does not cover it.

    docs/decisions/0509-after-a-crash.md
    """
    return any(n.type == NotifyType.INITIAL_CONTACT for n in message.all(Notification))


def nat_discovery(suite: Phase1Suite, cookies: Cookies, local: Local) -> tuple[NatDiscovery, NatDiscovery]:
    """RFC 3947 3.2: first the other end as we see it, then ourselves."""
    return _nat_d(suite, cookies, local.remote), _nat_d(suite, cookies, local.local)


def announced(discovery: tuple[NatDiscovery, ...], local: Local) -> tuple[NatDiscovery, ...]:
    """What of it we send: to claim a NAT before us, something else for ourselves."""
    if not discovery or not local.settings.encapsulate:
        return discovery
    return discovery[0], NatDiscovery(local.random(len(discovery[1].data)))


def _nat_d(suite: Phase1Suite, cookies: Cookies, end: Endpoint) -> NatDiscovery:
    cky_i, cky_r = cookies
    return NatDiscovery(key_material.nat_d(suite.hash, cky_i=cky_i, cky_r=cky_r, address=end.host, port=end.port))


def nat_found(discovery: tuple[NatDiscovery, ...], message: Message, claimed: bool) -> Nat:
    """By our own `nat_discovery`; empty: we do without. The peer's first hash is about us, the others are its own
    addresses; a NAT where none of them fits. `claimed`: we say that there is one."""
    received = [payload.data for payload in message.all(NatDiscovery)]
    if not discovery or len(received) < 2:
        return Nat()
    theirs, ours = discovery
    return Nat(True, received[0] != ours.data, theirs.data not in received[1:], claimed)


def certificate_requests(suite: Phase1Suite, authorities: tuple[bytes, ...]) -> tuple[CertificateRequest, ...]:
    if suite.authentication == AuthenticationMethod.PRE_SHARED or not authorities:
        return ()
    return _requests_for(authorities if len(authorities) <= MAX_CERTIFICATE_REQUESTS else (b"",))


@lru_cache(2)  # they are those of the configuration
def _requests_for(names: tuple[bytes, ...]) -> tuple[CertificateRequest, ...]:
    return tuple(CertificateRequest(CertEncoding.X509_SIGNATURE, name) for name in names)


def _hash(agreed: Agreed, identity_body: bytes, of_initiator: bool) -> bytes:
    keys, g_xi, g_xr, sa_i = agreed.keys, agreed.public_i, agreed.public_r, agreed.sa_body
    cky_i, cky_r = agreed.cookies
    if of_initiator:
        return keys.hash_i(g_xi=g_xi, g_xr=g_xr, cky_i=cky_i, cky_r=cky_r, sa_i=sa_i, id_i=identity_body)
    return keys.hash_r(g_xi=g_xi, g_xr=g_xr, cky_i=cky_i, cky_r=cky_r, sa_i=sa_i, id_r=identity_body)


def preshared_key(peer: Peer) -> Secret:
    if peer.preshared_key is None:
        raise LocalError(f"{peer.where}: peer `{peer.name}` has no pre-shared key; add `Authentication=`")
    return peer.preshared_key


def _known_certificate(name: Identity, local: Local) -> tuple[bytes, ...]:
    known = local.settings.certificate_of(name)
    if known is None:
        raise AuthenticationFailed(f"{name} sent no certificate, and none of that name is in Cert-directory")
    return known.chain


@lru_cache(_KEYS_KEPT)
def _public_key(der: bytes) -> object:
    """The key of a certificate of which nothing is known yet. Peers come again, and the newest are remembered."""
    try:
        return load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidCertificate("the peer's certificate cannot be read") from None
