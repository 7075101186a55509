// La lista de reservas: cada una es un botón que conserva el foco mientras su contenido cambia.

import { fechaVuelo, idCorto, primerTramo, ruta } from "./formatos.js";

export class Lista {
  #lista;
  #filas = new Map();

  constructor(lista, alElegir) {
    this.#lista = lista;
    lista.addEventListener("click", (evento) => {
      const boton = evento.target.closest("[data-id]");
      if (boton) alElegir(boton.dataset.id);
    });
  }

  pintar(reservas, elegida) {
    const ids = new Set(reservas.map((reserva) => reserva.id));
    for (const [id, fila] of this.#filas) {
      if (!ids.has(id)) {
        fila.remove();
        this.#filas.delete(id);
      }
    }
    reservas.forEach((reserva, indice) => {
      const fila = this.#fila(reserva.id);
      llenar(fila.firstElementChild, reserva, reserva.id === elegida);
      if (this.#lista.children[indice] !== fila) this.#lista.insertBefore(fila, this.#lista.children[indice] ?? null);
    });
  }

  #fila(id) {
    let fila = this.#filas.get(id);
    if (!fila) {
      fila = document.createElement("li");
      const boton = document.createElement("button");
      boton.type = "button";
      boton.className = "talon";
      boton.dataset.id = id;
      for (const clase of ["talon-ruta", "insignia", "talon-fecha", "talon-id"]) {
        const parte = document.createElement("span");
        parte.className = clase;
        boton.append(parte, " ");
      }
      fila.append(boton);
      this.#filas.set(id, fila);
    }
    return fila;
  }
}

function llenar(boton, reserva, esElegida) {
  const [trayecto, insignia, fecha, id] = boton.children;
  const tramo = primerTramo(reserva);
  escribir(trayecto, ruta(reserva));
  pintarInsignia(insignia, reserva.estado);
  escribir(fecha, tramo ? fechaVuelo(tramo.fecha_salida) : "");
  escribir(id, idCorto(reserva.id));
  boton.dataset.estado = reserva.estado ?? "";
  if (esElegida) boton.setAttribute("aria-current", "true");
  else boton.removeAttribute("aria-current");
}

export function pintarInsignia(insignia, estado) {
  escribir(insignia, estado ?? "EN CAMINO");
  insignia.dataset.estado = estado ?? "EN CAMINO";
}

function escribir(elemento, texto) {
  if (elemento.textContent !== texto) elemento.textContent = texto;
}
