"""`smartbox demo`."""

from __future__ import annotations

import argparse

from smartbox_tui.commands.options import Options
from smartbox_tui.demo.app import run as run_demo


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Raises SmartBoxError; blocks until the demo ends."""
    return run_demo(options.state, options.runtime, options.config, arguments.pacs, headless=arguments.headless)
