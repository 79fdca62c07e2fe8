"""Relance's real parts on one machine without containers: Apache Kafka, PostgreSQL and the three services.

The demo, development and the tests run the same parts. Everything started here is stopped by process id, and dies with
the process that started it.
"""
