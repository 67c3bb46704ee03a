# SPDX-License-Identifier: ISC
"""`[General]` and `[X509-certificates]`."""

from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from ike_auth.config.errors import Problems, did_you_mean, quoted
from ike_auth.config.ini import Entry
from ike_auth.config.model import Certificates, General
from ike_auth.config.source import Source
from pki.chain import RevocationPolicy

DAY = 86400  # seconds
MOST_HALF_OPEN = 1_000_000
MOST_RETRANSMITS = 100
AUTHORIZERS = "ike_auth.authorizers"  # the group of entry points
DELEGATIONS = ("no", "signed", "yes")
CRL_POLICIES = {"if-there": RevocationPolicy.IF_THERE, "require": RevocationPolicy.REQUIRE}
KERNELS = ("auto", "xfrm", "userspace", "none")


def read_general(source: Source) -> General:
    section = source.fixed("General")
    default = General()
    use_keynote = section.yes_no("Use-Keynote", default.use_keynote)
    if not use_keynote:
        message = "`Use-Keynote= no`: no policy is asked, every authenticated peer gets the tunnels that it proposes"
        source.problems.warn(section.place("Use-Keynote"), message)
    authorizer = section.entry("Authorizer")
    if authorizer and use_keynote:
        _check_installed(authorizer, source.problems)
    return General(
        listen_on=section.addresses("Listen-on"),
        retransmits=section.number("Retransmits", default.retransmits, 0, MOST_RETRANSMITS),
        exchange_max_time=section.number("Exchange-max-time", default.exchange_max_time, 1, DAY),
        check_interval=section.number("Check-interval", default.check_interval, 1, DAY),
        nat_keepalive=section.number("NAT-T-Keepalive", default.nat_keepalive, 1, DAY),
        dpd_interval=section.number("DPD-check-interval", default.dpd_interval, 0, DAY),
        delete_sas=section.yes_no("Delete-SAs", default.delete_sas),
        use_keynote=use_keynote,
        authorizer=authorizer.value if authorizer else default.authorizer,
        policy_file=section.path("Policy-file", default.policy_file),
        half_open_limit=section.number("Half-open-limit", default.half_open_limit, 1, MOST_HALF_OPEN),
        kernel=section.choice("Kernel", {name: name for name in KERNELS}) or default.kernel,
        always_in_udp=section.yes_no("ESP-in-UDP", default.always_in_udp),
        decision_log=section.path("Decision-log", Path()) if section.entry("Decision-log") else None,
        verbose=section.has("Logverbose"),
    )


def _check_installed(authorizer: Entry, problems: Problems) -> None:
    installed = {found.name for found in entry_points(group=AUTHORIZERS)}
    if authorizer.value not in installed:
        hint = did_you_mean(authorizer.value, installed) or f"there are: {', '.join(sorted(installed)) or 'none'}"
        problems.error(authorizer.where, f"`Authorizer`: no authorizer {quoted(authorizer.value)} is installed", hint)


def read_delegations(source: Source, general: General, certificates: Certificates) -> General:
    """`Delegations` in [KeyNote]."""
    section = source.fixed("KeyNote")
    wanted = section.choice("Delegations", {word: word for word in DELEGATIONS}) or general.delegations
    where = section.place("Delegations")
    if wanted == general.delegations:
        return general
    if certificates.registry is None:
        hint = "`Registry= sqlite:////var/lib/ca/registry.sqlite`, for example"
        source.problems.error(where, "`Delegations` are those of a registry: name it in [X509-certificates]", hint)
    elif not general.use_keynote or general.authorizer != General().authorizer:
        source.problems.warn(where, "`Delegations` has no effect: no KeyNote policy is asked")
    return replace(general, delegations=wanted)


def read_certificates(source: Source) -> Certificates:
    section = source.fixed("X509-certificates")
    default = Certificates()

    def path(tag: str, otherwise: Path) -> Path:
        return section.path(tag, otherwise)

    registry = section.entry("Registry")
    if registry and "://" not in registry.value:
        hint = "`sqlite:////var/lib/ca/registry.db`, for example"
        source.problems.error(registry.where, f"`Registry`: {quoted(registry.value)} is not a database URL", hint)
    urls = section.names("CRL-URLs")
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            source.problems.error(section.place("CRL-URLs"), f"`CRL-URLs`: {quoted(url)} is no http or https URL")
    interval = section.number("Recheck-interval", default.recheck_interval, 0, DAY)
    if urls and not interval:
        message = "`CRL-URLs` are fetched once, at the start: `Recheck-interval` is 0"
        source.problems.warn(section.place("Recheck-interval"), message)
    return Certificates(
        ca_directory=path("CA-directory", default.ca_directory),
        cert_directory=path("Cert-directory", default.cert_directory),
        crl_directory=path("CRL-directory", default.crl_directory),
        private_key=path("Private-key", default.private_key),
        private_key_directory=path("Private-key-directory", default.private_key_directory),
        crl_urls=urls,
        crl_policy=section.choice("CRL-check", CRL_POLICIES) or default.crl_policy,
        recheck_interval=interval,
        registry=registry.value if registry else None,
    )
