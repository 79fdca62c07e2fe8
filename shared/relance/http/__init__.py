"""HTTP: one problem+json writer, one set of operator endpoints, one way to serve."""
