"""La capa que impide que el modelo del GDS, que es de otros, entre en el nuestro."""
