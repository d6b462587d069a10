"""Opening the stage that a project names."""

from __future__ import annotations

from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.stage import Stage


def open_stage(config: LandingConfig, project_root: Path, clock: Clock) -> Stage:
    """Return the stage of `landing:`; neither bucket nor queue is asked for yet.

    Raises ConfigError when a bucket is named and its packages, credentials or region
    are missing, UnreachableError when whoever gives the credentials cannot be asked.
    """
    if config.bucket_path is None:
        return LocalFolder((project_root / config.path).resolve())
    from snowmelt.landing.s3 import S3Stage

    return S3Stage(config, clock)
