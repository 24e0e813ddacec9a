"""Pages inside Flower."""
