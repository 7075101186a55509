-- ARGV: máximo, tópicos conocidos, y de cada tópico su nombre y hasta dónde se leyó. Responde {cambiaron los tópicos,
-- números, textos, tópico e identidad de lo leído...}. No deja rastro de quien lee.
local topicos, cursores, leido = {}, {}, {}
for i = 3, #ARGV, 2 do
  topicos[#topicos + 1] = ARGV[i]
  cursores[#cursores + 1] = ARGV[i + 1]
end
local maximo = tonumber(ARGV[1])
local leidos = recorrer(topicos, cursores, maximo, function(id, topico, campos)
  if lote_mensajes >= maximo or lote_bytes >= LOTE_BYTES then return false end
  al_lote(id .. ' ' .. topico, campos, 0, 0)
  return true
end)
for topico, id in pairs(leidos) do
  leido[#leido + 1] = topico
  leido[#leido + 1] = id
end
local cambio = topicos_cambiaron(ARGV[2])
if lote_mensajes == 0 and not cambio then dormir(topicos) end
return { cambio and 1 or 0, table.concat(numeros, ' '), table.concat(textos), leido }
