"""The ledger: proves from the topics themselves that nothing was dropped (contract, section 8)."""
