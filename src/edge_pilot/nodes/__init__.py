"""ROS 2: the nodes, and nothing else that knows it."""
