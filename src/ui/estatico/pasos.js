// De la saga que dice el API a lo que se enseña de cada paso. Sin documento: sólo palabras.

import { titulo } from "./formatos.js";

const ESTADOS = {
  PENDIENTE: "pendiente",
  OMITIDO: "no se pidió",
  PEDIDO: "pedido",
  HECHO: "hecho",
  FALLIDO: "rechazado",
  COMPENSANDO: "deshaciéndose",
  COMPENSADO: "deshecho",
};

export const ESTADOS_SAGA = {
  EN_CURSO: "en curso",
  COMPENSANDO: "deshaciendo",
  DETENIDA: "detenida",
  COMPLETADA: "completada",
  COMPENSADA: "deshecha",
};

const QUE = {
  INICIADA: "Empieza con",
  OMITIDO: "Se salta",
  PEDIDO: "Pide",
  EXITO: "Oye",
  FALLO: "Falla por",
  PLAZO_VENCIDO: "Vence el plazo de",
  COMPENSACION_PEDIDA: "Pide deshacer con",
  COMPENSADO: "Queda deshecho:",
  TARDIO: "Llega tarde",
  IGNORADO: "No cuenta",
  AVISADO: "Avisa con",
  DETENIDA: "Se detiene en",
  REANUDADA: "Reanuda",
  COMPLETADA: "Completada:",
  COMPENSADA: "Deshecha:",
};

// Cada paso: {comando, estado, titulo, rotulo, vencido, motivo, compensacion, orden}; `orden` es en qué turno se deshizo.
export function pasosDe({ pasos, diario, motivo, estado: deLaSaga }) {
  const avanza = ["EN_CURSO", "COMPLETADA"].includes(deLaSaga);
  const deshechos = [...new Set(diario.filter((nota) => nota.que === "COMPENSACION_PEDIDA").map((nota) => nota.mensaje))];
  return pasos.map(({ comando, estado, compensacion }) => {
    const vencio = diario.find((nota) => nota.que === "PLAZO_VENCIDO" && nota.mensaje === comando);
    const rotulo = ESTADOS[estado] ?? estado.toLowerCase();
    return {
      comando,
      estado,
      titulo: titulo(comando),
      vencido: Boolean(vencio),
      rotulo: vencio ? `venció y ${estado === "COMPENSADO" ? "se deshizo" : "se deshace"}` : rotulo,
      motivo: vencio?.detalle ?? (estado === "FALLIDO" ? motivo : null),
      compensacion: fraseDeCompensacion(estado, compensacion, avanza),
      orden: deshechos.indexOf(compensacion) + 1,
    };
  });
}

function fraseDeCompensacion(estado, compensacion, avanza) {
  if (estado === "OMITIDO") return "Esta reserva no lo lleva";
  if (estado === "FALLIDO") return "No se hizo: no hay nada que deshacer";
  if (estado === "PENDIENTE" && !avanza) return "No llegó a pedirse";
  if (!compensacion) return estado === "HECHO" ? "Es definitivo" : "Cuando se haga, será definitivo";
  const nombre = titulo(compensacion);
  if (estado === "COMPENSANDO") return `Se está deshaciendo con «${nombre}»`;
  if (estado === "COMPENSADO") return `Se deshizo con «${nombre}»`;
  return `Se desharía con «${nombre}»`;
}

export function notaEnPalabras({ que, mensaje, detalle }) {
  const frase = `${QUE[que] ?? que.toLowerCase()} ${titulo(mensaje).toLowerCase()}`;
  return detalle ? `${frase} (${detalle})` : frase;
}

// Lo último que hace una saga que se deshizo: avisar a quien la empezó.
export const avisoDe = ({ diario }) => diario.find((nota) => nota.que === "AVISADO") ?? null;
