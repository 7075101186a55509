-- ARGV: cuántos tópicos; de cada uno, nombre y tamaño del mayor; de cada mensaje, su tópico, cuántos campos y los campos.
local topicos, i = {}, 2
for t = 1, tonumber(ARGV[1]) do
  local topico = { nombre = ARGV[i], mayor = tonumber(ARGV[i + 1]), clave = stream(ARGV[i]) }
  local tipo = llamar('TYPE', topico.clave).ok
  if tipo ~= 'none' and tipo ~= 'stream' then
    return redis.error_reply('WRONGTYPE la clave ' .. topico.clave .. ' no es un stream: es de tipo ' .. tipo)
  end
  topicos[t], i = topico, i + 2
end

local id, ultimo = identidades(), nil
while i <= #ARGV do
  local n = tonumber(ARGV[i + 1])
  ultimo = id()
  anadir(topicos[tonumber(ARGV[i])].clave, ultimo, unpack(ARGV, i + 2, i + 1 + n))
  i = i + 2 + n
end
llamar('SET', P .. 'ultimo', ultimo)

local avisos, alguno_nuevo = {}, false
for _, topico in ipairs(topicos) do
  local nuevo = llamar('SADD', P .. 'topicos', topico.nombre) == 1
  if nuevo or tonumber(llamar('HGET', P .. 'mayores', topico.nombre) or 0) < topico.mayor then
    llamar('HSET', P .. 'mayores', topico.nombre, entero(topico.mayor))
  end
  alguno_nuevo = alguno_nuevo or nuevo
  if llamar('SREM', P .. 'dormidos', 't:' .. topico.nombre) == 1 then avisos[#avisos + 1] = 't:' .. topico.nombre end
end
if alguno_nuevo then avisos[#avisos + 1] = 'n' end
if #avisos > 0 then llamar('PUBLISH', P .. 'avisos', table.concat(avisos, '\n')) end
