# SPDX-License-Identifier: ISC
"""Who would be enough besides the requesters: the query is asked again with one principal more, or with two.

What is lacking is added up along ways, and each assertion on them takes what is cheapest for itself. Where another
principal would serve several of them at once, that is seen by asking only.
"""

from collections.abc import Sequence
from itertools import chain, combinations, islice
from typing import Final

from keynote.evaluator import Delegation
from keynote.retrial import trials
from keynote.routes import Routes

#: Principals who are tried, and how many at once.
_PRINCIPALS: Final = 20
_AT_ONCE: Final = 2


def find_companions(found: Routes) -> None:
    """Corrects what is lacking on ways where fewer principals would do than the cheapest of each assertion."""
    short = [link for link in found.links if found.needs_others(link)]
    joined = (link for link in found.links if link.delegation.licensees and link.delegation.licensees.steps)
    if not short or len(list(islice(joined, 2))) < 2:
        return  # within one field, nothing is counted twice
    known = trials(found)
    names = chain.from_iterable(found.names(link.delegation).values() for link in found.links)
    candidates = [name for name in dict.fromkeys(names) if name and name not in found.below][: _PRINCIPALS + 1]
    if len(candidates) > _PRINCIPALS:
        return
    for size in range(1, _AT_ONCE + 1):
        wanted: dict[Delegation, tuple[Sequence[str], Sequence[str]]] = {}
        for added in combinations(candidates, size):
            found_with = known.with_principals(added)
            if found_with is None:
                return
            # Who is wanted in no field on the ways is told as those are whom he would license.
            told = set(chain.from_iterable(found_with.values()))
            for delegation, here in found_with.items() if told.issuperset(added) else ():
                wanted.setdefault(delegation, (added, here))
        for link in short:
            if link.delegation in wanted and len(found.totals[link][1]) >= size:
                found.want(link, *wanted[link.delegation])
        if wanted:
            return
