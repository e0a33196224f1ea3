"""What the network's tensors mean."""
