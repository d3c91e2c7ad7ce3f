"""How an error leaves a service, by the service's name: for tests and for the pages that are made from the code."""

from __future__ import annotations

from collections.abc import Mapping

from moorage.wire.aws import errors
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.services.ecr.errors import ECR
from moorage.wire.aws.services.iam.errors import IAM
from moorage.wire.aws.services.organizations.errors import ORGANIZATIONS
from moorage.wire.aws.services.service_quotas.errors import SERVICE_QUOTAS
from moorage.wire.aws.services.sts.errors import STS
from moorage.wire.aws.wording import AwsError, Errors

TABLES: Mapping[str, Errors] = {
    "ecr": ECR,
    "ecr-public": ECR,
    "iam": IAM,
    "organizations": ORGANIZATIONS,
    "service-quotas": SERVICE_QUOTAS,
    "sts": STS,
}


def to_aws_error(error: Exception, service: ServicePlan, operation: OperationPlan | None) -> AwsError | None:
    """`wire.aws.errors.to_aws_error` with the service's own table."""
    return errors.to_aws_error(error, service, operation, TABLES[service.name])
