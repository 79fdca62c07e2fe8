"""What a submission means, without I/O: who it is from, how to reach them, and what makes it the same as another."""
