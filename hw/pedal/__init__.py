"""Pedals; `factory.pedal_source` makes them by kind, `gesture` says what the foot meant."""
