# SPDX-License-Identifier: ISC
"""Hypothesis strategies: payloads that mean something, payloads as bytes, and whole chains of them."""

from hypothesis import strategies as st

from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import (
    CertEncoding,
    Doi,
    IdType,
    NotifyType,
    PayloadType,
    ProtocolId,
)
from ike_auth.wire.payloads import (
    Certificate,
    CertificateRequest,
    Delete,
    Fragment,
    Hash,
    Identification,
    KeyExchange,
    NatDiscovery,
    NatOriginalAddress,
    Nonce,
    Notification,
    Payload,
    Signature,
    UnknownPayload,
    VendorId,
)
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform

byte = st.integers(0, 0xFF)
short = st.integers(0, 0xFFFF)
some_bytes = st.binary(max_size=24)
attributes = st.builds(Attribute, st.integers(0, 0x7FFF), short | some_bytes)
transforms = st.builds(Transform, byte, byte, st.lists(attributes, max_size=4).map(tuple))
proposals = st.builds(
    Proposal, byte, st.builds(ProtocolId, byte), some_bytes, st.lists(transforms, min_size=1, max_size=3).map(tuple)
)
security_associations = st.builds(SecurityAssociation, st.lists(proposals, min_size=1, max_size=3).map(tuple))
spis = st.integers(1, 16).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), max_size=4))

payloads: st.SearchStrategy[Payload] = st.one_of(
    security_associations,
    *[st.builds(kind, some_bytes) for kind in (KeyExchange, Hash, Signature, Nonce, VendorId)],
    *[st.builds(kind, st.builds(CertEncoding, byte), some_bytes) for kind in (Certificate, CertificateRequest)],
    st.builds(Identification, st.builds(IdType, byte), byte, short, some_bytes),
    st.builds(
        Notification, st.builds(Doi, short), st.builds(ProtocolId, byte), st.builds(NotifyType, short), some_bytes
    ),
    st.builds(Delete, st.builds(Doi, short), st.builds(ProtocolId, byte), spis.map(tuple)),
    st.builds(NatDiscovery, some_bytes, st.sampled_from([PayloadType.NAT_D, PayloadType.NAT_D_DRAFT])),
    st.builds(
        NatOriginalAddress,
        st.builds(IdType, byte),
        some_bytes,
        st.sampled_from([PayloadType.NAT_OA, PayloadType.NAT_OA_DRAFT]),
    ),
    st.builds(Fragment, short, byte, st.booleans(), some_bytes),
    st.builds(UnknownPayload, st.sampled_from([2, 3, 14, 19, 99, 200]).map(PayloadType), some_bytes),
)
chains = st.lists(payloads, max_size=6).map(tuple)
