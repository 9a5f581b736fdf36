"""USPS's own APIs: one HTTP client with tokens, quota, retries and error parsing in one place."""
