// La saga en la página: un paso es una tarjeta que cambia de estado sin moverse de su sitio.

import { reloj, titulo } from "./formatos.js";
import { ESTADOS_SAGA, avisoDe, notaEnPalabras, pasosDe } from "./pasos.js";

export class PanelSaga {
  #seccion;
  #alCambiar;
  #id = null;
  #pasos = new Map();

  // `alCambiar(texto)` recibe cada cambio de estado, dicho en una frase.
  constructor(seccion, alCambiar) {
    this.#seccion = seccion;
    this.#alCambiar = alCambiar;
  }

  pintar(id, saga) {
    if (id !== this.#id) this.#vaciar(id);
    this.#seccion.hidden = !saga;
    if (!saga) return;
    this.#cabeza(saga);
    for (const paso of pasosDe(saga)) this.#paso(paso);
    const aviso = avisoDe(saga);
    if (aviso) this.#paso({ ...CIERRE, comando: aviso.mensaje, titulo: titulo(aviso.mensaje) });
    this.#diario(saga.diario);
  }

  // La reserva que se lleva coreografiada: no hay pasos que enseñar, y se dice por qué.
  pintarSinSaga(id) {
    this.#vaciar(id);
    this.#seccion.hidden = false;
    this.#mostrar({ rotulo: "sin saga", estado: "SIN_SAGA", nota: SIN_SAGA });
    this.#uno(".saga-diario").hidden = true;
  }

  #uno(selector) {
    return this.#seccion.querySelector(selector);
  }

  #vaciar(id) {
    this.#id = id;
    this.#pasos.clear();
    this.#uno(".saga-pasos").replaceChildren();
    this.#uno(".saga-diario").open = false;
    this.#uno(".saga-diario").hidden = false;
    this.#uno(".saga-diario ol").replaceChildren();
  }

  #cabeza({ estado, motivo }) {
    const deshacer = estado === "COMPENSADA" ? "Se deshizo" : "Se deshace";
    this.#mostrar({
      rotulo: ESTADOS_SAGA[estado] ?? estado,
      estado,
      nota: motivo ? `${deshacer} lo hecho, del último paso al primero. Motivo: ${motivo}` : "",
    });
  }

  #mostrar({ rotulo, estado, nota }) {
    const insignia = this.#uno("#saga-estado");
    insignia.textContent = rotulo;
    insignia.dataset.estado = estado;
    const motivo = this.#uno("#saga-motivo");
    motivo.hidden = !nota;
    motivo.textContent = nota;
  }

  #paso(paso) {
    const tarjeta = this.#pasos.get(paso.comando) ?? this.#nuevo(paso);
    const antes = tarjeta.dataset.estado;
    tarjeta.dataset.estado = paso.estado;
    tarjeta.classList.toggle("vencido", paso.vencido);
    escribir(tarjeta, ".paso-estado", paso.orden && paso.estado === "COMPENSADO" ? `${paso.rotulo} (${paso.orden}.º)` : paso.rotulo);
    escribir(tarjeta, ".paso-motivo", paso.motivo ?? "");
    escribir(tarjeta, ".paso-compensacion", paso.compensacion);
    if (antes && antes !== paso.estado) this.#alCambiar(`${paso.titulo}: ${paso.rotulo}`);
  }

  #nuevo({ comando, titulo: nombre }) {
    const tarjeta = document.createElement("li");
    tarjeta.dataset.comando = comando;
    for (const [etiqueta, clase] of [["strong", "paso-titulo"], ["span", "paso-estado"], ["p", "paso-motivo"], ["p", "paso-compensacion"]]) {
      const parte = document.createElement(etiqueta);
      parte.className = clase;
      tarjeta.append(parte, " ");
    }
    escribir(tarjeta, ".paso-titulo", nombre);
    this.#pasos.set(comando, tarjeta);
    this.#uno(".saga-pasos").append(tarjeta);
    return tarjeta;
  }

  #diario(notas) {
    const lista = this.#uno(".saga-diario ol");
    for (const nota of notas.slice(lista.children.length)) {
      const linea = document.createElement("li");
      linea.dataset.que = nota.que;
      const hora = document.createElement("span");
      hora.className = "hora";
      hora.textContent = reloj(nota.fecha);
      linea.append(hora, ` ${notaEnPalabras(nota)}`);
      lista.append(linea);
    }
    escribir(this.#seccion, ".saga-cuenta", `${notas.length}`);
  }
}

const SIN_SAGA = "Nadie la dirige: los contextos se escuchan entre sí, y lo que hace cada uno está en su recorrido, aquí abajo.";
const CIERRE = { estado: "HECHO", rotulo: "hecho", vencido: false, motivo: null, compensacion: "Cierra la saga: ya no queda nada por deshacer", orden: 0 };

function escribir(raiz, selector, texto) {
  const parte = raiz.querySelector(selector);
  if (parte.textContent !== texto) parte.textContent = texto;
}
