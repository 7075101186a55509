// Cómo se dicen aquí fechas, duraciones, rutas y tipos de evento.

const HORA = new Intl.DateTimeFormat("es", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const DIA_UTC = new Intl.DateTimeFormat("es", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const RELOJ_UTC = new Intl.DateTimeFormat("es", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "UTC" });

const TITULOS = {
  ReservaCreada: "Reserva creada",
  ReservaPagada: "Pago recibido",
  ReservaConfirmada: "Asientos confirmados",
  ReservaAprobada: "Reserva aprobada",
  ReservaCancelada: "Reserva cancelada",
  "correo.enviado": "Correo enviado",
};

export const hora = (fechaMs) => (Number.isFinite(fechaMs) ? HORA.format(fechaMs) : "sin hora");

export function duracion(ms) {
  const redondeada = Math.round(ms);
  if (Math.abs(redondeada) < 1_000) return `${redondeada} ms`;
  return `${(ms / 1_000).toLocaleString("es", { maximumFractionDigits: 1 })} s`;
}

export function fechaVuelo(iso) {
  const fechaMs = Date.parse(iso);
  return Number.isNaN(fechaMs) ? "" : `${DIA_UTC.format(fechaMs)}, ${RELOJ_UTC.format(fechaMs)} UTC`;
}

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
