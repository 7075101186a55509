// Las opciones de la reserva: lo que no cambia el viaje, y lo que sirve para verla fallar.

export const SIN_PLAZAS = { codigo: "ZZZ", nombre: "Aeropuerto sin plazas, para probar" };

// Sólo lo que se haya llenado: {id_cliente?, pago?}.
export function leerOpciones({ elements: campos }) {
  const idCliente = campos.id_cliente.value.trim();
  const medio = campos.medio.value;
  return { ...(idCliente && { id_cliente: idCliente }), ...(medio && { pago: { medio } }) };
}
