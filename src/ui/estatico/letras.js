// Las letras muertas: cuántas hay, por qué, y qué hacer con cada una.

import { descartarLetra, listarLetras, reenviarLetra, verLetra } from "./api.js";
import { contenidoDe, nuevaFila } from "./letra.js";

const CADA_MS = 4_000;
const MAXIMO = 100;

export class LetrasMuertas {
  #seccion;
  #chapa;
  #lista;
  #dialogo;
  #filas = new Map();
  #temporizador = null;
  #anunciar;

  // `chapa` es el enlace de la cabecera que se enseña cuando hay alguna.
  constructor(seccion, chapa, anunciar) {
    this.#seccion = seccion;
    this.#chapa = chapa;
    this.#anunciar = anunciar;
    this.#lista = seccion.querySelector("#lista-letras");
    this.#dialogo = seccion.querySelector("dialog");
    this.#lista.addEventListener("click", ({ target }) => {
      const boton = target.closest("[data-accion]");
      if (boton) this.#hacer(boton.dataset.accion, boton.closest("[data-letra]").dataset.letra);
    });
    this.#dialogo.addEventListener("close", () => {
      const { letra } = this.#dialogo.dataset;
      if (this.#dialogo.returnValue === "descartar") this.#decidir(letra, descartarLetra, "Descartada");
      this.#dialogo.returnValue = "";
    });
    document.addEventListener("visibilitychange", () => !document.hidden && this.mirar());
  }

  // Pide la lista ahora, y otra vez cada poco mientras la página se vea.
  async mirar() {
    clearTimeout(this.#temporizador);
    try {
      this.#pintar((await listarLetras(MAXIMO)).letras);
      this.#avisar("");
    } catch (fallo) {
      this.#avisar(fallo.message);
    }
    clearTimeout(this.#temporizador);
    if (!document.hidden) this.#temporizador = setTimeout(() => this.mirar(), CADA_MS);
  }

  #pintar(letras) {
    const ids = new Set(letras.map(({ id }) => id));
    for (const [id, fila] of this.#filas) {
      if (ids.has(id)) continue;
      fila.remove();
      this.#filas.delete(id);
    }
    for (const letra of letras) {
      if (this.#filas.has(letra.id)) continue;
      const fila = nuevaFila(letra);
      this.#filas.set(letra.id, fila);
      this.#lista.append(fila);
    }
    const cuantas = `${letras.length}${letras.length === MAXIMO ? "+" : ""}`;
    this.#seccion.querySelector(".cuenta").textContent = cuantas;
    this.#seccion.querySelector(".vacio").hidden = letras.length > 0;
    this.#chapa.hidden = letras.length === 0;
    this.#chapa.querySelector("span").textContent = `${cuantas} ${letras.length === 1 ? "letra muerta" : "letras muertas"}`;
  }

  #hacer(accion, id) {
    if (accion === "ver") this.#ver(id);
    if (accion === "reenviar") this.#decidir(id, reenviarLetra, "Reenviada");
    if (accion === "descartar") {
      this.#dialogo.dataset.letra = id;
      this.#dialogo.querySelector("#letra-por-descartar").textContent = this.#filas.get(id).querySelector(".letra-titulo").textContent;
      this.#dialogo.showModal();
    }
  }

  async #ver(id) {
    const fila = this.#filas.get(id);
    const boton = fila.querySelector('[data-accion="ver"]');
    const abierta = fila.querySelector(".letra-contenido");
    if (abierta) abierta.remove();
    else {
      try {
        fila.append(contenidoDe(await verLetra(id)));
      } catch (fallo) {
        this.#avisar(fallo.message);
        return;
      }
    }
    boton.setAttribute("aria-expanded", String(!abierta));
    boton.firstChild.data = abierta ? "Ver" : "Ocultar";
  }

  async #decidir(id, hacer, hecho) {
    const fila = this.#filas.get(id);
    try {
      await hacer(id);
      if (fila?.contains(document.activeElement)) this.#seccion.focus();
      this.#anunciar(`${hecho} la letra muerta de ${fila?.querySelector(".letra-titulo").textContent}`);
      await this.mirar();
    } catch (fallo) {
      await this.mirar();
      this.#avisar(fallo.message);
    }
  }

  #avisar(texto) {
    const aviso = this.#seccion.querySelector(".aviso");
    if (aviso.textContent !== texto) aviso.textContent = texto;
    aviso.hidden = !texto;
  }
}
