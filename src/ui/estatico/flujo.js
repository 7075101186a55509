// Los mensajes que se ven pasar por el mapa: un punto que va de quien publica al tópico, y de ahí a quien atiende.

import { curva } from "./curva.js";

const PUNTOS_MAXIMOS = 40;
const TRAMO_MS = 700;
const DESTELLO_MS = 1_200;

export class Flujo {
  #dibujo;
  #quieto = matchMedia("(prefers-reduced-motion: reduce)");
  #destellos = new Map();

  constructor(dibujo) {
    this.#dibujo = dibujo;
  }

  // Con movimiento reducido nada viaja: sólo se encienden, quietos, los que participan.
  async pasar({ desde, por, hasta, clase }) {
    if (document.hidden) return;
    this.#encender(...desde);
    await this.#viajar(desde.map((nodo) => [nodo, por]), clase);
    this.#encender(por);
    await this.#viajar(hasta.map((nodo) => [por, nodo]), clase);
    this.#encender(...hasta);
  }

  #encender(...nodos) {
    for (const nodo of nodos) {
      clearTimeout(this.#destellos.get(nodo));
      nodo.classList.add("encendido");
      this.#destellos.set(nodo, setTimeout(() => nodo.classList.remove("encendido"), DESTELLO_MS));
    }
  }

  async #viajar(tramos, clase) {
    if (this.#quieto.matches) return;
    const marco = this.#dibujo.getBoundingClientRect();
    await Promise.all(tramos.map(([a, b]) => this.#punto(curva(a, b, marco), clase)));
  }

  async #punto(trazo, clase) {
    if (this.#dibujo.querySelectorAll(".mapa-punto").length >= PUNTOS_MAXIMOS) return;
    const punto = document.createElement("span");
    punto.className = "mapa-punto";
    punto.dataset.clase = clase;
    punto.style.offsetPath = `path("${trazo}")`;
    this.#dibujo.append(punto);
    try {
      const viaje = punto.animate({ offsetDistance: ["0%", "100%"] }, { duration: TRAMO_MS, easing: "ease-in-out", fill: "forwards" });
      await viaje.finished;
    } finally {
      punto.remove();
    }
  }
}
