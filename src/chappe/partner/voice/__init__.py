"""The Voice Partner API: one module per page of its documentation."""
