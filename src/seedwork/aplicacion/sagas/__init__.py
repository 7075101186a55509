"""Sagas: la tabla de pasos (`definicion`), su máquina de estados, el puerto que las mueve y su seguimiento."""
