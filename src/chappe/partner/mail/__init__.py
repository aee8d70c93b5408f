"""The Mail Partner API: one module per page of its documentation."""
