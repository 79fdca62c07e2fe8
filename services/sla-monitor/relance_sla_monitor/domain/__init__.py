"""What the SLA monitor decides, without I/O: deadlines, what falls due, and what an answer does to a clock."""
