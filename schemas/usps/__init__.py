"""USPS's language, translated once: its event codes, its ZIPs, its callbacks."""
