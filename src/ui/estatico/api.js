// Las llamadas al API, siempre por el mismo origen que la página.

const ESPERA_MS = 15_000;

// Un fallo del API: `frase` se puede enseñar; `campos` es [{ruta, mensaje}]; `reintentable` dice que no se sabe si llegó;
// `manera`, si no hay saga porque las reservas se llevan de otra, es cuál.
export class FalloApi extends Error {
  constructor(frase, { estado = 0, campos = [], reintentable = false, manera = null } = {}) {
    super(frase);
    this.estado = estado;
    this.manera = manera;
    this.campos = campos;
    this.reintentable = reintentable;
  }
}

async function pedir(ruta, opciones = {}) {
  let respuesta;
  try {
    respuesta = await fetch(ruta, { ...opciones, signal: AbortSignal.timeout(ESPERA_MS) });
  } catch {
    throw new FalloApi("No hay respuesta del servidor de la página. ¿Sigue en marcha?", { reintentable: true });
  }
  const cuerpo = await respuesta.json().catch(() => null);
  if (!respuesta.ok) throw fallo(respuesta.status, cuerpo);
  if (respuesta.status === 204) return null;
  if (cuerpo === null) throw new FalloApi("El API contestó algo que no es JSON.", { estado: respuesta.status });
  return cuerpo;
}

function fallo(estado, problema) {
  const errores = Array.isArray(problema?.errors) ? problema.errors : [];
  return new FalloApi(problema?.detail || problema?.title || `El API contestó ${estado}.`, {
    estado,
    campos: errores.map((error) => ({ ruta: rutaDe(error.pointer), mensaje: String(error.detail ?? "") })),
    reintentable: estado >= 500,
    manera: problema?.manera ?? null,
  });
}

function rutaDe(puntero) {
  return String(puntero ?? "").replace(/^#/, "");
}

export function reservar(cuerpo, claveIdempotencia) {
  return pedir("/api/vuelos/reserva-comando", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": claveIdempotencia },
    body: cuerpo,
  });
}

export function listar(cursor = null) {
  const consulta = new URLSearchParams({ limite: "20", ...(cursor && { cursor }) });
  return pedir(`/api/vuelos/reserva?${consulta}`);
}

export function obtener(id) {
  return pedir(`/api/vuelos/reserva/${encodeURIComponent(id)}`);
}

export const obtenerSaga = (id) => pedir(`/api/sagas/${encodeURIComponent(id)}`);

export const obtenerMapa = () => pedir("/api/mapa");

const letra = (id) => `/api/letras-muertas/${encodeURIComponent(id)}`;

export const listarLetras = (maximo) => pedir(`/api/letras-muertas/?${new URLSearchParams({ maximo })}`);

export const verLetra = (id) => pedir(letra(id));

export const reenviarLetra = (id) => pedir(`${letra(id)}/reenviar`, { method: "POST" });

export const descartarLetra = (id) => pedir(letra(id), { method: "DELETE" });
