"""What a model costs on this machine: latency taken in turns, size on disk, and what the machine is."""
