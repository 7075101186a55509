// Se carga antes de pintar, y por eso no es un módulo: así la página no parpadea en el tema que no es.
(() => {
  const raiz = document.documentElement;
  const sistema = matchMedia("(prefers-color-scheme: dark)");

  const guardado = () => {
    try {
      return localStorage.getItem("aeroalpes-tema");
    } catch {
      return null; // El navegador puede negar el almacenamiento: se sigue al sistema.
    }
  };

  const aplicar = () => {
    raiz.dataset.tema = guardado() ?? (sistema.matches ? "oscuro" : "claro");
    document.getElementById("boton-tema")?.setAttribute("aria-pressed", String(raiz.dataset.tema === "oscuro"));
  };

  const alternar = () => {
    const tema = raiz.dataset.tema === "oscuro" ? "claro" : "oscuro";
    try {
      localStorage.setItem("aeroalpes-tema", tema);
      aplicar();
    } catch {
      raiz.dataset.tema = tema;
    }
  };

  aplicar();
  sistema.addEventListener("change", aplicar);
  addEventListener("storage", aplicar);
  document.addEventListener("DOMContentLoaded", () => {
    aplicar();
    document.getElementById("boton-tema").addEventListener("click", alternar);
  });
})();
