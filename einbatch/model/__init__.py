"""Text → … → result: every stage kept and inspectable."""
