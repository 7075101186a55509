// El camino de una reserva: las estaciones que se encienden y la línea de sus eventos.

import { dinero, duracion, fechaVuelo, hora, primerTramo, ruta, tituloDe } from "./formatos.js";
import { pintarInsignia } from "./lista.js";

const IMPACIENCIA_MS = 8_000;
// Más allá de esto, la diferencia entre el reloj del servidor y el de aquí no es un retraso: es otro reloj o es historia.
const RETRASO_CREIBLE_MS = 60_000;
// Lo que pasó antes de abrir la página no tardó en llegar: es que no había a dónde.
const ABIERTA_MS = performance.timeOrigin;

export class Recorrido {
  #seccion;
  #id = null;
  #pasos = new Map();

  constructor(seccion) {
    this.#seccion = seccion;
  }

  pintar(reserva) {
    this.#uno("#recorrido-vacio").hidden = Boolean(reserva);
    this.#uno("#recorrido-contenido").hidden = !reserva;
    if (!reserva) return;
    if (reserva.id !== this.#id) this.#cambiarDe(reserva.id);
    this.#billete(reserva);
    this.#nota(reserva);
    this.#estaciones(reserva);
    this.#eventos(reserva);
  }

  #uno(selector) {
    return this.#seccion.querySelector(selector);
  }

  #cambiarDe(id) {
    this.#id = id;
    this.#pasos.clear();
    this.#uno("#eventos").replaceChildren();
    this.#seccion.dataset.reserva = id;
  }

  #billete(reserva) {
    const tramo = primerTramo(reserva);
    this.#uno("#recorrido-ruta").textContent = ruta(reserva);
    this.#uno("#recorrido-salida").textContent = tramo ? `Sale el ${fechaVuelo(tramo.fecha_salida)}` : "";
    this.#uno("#recorrido-id").textContent = reserva.id;
    pintarInsignia(this.#uno("#recorrido-estado"), reserva.estado);
  }

  #nota(reserva) {
    const nota = this.#uno("#recorrido-nota");
    nota.textContent = textoDeNota(reserva);
    nota.hidden = !nota.textContent;
  }

  #estaciones(reserva) {
    for (const [estacion, paso] of Object.entries(pasosPorEstacion(reserva))) {
      const elemento = this.#uno(`[data-estacion="${estacion}"]`);
      elemento.dataset.alcanzada = paso ? "si" : "no";
      elemento.querySelector(".paso").textContent = paso ?? "en espera";
      this.#uno(`[data-hasta="${estacion}"]`)?.classList.toggle("recorrido-ya", Boolean(paso));
    }
  }

  #eventos(reserva) {
    const lista = this.#uno("#eventos");
    const pasos = reserva.aceptada ? [this.#aceptada(reserva)] : [];
    reserva.eventos.forEach((evento, indice) => {
      const paso = this.#paso(evento);
      const anterior = reserva.eventos[indice - 1];
      paso.querySelector(".entre").textContent = anterior ? `+${duracion(evento.ocurridoMs - anterior.ocurridoMs)}` : "";
      pasos.push(paso);
    });
    pasos.forEach((paso, indice) => {
      if (lista.children[indice] !== paso) lista.insertBefore(paso, lista.children[indice] ?? null);
    });
  }

  #aceptada({ aceptada }) {
    if (!this.#pasos.has("aceptada")) {
      const paso = nuevoPaso("Aceptada por el API", aceptada.fechaMs, `Contestó 202 en ${duracion(aceptada.demoraMs)}: ya es duradera.`);
      paso.dataset.paso = "aceptada";
      this.#pasos.set("aceptada", paso);
    }
    return this.#pasos.get("aceptada");
  }

  #paso(evento) {
    if (!this.#pasos.has(evento.id)) {
      const paso = nuevoPaso(tituloDe(evento), evento.ocurridoMs, detalle(evento));
      paso.dataset.evento = evento.type;
      if (evento.interno) paso.dataset.topico = evento.topico;
      paso.dataset.idEvento = evento.id;
      paso.classList.toggle("recien", Date.now() - evento.llegadaMs < 2_000 && retraso(evento) !== null);
      paso.append(crudo(evento));
      this.#pasos.set(evento.id, paso);
    }
    return this.#pasos.get(evento.id);
  }
}

