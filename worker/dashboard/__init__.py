"""The dashboard: Flower with pages of ours. `flower.py` holds every touch point with Flower's own code."""
