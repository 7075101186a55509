// Devuelve los defectos de accesibilidad de lo que se ve: nombres, roles, encabezados, ids, contraste y tamaño.
const defectos = [];
const visible = (e) => e.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }) && e.getClientRects().length > 0;
const todos = (selector) => [...document.querySelectorAll(selector)].filter(visible);
const senas = (e) => `<${e.localName}${e.id ? ` #${e.id}` : ""}${e.className?.baseVal ?? e.className ? ` .${e.className?.baseVal ?? e.className}` : ""}> «${e.textContent.trim().slice(0, 40)}»`;
const falta = (regla, e) => defectos.push(`${regla}: ${senas(e)}`);

const nombre = (e) =>
  (e.getAttribute("aria-labelledby")?.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ") ||
    e.getAttribute("aria-label") ||
    [...(e.labels ?? [])].map((rotulo) => rotulo.textContent).join(" ") ||
    (["button", "a", "summary"].includes(e.localName) ? e.textContent : "")
  ).trim();

if (!document.documentElement.lang) defectos.push("falta el idioma");
if (!document.title) defectos.push("falta el título");
for (const unico of ["main", "body > header", "body > footer", "h1"]) {
  if (todos(unico).length !== 1) defectos.push(`debe haber un solo ${unico}`);
}
for (const e of todos("button, a[href], input, select, textarea, summary, [tabindex='0']")) if (!nombre(e)) falta("sin nombre", e);
for (const e of todos("section, [role=group], [role=region], form fieldset")) {
  if (!nombre(e) && !e.querySelector("legend")) falta("región o grupo sin nombre", e);
}
for (const e of todos("svg")) if (!e.closest("[aria-hidden=true]") && !e.getAttribute("aria-label")) falta("dibujo sin nombre", e);
for (const e of document.querySelectorAll("[aria-hidden=true]")) {
  if (e.querySelector("a[href], button, input, [tabindex]")) falta("se puede enfocar algo oculto", e);
}
for (const e of todos("[tabindex]")) if (e.tabIndex > 0) falta("tabindex positivo", e);

const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) defectos.push(`id repetido: ${id}`);
for (const atributo of ["aria-labelledby", "aria-describedby"]) {
  for (const e of document.querySelectorAll(`[${atributo}]`)) {
    for (const id of e.getAttribute(atributo).split(/\s+/)) if (!document.getElementById(id)) falta(`${atributo} apunta a nada`, e);
  }
}

let nivel = 0;
for (const e of todos("h1, h2, h3, h4")) {
  const este = Number(e.localName[1]);
  if (este > nivel + 1) falta("salta un nivel de encabezado", e);
  nivel = este;
}

const canales = (color) => {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return { rgb: [r, g, b], a };
};
const fondo = (e) => {
  for (let capa = e; capa; capa = capa.parentElement) {
    const { rgb, a } = canales(getComputedStyle(capa).backgroundColor);
    if (getComputedStyle(capa).backgroundImage !== "none") return null;
    if (a > 0.95) return rgb;
    if (a > 0) return null;
  }
  return [255, 255, 255];
};
const luz = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
for (const e of todos("body *")) {
  const tieneTexto = e.localName === "input" || [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
  if (!tieneTexto || e.closest("svg, .solo-lector, .salto") || ["radio"].includes(e.type)) continue;
  const detras = fondo(e);
  if (!detras) continue;
  const [clara, oscura] = [luz(canales(getComputedStyle(e).color).rgb), luz(detras)].sort((a, b) => b - a);
  const contraste = (clara + 0.05) / (oscura + 0.05);
  if (contraste < 4.5) falta(`contraste ${contraste.toFixed(2)}`, e);
}
for (const e of todos("button, summary, input:not([type=radio])")) {
  const { width, height } = e.getBoundingClientRect();
  if (width < 24 || height < 24) falta(`blanco de ${width.toFixed(0)}×${height.toFixed(0)} px`, e);
}
return defectos;
