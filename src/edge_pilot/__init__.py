"""Drives a car from its camera."""
