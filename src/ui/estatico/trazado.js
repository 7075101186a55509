// De quién publica y quién atiende a tres columnas ordenadas, con las líneas que se cruzan lo menos posible.

// {emisores, topicos, receptores}: cada tópico trae su clase y sus `lineas` de ida (con sus mensajes) y de vuelta.
export function trazar(contextos) {
  const topicos = new Map();
  const de = (nombre) => {
    if (!topicos.has(nombre)) {
      topicos.set(nombre, { nombre, clase: nombre.startsWith("comandos-") ? "comando" : "evento", publican: [], atienden: [] });
    }
    return topicos.get(nombre);
  };
  for (const { contexto, publica, atiende } of contextos) {
    for (const { topico, mensajes } of publica) de(topico).publican.push({ contexto, mensajes });
    for (const { topico } of atiende) {
      const { atienden } = de(topico);
      if (!atienden.includes(contexto)) atienden.push(contexto);
    }
  }
  const emisores = contextos.filter(({ publica }) => publica.length).map(({ contexto }) => contexto);
  const ordenados = porCentro([...topicos.values()], ({ publican }) => publican.map(({ contexto }) => emisores.indexOf(contexto)));
  const receptores = contextos.filter(({ atiende }) => atiende.length).map(({ contexto }) => contexto);
  return {
    emisores,
    topicos: ordenados,
    receptores: porCentro(receptores, (contexto) =>
      ordenados.flatMap((topico, indice) => (topico.atienden.includes(contexto) ? [indice] : [])),
    ),
  };
}

// Cada cosa a la altura media de sus vecinas de la columna anterior.
function porCentro(cosas, vecinas) {
  const centro = new Map(
    cosas.map((cosa) => {
      const alturas = vecinas(cosa);
      return [cosa, alturas.length ? alturas.reduce((suma, altura) => suma + altura, 0) / alturas.length : Infinity];
    }),
  );
  return [...cosas].sort((a, b) => centro.get(a) - centro.get(b));
}

// Quiénes pudieron publicar ese mensaje en ese tópico.
export function quienesPublican(topico, tipo) {
  return topico.publican.filter(({ mensajes }) => mensajes.includes(tipo)).map(({ contexto }) => contexto);
}

export function enPalabras({ nombre, publican, atienden }) {
  const emisores = publican.map(({ contexto, mensajes }) => (mensajes.join() === nombre ? contexto : `${contexto} (${mensajes.join(", ")})`));
  const publica = emisores.length ? `lo publica ${enumerar(emisores)}` : "todavía no lo publica nadie";
  const atiende = atienden.length ? `lo atiende ${enumerar(atienden)}` : "no lo atiende nadie";
  return `${publica}; ${atiende}.`;
}

const enumerar = (nombres) => new Intl.ListFormat("es", { type: "conjunction" }).format(nombres);
