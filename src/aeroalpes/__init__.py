"""El servicio principal de AeroAlpes."""
