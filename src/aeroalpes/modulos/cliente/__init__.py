"""El contexto cliente: quién viaja y a qué correo se le escribe."""
