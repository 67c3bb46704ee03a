# SPDX-License-Identifier: ISC
from ike_auth import errors
from ike_auth.errors import IkeError, LocalError, PeerError
from ike_auth.wire.numbers import NotifyType

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IkeError)]


def test_every_error_says_whose_fault_it_is() -> None:
    for kind in KINDS:
        assert kind is IkeError or issubclass(kind, PeerError) != issubclass(kind, LocalError)


def test_every_fault_of_the_peer_says_what_to_tell_it() -> None:
    for kind in KINDS:
        if issubclass(kind, PeerError) and kind is not PeerError:
            assert isinstance(kind.notify, NotifyType)
            assert kind.notify.is_error
    assert PeerError.notify is None
    assert errors.NoProposalChosen.notify == NotifyType.NO_PROPOSAL_CHOSEN
