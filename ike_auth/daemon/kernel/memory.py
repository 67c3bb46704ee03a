# SPDX-License-Identifier: ISC
"""No kernel at all: SAs are remembered, no packet is touched. For tests, labs and `--no-kernel`."""

from ike_auth.sa import IpsecSa


class MemoryKernel:
    def __init__(self) -> None:
        self.sas: dict[tuple[bool, bytes], IpsecSa] = {}

    def install(self, sa: IpsecSa) -> None:
        self.sas[sa.inbound, sa.spi] = sa

    def remove(self, sa: IpsecSa) -> None:
        self.sas.pop((sa.inbound, sa.spi), None)
