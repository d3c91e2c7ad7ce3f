"""Every setting: its meaning, its default, and where its value came from.

Three places, one meaning: the TOML file, then ``MOORAGE_*`` variables, then flags of the command line; the last wins. A key of
the file that nobody knows is an error that names the nearest known one; such a variable is a warning, since variables come from
many hands. Secrets may be given as ``file:/path``.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage.model.errors import InvalidValue
from moorage.model.quotas import SETTABLE
from moorage.model.rates import DEFAULTS, MOST_PER_SECOND, OPEN_PUBLIC, operation_named, parse_rate
from moorage.model.scope import Scope, is_account_id, is_region
from moorage.model.token_bucket import Rate
from moorage.server.environment import nearest, settings_of


class SettingsError(Exception):
    """A setting that cannot be: the message says which and what it may be."""


def _setting(default: Any, meaning: str, *, secret: bool = False) -> Any:
    metadata = {"meaning": meaning, "secret": secret}
    return field(default_factory=dict, metadata=metadata) if default == {} else field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force. Names are those of the TOML file; as variables ``MOORAGE_<NAME>``, as flags ``--<name>``."""

    data: str = _setting("./data", "folder of the database, the blobs and the root key")
    listen: str = _setting("127.0.0.1:5050", "address and port to listen on; port 0 takes a free one")
    account_id: str = _setting("000000000000", "id of the default account, made at the first start")
    region: str = _setting("us-east-1", "region that a plain host name stands for")
    regions: str = _setting(
        "", "regions that there are, separated by commas; empty: those that botocore knows; +name adds one to them"
    )
    domain: str = _setting("", "own domain below which <account>.dkr.ecr.<region>.<domain> reaches every registry")
    hosts: Mapping[str, str] = _setting({}, 'further host names, each with the registry it reaches: name = "account/region"')
    limits: Mapping[str, str] = _setting({}, "quotas in the place of Amazon's defaults: name = number")
    throttling: bool = _setting(False, "refuse requests of accounts that come faster than the rates, as Amazon does")
    rates: Mapping[str, str] = _setting(
        {}, "requests per second in the place of Amazon's rates: operation = rate, or rate/burst; 0: any number"
    )
    public_host: str = _setting("", "host name of the public registries; empty: public.<domain>, else public.localhost")
    public_anonymous_pulls_per_second: int = _setting(
        1, "manifests that one address may go on pulling from public registries without a login; 0: any number"
    )
    public_anonymous_pull_burst: int = _setting(20, "manifests that it may pull at once before that holds")
    public_anonymous_gib_per_month: int = _setting(
        0, "GiB that one address may pull from public registries in a month without a login; 0: any amount; Amazon's is 500"
    )
    root_access_key_id: str = _setting("", "access key id of the default account's root; generated at the first start if empty")
    root_secret_access_key: str = _setting("", "its secret", secret=True)
    database_url: str = _setting("", "postgresql://... ; empty: SQLite in the data folder", secret=True)
    database_connections: int = _setting(8, "connections of each worker to PostgreSQL; one more asks whether it lives")
    database_timeout_seconds: int = _setting(
        5, "time that a request waits for PostgreSQL when it is away, hangs, or holds what is to be changed"
    )
    readiness_timeout_seconds: int = _setting(2, "time in which database and blob store have to answer for /readyz to be 200")
    blob_store_url: str = _setting("", "s3://bucket/prefix?endpoint=... ; empty: the data folder", secret=True)
    blob_store_access_key_id: str = _setting(
        "", "access key of the S3 store; empty: AWS_ACCESS_KEY_ID, a web identity or the instance"
    )
    blob_store_secret_access_key: str = _setting("", "its secret", secret=True)
    tls_certificate: str = _setting("", "PEM file of the server's certificate (with its chain); read again when it changes")
    tls_key: str = _setting("", "PEM file of the certificate's key")
    log_format: str = _setting("text", "text or json")
    log_level: str = _setting("info", "debug, info, warning or error")
    access_log: bool = _setting(True, "one line for each request, at level info")
    metrics_listen: str = _setting("", "address and port of /metrics alone; empty: it is served where everything else is")
    metrics_password: str = _setting("", "password (Basic, with any user) or bearer token that /metrics asks for", secret=True)
    workers: int = _setting(1, "processes that answer requests")
    ecr_quirks: bool = _setting(False, "imitate Amazon ECR where it departs from the distribution specification")
    bearer_challenge: bool = _setting(False, "challenge with Bearer and the token endpoint instead of Basic")
    tokens_end_with_session: bool = _setting(False, "end a registry token with the session that asked for it, not after 12 hours")
    activation_seconds: int = _setting(2, "time that an image takes to leave the archive; it cannot be pulled before")
    oidc_allow_private_issuers: bool = _setting(
        False, "fetch keys of identity providers also from private and loopback addresses, by http, and with pinned certificates"
    )
    trusted_proxies: str = _setting(
        "", "addresses or networks whose X-Forwarded-Proto and X-Forwarded-For are believed, separated by commas"
    )
    hot_blob_mib: int = _setting(512, "memory for opened copies of blobs that are pulled again and again; 0: none")
    ephemeral: bool = _setting(False, "for tests: keep everything in memory-backed storage that goes with the process")
    seed: str = _setting("", "JSON file of what an ephemeral server holds at its start and after a reset")
    authentication: str = _setting("on", "off: an ephemeral server believes whoever calls, without signature or login")
    localstack: bool = _setting(
        False, "an ephemeral server answers at the port, the health path and with the key that scripts for LocalStack use"
    )
    shutdown_delay_seconds: int = _setting(
        0, "time after SIGTERM in which requests are still taken and /readyz is 503, for balancers to notice"
    )
    shutdown_seconds: int = _setting(30, "time that running requests get to finish after SIGTERM")

    @property
    def data_folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).expanduser().resolve()

    @property
    def effective_database_url(self) -> str:
        """The database's URL, SQLite in the data folder where none is set."""
        return self.database_url or f"sqlite:///{self.data_folder / 'moorage.db'}"

    @property
    def effective_blob_store_url(self) -> str:
        """The blob store's URL, a folder in the data folder where none is set."""
        return self.blob_store_url or f"file://{self.data_folder / 'blobs'}"

    def blob_store_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What the S3 client finds in its environment: its own key, if the settings name one, in place of the process's."""
        if not self.blob_store_access_key_id:
            return dict(environment)
        kept = {name: value for name, value in environment.items() if name != "AWS_SESSION_TOKEN"}
        return kept | {
            "AWS_ACCESS_KEY_ID": self.blob_store_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.blob_store_secret_access_key,
        }

    @property
    def host_and_port(self) -> tuple[str, int]:
        """`listen`, taken apart."""
        return _place(self.listen)

    @property
    def metrics_place(self) -> tuple[str, int] | None:
        """`metrics_listen`, taken apart; None: no place of their own."""
        return _place(self.metrics_listen) if self.metrics_listen else None

    @property
    def default_scope(self) -> Scope:
        """The registry that a plain host reaches."""
        return Scope.of(self.region, self.account_id)

    @property
    def host_scopes(self) -> dict[str, Scope]:
        """`hosts`, with registries."""
        scopes = {}
        for name, target in self.hosts.items():
            account, _, region = target.partition("/")
            scopes[name] = Scope.of(region or self.region, account)
        return scopes

    @property
    def chosen_limits(self) -> dict[str, int]:
        """`limits`, as numbers."""
        return {name: int(number) for name, number in self.limits.items()}

    @property
    def chosen_rates(self) -> dict[str, Rate | None]:
        """`rates`, by operation; None: any number."""
        return {operation_named(name): parse_rate(text) for name, text in self.rates.items()}

    @property
    def effective_rates(self) -> dict[str, Rate]:
        """The rates that requests are held to, by operation: Amazon's, and those that were chosen."""
        merged = {**DEFAULTS, **self.chosen_rates} if self.throttling else {}
        return {operation: rate for operation, rate in merged.items() if rate is not None}

    @property
    def chosen_quotas(self) -> dict[str, int]:
        """`limits` and the quotas of `rates`, as Service Quotas shows them; without a rate, the highest that can be set."""
        return self.chosen_limits | {
            name: rate.per_second if rate else MOST_PER_SECOND for name, rate in self.chosen_rates.items()
        }

    @property
    def anonymous_pull_rate(self) -> Rate | None:
        """How fast one address may pull without a login; None: as fast as it likes."""
        per_second = self.public_anonymous_pulls_per_second
        return Rate(per_second, max(1, self.public_anonymous_pull_burst)) if per_second else None

    @property
    def root_key_pair(self) -> tuple[str, str] | None:
        """The root key of the settings, if they name one."""
        return (self.root_access_key_id, self.root_secret_access_key) if self.root_access_key_id else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and, by name, where each value came from: default, file, environment or command line."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: Sequence[str] = ()
    """What was ignored, for whoever starts the command."""


