-- ARGV: suscripción, nada, y tópicos. Responde de cada tópico la identidad anterior a la cual esa suscripción ya no
-- necesita nada: ni por leer, ni esperando, ni en manos de nadie.
local ms_minimo, n_minimo
local function necesita(ref)
  local ms, n = string.match(ref, '^(%d+)-(%d+)')
  ms, n = tonumber(ms), tonumber(n)
  if not ms_minimo or ms < ms_minimo or (ms == ms_minimo and n < n_minimo) then ms_minimo, n_minimo = ms, n end
end
local function necesita_la_cabeza(cola_de)
  local cabeza = llamar('ZRANGE', cola_de, 0, 0)[1]
  if cabeza then necesita(ref_de(cabeza)) end
end
necesita_la_cabeza(S .. 'sueltas')
for _, ref in ipairs(llamar('ZRANGE', S .. 'esperas', 0, -1)) do necesita(ref) end
local turnos = { turno(nil) }
for _, dueno in ipairs(llamar('ZRANGE', S .. 'consumidores', 0, -1)) do
  turnos[#turnos + 1] = turno(dueno)
  for _, ref in ipairs(llamar('HKEYS', S .. 'tomadas:' .. dueno)) do
    if ref ~= '' then necesita(ref) end
  end
end
for _, de in ipairs(turnos) do
  for _, clave in ipairs(llamar('ZRANGE', de, 0, -1)) do necesita_la_cabeza(cola(clave)) end
end
local limites = {}
for i = 3, #ARGV do
  local ms, n = string.match(llamar('HGET', S .. 'cursores', ARGV[i]) or '0-0', '^(%d+)-(%d+)$')
  ms, n = tonumber(ms), tonumber(n) + 1
  if ms_minimo and (ms_minimo < ms or (ms_minimo == ms and n_minimo < n)) then ms, n = ms_minimo, n_minimo end
  limites[#limites + 1] = entero(ms) .. '-' .. entero(n)
end
return limites
