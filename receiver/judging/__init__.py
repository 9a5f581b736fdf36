"""What becomes of a callback: accepted, set aside, refused; and what is counted of it."""
