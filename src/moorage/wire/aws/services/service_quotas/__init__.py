"""Service Quotas (ServiceQuotasV20190624): the quotas of ECR that hold here."""