function textoDeNota(reserva) {
  if (reserva.noExiste) return "El API no conoce esta reserva.";
  if (reserva.eventos.length) return "";
  if (!reserva.aceptada) return reserva.enApi ? "Sus eventos ya salieron de la ventana que guarda este servidor; sí se verán los que lleguen." : "";
  const tarda = Date.now() - reserva.aceptada.fechaMs > IMPACIENCIA_MS;
  return tarda ? "Aceptada, en camino… Tarda más de lo normal; no se ha perdido: espera su turno en el broker." : "Aceptada, en camino…";
}

// Qué se sabe de cada estación; null es que todavía no pasó por ahí.
function pasosPorEstacion(reserva) {
  const creada = reserva.eventos.find((evento) => evento.type === "ReservaCreada") ?? reserva.eventos[0];
  const correo = reserva.eventos.find((evento) => evento.type.startsWith("correo."));
  const existe = creada || reserva.enApi;
  const desdeCreada = (fechaMs) => {
    const ms = fechaMs - creada.ocurridoMs;
    return ms >= 0 && ms < RETRASO_CREIBLE_MS ? `a los ${duracion(ms)}` : "pasó";
  };
  return {
    api: reserva.aceptada ? `202 en ${duracion(reserva.aceptada.demoraMs)}` : existe ? "recibida" : null,
    "unidad-trabajo": creada ? hora(creada.ocurridoMs) : existe ? "confirmada" : null,
    outbox: creada ? (creada.ingestion ? desdeCreada(Date.parse(creada.ingestion)) : "pasó") : existe ? "pasó" : null,
    broker: creada ? "entregado" : null,
    pagina: creada ? (retraso(creada) === null ? "pasó" : desdeCreada(creada.llegadaMs)) : null,
    notificaciones: correo ? desdeCreada(correo.ocurridoMs) : null,
  };
}

function retraso(evento) {
  const ms = evento.llegadaMs - evento.ocurridoMs;
  return ms >= 0 && ms < RETRASO_CREIBLE_MS && evento.ocurridoMs >= ABIERTA_MS ? ms : null;
}

function detalle(evento) {
  const { id_reserva: _, ...datos } = evento.data ?? {};
  // Las fechas del contenido son milisegundos desde 1970, que a nadie dicen nada, y la del evento ya está a su lado.
  const sueltos = Object.entries(datos).filter(
    ([nombre, valor]) => !nombre.startsWith("fecha_") && ["string", "number", "boolean"].includes(typeof valor),
  );
  const frases = {
    ReservaCreada: () => (datos.estado ? `Nace ${datos.estado}` : ""),
    PagoRechazado: () => `Motivo: ${datos.motivo}`,
    ReservaPagada: () => (datos.estado ? `Pasa a ${datos.estado}` : `Se cobraron ${dinero(datos.monto)}`),
    PagoRevertido: () => (datos.monto ? `Se devolvieron ${dinero(datos.monto)}` : "No se había cobrado nada"),
    ConfirmacionRechazada: () => `Motivo: ${datos.motivo}`,
    ReservaAprobada: () => (datos.estado ? `Pasa a ${datos.estado}` : ""),
    ReservaCancelada: () => (datos.motivo ? `Motivo: ${datos.motivo}` : ""),
    "correo.enviado": () => `«${datos.asunto ?? ""}» a ${datos.destinatario ?? "su cliente"}`,
  };
  const frase = frases[evento.type]?.() ?? sueltos.slice(0, 3).map(([nombre, valor]) => `${nombre}: ${valor}`).join(" · ");
  const ms = retraso(evento);
  return [frase, ms === null ? "" : `llegó aquí en ${duracion(ms)}`].filter(Boolean).join(" · ");
}

function nuevoPaso(texto, fechaMs, explicacion) {
  const paso = document.createElement("li");
  const partes = { evento: texto, hora: hora(fechaMs), entre: "", explicacion };
  for (const [clase, contenido] of Object.entries(partes)) {
    const parte = document.createElement("span");
    parte.className = clase;
    parte.textContent = contenido;
    paso.append(parte, " ");
  }
  return paso;
}

function crudo({ llegadaMs: _, ocurridoMs: __, ...evento }) {
  const detalles = document.createElement("details");
  const resumen = document.createElement("summary");
  resumen.textContent = evento.type;
  const json = document.createElement("pre");
  json.tabIndex = 0;
  json.setAttribute("role", "region");
  json.setAttribute("aria-label", `Contenido del evento ${evento.type}`);
  json.textContent = JSON.stringify(evento, null, 2);
  detalles.append(resumen, json);
  return detalles;
}
