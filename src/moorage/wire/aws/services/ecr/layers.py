"""Layers through the API: BatchCheckLayerAvailability, the three upload operations, GetDownloadUrlForLayer."""

from __future__ import annotations

from urllib.parse import quote

from moorage.auth.presigned import BlobLink, make_query
from moorage.model import limits
from moorage.model.digest import Digest, is_digest
from moorage.model.errors import ParameterInvalid, RangeMismatch, UploadBusy
from moorage.operations.images import layers, uploads
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, name_of, pushed_by, scope_of

_URL_SECONDS = 3600


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("BatchCheckLayerAvailability")
    async def batch_check_layer_availability(call: Call) -> Output:
        caller, scope, name = caller_of(call), scope_of(call), name_of(call)
        states, invalid, renew = await context.db.lookup(
            layers.batch_check_layer_availability, caller, scope, name, call["layerDigests"]
        )
        if renew:
            await context.db.write(layers.renew_blobs, scope, caller, name, renew)
        return {
            "layers": [
                {
                    "layerDigest": state.digest,
                    "layerAvailability": state.availability,
                    "layerSize": state.size_bytes,
                    "mediaType": state.media_type,
                }
                for state in states
            ],
            "failures": [_failure(digest) for digest in invalid],
        }

    @service.operation("InitiateLayerUpload")
    async def initiate_layer_upload(call: Call) -> Output:
        upload_id = await pushed_by(
            context,
            call,
            lambda: context.db.write(uploads.initiate_layer_upload, caller_of(call), scope_of(call), name_of(call), "sha256"),
        )
        return {"uploadId": upload_id, "partSize": limits.PART_BYTES_ADVISED}

    @service.operation("UploadLayerPart")
    async def upload_layer_part(call: Call) -> Output:
        scope, name, upload_id = scope_of(call), name_of(call), call["uploadId"]
        first, last, blob = call["partFirstByte"], call["partLastByte"], call["layerPartBlob"]
        if last - first + 1 != len(blob) or not blob:
            await context.receiver.unstarted.write_down(upload_id)
            _, upload = await context.db.lookup(uploads.find_upload, caller_of(call), scope, name, upload_id)
            raise RangeMismatch(scope.registry_id, name, upload_id, upload.size_received)
        try:
            size = await context.receiver.append_part(caller_of(call), scope, name, upload_id, first, blob)
        except UploadBusy as error:
            raise RangeMismatch(scope.registry_id, name, upload_id, error.received) from None
        return {"registryId": scope.registry_id, "repositoryName": name, "uploadId": upload_id, "lastByteReceived": size - 1}

    @service.operation("CompleteLayerUpload")
    async def complete_layer_upload(call: Call) -> Output:
        scope, name, upload_id = scope_of(call), name_of(call), call["uploadId"]
        wanted = [digest for digest in call["layerDigests"] if is_digest(digest)]
        if not wanted:
            await context.receiver.unstarted.write_down(upload_id)
            await context.db.lookup(uploads.find_upload, caller_of(call), scope, name, upload_id, uploads.COMPLETE)
            raise ParameterInvalid("layerDigests", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
        stored = await context.receiver.complete_parts(
            caller_of(call), scope, name, upload_id, [Digest(digest) for digest in wanted]
        )
        return {"registryId": scope.registry_id, "repositoryName": name, "uploadId": upload_id, "layerDigest": stored.digest}

    @service.operation("GetDownloadUrlForLayer")
    async def get_download_url_for_layer(call: Call) -> Output:
        scope, name, digest = scope_of(call), name_of(call), call["layerDigest"]
        repository, _ = await context.db.lookup(layers.get_download_url_for_layer, caller_of(call), scope, name, digest)
        path = f"/layers/{repository.id}/{quote(digest, safe=':')}"
        link = BlobLink(path, str(repository.id), digest, scope.registry_id, int(context.clock()) + _URL_SECONDS)
        return {
            "downloadUrl": f"{call.scheme}://{call.host}{path}?{make_query(context.link_key, link)}",
            "layerDigest": digest,
        }


def _failure(digest: str) -> dict[str, str]:
    if not digest:
        return {"layerDigest": "", "failureCode": "MissingLayerDigest", "failureReason": "Layer digest '' could not be found"}
    return {"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": f"Invalid layer digest '{digest}'"}
