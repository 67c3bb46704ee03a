# SPDX-License-Identifier: ISC
"""What operators ask of a daemon over the control socket, and what it takes no notice of."""

from typing import cast

import pytest

from ike_auth.daemon.control import ControlError
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.operating import handlers
from ike_auth.engine import Engine

NOT_ASKED = cast(Engine, None)


@pytest.mark.parametrize("command", ["status", "up", "down", "reload", "traffic"])
def test_an_argument_that_a_command_does_not_have(command: str) -> None:
    arguments = {"name": "office"} if command in ("up", "down") else {}
    handler = handlers(NOT_ASKED, MemoryKernel(), lambda step: None, None)[command]
    with pytest.raises(ControlError, match=r"^there is no argument `when` here$") as caught:
        handler(arguments | {"when": "tomorrow"})
    assert caught.value.hint == ("there is `name`" if arguments else "")
