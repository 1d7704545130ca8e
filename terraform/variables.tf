variable "stack_name" {
  description = "The name of the stack."
  type        = string
  default     = "log-aggregator"
  nullable    = false
}

variable "template_url" {
  description = "The https address of the packaged template in S3. Give each version a different key, or Terraform sees no change."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.template_url, "https://")
    error_message = "The template_url must begin with https://; CloudFormation does not accept s3:// addresses."
  }
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation puts on every resource in it that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "iam_role_arn" {
  description = "The role that CloudFormation assumes. Null - your own permissions."
  type        = string
  default     = null
}
