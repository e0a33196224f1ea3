"""Engines that compute a network."""
