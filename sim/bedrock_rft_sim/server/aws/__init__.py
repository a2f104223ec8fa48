"""S3, IAM and STS, served by moto inside this process."""
