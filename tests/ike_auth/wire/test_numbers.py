# SPDX-License-Identifier: ISC
import pickle
from typing import Any

import pytest

from ike_auth.wire import numbers
from ike_auth.wire.numbers import ExchangeType, Flags, NotifyType, PayloadType, WireEnum

ENUMS = [kind for kind in vars(numbers).values() if isinstance(kind, type) and issubclass(kind, WireEnum)]
ENUMS.remove(WireEnum)


def test_known_numbers() -> None:
    assert PayloadType(20) is PayloadType.NAT_D
    assert ExchangeType(2) is ExchangeType.MAIN
    assert ExchangeType["ID_PROT"] is ExchangeType.MAIN
    assert int(NotifyType.R_U_THERE) == 36136
    assert NotifyType(14).known


def test_unknown_numbers_are_values() -> None:
    unknown = NotifyType(40000)
    assert isinstance(unknown, NotifyType)
    assert (unknown, unknown.value, unknown.name) == (40000, 40000, "NotifyType_40000")
    assert unknown == NotifyType(40000) != NotifyType(40001)
    assert hash(unknown) == hash(NotifyType(40000))
    assert not unknown.known
    assert pickle.loads(pickle.dumps(unknown)) == unknown


def test_text_is_the_name() -> None:
    assert str(NotifyType.NO_PROPOSAL_CHOSEN) == f"{NotifyType.NO_PROPOSAL_CHOSEN}" == "NO_PROPOSAL_CHOSEN"
    assert f"{PayloadType(77):>15}" == " PayloadType_77"
    assert f"{int(PayloadType.KE)}" == "4"


@pytest.mark.parametrize("value", [-1, "2", None, 1.5])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not a valid PayloadType"):
        PayloadType(value)


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_unknown_numbers_are_not_remembered(kind: type[WireEnum]) -> None:
    """A peer must not be able to fill memory with numbers."""
    before = len(kind._value2member_map_), len(list(kind))
    for number in range(50000, 50100):
        assert kind(number) == number
    assert (len(kind._value2member_map_), len(list(kind))) == before


def test_errors_and_status() -> None:
    assert NotifyType.AUTHENTICATION_FAILED.is_error
    assert NotifyType(8192).is_error
    assert not NotifyType.INITIAL_CONTACT.is_error
    assert not NotifyType(0).is_error


def test_unknown_flags_are_kept() -> None:
    assert int(Flags(0xF1)) == 0xF1
    assert Flags.ENCRYPTION in Flags(0xF1)
