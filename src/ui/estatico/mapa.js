// El mapa: a la izquierda quien publica, en medio los tópicos, a la derecha quien atiende; y lo mismo en palabras.

import { curva } from "./curva.js";
import { Flujo } from "./flujo.js";
import { titulo } from "./formatos.js";
import { enPalabras, quienesPublican, trazar } from "./trazado.js";

const SVG = "http://www.w3.org/2000/svg";
const RECIENTE_MS = 5_000;

export class Mapa {
  #seccion;
  #dibujo;
  #lineas;
  #flujo;
  #topicos = new Map();
  #nodos = new Map();
  #pendientes = [];

  constructor(seccion) {
    this.#seccion = seccion;
    this.#dibujo = seccion.querySelector(".mapa-dibujo");
    this.#lineas = seccion.querySelector(".mapa-lineas");
    this.#flujo = new Flujo(this.#dibujo);
    new ResizeObserver(() => this.#unir()).observe(this.#dibujo);
  }

  pintar(contextos) {
    const { emisores, topicos, receptores } = trazar(contextos);
    this.#topicos = new Map(topicos.map((topico) => [topico.nombre, { ...topico, vistos: 0 }]));
    this.#nodos.clear();
    this.#columna(".mapa-emisores", emisores, "emisor");
    this.#columna(".mapa-topicos", topicos.map(({ nombre }) => nombre), "topico");
    this.#columna(".mapa-receptores", receptores, "receptor");
    this.#seccion.querySelector(".mapa-frases").replaceChildren(...topicos.map(frase));
    this.#seccion.dataset.listo = "si";
    this.#unir();
    for (const evento of this.#pendientes.splice(0)) this.recibir(evento);
  }

  // Un evento pasó por su tópico: se cuenta, y si es de ahora mismo se ve pasar.
  recibir(evento) {
    if (!this.#seccion.dataset.listo) {
      this.#pendientes.push(evento);
      return;
    }
    const topico = this.#topicos.get(evento.topico);
    if (!topico) return;
    topico.vistos += 1;
    this.#contar(topico, evento);
    if (Date.now() - Date.parse(evento.time) > RECIENTE_MS) return;
    const nodo = (clase, nombre) => this.#nodos.get(`${clase}:${nombre}`);
    this.#flujo.pasar({
      desde: quienesPublican(topico, evento.type).map((nombre) => nodo("emisor", nombre)),
      por: nodo("topico", topico.nombre),
      hasta: topico.atienden.map((nombre) => nodo("receptor", nombre)),
      clase: topico.clase,
    });
  }

  #contar(topico, evento) {
    const cuenta = this.#nodos.get(`topico:${topico.nombre}`).querySelector(".mapa-cuenta");
    cuenta.textContent = topico.vistos;
    const dicho = this.#seccion.querySelector(`.mapa-frases [data-topico="${CSS.escape(topico.nombre)}"] .mapa-vistos`);
    dicho.textContent = ` ${topico.vistos === 1 ? "Ha pasado uno" : `Han pasado ${topico.vistos}`}; el último, «${titulo(evento.type)}».`;
  }

  #columna(selector, nombres, clase) {
    this.#seccion.querySelector(selector).replaceChildren(
      ...nombres.map((nombre) => {
        const nodo = document.createElement("li");
        nodo.className = `mapa-nodo ${clase}`;
        nodo.dataset.nombre = nombre;
        const rotulo = document.createElement("span");
        rotulo.append(...partible(nombre));
        nodo.append(rotulo);
        if (clase === "topico") {
          nodo.dataset.clase = this.#topicos.get(nombre).clase;
          const cuenta = document.createElement("span");
          cuenta.className = "mapa-cuenta";
          nodo.append(cuenta);
        }
        this.#nodos.set(`${clase}:${nombre}`, nodo);
        return nodo;
      }),
    );
  }

  // Las líneas van de borde a borde, así que se rehacen cada vez que algo cambia de tamaño.
  #unir() {
    const marco = this.#dibujo.getBoundingClientRect();
    const lineas = [...this.#topicos.values()].flatMap((topico) => {
      const medio = this.#nodos.get(`topico:${topico.nombre}`);
      const ida = topico.publican.map(({ contexto }) => [this.#nodos.get(`emisor:${contexto}`), medio]);
      const vuelta = topico.atienden.map((contexto) => [medio, this.#nodos.get(`receptor:${contexto}`)]);
      return [...ida, ...vuelta].map(([a, b]) => linea(curva(a, b, marco), topico.clase));
    });
    this.#lineas.setAttribute("viewBox", `0 0 ${marco.width} ${marco.height}`);
    this.#lineas.replaceChildren(...lineas);
  }
}

function linea(trazo, clase) {
  const camino = document.createElementNS(SVG, "path");
  camino.setAttribute("d", trazo);
  camino.dataset.clase = clase;
  return camino;
}

// Los nombres largos se parten por sus guiones, no por cualquier letra.
const partible = (nombre) =>
  nombre.split(/(?<=[-_.])/).flatMap((parte, indice) => (indice ? [document.createElement("wbr"), parte] : [parte]));

function frase(topico) {
  const linea = document.createElement("li");
  linea.dataset.topico = topico.nombre;
  const nombre = document.createElement("code");
  nombre.textContent = topico.nombre;
  const vistos = document.createElement("span");
  vistos.className = "mapa-vistos";
  linea.append(nombre, ` ${enPalabras(topico)}`, vistos);
  return linea;
}
