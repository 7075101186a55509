"""De la demanda al precio."""
