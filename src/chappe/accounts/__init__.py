"""Accounts: who may call, with which key, from where, in which state."""
