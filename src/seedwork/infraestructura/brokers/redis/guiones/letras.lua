-- ARGV: suscripción o nada, máximo, id o nada. Responde de cada letra {id, datos, campos}.
local ids = { ARGV[3] }
if ARGV[3] == '' then
  ids = llamar('ZRANGE', ARGV[1] == '' and P .. 'letras' or P .. 's:' .. ARGV[1] .. ':letras', 0, ARGV[2] - 1)
end
local letras = {}
for _, id in ipairs(ids) do
  local letra = P .. 'letra:' .. id
  local datos = llamar('HMGET', letra, 'suscripcion', 'topico', 'motivo', 'intentos', 'fecha_ms')
  if datos[1] then letras[#letras + 1] = { id, datos, llamar('HGETALL', letra .. ':campos') } end
end
return letras
