// El websocket con los eventos: se reconecta solo, pide lo perdido y no entrega dos veces el mismo evento.

const ESPERA_INICIAL_MS = 500;
const ESPERA_MAXIMA_MS = 10_000;
const IDS_RECORDADOS = 5_000;

export class Conexion extends EventTarget {
  #vistos = new Set();
  #ultimo = null;
  #instancia = null;
  #intentos = 0;
  #temporizador = null;

  constructor() {
    super();
    addEventListener("online", () => this.#yaMismo());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#yaMismo());
  }

  async abrir() {
    clearTimeout(this.#temporizador);
    this.#temporizador = null;
    this.#avisar(this.#instancia === null ? "conectando" : "reconectando");
    try {
      const salud = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(5_000) });
      if (!salud.ok) throw new Error(`/health: ${salud.status}`);
      this.#conectar(salud.headers.get("Instancia") ?? "");
    } catch {
      this.#reintentar();
    }
  }

  #conectar(instancia) {
    // Otro proceso puede haber releído los tópicos en otro orden: se le pide la ventana entera y se descarta lo visto.
    const desde = instancia === this.#instancia ? (this.#ultimo ?? "") : "";
    const ws = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws?${new URLSearchParams({ todo: "1", desde })}`);
    ws.addEventListener("open", () => {
      this.#instancia = instancia;
      this.#intentos = 0;
      this.#avisar("conectado");
    });
    ws.addEventListener("message", ({ data }) => this.#recibir(data));
    ws.addEventListener("close", () => this.#reintentar());
  }

  #recibir(texto) {
    const evento = JSON.parse(texto);
    if (evento.error) {
      console.warn(evento.error);
      return;
    }
    this.#ultimo = evento.id;
    if (this.#vistos.has(evento.id)) return;
    this.#vistos.add(evento.id);
    if (this.#vistos.size > IDS_RECORDADOS) this.#vistos.delete(this.#vistos.values().next().value);
    this.dispatchEvent(new CustomEvent("evento", { detail: evento }));
  }

  #reintentar() {
    this.#avisar("reconectando");
    const tope = Math.min(ESPERA_MAXIMA_MS, ESPERA_INICIAL_MS * 2 ** this.#intentos++);
    this.#temporizador = setTimeout(() => this.abrir(), tope / 2 + (Math.random() * tope) / 2);
  }

  #yaMismo() {
    if (this.#temporizador !== null) this.abrir();
  }

  #avisar(estado) {
    this.dispatchEvent(new CustomEvent("estado", { detail: estado }));
  }
}
