"""What `mnemo worker` does: services that run until the process is told to stop."""

from engine.worker.jobs import JobService
from engine.worker.service import Service, serve

__all__ = ["JobService", "Service", "serve"]
