"""The only code that speaks to USPS."""
