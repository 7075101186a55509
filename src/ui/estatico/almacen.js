// Lo que la página sabe de cada reserva, venga del API o de los eventos, sin importar el orden en que llegue.

const MAXIMO_RESERVAS = 2_000;
const AVANCE = { PENDIENTE: 1, PAGADA: 2, APROBADA: 3, CANCELADA: 4 };
const ESTADO_TRAS = { ReservaPagada: "PAGADA", ReservaAprobada: "APROBADA", ReservaCancelada: "CANCELADA" };

export class Almacen extends EventTarget {
  #reservas = new Map();
  // La fecha de la última reserva leída del API mientras queden más páginas: las anteriores no se enseñan todavía.
  #desdeMs = -Infinity;
  #cargada = false;
  // Para las que comparten fecha: lo que llega por evento es cada vez más nuevo; lo que se lee del API, más viejo.
  #masNueva = 0;
  #masVieja = 0;
  siguiente = null;
  elegida = null;

  get(id) {
    return this.#reservas.get(id);
  }

  get visibles() {
    return [...this.#reservas.values()]
      .filter((r) => (r.enApi || r.aceptada || r.eventos.length) && r.fechaMs >= this.#desdeMs)
      .sort((a, b) => b.fechaMs - a.fechaMs || b.orden - a.orden);
  }

  // Si se ve alguna reserva de la que sólo se sabe por sus eventos.
  get faltanDatos() {
    return this.visibles.some((reserva) => !reserva.enApi);
  }

  elegir(id) {
    this.elegida = id;
    if (id) this.#reserva(id);
    this.#cambio();
  }

  aceptar(id, itinerarios, demoraMs) {
    const reserva = this.#reserva(id);
    reserva.itinerarios ??= itinerarios;
    reserva.orden ??= ++this.#masNueva;
    reserva.aceptada = { fechaMs: Date.now(), demoraMs };
    this.elegir(id);
  }

  // Una página del API: la primera fija desde dónde se ve la lista; las demás la alargan.
  incorporarPagina({ reservas, siguiente }, esPrimera) {
    for (const reserva of reservas) this.incorporar(reserva);
    const ultima = reservas.at(-1);
    if (!esPrimera || !this.#cargada) {
      this.#cargada = true;
      this.siguiente = siguiente;
      this.#desdeMs = siguiente && ultima ? Date.parse(ultima.fecha_creacion) : -Infinity;
    }
    this.#cambio();
  }

  incorporar(dto) {
    const reserva = this.#reserva(dto.id);
    reserva.itinerarios = dto.itinerarios;
    reserva.enApi = true;
    reserva.orden ??= --this.#masVieja;
    if (!reserva.fechaExacta) reserva.fechaMs = Date.parse(dto.fecha_creacion) || reserva.fechaMs;
    this.#avanzar(reserva, dto.estado);
    this.#cambio();
  }

  // Devuelve la reserva del evento, o null si no es de ninguna; lo que sólo pasa de un contexto a otro no la cambia.
  recibir(evento) {
    const id = evento.data?.id_reserva ?? (evento.interno ? null : evento.subject);
    if (!id) return null;
    const ocurridoMs = Date.parse(evento.time);
    const reserva = this.#reserva(id, ocurridoMs);
    if (evento.type === "ReservaCreada" || reserva.orden === null) reserva.orden = ++this.#masNueva;
    reserva.eventos.push({ ...evento, llegadaMs: Date.now(), ocurridoMs });
    reserva.eventos.sort((a, b) => a.ocurridoMs - b.ocurridoMs);
    if (evento.type === "ReservaCreada") {
      reserva.fechaMs = Number(evento.data.fecha_creacion) || Date.parse(evento.time);
      reserva.fechaExacta = true;
      this.#avanzar(reserva, evento.data.estado ?? "PENDIENTE");
    }
    if (!evento.interno) this.#avanzar(reserva, ESTADO_TRAS[evento.type]);
    this.#cambio();
    return reserva;
  }

  #reserva(id, fechaMs = Date.now()) {
    let reserva = this.#reservas.get(id);
    if (!reserva) {
      reserva = { id, estado: null, fechaMs, fechaExacta: false, orden: null, itinerarios: null, enApi: false, eventos: [], aceptada: null };
      this.#reservas.set(id, reserva);
      this.#podar();
    }
    return reserva;
  }

  #avanzar(reserva, estado) {
    if (estado && (AVANCE[estado] ?? 0) >= (AVANCE[reserva.estado] ?? 0)) reserva.estado = estado;
  }

  #podar() {
    for (const id of this.#reservas.keys()) {
      if (this.#reservas.size <= MAXIMO_RESERVAS) return;
      if (id !== this.elegida) this.#reservas.delete(id);
    }
  }

  #cambio() {
    this.dispatchEvent(new Event("cambio"));
  }
}
