# SPDX-License-Identifier: ISC
"""`keynote attributes`: what a policy for IPsec can test, with the values that it can have."""

import click

from keynote.cli.inputs import InputError
from keynote.cli.program import json_option, print_json, settled
from keynote.nearest import nearest
from keynote.redaction import quoted
from keynote.schemas.ipsec import ATTRIBUTES, Attribute


@click.command()
@click.argument("name", required=False)
@json_option()
def attributes(name: str | None, as_json: bool) -> None:
    """Show the attributes of `app_domain == "IPsec policy"`: all, or one with its values.

    \b
    Example:
      keynote attributes
      keynote attributes esp_enc_alg
    """
    found = list(ATTRIBUTES.values()) if name is None else [_attribute(name)]
    settled(0)
    if as_json:
        data = [attribute.data() for attribute in found]
        print_json(data if name is None else data[0])
    elif name is None:
        width = max(map(len, ATTRIBUTES))
        for attribute in found:
            click.echo(f"{attribute.name:{width}}  {attribute.meaning}")
    else:
        click.echo(_described(found[0]))


def _attribute(name: str) -> Attribute:
    if name in ATTRIBUTES:
        return ATTRIBUTES[name]
    meant = nearest(name, ATTRIBUTES)
    hint = f"did you mean `{meant}`?" if meant else "`keynote attributes` lists them"
    raise InputError(f"there is no attribute {quoted(name)}", hint=hint)


def _described(attribute: Attribute) -> str:
    empty = "where it does not apply, which is the empty string" if attribute.may_be_empty else "never"
    known = "in both phases" if attribute.phase1 else "in Phase 2; in Phase 1 it is unknown"
    return "\n".join(
        [
            f"{attribute.name}: {attribute.meaning}",
            f"  values     {attribute.domain}",
            f"  undefined  {empty}",
            f"  known      {known}",
        ]
    )
