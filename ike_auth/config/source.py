# SPDX-License-Identifier: ISC
"""A configuration file as the readers of its parts see it: its sections, over those that need not be written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ike_auth.config import defaults, schema
from ike_auth.config.errors import Problems, bracketed, did_you_mean, quoted
from ike_auth.config.ini import Section
from ike_auth.config.model import Location
from ike_auth.config.reader import Reader
from ike_auth.config.schema import Kind

MOST_HINTS = 20  # names are compared with thousands of others: a file with no right one must not take minutes


@dataclass(frozen=True, slots=True)
class Source:
    file: str
    sections: Mapping[str, Section]  # by lower-case name
    problems: Problems
    _used: set[str] = field(default_factory=set)

    def fixed(self, name: str) -> Reader:
        """A section that isakmpd knows by its name; one that is not in the file has no tags."""
        section = self.sections.get(name.lower()) or Section(name, Location(self.file, 1), {})
        self._use(section, schema.FIXED[name])
        return Reader(section, self.problems)

    def follow(
        self,
        name: str,
        where: Location,
        kind: Kind,
        generated: Callable[[], Iterable[str]] = tuple,
        *,
        tag: str = "",
    ) -> Reader | None:
        """The section that `where` refers to by `name`; a complaint if there is none. Where it is both written and
        generated, each tag that is written goes before the generated one. `generated` are further suggestions. With a
        `tag`, the complaint names that instead of what it has, which may be a pre-shared key by mistake."""
        written = self.sections.get(name.lower())
        made = defaults.generated(name, written.where if written else where, self.sections.get("general"))
        if written is None and made is None:
            hint = ""
            if len(self.problems.errors) < MOST_HINTS:
                written_names = [section.name for section in self.sections.values()]
                hint = did_you_mean(name, [*written_names, *generated()])
            message = f"{quoted(tag)} names no section" if tag else f"there is no section {bracketed(name)}"
            self.problems.error(where, message, hint)
            return None
        if written is None or made is None:
            section = written or made
        else:
            section = Section(written.name, written.where, {**made.entries, **written.entries})
        assert section is not None
        self._use(section, kind)
        return Reader(section, self.problems)

    def _use(self, section: Section, kind: Kind) -> None:
        if section.name.lower() not in self._used:
            self._used.add(section.name.lower())
            schema.check_tags(section, kind, self.problems)

    def check_unused(self) -> None:
        """Warns of sections that have no effect, unless they are spare parts: transforms, lifetimes and the like."""
        for key, section in self.sections.items():
            if key not in self._used:
                self._check_unused(section)

    def _check_unused(self, section: Section) -> None:
        made = defaults.generated(section.name, section.where, None)
        kind = schema.kind_of(section) or (schema.kind_of(made) if made else None)
        name = bracketed(section.name)
        match kind:
            case None:
                hint = did_you_mean(section.name, schema.FIXED) or "nothing refers to it"
                self.problems.warn(section.where, f"unknown section {name}", hint)
                return
            case Kind.PEER:
                reason = "no line of `[Phase 1]` and no connection names it"
            case Kind.CONNECTION:
                reason = "neither `Connections` nor `Passive-Connections` of `[Phase 2]` names it"
            case Kind.MODE_CONFIG:
                reason = "mode config is not supported yet"
            case Kind.INITIATOR_ID:
                reason = "keys by the initiator's ID belong to aggressive mode, which is not supported yet"
            case _:
                schema.check_tags(section, kind, self.problems)
                return
        self.problems.warn(section.where, f"{name} has no effect", reason)
        schema.check_tags(section, kind, self.problems)
