"""Ingresses and policies as nginx directives, as F5's NGINX Ingress Controller 5.5 writes them.

The controller itself is no Go module that can be had, so this says again what its templates make of
the annotations that our manifests use (its internal/configs/version1). An annotation that is not
known here raises: it would go untested.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

Manifest = Mapping[str, Any]

_PREFIX: Final = "nginx.org/"
_MERGEABLE: Final = "mergeable-ingress-type"
_LIMITS: Final = {"limit-req-rate", "limit-req-burst", "limit-req-no-delay", "limit-req-key"} | {
    "limit-req-zone-size",
    "limit-req-reject-code",
}
_OF_LOCATIONS: Final = _LIMITS | {
    "client-max-body-size",
    "proxy-connect-timeout",
    "proxy-read-timeout",
    "proxy-send-timeout",
    "proxy-buffering",
    "proxy-next-upstream",
    "proxy-set-headers",
}
"""What a minion takes from its master, unless it says so itself."""
_OF_SERVERS: Final = {
    "policies",
    "basic-auth-secret",
    "basic-auth-realm",
    "ssl-redirect",
    "hsts",
    "hsts-max-age",
    "server-tokens",
}
_OF_SERVICES: Final = {"websocket-services", "rewrites"}


class Surroundings(NamedTuple):
    """What the controller knows beside the manifests.

    endpoints:   address of each service and port, ``{("fastapi-service", 8000): "127.0.0.1:1"}``
    http, https: ports to listen on, both with the PROXY protocol, which says who asks
    certificate, key, passwords: files of the Secrets
    folder:      for nginx' own files
    """

    endpoints: Mapping[tuple[str, int], str]
    http: int
    https: int
    certificate: Path
    key: Path
    passwords: Path
    folder: Path


def configuration(manifests: Sequence[Manifest], around: Surroundings) -> str:
    """Return nginx' configuration of all Ingresses among ``manifests``.

    Raises:
        KeyError: a service has no endpoint, a policy is not there.
        ValueError: an annotation or a policy is none that is known here.
    """
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "Policy"}
    ingresses = [m for m in manifests if m["kind"] == "Ingress"]
    minions = [i for i in ingresses if _annotations(i).get(_MERGEABLE) == "minion"]
    lines = list(_main(around))
    for ingress in ingresses:
        if ingress not in minions:
            lines += _server(ingress, minions, policies, around)
    return "\n".join([*lines, "}", ""])


def _main(around: Surroundings) -> Iterator[str]:
    folder = around.folder
    yield "daemon off; master_process off; worker_processes 1;"
    yield f"pid {folder}/nginx.pid; error_log stderr error;"
    yield "events { worker_connections 1024; }"
    yield "http {"
    yield "access_log off;"
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{name}_temp_path {folder}/{name};"
    yield "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"


def _annotations(ingress: Manifest) -> dict[str, str]:
    found = ingress["metadata"].get("annotations", {})
    ours = {k.removeprefix(_PREFIX): v for k, v in found.items() if k.startswith(_PREFIX)}
    unknown = set(ours) - _OF_LOCATIONS - _OF_SERVERS - _OF_SERVICES - {_MERGEABLE}
    if unknown:
        raise ValueError(f"{ingress['metadata']['name']}: {sorted(unknown)} are not known here")
    return ours


def _server(
    ingress: Manifest,
    minions: Sequence[Manifest],
    policies: Mapping[str, Manifest],
    around: Surroundings,
) -> Iterator[str]:
    (rule,) = ingress["spec"]["rules"]
    own = _annotations(ingress)
    parts = [(ingress, own)]
    if own.get(_MERGEABLE) == "master":
        inherited = {name: value for name, value in own.items() if name in _OF_LOCATIONS}
        parts = [
            (minion, inherited | _annotations(minion))
            for minion in minions
            if minion["spec"]["rules"][0]["host"] == rule["host"]
        ]
    for part, annotations in parts:
        yield from _zone(part, annotations)
    yield "server {"
    yield f"listen {around.http} proxy_protocol;"
    yield f"listen {around.https} ssl proxy_protocol;"
    yield f"ssl_certificate {around.certificate}; ssl_certificate_key {around.key};"
    yield "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"
    yield f"server_name {rule['host']};"
    yield f"server_tokens {'off' if own.get('server-tokens') == 'false' else 'on'};"
    yield from _access(own, policies)
    if own.get("hsts") == "true":
        yield 'set $hsts ""; proxy_hide_header Strict-Transport-Security;'
        yield f'if ($https = on) {{ set $hsts "max-age={own["hsts-max-age"]}; preload"; }}'
        yield 'add_header Strict-Transport-Security "$hsts" always;'
    if own.get("ssl-redirect", "true") == "true" and ingress["spec"].get("tls"):
        yield f"if ($scheme = http) {{ return 301 https://$host:{around.https}$request_uri; }}"
    if "basic-auth-secret" in own:
        yield f'auth_basic "{own.get("basic-auth-realm", "")}";'
        yield f"auth_basic_user_file {around.passwords};"
    for part, annotations in parts:
        for path in part["spec"]["rules"][0]["http"]["paths"]:
            yield from _location(part, path, annotations, around)
    yield "}"


def _access(annotations: Mapping[str, str], policies: Mapping[str, Manifest]) -> Iterator[str]:
    for name in annotations.get("policies", "").split(","):
        if not name:
            continue
        policy = policies[name.strip()]
        if set(policy) != {"accessControl"} or set(policy["accessControl"]) != {"allow"}:
            raise ValueError(f"policy {name} is not of a kind that is known here: {policy}")
        yield from (f"allow {network};" for network in policy["accessControl"]["allow"])
        yield "deny all;"


def _zone(ingress: Manifest, annotations: Mapping[str, str]) -> Iterator[str]:
    if "limit-req-rate" in annotations:
        yield (
            f"limit_req_zone {annotations.get('limit-req-key', '${binary_remote_addr}')} "
            f"zone={_zone_name(ingress)}:{annotations.get('limit-req-zone-size', '10m')} "
            f"rate={annotations['limit-req-rate']};"
        )


def _zone_name(ingress: Manifest) -> str:
    return f"{ingress['metadata'].get('namespace', 'default')}/{ingress['metadata']['name']}"


def _location(
    ingress: Manifest, path: Manifest, annotations: Mapping[str, str], around: Surroundings
) -> Iterator[str]:
    service = path["backend"]["service"]
    address = around.endpoints[service["name"], service["port"]["number"]]
    yield f"location {'= ' if path['pathType'] == 'Exact' else ''}{path['path']} {{"
    yield "proxy_http_version 1.1;"
    if service["name"] in annotations.get("websocket-services", "").split(","):
        yield "proxy_set_header Upgrade $http_upgrade;"
        yield "proxy_set_header Connection $connection_upgrade;"
    for header in filter(None, annotations.get("proxy-set-headers", "").split(",")):
        name, _, value = header.partition(":")
        yield f'proxy_set_header {name.strip()} "{value.strip()}";'
    yield "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;"
    yield "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    yield "proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
    yield "proxy_set_header X-Forwarded-Port $server_port;"
    for name, default in (("connect", "60s"), ("read", "60s"), ("send", "60s")):
        yield f"proxy_{name}_timeout {annotations.get(f'proxy-{name}-timeout', default)};"
    yield f"client_max_body_size {annotations.get('client-max-body-size', '1m')};"
    yield f"proxy_buffering {'off' if annotations.get('proxy-buffering') == 'false' else 'on'};"
    if "proxy-next-upstream" in annotations:
        yield f"proxy_next_upstream {annotations['proxy-next-upstream']};"
    yield f"proxy_pass http://{address}{_rewrite(annotations, service['name'])};"
    yield from _limit(ingress, annotations)
    yield "}"


def _rewrite(annotations: Mapping[str, str], service: str) -> str:
    for rule in filter(None, annotations.get("rewrites", "").split(";")):
        name, _, target = rule.strip().partition(" rewrite=")
        if name == f"serviceName={service}":
            return target
    return ""


def _limit(ingress: Manifest, annotations: Mapping[str, str]) -> Iterator[str]:
    if "limit-req-rate" not in annotations:
        return
    burst = annotations.get("limit-req-burst")
    words = [f"zone={_zone_name(ingress)}", *([f"burst={burst}"] if burst else [])]
    if annotations.get("limit-req-no-delay") == "true":
        words.append("nodelay")
    yield f"limit_req {' '.join(words)};"
    yield f"limit_req_status {annotations.get('limit-req-reject-code', '429')};"
