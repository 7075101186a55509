"""La cara de un servicio: HTTP con Flask."""
