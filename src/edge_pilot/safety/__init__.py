"""What stands between a proposal and the car."""
