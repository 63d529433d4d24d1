"""What happens on the box, told to other systems: a program or a web address for each event (docs/hooks.md)."""
