"""From scenario files to what sessions begin with: shared files, sessions of their own, settings that agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mockbifrost.errors import Finding, ScenarioError
from mockbifrost.gateway.models import KNOWN_PROVIDERS
from mockbifrost.gateway.pipeline import Gateway, ProviderRules
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.load import LoadedScenario
from mockbifrost.scenario.stubs import Layer, Stub
from mockbifrost.session.registry import Blueprint
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.profiles import PROFILES, ProfileName


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all sessions share, and what those with files of their own have."""

    common: Blueprint
    named: Mapping[str, Blueprint]


def assemble(
    scenarios: Sequence[LoadedScenario], *, version: ProfileName | None = None, keep_seeds: bool = True
) -> Assembly:
    """Compile all files. `version` beats theirs; `keep_seeds` False: the server's seed beats theirs.

    Raises ScenarioError where two files of one session contradict each other.
    """
    shared = [scenario for scenario in scenarios if scenario.model.session is None]
    names = sorted({scenario.model.session for scenario in scenarios if scenario.model.session is not None})
    shared_settings = merged_settings(shared)
    compiled = _compiled(shared, keep_seeds)
    common = Blueprint(Layer(compiled, lasting=True), gateway_of(shared_settings, version))
    named: dict[str, Blueprint] = {}
    for name in names:
        own = [scenario for scenario in scenarios if scenario.model.session == name]
        settings = _over(shared_settings, merged_settings(own))
        named[name] = Blueprint(
            Layer([*_compiled(own, keep_seeds), *compiled], lasting=True), gateway_of(settings, version)
        )
    return Assembly(common, named)


def _compiled(scenarios: Iterable[LoadedScenario], keep_seeds: bool) -> list[Stub]:
    found: list[Stub] = []
    for scenario in scenarios:
        model = scenario.model
        for number, (stub, line) in enumerate(zip(model.stubs, scenario.stub_lines, strict=True)):
            found.append(
                compile_stub(
                    stub,
                    id=f"{scenario.source}#{number}",
                    source=scenario.source,
                    line=line,
                    seed=model.seed if keep_seeds else None,
                    defaults=model.defaults,
                )
            )
    return found


def merged_settings(scenarios: Sequence[LoadedScenario]) -> GatewaySettings:
    """The settings of files that share a session: each may say a part. Raises ScenarioError where two say different things."""
    said: dict[str, tuple[object, str]] = {}
    findings: list[Finding] = []
    for scenario in scenarios:
        settings = scenario.model.gateway
        for key in sorted(settings.model_fields_set) if settings is not None else ():
            value = getattr(settings, key)
            known = said.setdefault(key, (value, scenario.source))
            if known[0] != value:
                message = f"gateway.{key} says something else than {known[1]} does, and both files share one session"
                hint = "make them agree, or give one of them a `session` of its own"
                findings.append(Finding(scenario.source, 0, 0, f"gateway.{key}", message, hint))
    if findings:
        raise ScenarioError(findings)
    return GatewaySettings.model_validate({key: value for key, (value, _source) in said.items()})


def _over(base: GatewaySettings, settings: GatewaySettings) -> GatewaySettings:
    return base.model_copy(update={key: getattr(settings, key) for key in settings.model_fields_set})


def reconfigured(gateway: Gateway, settings: GatewaySettings, *, keep_version: bool = False) -> Gateway:
    """The gateway with those settings that are written laid over it; `keep_version`: all but the version."""
    wanted, written = gateway_of(settings), settings.model_fields_set
    return Gateway(
        gateway.profile if keep_version or "version" not in written else wanted.profile,
        wanted.providers if "providers" in written else gateway.providers,
        wanted.exact_tokens if "tokens" in written else gateway.exact_tokens,
    )


def gateway_of(settings: GatewaySettings, version: ProfileName | None = None) -> Gateway:
    """The gateway that these settings describe."""
    profile = PROFILES[version or settings.version]
    if settings.providers is None:
        return Gateway(profile, dict.fromkeys(KNOWN_PROVIDERS, ProviderRules()), settings.tokens == "exact")
    rules = {name: ProviderRules(one.models, one.validate_) for name, one in settings.providers.items()}
    return Gateway(profile, rules, settings.tokens == "exact")
