"""The SMS Partner API: one module per page of its documentation."""
