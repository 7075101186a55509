"""Lo común a todas las pruebas: el recuento de capacidades y pytester, con el que se prueba ese recuento."""

pytest_plugins = ["pytester", "tests.capacidades", "tests.obreros"]
