// Las opciones de la reserva: lo que no cambia el viaje, y lo que sirve para verla fallar.

export const SIN_PLAZAS = { codigo: "ZZZ", nombre: "Aeropuerto sin plazas, para probar" };

// Sólo lo que se haya llenado: {id_cliente?, pago?, hotel?, vehiculo?}; a medio llenar se manda igual, y el API dice qué falta.
export function leerOpciones({ elements: campos }) {
  const valor = (nombre) => campos[nombre].value.trim();
  const numero = (nombre) => (valor(nombre) === "" ? null : Number(valor(nombre)));
  return {
    ...(valor("id_cliente") && { id_cliente: valor("id_cliente") }),
    ...(valor("medio") && { pago: { medio: valor("medio") } }),
    ...((valor("hotel") || valor("hotel-fecha")) && { hotel: { hotel: valor("hotel"), fecha: valor("hotel-fecha") } }),
    ...((valor("dias") || valor("edad")) && { vehiculo: { dias: numero("dias"), edad_conductor: numero("edad") } }),
  };
}