_MAPPINGS = {"hosts": "account/region", "limits": "number", "rates": "rate/burst"}
"""Settings of several names, and what stands behind each."""
_HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
"""Names as DNS has them, and what may be written in their place: an address of version 4."""
_DATABASES = ("postgresql://", "postgres://", "sqlite:///")
FIELDS = {entry.name: entry for entry in dataclasses.fields(Settings)}


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Loaded:
    """Merge the three places. Raises SettingsError."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(FIELDS, "default")
    variables, warnings = settings_of(environment, FIELDS)
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"file {file}", _read_toml(file) if file else {}),
        ("environment", variables),
        ("command line", {name: value for name, value in flags.items() if value is not None}),
    ]
    for origin, layer in layers:
        for name, value in layer.items():
            if name not in FIELDS:
                raise SettingsError(f"{origin}: there is no setting {name!r}{nearest(name, FIELDS)}")
            values[name] = _convert(name, value, origin)
            origins[name] = origin
    settings = Settings(**values)
    _check(settings)
    return Loaded(settings, origins, warnings)


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _convert(name: str, value: Any, origin: str) -> Any:
    kind: type = type(FIELDS[name].default)
    if name in _MAPPINGS:
        if isinstance(value, dict):
            pairs = value
        else:
            pairs = dict(_pair(name, entry, origin) for entry in str(value).split(",") if entry.strip())
        return {str(key): str(target) for key, target in pairs.items()}
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in {"1", "true", "yes", "on"}:
            return True
        if str(value).lower() in {"0", "false", "no", "off", ""}:
            return False
        raise SettingsError(f"{origin}: {name} must be true or false, not {value!r}")
    if kind is int:
        try:
            return int(value)
        except (TypeError, ValueError):
            raise SettingsError(f"{origin}: {name} must be a number, not {value!r}") from None
    text = str(value)
    is_folder = name == "blob_store_url" and text.startswith("file://")
    if FIELDS[name].metadata["secret"] and text.startswith("file:") and not is_folder:
        try:
            return Path(text.removeprefix("file:")).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{origin}: {name}: {error}") from None
    return text


def _pair(setting: str, entry: str, origin: str) -> tuple[str, str]:
    name, equals, target = entry.strip().partition("=")
    if not equals:
        raise SettingsError(f"{origin}: {setting} must be name={_MAPPINGS[setting]}, not {entry!r}")
    return name.strip(), target.strip()


def _check(settings: Settings) -> None:
    try:
        settings.data_folder  # noqa: B018  # asked for what it raises
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"data must be the path of a folder, not {settings.data!r}: {error}") from None
    if not is_account_id(settings.account_id):
        raise SettingsError(f"account_id must have 12 digits, not {settings.account_id!r}")
    if not is_region(settings.region):
        raise SettingsError(f"region must be the name of a region such as us-east-1, not {settings.region!r}")
    _check_places(settings)
    if bool(settings.root_access_key_id) != bool(settings.root_secret_access_key):
        raise SettingsError("root_access_key_id and root_secret_access_key go together")
    shortest = 4 if settings.ephemeral else 16
    if settings.root_access_key_id and not (
        shortest <= len(settings.root_access_key_id) <= 128 and settings.root_access_key_id.isalnum()
    ):
        raise SettingsError("root_access_key_id must have 16 to 128 letters and digits")
    if settings.root_secret_access_key and len(settings.root_secret_access_key) < (4 if settings.ephemeral else 8):
        raise SettingsError("root_secret_access_key must have at least 8 characters")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("tls_certificate and tls_key go together")
    if settings.log_format not in {"text", "json"}:
        raise SettingsError(f"log_format must be text or json, not {settings.log_format!r}")
    if settings.log_level not in {"debug", "info", "warning", "error"}:
        raise SettingsError(f"log_level must be debug, info, warning or error, not {settings.log_level!r}")
    _check_ephemeral(settings)
    _check_limits(settings.limits)
    _check_rates(settings.rates)
    _check_serving(settings)


def _check_places(settings: Settings) -> None:
    for region in map(str.strip, settings.regions.split(",")):
        if region and not is_region(region.removeprefix("+").strip()):
            raise SettingsError(f"regions must be names such as us-east-1, separated by commas, not {region!r}")
    for name, target in settings.hosts.items():
        if not _is_host(name):
            raise SettingsError(f"hosts: a name of a host has neither scheme, port nor path: {name!r}")
        account, _, region = target.partition("/")
        if not is_account_id(account) or (region and not is_region(region)):
            raise SettingsError(f"hosts: {name} must name account/region, not {target!r}")
    for setting in ("domain", "public_host"):
        name = getattr(settings, setting)
        if name and not _is_host(name.strip(".") if setting == "domain" else name):
            raise SettingsError(f"{setting} must be a name such as registry.example, without scheme, port or path, not {name!r}")


def _is_host(name: str) -> bool:
    """A name of DNS, or an address as a Host header has it."""
    if name.startswith("[") and name.endswith("]"):
        try:
            ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            return False
        return True
    return len(name) <= 253 and _HOST_NAME.fullmatch(name) is not None


def _check_ephemeral(settings: Settings) -> None:
    if settings.authentication not in {"on", "off"}:
        raise SettingsError(f"authentication must be on or off, not {settings.authentication!r}")
    if settings.ephemeral:
        for name in ("database_url", "blob_store_url"):
            if getattr(settings, name):
                raise SettingsError(f"ephemeral and {name} exclude each other: an ephemeral server keeps nothing")
        if settings.workers != 1:
            raise SettingsError("an ephemeral server has one worker")
    elif settings.seed or settings.localstack or settings.authentication == "off":
        raise SettingsError("seed, localstack and authentication off are for ephemeral servers only: add --ephemeral")


def _check_limits(chosen: Mapping[str, str]) -> None:
    for name, number in chosen.items():
        if name not in SETTABLE:
            raise SettingsError(f"limits: there is no limit {name!r}: there are {', '.join(SETTABLE)}")
        if not (number.isascii() and number.isdigit() and 1 <= len(number) <= 9 and int(number)):
            raise SettingsError(f"limits: {name} must be a number of 1 or more, not {number!r}")


def _check_rates(chosen: Mapping[str, str]) -> None:
    known = _operations() if chosen else []
    for name, text in chosen.items():
        operation = operation_named(name)
        if operation not in known:
            close = difflib.get_close_matches(operation, known, 1)
            hint = f": did you mean {close[0]!r}?" if close else ": name one as ecr:PutImage"
            raise SettingsError(f"rates: there is no operation {name!r}{hint}")
        try:
            parse_rate(text)
        except InvalidValue as error:
            raise SettingsError(f"rates: {name} must be {error.reason}; not {error.value!r}") from None


def _operations() -> list[str]:
    from moorage.wire.aws.models import service_plan  # reads the models, which only who sets rates has to wait for

    plans = [service_plan(name) for name in ("ecr", "ecr-public", "iam", "organizations", "service-quotas", "sts")]
    return [f"{plan.name}:{operation}" for plan in plans for operation in plan.operations] + sorted(OPEN_PUBLIC)


def _check_serving(settings: Settings) -> None:
    if not 1 <= settings.workers <= 64:
        raise SettingsError("workers must be 1 to 64")
    if not 1 <= settings.readiness_timeout_seconds <= 60:
        raise SettingsError("readiness_timeout_seconds must be 1 to 60")
    if not 1 <= settings.database_connections <= 500:
        raise SettingsError("database_connections must be 1 to 500")
    if not 1 <= settings.database_timeout_seconds <= 600:
        raise SettingsError("database_timeout_seconds must be 1 to 600")
    for name in (
        "hot_blob_mib",
        "shutdown_delay_seconds",
        "shutdown_seconds",
        "activation_seconds",
        "public_anonymous_pulls_per_second",
        "public_anonymous_pull_burst",
        "public_anonymous_gib_per_month",
    ):
        if getattr(settings, name) < 0:
            raise SettingsError(f"{name} must be 0 or more")
    for proxy in settings.trusted_proxies.split(","):
        try:
            ipaddress.ip_network(proxy.strip() or "127.0.0.1", strict=False)
        except ValueError:
            raise SettingsError(f"trusted_proxies must be addresses or networks, not {proxy.strip()!r}") from None
    # Its text is not shown: it may hold a password.
    if settings.database_url and not settings.database_url.startswith(_DATABASES):
        raise SettingsError(f"database_url must start with {' or '.join(_DATABASES)}")
    for name in ("listen", "metrics_listen"):
        place = getattr(settings, name)
        host, _, port = place.rpartition(":")
        if (place or name == "listen") and (not port.isdigit() or int(port) > 65535 or not host):
            raise SettingsError(f"{name} must be address:port, not {place!r}")


def shown(loaded: Loaded) -> list[tuple[str, str, str, str]]:
    """Name, value (secrets hidden), origin and meaning of every setting, in the order of the reference."""
    rows = []
    for name, entry in FIELDS.items():
        value = getattr(loaded.settings, name)
        text = "(set)" if entry.metadata["secret"] and value else str(value)
        rows.append((name, text, loaded.origins[name], entry.metadata["meaning"]))
    return rows
