"""Settings: three places, one meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.model.token_bucket import Rate
from moorage.server.settings import FIELDS, SettingsError, load, shown


def test_the_last_place_wins_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('region = "eu-west-1"\nlisten = "127.0.0.1:1"\nworkers = 2\n')
    loaded = load(file, {"MOORAGE_LISTEN": "127.0.0.1:2", "MOORAGE_ECR_QUIRKS": "yes"}, {"listen": "127.0.0.1:3", "region": None})
    settings = loaded.settings
    assert (settings.region, settings.listen, settings.workers, settings.ecr_quirks) == ("eu-west-1", "127.0.0.1:3", 2, True)
    assert loaded.origins["region"].startswith("file")
    assert loaded.origins["listen"] == "command line"
    assert loaded.origins["ecr_quirks"] == "environment"
    assert loaded.origins["data"] == "default"


def test_a_mistake_is_named_with_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('listne = "x"\n')
    with pytest.raises(SettingsError, match="did you mean 'listen'"):
        load(file, {}, {})


def test_an_unknown_variable_is_a_warning() -> None:
    environment = {"MOORAGE_LISTNE": "x", "MOORAGE_DATABASE_PORT": "5432", "MOORAGE_ROOT_KEY": "k", "MOORAGE_CONFIG": "c"}
    loaded = load(None, environment, {})
    assert loaded.settings.listen == "127.0.0.1:5050"
    assert sorted(loaded.warnings) == [
        "MOORAGE_DATABASE_PORT is ignored, for it is no setting: did you mean MOORAGE_DATABASE_URL?",
        "MOORAGE_LISTNE is ignored, for it is no setting: did you mean MOORAGE_LISTEN?",
    ]


@pytest.mark.parametrize("service", ["", "DB_", "MY_OTHER_THING_", "2_"])
def test_kubernetes_service_links_are_nobodys_mistake(service: str) -> None:
    """What a Service called moorage, or moorage-db, makes in every pod of its namespace."""
    links = {
        "SERVICE_HOST": "10.0.0.5",
        "SERVICE_PORT": "5050",
        "SERVICE_PORT_HTTP": "5050",
        "SERVICE_PORT_HTTPS_ALT": "5051",
        "PORT": "tcp://10.0.0.5:5050",
        **{
            f"PORT_5050_{protocol}{part}": "x" for protocol in ("TCP", "UDP", "SCTP") for part in ("", "_PROTO", "_PORT", "_ADDR")
        },
    }
    loaded = load(None, {f"MOORAGE_{service}{name}": value for name, value in links.items()}, {})
    assert loaded.warnings == []
    assert set(loaded.origins.values()) == {"default"}


@pytest.mark.parametrize(
    "environment",
    [
        {"MOORAGE_ACCOUNT_ID": "12"},
        {"MOORAGE_DATA": "~no-such-user-at-all/data"},
        {"MOORAGE_DATA": "nul\0byte"},
        {"MOORAGE_REGION": "Europe"},
        {"MOORAGE_WORKERS": "many"},
        {"MOORAGE_WORKERS": "0"},
        {"MOORAGE_ECR_QUIRKS": "perhaps"},
        {"MOORAGE_LISTEN": "5050"},
        {"MOORAGE_LISTEN": "127.0.0.1:99999"},
        {"MOORAGE_ROOT_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
        {"MOORAGE_ROOT_ACCESS_KEY_ID": "a b", "MOORAGE_ROOT_SECRET_ACCESS_KEY": "secretsecret"},
        {"MOORAGE_TLS_KEY": "x"},
        {"MOORAGE_LOG_FORMAT": "xml"},
        {"MOORAGE_HOSTS": "nonsense"},
        {"MOORAGE_HOSTS": "a.example=12/eu-west-1"},
        {"MOORAGE_HOSTS": "a.example:5050=111122223333/eu-west-1"},
        {"MOORAGE_HOSTS": "http://a.example=111122223333/eu-west-1"},
        {"MOORAGE_HOSTS": "[::1=111122223333/eu-west-1"},
        {"MOORAGE_DOMAIN": "a b"},
        {"MOORAGE_DOMAIN": "registry.example:8443"},
        {"MOORAGE_DOMAIN": "https://registry.example"},
        {"MOORAGE_DOMAIN": "registry..example"},
        {"MOORAGE_PUBLIC_HOST": "public.example/"},
        {"MOORAGE_DATABASE_URL": "file:/nowhere/at/all"},
        {"MOORAGE_DATABASE_URL": "mysql://somewhere"},
        {"MOORAGE_TRUSTED_PROXIES": "127.0.0.1,nonsense"},
        {"MOORAGE_SHUTDOWN_SECONDS": "-1"},
        {"MOORAGE_HOT_BLOB_MIB": "-1"},
        {"MOORAGE_ACTIVATION_SECONDS": "-1"},
        {"MOORAGE_LIMITS": "repositories"},
        {"MOORAGE_LIMITS": "nothing=1"},
        {"MOORAGE_LIMITS": "repositories=0"},
        {"MOORAGE_LIMITS": "repositories=many"},
        {"MOORAGE_RATES": "PutImage"},
        {"MOORAGE_RATES": "PutImage=fast"},
        {"MOORAGE_RATES": "PutImage=10/0"},
        {"MOORAGE_RATES": "PutImage=-1"},
        {"MOORAGE_RATES": "ec2:RunInstances=10"},
        {"MOORAGE_THROTTLING": "perhaps"},
        {"MOORAGE_PUBLIC_ANONYMOUS_GIB_PER_MONTH": "-1"},
    ],
)
def test_what_cannot_be_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        load(None, environment, {})


def test_limits_are_named(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("[limits]\nrepositories = 7\ntags_per_image = 3\n")
    assert load(file, {}, {}).settings.chosen_limits == {"repositories": 7, "tags_per_image": 3}
    chosen = load(file, {"MOORAGE_LIMITS": "repositories=8, tags_per_image=2"}, {}).settings.chosen_limits
    assert chosen == {"repositories": 8, "tags_per_image": 2}


def test_secrets_may_lie_in_files_and_are_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-canary-canary\n")
    environment = {"MOORAGE_ROOT_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "MOORAGE_ROOT_SECRET_ACCESS_KEY": f"file:{secret}"}
    loaded = load(None, environment, {})
    assert loaded.settings.root_secret_access_key == "canary-canary-canary"
    assert "canary" not in str(shown(loaded))


def test_every_setting_says_what_it_means() -> None:
    assert all(entry.metadata["meaning"] for entry in FIELDS.values())


def test_rates_are_amazons_and_those_that_were_chosen() -> None:
    assert load(None, {"MOORAGE_RATES": "PutImage=20"}, {}).settings.effective_rates == {}
    chosen = "PutImage=20/80,ecr:BatchGetImage=0,iam:CreateUser=5,ecr-public:BatchGetImage=7"
    rates = load(None, {"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": chosen}, {}).settings.effective_rates
    assert rates["ecr:PutImage"] == Rate(20, 80)
    assert rates["iam:CreateUser"] == Rate(5, 5)
    assert rates["ecr-public:BatchGetImage"] == Rate(7, 7)
    assert rates["ecr-public:PutImage"] == Rate(10, 10)
    assert rates["ecr:GetDownloadUrlForLayer"] == Rate(3000, 3000)
    assert "ecr:BatchGetImage" not in rates


def test_rates_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('throttling = true\n[rates]\nPutImage = 20\n"ecr-public:PutImage" = "5/50"\n')
    rates = load(file, {}, {}).settings.effective_rates
    assert (rates["ecr:PutImage"], rates["ecr-public:PutImage"]) == (Rate(20, 20), Rate(5, 50))


def test_an_operation_that_there_is_not_is_named_with_what_was_meant() -> None:
    with pytest.raises(SettingsError, match="no operation 'PutImages': did you mean 'ecr:PutImage'"):
        load(None, {"MOORAGE_RATES": "PutImages=1"}, {})
    with pytest.raises(SettingsError, match=r"rates: PutImage must be requests a second, 0 to 1,000,000, or rate/burst"):
        load(None, {"MOORAGE_RATES": "PutImage=x"}, {})


def test_a_blob_store_in_a_folder_is_no_secret_in_a_file(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/blobs"
    assert load(None, {"MOORAGE_BLOB_STORE_URL": url}, {}).settings.blob_store_url == url
    kept = tmp_path / "url"
    kept.write_text("s3://bucket\n")
    assert load(None, {"MOORAGE_BLOB_STORE_URL": f"file:{kept}"}, {}).settings.blob_store_url == "s3://bucket"
