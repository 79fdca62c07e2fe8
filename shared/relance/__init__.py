"""What Relance's services agree on: events, settings, database and Kafka plumbing, telemetry.

No business decision lives here, and nothing here imports a service.
"""
