"""What the steps need from outside, as Protocols in AWS's own verbs."""
