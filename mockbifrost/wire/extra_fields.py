"""`extra_fields`: what the gateway adds about the way a request took. Source: wire.md 3.5 and 5."""

from __future__ import annotations

from collections.abc import Mapping

from mockbifrost.values import value
from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.profiles import Profile


@value
class Route:
    """Who served a request: names as the gateway reports them, models without a prefix. Empty where nobody was asked."""

    request_type: str = ""
    provider: str = ""
    model: str = ""
    resolved_model: str = ""
    key: str = ""
    fallback: int = 0
    primary_provider: str = ""
    primary_model: str = ""


def _is_alias(route: Route) -> bool:
    return bool(route.resolved_model) and route.resolved_model != route.model


def routing_info(route: Route) -> JsonObject:
    """The routing of one request; empty values are left out."""
    pairs: list[tuple[str, Json]] = [
        ("provider", route.provider),
        ("model", route.model),
        ("key", route.key),
        ("resolved_key_alias", {"model_id": route.resolved_model} if _is_alias(route) else None),
        ("is_fallback", route.fallback > 0),
        ("primary_provider", route.primary_provider if route.fallback else ""),
        ("primary_model", route.primary_model if route.fallback else ""),
    ]
    return {name: value for name, value in pairs if value}


def _model_names(profile: Profile, route: Route) -> JsonObject:
    names: JsonObject = {}
    if profile.documented_model_names:
        if route.model:
            names["model_requested"] = route.model
        if route.resolved_model and route.resolved_model != route.model:
            names["model_deployment"] = route.resolved_model
    elif route.model:
        names["original_model_requested"] = route.model
        names["resolved_model_used"] = route.resolved_model or route.model
    return names


def answer_fields(
    profile: Profile,
    route: Route,
    *,
    latency_ms: int,
    chunk_index: int = 0,
    upstream_latency: bool = False,
    additions: Mapping[str, Json] | None = None,
) -> JsonObject:
    """The fields of an answer or of one chunk. Latencies are whole milliseconds."""
    fields: JsonObject = {"request_type": route.request_type}
    if profile.routing_info:
        fields["routing_info"] = routing_info(route)
    fields["provider"] = route.provider
    fields.update(_model_names(profile, route))
    fields["latency"] = latency_ms
    if upstream_latency:
        fields["upstream_latency"] = latency_ms
    fields["chunk_index"] = chunk_index
    if additions:
        fields.update(additions)
    return fields


def error_fields(
    profile: Profile,
    route: Route | None,
    *,
    latency_ms: int | None,
    error_type: str | None,
    additions: Mapping[str, Json] | None = None,
) -> JsonObject:
    """The fields of an error. An error from before the request was understood has next to none."""
    fields: JsonObject = {}
    if profile.name == "2.2":
        fields["routing_info"] = routing_info(route) if route else {}
    if route and route.provider:
        fields["provider"] = route.provider
    if route:
        fields.update(_model_names(profile, route))
        if route.request_type:
            fields["request_type"] = route.request_type
    if additions:
        fields.update(additions)
    if profile.error_latency and latency_ms is not None:
        fields["latency"] = latency_ms
    if profile.error_type and error_type:
        fields["error_type"] = error_type
    return fields
