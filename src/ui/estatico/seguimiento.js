// La saga de la reserva elegida, al día: se pide cuando pasa algo suyo y, mientras siga en marcha, cada vez más despacio.
// De la que se lleva sin saga se dice una vez, y no se vuelve a pedir.

import { obtenerSaga } from "./api.js";

const PRIMERA_ESPERA_MS = 120;
const ESPERA_MAXIMA_MS = 4_000;
const ACABADAS = ["COMPLETADA", "COMPENSADA"];

export class Seguimiento extends EventTarget {
  #id = null;
  #espera = PRIMERA_ESPERA_MS;
  #temporizador = null;
  #pidiendo = false;
  #otraVez = false;
  #sinSaga = new Set();

  // Sigue la de esa reserva y deja la que siguiera; si ya era la suya, es que le pasó algo y se mira ahora.
  seguir(reserva) {
    if (reserva.id !== this.#id) {
      clearTimeout(this.#temporizador);
      this.#id = null;
    }
    if (this.#sinSaga.has(reserva.id)) {
      this.dispatchEvent(new CustomEvent("sin-saga", { detail: { id: reserva.id } }));
      return;
    }
    if (!tieneSaga(reserva)) return;
    this.#espera = PRIMERA_ESPERA_MS;
    this.#otraVez = this.#pidiendo && reserva.id === this.#id;
    this.#id = reserva.id;
    if (!this.#otraVez) this.#programar(0);
  }

  async #pedir() {
    const id = this.#id;
    this.#pidiendo = true;
    let saga = null;
    let manera = null;
    try {
      saga = await obtenerSaga(id);
    } catch (fallo) {
      // Sin saga todavía, o sin API: ya lo dice el resto de la página; aquí se vuelve a mirar.
      manera = fallo.manera;
    }
    this.#pidiendo = false;
    if (id !== this.#id) return;
    if (manera) {
      this.#sinSaga.add(id);
      this.dispatchEvent(new CustomEvent("sin-saga", { detail: { id } }));
      return;
    }
    if (saga) this.dispatchEvent(new CustomEvent("saga", { detail: { id, saga } }));
    if (this.#otraVez) {
      this.#otraVez = false;
      this.#programar(0);
    } else if (saga ? !ACABADAS.includes(saga.estado) : this.#espera < ESPERA_MAXIMA_MS) {
      this.#programar(this.#espera);
      this.#espera = Math.min(ESPERA_MAXIMA_MS, this.#espera * 2);
    }
  }

  #programar(esperaMs) {
    clearTimeout(this.#temporizador);
    this.#temporizador = setTimeout(() => this.#pedir(), esperaMs);
  }
}

// Cualquier hecho posterior a su creación dice que ya la hay; de una reserva que viene del API, basta con eso.
const tieneSaga = ({ enApi, aceptada, eventos }) =>
  eventos.some(({ type: tipo }) => tipo !== "ReservaCreada" && !tipo.startsWith("correo.")) || (enApi && !aceptada && !eventos.length);
