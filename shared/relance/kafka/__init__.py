"""Kafka: one publisher, one consumer loop, one dead-letter policy."""
