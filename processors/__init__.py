"""The only code that speaks to merchants."""
