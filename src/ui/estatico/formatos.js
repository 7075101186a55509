// Cómo se dicen aquí fechas, duraciones, rutas y tipos de evento.

const HORA = new Intl.DateTimeFormat("es", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const DIA_UTC = new Intl.DateTimeFormat("es", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const RELOJ_UTC = new Intl.DateTimeFormat("es", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "UTC" });

const RELOJ = new Intl.DateTimeFormat("es", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

const TITULOS = {
  ReservaCreada: "Reserva creada",
  ReservaPagada: "Pago recibido",
  ReservaConfirmada: "Asientos confirmados",
  ReservaAprobada: "Reserva aprobada",
  ReservaCancelada: "Reserva cancelada",
  RevertirConfirmacion: "Revertir confirmación",
  ConfirmacionRechazada: "Confirmación rechazada",
  ConfirmacionRevertida: "Confirmación revertida",
  AprobacionFallida: "Aprobación fallida",
  ReservarVehiculo: "Reservar vehículo",
  LiberarVehiculo: "Liberar vehículo",
  VehiculoReservado: "Vehículo reservado",
  VehiculoRechazado: "Vehículo rechazado",
  VehiculoLiberado: "Vehículo liberado",
  "correo.enviado": "Correo enviado",
};

const TITULOS_POR_TOPICO = { "eventos-pago": { ReservaPagada: "Pago cobrado" } };

export const hora = (fechaMs) => (Number.isFinite(fechaMs) ? HORA.format(fechaMs) : "sin hora");

const MOMENTO = new Intl.DateTimeFormat("es", { dateStyle: "medium", timeStyle: "medium" });

export const momento = (iso) => MOMENTO.format(Date.parse(iso));

export const reloj = (iso) => RELOJ.format(Date.parse(iso));

const DINERO = new Intl.NumberFormat("es", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const dinero = (centavos) => DINERO.format(centavos / 100);

export function duracion(ms) {
  const redondeada = Math.round(ms);
  if (Math.abs(redondeada) < 1_000) return `${redondeada} ms`;
  return `${(ms / 1_000).toLocaleString("es", { maximumFractionDigits: 1 })} s`;
}

export function fechaVuelo(iso) {
  const fechaMs = Date.parse(iso);
  return Number.isNaN(fechaMs) ? "" : `${DIA_UTC.format(fechaMs)}, ${RELOJ_UTC.format(fechaMs)} UTC`;
}

// Lo que dice un evento: el mismo nombre en boca de pagos y de vuelos son dos hechos distintos.
export const tituloDe = ({ type: tipo, topico }) => TITULOS_POR_TOPICO[topico]?.[tipo] ?? titulo(tipo);

// Un tipo que esta página no conoce también se enseña: `PagoRechazado` -> «Pago rechazado».
export function titulo(tipo) {
  if (TITULOS[tipo]) return TITULOS[tipo];
  const palabras = String(tipo).replace(/[._-]+/g, " ").replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2").toLowerCase();
  return palabras.charAt(0).toUpperCase() + palabras.slice(1);
}

const tramosDe = (odo) => (odo?.segmentos ?? []).flatMap((segmento) => segmento.legs ?? []);

export const idCorto = (id) => id.slice(0, 8);

export function primerTramo(reserva) {
  return (reserva.itinerarios ?? []).flatMap((itinerario) => itinerario.odos ?? []).flatMap(tramosDe)[0];
}

// «BOG → MDE → JFK», o «BOG ⇄ JFK» cuando la vuelta deshace la ida.
export function ruta(reserva) {
  const odos = (reserva.itinerarios ?? []).flatMap((itinerario) => itinerario.odos ?? []).map(tramosDe).filter((t) => t.length);
  if (!odos.length) return `Reserva ${idCorto(reserva.id)}`;
  const paradas = (tramos) => [tramos[0].origen.codigo, ...tramos.map((tramo) => tramo.destino.codigo)];
  const [ida, vuelta] = odos.map(paradas);
  if (odos.length === 2 && ida[0] === vuelta.at(-1) && ida.at(-1) === vuelta[0]) return `${ida[0]} ⇄ ${ida.at(-1)}`;
  return odos.map((tramos) => paradas(tramos).join(" → ")).join(" · ");
}
