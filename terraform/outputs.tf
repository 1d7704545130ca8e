output "stack_id" {
  description = "The ARN of the stack."
  value       = aws_cloudformation_stack.log_aggregator.id
}

output "outputs" {
  description = "The outputs of the stack by name, such as WorkBucketName and CombineFunctionRoleArn."
  value       = aws_cloudformation_stack.log_aggregator.outputs
}
