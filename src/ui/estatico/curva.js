// El trazo de un nodo a otro, en píxeles de su marco.
export function curva(a, b, marco) {
  const [de, hasta] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
  const [x1, y1] = [de.right - marco.left, (de.top + de.bottom) / 2 - marco.top];
  const [x2, y2] = [hasta.left - marco.left, (hasta.top + hasta.bottom) / 2 - marco.top];
  const tiro = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + tiro} ${y1} ${x2 - tiro} ${y2} ${x2} ${y2}`;
}
