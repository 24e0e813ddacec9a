"""The dashboard: Flower with our pages. `flower.py` has everything that touches Flower's own code."""
