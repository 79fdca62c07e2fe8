"""What arrives by HTTP: JSON leads, plain forms, calls."""
