# The stack as CloudFormation makes it from the packaged template: docs/how-to/deploy-with-terraform.md.
# Termination protection is no argument of this resource; the page says how it is switched on.
resource "aws_cloudformation_stack" "log_aggregator" {
  name         = var.stack_name
  template_url = var.template_url
  # The roles have no names of their own; the template is translated by the transform of SAM.
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
