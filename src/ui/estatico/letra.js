// Una letra muerta, en la lista y abierta.

import { momento } from "./formatos.js";

export function nuevaFila({ id, suscripcion, topico, motivo, intentos, fecha }) {
  const fila = document.createElement("li");
  fila.className = "letra";
  fila.dataset.letra = id;
  fila.append(
    parte("p", "letra-titulo", `${suscripcion} · ${topico}`),
    parte("p", "letra-datos", `${intentos === 1 ? "1 intento" : `${intentos} intentos`} · ${momento(fecha)}`),
    parte("p", "letra-motivo", motivo),
    mandos(`${suscripcion} · ${topico}`),
  );
  return fila;
}

// `datos` es lo que dice un cuerpo en Avro cuyo esquema se conoce; sus bytes se enseñan igual.
export function contenidoDe({ cabeceras, datos, cuerpo, cuerpo_base64: bytes }) {
  const caja = parte("div", "letra-contenido", "");
  const texto = cuerpo === undefined || cuerpo === null ? `${tamano(bytes)} bytes, en base64:\n${bytes}` : cuerpo;
  caja.append(titulado("Cabeceras", JSON.stringify(cabeceras, null, 2)));
  if (datos) caja.append(titulado(`Contenido: ${datos.type ?? cabeceras.type}`, JSON.stringify(sinVacios(datos), null, 2)));
  caja.append(titulado(datos ? "Bytes" : "Contenido", texto));
  return caja;
}

const sinVacios = (datos) => Object.fromEntries(Object.entries(datos).filter(([, valor]) => valor !== null));

function titulado(nombre, texto) {
  const caja = parte("div", "", "");
  const crudo = parte("pre", "", texto);
  crudo.tabIndex = 0;
  crudo.setAttribute("role", "region");
  crudo.setAttribute("aria-label", nombre);
  caja.append(parte("h3", "", nombre), crudo);
  return caja;
}

function mandos(cual) {
  const caja = parte("div", "letra-mandos", "");
  for (const [accion, rotulo, clase] of [["reenviar", "Reenviar", "boton"], ["ver", "Ver", "boton-texto"], ["descartar", "Descartar", "boton-texto peligro"]]) {
    const boton = parte("button", clase, rotulo);
    boton.type = "button";
    boton.dataset.accion = accion;
    boton.append(parte("span", "solo-lector", ` la letra de ${cual}`));
    if (accion === "ver") boton.setAttribute("aria-expanded", "false");
    caja.append(boton);
  }
  return caja;
}

const tamano = (base64) => (base64.length / 4) * 3 - (base64.match(/=*$/)[0].length);

function parte(etiqueta, clase, texto) {
  const elemento = document.createElement(etiqueta);
  if (clase) elemento.className = clase;
  elemento.append(texto);
  return elemento;
}
