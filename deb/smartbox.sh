#!/bin/sh
# -I: nothing of the caller's folder or environment gets into the program.
exec /usr/lib/smartbox/bin/python3 -I -m smartbox_tui.cli "$@"
