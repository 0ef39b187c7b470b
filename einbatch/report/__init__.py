"""What a run came to, as one page of HTML that needs nothing else."""
