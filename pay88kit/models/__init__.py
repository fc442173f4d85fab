"""What goes to 88Pay and what comes back: requests, answers, and the table of methods."""
