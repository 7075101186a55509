"""Las sagas en la base: lo comprobado al arrancar, su registro, sus plazos y su lectura."""
