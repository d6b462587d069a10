"""The AWS side for those who keep their infrastructure in Terraform."""
