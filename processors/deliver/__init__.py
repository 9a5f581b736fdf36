"""The delivery loop: order, retry, breaker, commits and the audit trail of every destination."""
