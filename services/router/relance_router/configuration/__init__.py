"""What runs: routing.yaml, read with its line numbers, and the versions kept in the database."""
