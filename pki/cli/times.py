# SPDX-License-Identifier: ISC
"""Times and lengths of time as they are typed."""

import datetime
import re

import click

_LENGTH = re.compile(r"([1-9][0-9]{0,5})([hdwy])")
_UNITS = {
    "h": datetime.timedelta(hours=1),
    "d": datetime.timedelta(days=1),
    "w": datetime.timedelta(weeks=1),
    "y": datetime.timedelta(days=365),
}


not_after = click.option("--not-after", metavar="TIME", help="Until when: 2027-01-31, 2027-01-31T18:00 (UTC), 90d.")


def length(text: str) -> datetime.timedelta | None:
    """`12h`, `30d`, `2w`, `1y`; None for anything else."""
    match = _LENGTH.fullmatch(text)
    return None if match is None else int(match[1]) * _UNITS[match[2]]


def end(text: str, now: datetime.datetime) -> datetime.datetime | None:
    """As `some_end`, and None for `never`. Raises click.UsageError."""
    return None if text == "never" else some_end(text, now, ", `90d` or `never`")


def some_end(text: str, now: datetime.datetime, or_else: str = " or `90d`") -> datetime.datetime:
    """`2027-01-31`, the last second of that day; `2027-01-31T18:00`, in UTC unless it has an offset; `90d` from now.
    Raises click.UsageError, with how else it is written."""
    try:
        if (after := length(text)) is not None:
            return now.replace(microsecond=0) + after
        time = datetime.datetime.fromisoformat(text)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            time += datetime.timedelta(days=1, seconds=-1)
        return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise click.UsageError(f"`{text}` is no time: write `2027-01-31`, `2027-01-31T18:00`{or_else}") from None


class Length(click.ParamType[datetime.timedelta]):
    """An option's value that is a length of time."""

    name = "length"

    def convert(
        self, value: str | datetime.timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.timedelta:
        found = value if isinstance(value, datetime.timedelta) else length(value)
        if found is None:
            self.fail(f"`{value}` is no length of time: write `12h`, `30d`, `2w` or `1y`", param, ctx)
        return found
