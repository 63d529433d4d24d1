"""Pure values and state machines. Imports nothing but `smartbox_tui.errors`."""
