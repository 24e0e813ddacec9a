"""Delivery: dispatcher, shift, sender threads, reports."""
