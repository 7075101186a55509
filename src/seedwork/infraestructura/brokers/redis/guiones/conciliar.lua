-- ARGV: suscripción, consumidor, ficha nueva, y las referencias que el consumidor sabe que tiene. Lo que tomó una petición
-- cuya respuesta se perdió vuelve a estar libre.
llamar('HSET', S .. 'fichas', DUENO, ARGV[3])
local sabidas, perdidas = {}, {}
for i = 4, #ARGV do sabidas[ARGV[i]] = true end
for _, ref in ipairs(llamar('HKEYS', MIAS)) do
  if ref ~= '' and not sabidas[ref] then perdidas[#perdidas + 1] = ref end
end
local refs, marcas = quitar(perdidas)
for i, ref in ipairs(refs) do encolar(ref, marcas[i]) end
avisar()
