"""docs/reference/settings.md: settings, and the variables beside them."""

from __future__ import annotations

from moorage.model.quotas import SETTABLE
from moorage.model.rates import DEFAULTS
from moorage.server.settings import FIELDS
from moorage.testing.reference.markdown import code, document, table

VARIABLES = {
    "MOORAGE_CONFIG": "the TOML file of settings, where no `--config` names one; else `/etc/moorage/moorage.toml` if it is there",
    "MOORAGE_ROOT_KEY": "the root key itself, base64 of 32 bytes ([where to keep it](../how-to/root-key.md))",
    "MOORAGE_ROOT_KEY_FILE": "file with the root key, which only its owner can read",
    "CREDENTIALS_DIRECTORY": "set by systemd: its credential `moorage-root-key` is the root key if none of the above is set",
    "AWS_ACCESS_KEY_ID": "access key of the S3 store, where `blob_store_access_key_id` is empty; "
    "without either: a web identity, the container or the instance",
    "AWS_SECRET_ACCESS_KEY": "its secret",
    "AWS_SESSION_TOKEN": "its session token",
    "AWS_REGION": "region of the bucket, where `blob_store_url` does not name one",
    "AWS_DEFAULT_REGION": "the same, where `AWS_REGION` is not set",
    "AWS_ENDPOINT_URL_S3": "endpoint of the S3 store, where `blob_store_url` does not name one",
    "AWS_CA_BUNDLE": "PEM file of certificates to trust at the S3 store, beside the system's",
}
"""Variables of the environment that are read, and are no settings."""

_PARAMETERS = {
    "endpoint": "where the store is, such as `http://10.0.0.9:9000`; empty: AWS",
    "region": "the bucket's region",
    "path_style": "`true` or `false`: the bucket in the path instead of the host; `true` where an endpoint is given",
    "retry_seconds": "how long a call that fails is tried again, `30` if left out; an attempt that hangs is given up after 20",
}


def variable_of(name: str) -> str:
    """The variable of a setting."""
    return f"MOORAGE_{name.upper()}"


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"


def page() -> str:
    """The page."""
    rows = []
    for name, entry in FIELDS.items():
        default = entry.default
        shown = (
            code(str(default).lower() if isinstance(default, bool) else str(default))
            if name not in {"hosts", "limits", "rates"}
            else ""
        )
        flag = flag_of(name)
        flags = f"{code(flag)}, {code(f'--no-{flag[2:]}')}" if isinstance(default, bool) else code(flag)
        meaning = entry.metadata["meaning"].replace("<", "&lt;").replace(">", "&gt;")
        rows.append([code(name), code(variable_of(name)), flags, shown, meaning + (" †" if entry.metadata["secret"] else "")])
    limits = [[code(quota.setting), f"{quota.default:,}", quota.name] for quota in SETTABLE.values()]
    rates = [[code(name.removeprefix("ecr:")), f"{rate.per_second:,}", f"{rate.burst:,}"] for name, rate in DEFAULTS.items()]
    return document(
        "Settings",
        "Three places, one meaning; the last that names a setting wins:\n\n"
        "1. the TOML file (`--config`, `MOORAGE_CONFIG`, else `/etc/moorage/moorage.toml`), by name: `workers = 4`\n"
        "2. the environment\n"
        "3. flags of the command\n\n"
        "`moorage settings` prints what is in force, and from where. In the file a name that is not known is an error. An "
        "unknown variable is a warning; those that Kubernetes sets for a Service called `moorage`, or `moorage-` and anything, "
        "are nobody's mistake. Of the commands `serve` takes all flags, others those that they need.",
        table(["name", "variable", "flag", "default", "meaning"], rows),
        "† A secret: `file:/path` reads it from a file, and `moorage settings` does not show it.\n\n"
        "`hosts` in the environment and as a flag: `name=account/region,name=account/region`; "
        "`limits`: `name=number,name=number`; `rates`: `operation=rate,operation=rate/burst`. "
        "True is `1`, `true`, `yes` or `on`; false is `0`, `false`, `no` or `off`.",
        "## Limits",
        "What `limits` can name. `aws service-quotas list-service-quotas --service-code ecr` shows what is in force.",
        table(["name", "default", "quota"], limits),
        "## Rates",
        "Requests per second that an account may make in a region, where `throttling` is on and `rates` names no other "
        "([how](../how-to/rates.md)). A service before the name is left out for `ecr`. Other operations have no rate before they "
        "are given one.",
        table(["operation", "rate", "burst"], rates),
        "## Variables that are no settings",
        table(["variable", "meaning"], [[code(name), meaning] for name, meaning in VARIABLES.items()]),
        "## The URL of a blob store",
        "`s3://bucket/prefix?name=value&name=value`, or the path of a folder. Credentials are never part of it.",
        table(["parameter", "meaning"], [[code(name), meaning] for name, meaning in _PARAMETERS.items()]),
    )
