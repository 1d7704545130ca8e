# The stack, which CloudFormation creates from the packaged template: docs/how-to/deploy-with-terraform.md.
# This resource has no argument for termination protection; the page says how to switch it on.
resource "aws_cloudformation_stack" "log_aggregator" {
  name         = var.stack_name
  template_url = var.template_url
  # No role has a fixed name, so CAPABILITY_IAM is enough; SAM's transform translates the template.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = local.parameters
  tags         = var.tags
  iam_role_arn = var.iam_role_arn

  timeouts {
    create = "60m"
    update = "60m"
    delete = "60m"
  }
}
