"""The Lambda functions, one thin module each around the steps of the package."""
