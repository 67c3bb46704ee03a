# SPDX-License-Identifier: ISC
"""What holds where the file says nothing. isakmpd's defaults, but for its algorithms (docs/decisions/0401)."""

from collections.abc import Mapping

from ike_auth.config import suites
from ike_auth.config.ini import Entry, Section
from ike_auth.config.model import Location

PEER = "Default-phase-1"
PHASE_1_CONFIGURATION = "Default-phase-1-configuration"

PHASE_1_LIFETIME = "3600,60:86400"
PHASE_2_LIFETIME = "1200,60:86400"

PRESHARED_TRANSFORM = "AES-256-SHA2-256-GRP14"
SIGNATURE_TRANSFORM = "AES-256-SHA2-256-GRP14-RSA_SIG"
PHASE_2_SUITES = "QM-ESP-AESGCM-256-PFS-GRP14-SUITE"


def generated(name: str, where: Location, general: Section | None) -> Section | None:
    """The section of this name that need not be in the file, made to stand at `where`; None if there is none."""

    def section(tags: Mapping[str, str]) -> Section:
        return Section(name, where, {tag.lower(): Entry(tag, value, where) for tag, value in tags.items()})

    def lifetime(tag: str, default: str) -> Section:
        configured = general.get(tag) if general else None
        life = section({"LIFE_TYPE": "SECONDS", "LIFE_DURATION": default})
        if configured:
            duration = Entry("LIFE_DURATION", configured.value, configured.where)
            life = Section(name, where, {**life.entries, "life_duration": duration})
        return life

    match name.lower():
        case "life_main_mode":
            return lifetime("Default-phase-1-lifetime", PHASE_1_LIFETIME)
        case "life_quick_mode":
            return lifetime("Default-phase-2-lifetime", PHASE_2_LIFETIME)
        case "default-phase-1":
            return section({"Phase": "1", "Configuration": PHASE_1_CONFIGURATION})
        case "default-phase-1-configuration":
            # Its transforms depend on whether the peer has a pre-shared key.
            return section({"EXCHANGE_TYPE": "ID_PROT"})
    tags = suites.generated(name)
    return section(tags) if tags else None
