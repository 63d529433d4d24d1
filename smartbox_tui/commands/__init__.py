"""What the subcommands of `smartbox` do once cli.py has parsed them."""
