// La página: une el almacén con quien lo llena (API y websocket) y con quien lo pinta.

import { Almacen } from "./almacen.js";
import { listar, obtener, obtenerMapa } from "./api.js";
import { Conexion } from "./conexion.js";
import { ruta, tituloDe } from "./formatos.js";
import { Formulario } from "./formulario.js";
import { LetrasMuertas } from "./letras.js";
import { Lista } from "./lista.js";
import { Mapa } from "./mapa.js";
import { Recorrido } from "./recorrido.js";
import { PanelSaga } from "./saga.js";
import { Seguimiento } from "./seguimiento.js";

const RECARGA_MS = 250;
const REINTENTO_LISTA_MS = 3_000;
const PAGINAS_DE_UNA_VEZ = 5;
const RECIENTE_MS = 30_000;
const ROTULOS = { conectando: "Conectando…", conectado: "En vivo", reconectando: "Sin conexión, reintentando…" };

const uno = (selector) => document.querySelector(selector);
const almacen = new Almacen();
const conexion = new Conexion();
const lista = new Lista(uno("#lista-reservas"), (id) => elegir(id, { acercar: true }));
const recorrido = new Recorrido(uno("#recorrido"));
const seguimiento = new Seguimiento();
const saga = new PanelSaga(uno("#saga"), anunciar);
const mapa = new Mapa(uno("#mapa"));
const letras = new LetrasMuertas(uno("#letras"), uno("#chapa-letras"), anunciar);

function pintar() {
  const reservas = almacen.visibles;
  lista.pintar(reservas, almacen.elegida);
  recorrido.pintar(almacen.elegida && almacen.get(almacen.elegida));
  uno("#cuenta-reservas").textContent = reservas.length ? `${reservas.length}${almacen.siguiente ? "+" : ""}` : "";
  uno("#lista-vacia").hidden = reservas.length > 0 || !uno("#aviso-lista").hidden;
  uno("#boton-mas").hidden = !almacen.siguiente;
}

let pintadoPendiente = false;
function pintarPronto() {
  if (pintadoPendiente) return;
  pintadoPendiente = true;
  setTimeout(() => {
    pintadoPendiente = false;
    pintar();
  }, 16);
}

let recargaPendiente = null;
function recargarEn(esperaMs) {
  clearTimeout(recargaPendiente);
  recargaPendiente = setTimeout(() => cargar(), esperaMs);
}

async function cargar(cursor = null) {
  const aviso = uno("#aviso-lista");
  try {
    let pagina = await listar(cursor);
    aviso.hidden = true;
    almacen.incorporarPagina(pagina, cursor === null);
    // Tras una desconexión larga, de varias reservas se sabe sólo por sus eventos: sus datos están páginas más atrás.
    for (let paginas = 1; almacen.faltanDatos && pagina.siguiente && paginas < PAGINAS_DE_UNA_VEZ; paginas++) {
      pagina = await listar(pagina.siguiente);
      pagina.reservas.forEach((reserva) => almacen.incorporar(reserva));
    }
  } catch (fallo) {
    aviso.textContent = fallo.message;
    aviso.hidden = false;
    pintarPronto();
    if (cursor === null) recargarEn(REINTENTO_LISTA_MS);
  }
}

async function cargarMapa() {
  try {
    mapa.pintar((await obtenerMapa()).contextos);
  } catch {
    setTimeout(cargarMapa, REINTENTO_LISTA_MS);
  }
}

function elegir(id, { acercar = false } = {}) {
  if (id !== almacen.elegida) saga.pintar(id, null);
  almacen.elegir(id);
  seguimiento.seguir(almacen.get(id));
  history.replaceState(null, "", `#reserva=${id}`);
  pintar();
  if (acercar) acercarRecorrido();
  const { enApi, aceptada, eventos } = almacen.get(id);
  // Recién aceptada todavía no existe: existirá cuando llegue su evento, que trae sus datos.
  if (!enApi && (!aceptada || eventos.length)) completar(id);
}

async function completar(id) {
  try {
    almacen.incorporar(await obtener(id));
    if (id === almacen.elegida) seguimiento.seguir(almacen.get(id));
  } catch (fallo) {
    almacen.get(id).noExiste = fallo.estado === 404 && !almacen.get(id).aceptada && !almacen.get(id).eventos.length;
    pintarPronto();
  }
}

function acercarRecorrido() {
  const seccion = uno("#recorrido");
  const { top, bottom } = seccion.getBoundingClientRect();
  if (top >= 0 && top < innerHeight * 0.6 && bottom > 0) return;
  const quieto = matchMedia("(prefers-reduced-motion: reduce)").matches;
  seccion.scrollIntoView({ behavior: quieto ? "auto" : "smooth", block: "start" });
}

function elegirDeLaDireccion() {
  const id = /^#reserva=([0-9a-f-]{36})$/i.exec(location.hash)?.[1];
  if (id) elegir(id.toLowerCase());
}

let anuncioPendiente = null;
function anunciar(texto) {
  clearTimeout(anuncioPendiente);
  anuncioPendiente = setTimeout(() => {
    uno("#anuncios").textContent = texto;
  }, 150);
}

almacen.addEventListener("cambio", pintarPronto);

conexion.addEventListener("estado", ({ detail: estado }) => {
  const elemento = uno("#estado-conexion");
  if (elemento.dataset.estado !== estado) {
    elemento.dataset.estado = estado;
    elemento.querySelector(".conexion-texto").textContent = ROTULOS[estado];
  }
  if (estado !== "conectado") return;
  cargar();
  letras.mirar();
});

conexion.addEventListener("evento", ({ detail: evento }) => {
  mapa.recibir(evento);
  const reserva = almacen.recibir(evento);
  if (!reserva) return;
  if (reserva.id === almacen.elegida) seguimiento.seguir(reserva);
  reserva.noExiste = false;
  const esReciente = Date.now() - Date.parse(evento.time) < RECIENTE_MS;
  if (!reserva.enApi && esReciente) recargarEn(RECARGA_MS);
  if (esReciente && !evento.interno && (reserva.id === almacen.elegida || evento.type === "ReservaCreada")) {
    anunciar(`${tituloDe(evento)}: ${ruta(reserva)}`);
  }
});

seguimiento.addEventListener("saga", ({ detail: { id, saga: suya } }) => {
  if (id === almacen.elegida) saga.pintar(id, suya);
});

seguimiento.addEventListener("sin-saga", ({ detail: { id } }) => {
  if (id === almacen.elegida) saga.pintarSinSaga(id);
});

uno("#boton-mas").addEventListener("click", () => cargar(almacen.siguiente));

new Formulario(uno("#formulario-reserva"), (id, itinerarios, demoraMs) => {
  almacen.aceptar(id, itinerarios, demoraMs);
  elegir(id, { acercar: true });
  anunciar(`Reserva aceptada, en camino: ${ruta(almacen.get(id))}`);
  // Vuelve a mirar por si tarda: la nota del recorrido lo dice.
  setTimeout(pintarPronto, 8_500);
});

elegirDeLaDireccion();
pintar();
conexion.abrir();
cargarMapa();
