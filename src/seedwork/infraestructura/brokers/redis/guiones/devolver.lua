-- ARGV: suscripción, consumidor, y de cada entrega la referencia y los intentos que deben constar.
local refs, intentos = {}, {}
for i = 3, #ARGV, 2 do
  refs[#refs + 1] = ARGV[i]
  intentos[ARGV[i]] = tonumber(ARGV[i + 1])
end
local mias, marcas = quitar(refs)
for i, ref in ipairs(mias) do
  local _, sospechosa = datos(ref)
  if intentos[ref] > 0 or sospechosa > 0 then
    guardar_datos(ref, intentos[ref], sospechosa, marcas[i])
  else
    llamar('HDEL', DATOS, ref)
  end
  encolar(ref, marcas[i])
end
avisar()
