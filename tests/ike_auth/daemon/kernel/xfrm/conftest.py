# SPDX-License-Identifier: ISC
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm.conversation import Conversation
from tests.ike_auth.daemon.kernel.xfrm.inside import inside, ip
from tests.ike_auth.daemon.kernel.xfrm.running import Channel, Running, started
from tests.interop.namespaces import Gateways, two_gateways


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not shutil.which("ip"):
        pytest.skip("ip(8) is missing")
    with ExitStack() as undo:
        try:
            both = undo.enter_context(two_gateways())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"cannot make network namespaces: {error.stderr.strip()}")
        with inside(both.a.namespace):
            try:
                Conversation.open().close()
            except KernelError as error:
                pytest.skip(str(error))
            ip(f"route add {both.b.network} via {both.b.address}")
        yield both


@pytest.fixture
def here(gateways: Gateways) -> Iterator[Gateways]:
    """We are in A, where XFRM has nothing, and leave nothing behind."""
    with inside(gateways.a.namespace):
        ip("xfrm policy flush")
        ip("xfrm state flush")
        yield gateways
        ip("xfrm policy flush")
        ip("xfrm state flush")


@pytest.fixture
def running(here: Gateways) -> Iterator[Running]:
    with started() as one:
        yield one


@pytest.fixture
def channel(here: Gateways) -> Iterator[Channel]:
    with ExitStack() as undo:
        yield Channel(here, undo)
