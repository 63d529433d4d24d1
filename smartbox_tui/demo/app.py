"""The demo's composition root: folders, the simulated archive, settings, processes."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from pathlib import Path

from smartbox_tui.demo import supervisor, worklist, workplace
from smartbox_tui.settings.load import load
from smartbox_tui.wire.serve import checked_socket_path


def run(state: Path | None, runtime: Path | None, config: Path | None, pacs: str | None, *, headless: bool) -> int:
    """Blocks until the demo ends. Raises refused, not-found, bad-value, unknown-key before anything is started."""
    with ExitStack() as stack:
        paths = stack.enter_context(workplace.folders(state, runtime))
        checked_socket_path(paths.capture_socket)
        port = 0
        if workplace.needs_server(config, pacs):
            from smartbox_tui.dicom import scp

            archive = scp.start(
                "127.0.0.1",
                0,
                workplace.AET,
                paths.state / "archive",
                worklist.items(date.today()),  # noqa: DTZ011
            )
            stack.callback(archive.stop)
            port = archive.port
        settings = paths.state / "demo.toml"
        workplace.write_settings(config, pacs, port, settings)
        # a mistake in --config is told here, not by three processes that die
        load(settings, paths.state, fallback=True)
        return supervisor.run(paths, settings, headless=headless)
