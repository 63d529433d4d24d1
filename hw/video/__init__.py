"""Video sources; `factory.video_source` makes them by kind."""
