"""The asset checks: what a night promises, and what it asks of its inputs."""
