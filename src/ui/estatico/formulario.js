// El formulario: de los campos al comando, y de los errores del API a los campos.

import { reservar } from "./api.js";
import { SIN_PLAZAS, leerOpciones } from "./opciones.js";

const AEROPUERTOS = {
  BOG: "El Dorado - Bogotá International Airport (BOG)",
  JFK: "John F. Kennedy International Airport",
  MDE: "José María Córdova International Airport",
  CTG: "Rafael Núñez International Airport",
  CLO: "Alfonso Bonilla Aragón International Airport",
  UIO: "Mariscal Sucre International Airport",
  LIM: "Jorge Chávez International Airport",
  SCL: "Arturo Merino Benítez International Airport",
  EZE: "Ministro Pistarini International Airport",
  MEX: "Benito Juárez International Airport",
  MIA: "Miami International Airport",
  MAD: "Adolfo Suárez Madrid-Barajas Airport",
  GVA: "Genève Aéroport",
  ZRH: "Flughafen Zürich",
  [SIN_PLAZAS.codigo]: SIN_PLAZAS.nombre,
};
// El ejemplo del tutorial: con él puesto, reservar es un clic.
const EJEMPLO = { origen: "BOG", destino: "JFK", salida: "2022-11-22T13:10", llegada: "2022-11-22T15:10" };
// Un doble clic manda dos envíos aunque el API conteste entre uno y otro.
const DOBLE_CLIC_MS = 700;
const ESTANCIA_MS = 7 * 24 * 3_600_000;
const ESCALA_MS = 2 * 3_600_000;

export class Formulario {
  #formulario;
  #boton;
  #errores;
  #plantilla;
  #alAceptar;
  #envio = { cuerpo: null, clave: null };
  #ocupado = false;

  constructor(formulario, alAceptar) {
    this.#formulario = formulario;
    this.#alAceptar = alAceptar;
    this.#boton = formulario.querySelector("#boton-reservar");
    this.#errores = formulario.querySelector("#errores-formulario");
    this.#plantilla = document.getElementById("plantilla-tramo");
    document.getElementById("aeropuertos").replaceChildren(
      ...Object.entries(AEROPUERTOS).map(([codigo, nombre]) => new Option(nombre, codigo)),
    );
    this.#anadir("ida", EJEMPLO);
    formulario.addEventListener("submit", (evento) => this.#enviar(evento));
    formulario.addEventListener("change", (evento) => this.#alCambiar(evento.target));
    formulario.addEventListener("click", (evento) => this.#alPulsar(evento.target));
  }

  #trayecto(odo) {
    return this.#formulario.querySelector(`[data-odo="${odo}"]`);
  }

  #tramos(odo) {
    return [...this.#trayecto(odo).querySelectorAll(".tramo-formulario")];
  }

  #anadir(odo, { origen, destino, salida, llegada }) {
    const tramo = this.#plantilla.content.firstElementChild.cloneNode(true);
    this.#trayecto(odo).querySelector(".tramos").append(tramo);
    poner(tramo, { "origen-codigo": origen, "destino-codigo": destino, "fecha-salida": salida, "fecha-llegada": llegada });
    completarNombre(tramo, "origen");
    completarNombre(tramo, "destino");
    this.#numerar();
    return tramo;
  }

  #numerar() {
    for (const [odo, nombre] of [["ida", "ida"], ["vuelta", "vuelta"]]) {
      const tramos = this.#tramos(odo);
      tramos.forEach((tramo, indice) => {
        tramo.querySelector(".tramo-numero").textContent = `Tramo ${indice + 1}`;
        tramo.setAttribute("aria-label", `Tramo ${indice + 1} de la ${nombre}`);
        tramo.querySelector(".tramo-cabeza").hidden = tramos.length === 1;
        tramo.querySelector('[data-accion="quitar-tramo"]').setAttribute("aria-label", `Quitar el tramo ${indice + 1} de la ${nombre}`);
      });
    }
  }

