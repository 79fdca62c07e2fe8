"""What the router decides, without I/O: which rule, which team, which rep, what an answer means, when to try again."""
