"""Credit: money, the double-entry ledger, prices."""
