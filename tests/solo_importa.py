"""Contrato de import-linter: «estos módulos sólo importan esto».

import-linter sabe prohibir una lista de módulos; una regla de dependencias dice lo contrario, qué se
permite, y una biblioteca nueva queda fuera sin que nadie la nombre. Opciones:

- `modulos`: a quién obliga. `*` vale por cualquier nombre; `<contexto>` también, y lo recuerda.
- `permitidos`: qué más puede importar, aparte de sí mismo y de la biblioteca estándar. Un `<contexto>`
  aquí es el mismo de `modulos`: así «su propio dominio» se dice sin nombrar contexto alguno.
- `terceros`: si puede importar bibliotecas ajenas al proyecto (por omisión, no).

Un patrón obliga o permite el módulo y todo lo que cuelga de él. Sólo mira los imports directos: como cada
módulo permitido tiene su propia regla, por ahí no se cuela nada. Que ningún módulo responda a `modulos` es
un error: la regla habría dejado de proteger sin que se notara.
"""

import re
import sys
from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class SoloImporta(Contract):
    type_name = "solo_importa"

    modulos = fields.ListField(subfield=fields.StringField())
    permitidos = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    terceros = fields.BooleanField(required=False, default=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        ajenos = [
            (importador, importado, linea)
            for importador, propios in self._obligados(graph)
            for importado in sorted(graph.find_modules_directly_imported_by(importador))
            if not self._permitido(importado, propios)
            for linea in _lineas(graph, importador, importado)
        ]
        return ContractCheck(kept=not ajenos, metadata={"ajenos": ajenos})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importador, importado, linea in check.metadata["ajenos"]:
            output.print_error(f"- {importador} no puede importar {importado} (línea {linea})", bold=False)

    def _obligados(self, graph: ImportGraph) -> Iterator[tuple[str, list[re.Pattern[str]]]]:
        for patron in self.modulos:
            hallados = [
                (modulo, hallado) for modulo in sorted(graph.modules) if (hallado := _regex(patron).match(modulo))
            ]
            if not hallados:
                raise ValueError(f"Ningún módulo responde a «{patron}», que obliga el contrato «{self.name}».")
            for modulo, hallado in hallados:
                propios = [_regex(permitido, hallado.groupdict()) for permitido in (patron, *self.permitidos)]
                yield modulo, propios

    def _permitido(self, importado: str, propios: list[re.Pattern[str]]) -> bool:
        raiz = importado.partition(".")[0]
        if raiz in sys.stdlib_module_names:
            return True
        if raiz not in self.session_options["root_packages"]:
            return bool(self.terceros)
        return any(patron.match(importado) for patron in propios)


def _regex(patron: str, valores: dict[str, str] | None = None) -> re.Pattern[str]:
    for nombre, valor in (valores or {}).items():
        patron = patron.replace(f"<{nombre}>", valor)
    expresion = re.escape(patron).replace(r"\*", r"[^.]*")
    return re.compile(re.sub("<([a-z_]+)>", r"(?P<\1>[^.]+)", expresion) + r"(?:\.|$)")


def _lineas(graph: ImportGraph, importador: str, importado: str) -> list[int]:
    return [detalle["line_number"] for detalle in graph.get_import_details(importer=importador, imported=importado)]