  #alCambiar(campo) {
    if (campo.name === "tipo") this.#mostrarVuelta(campo.value === "ida-y-vuelta");
    const extremo = /^(origen|destino)-codigo$/.exec(campo.name)?.[1];
    if (extremo) completarNombre(campo.closest(".tramo-formulario"), extremo);
    campo.closest(".campo")?.querySelector(".error-campo")?.remove();
    campo.removeAttribute("aria-invalid");
    campo.removeAttribute("aria-describedby");
  }

  #mostrarVuelta(visible) {
    const trayecto = this.#trayecto("vuelta");
    trayecto.hidden = !visible;
    if (visible && !this.#tramos("vuelta").length) {
      const ida = this.#tramos("ida");
      const [primero, ultimo] = [leer(ida[0]), leer(ida.at(-1))];
      this.#anadir("vuelta", {
        origen: ultimo.destino.codigo,
        destino: primero.origen.codigo,
        salida: masTarde(ultimo.fecha_salida, ESTANCIA_MS),
        llegada: masTarde(ultimo.fecha_llegada, ESTANCIA_MS),
      });
    }
    for (const campo of trayecto.querySelectorAll("input")) campo.disabled = !visible;
  }

  #alPulsar(elemento) {
    const accion = elemento.closest("[data-accion]")?.dataset.accion;
    if (accion === "anadir-tramo") {
      const { odo } = elemento.closest("[data-odo]").dataset;
      const anterior = leer(this.#tramos(odo).at(-1));
      const tramo = this.#anadir(odo, {
        origen: anterior.destino.codigo,
        destino: "",
        salida: masTarde(anterior.fecha_llegada, ESCALA_MS),
        llegada: masTarde(anterior.fecha_llegada, 2 * ESCALA_MS),
      });
      tramo.querySelector('[name="destino-codigo"]').focus();
    }
    if (accion === "sin-plazas") {
      const ultimo = this.#tramos("ida").at(-1);
      poner(ultimo, { "destino-codigo": SIN_PLAZAS.codigo, "destino-nombre": SIN_PLAZAS.nombre });
      ultimo.querySelector('[name="destino-codigo"]').focus();
    }
    if (accion === "quitar-tramo") {
      const trayecto = elemento.closest("[data-odo]");
      elemento.closest(".tramo-formulario").remove();
      this.#numerar();
      trayecto.querySelector('[data-accion="anadir-tramo"]').focus();
    }
  }

  #comando() {
    const esRedondo = this.#formulario.elements.tipo.value === "ida-y-vuelta";
    const odos = (esRedondo ? ["ida", "vuelta"] : ["ida"]).map((odo) => ({ segmentos: [{ legs: this.#tramos(odo).map(leer) }] }));
    return { ...leerOpciones(this.#formulario), itinerarios: [{ odos }] };
  }

  async #enviar(evento) {
    evento.preventDefault();
    if (this.#ocupado) return;
    const comando = this.#comando();
    const cuerpo = JSON.stringify(comando);
    // La misma clave mientras no se sepa en qué acabó este envío: así un reintento no reserva dos veces.
    if (cuerpo !== this.#envio.cuerpo) this.#envio = { cuerpo, clave: uuid() };
    this.#limpiarErrores();
    this.#ocupar(true);
    const inicioMs = performance.now();
    try {
      const { id } = await reservar(cuerpo, this.#envio.clave);
      this.#envio = { cuerpo: null, clave: null };
      this.#alAceptar(id, comando.itinerarios, performance.now() - inicioMs);
    } catch (fallo) {
      if (!fallo.reintentable) this.#envio = { cuerpo: null, clave: null };
      this.#mostrar(fallo);
    } finally {
      setTimeout(() => this.#ocupar(false), Math.max(0, DOBLE_CLIC_MS - (performance.now() - inicioMs)));
    }
  }

  #ocupar(ocupado) {
    this.#ocupado = ocupado;
    this.#boton.setAttribute("aria-disabled", String(ocupado));
    this.#boton.textContent = ocupado ? "Enviando…" : this.#envio.clave ? "Reintentar" : "Reservar";
  }

  #limpiarErrores() {
    this.#errores.hidden = true;
    for (const error of this.#formulario.querySelectorAll(".error-campo")) error.remove();
    for (const campo of this.#formulario.querySelectorAll("[aria-invalid]")) {
      campo.removeAttribute("aria-invalid");
      campo.removeAttribute("aria-describedby");
    }
  }

  #mostrar(fallo) {
    const sueltos = fallo.campos.filter((campo) => !this.#marcar(campo)).map((campo) => campo.mensaje).filter(Boolean);
    const segura = fallo.reintentable ? " Puede reintentar sin miedo: no se reservará dos veces." : "";
    this.#errores.textContent = [fallo.message, ...sueltos].join(" · ") + segura;
    this.#errores.hidden = false;
    (this.#formulario.querySelector("[aria-invalid]") ?? this.#errores).focus();
  }

  #marcar({ ruta, mensaje }) {
    const campo = this.#campo(ruta);
    if (!campo) return false;
    const error = document.createElement("span");
    error.className = "error-campo";
    error.id = `error-${uuid()}`;
    error.textContent = mensaje;
    campo.append(error);
    campo.closest("details")?.setAttribute("open", "");
    const entrada = campo.querySelector("input");
    entrada.setAttribute("aria-invalid", "true");
    entrada.setAttribute("aria-describedby", error.id);
    return true;
  }

  // El campo de un puntero JSON del comando: /itinerarios/0/odos/1/segmentos/0/legs/2/destino/codigo
  #campo(ruta) {
    const partes = /^\/itinerarios\/0\/odos\/(\d+)\/segmentos\/0\/legs\/(\d+)\/(.+)$/.exec(ruta);
    if (!partes) return this.#formulario.querySelector(`[data-ruta="${CSS.escape(ruta)}"]`);
    const tramo = this.#tramos(["ida", "vuelta"][partes[1]] ?? "ida")[Number(partes[2])];
    return tramo?.querySelector(`[data-campo="${CSS.escape(partes[3])}"]`) ?? null;
  }
}

function poner(tramo, valores) {
  for (const [nombre, valor] of Object.entries(valores)) tramo.querySelector(`[name="${nombre}"]`).value = valor;
}

function completarNombre(tramo, extremo) {
  const codigo = tramo.querySelector(`[name="${extremo}-codigo"]`);
  const nombre = tramo.querySelector(`[name="${extremo}-nombre"]`);
  codigo.value = codigo.value.trim().toUpperCase();
  const escritoAMano = nombre.value && !Object.values(AEROPUERTOS).includes(nombre.value);
  if (AEROPUERTOS[codigo.value] && !escritoAMano) nombre.value = AEROPUERTOS[codigo.value];
}

function leer(tramo) {
  const valor = (nombre) => tramo.querySelector(`[name="${nombre}"]`).value.trim();
  const extremo = (nombre) => ({ codigo: valor(`${nombre}-codigo`).toUpperCase(), nombre: valor(`${nombre}-nombre`) });
  return {
    fecha_salida: aIso(valor("fecha-salida")),
    fecha_llegada: aIso(valor("fecha-llegada")),
    destino: extremo("destino"),
    origen: extremo("origen"),
  };
}

const aIso = (local) => (local ? `${local.length === 16 ? `${local}:00` : local.slice(0, 19)}Z` : "");

function masTarde(iso, ms) {
  const fechaMs = Date.parse(iso);
  return Number.isNaN(fechaMs) ? "" : new Date(fechaMs + ms).toISOString().slice(0, 16);
}

// crypto.randomUUID sólo existe en https y en localhost; la página también se abre desde otra máquina de la red.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
