-- Lo que usan los guiones de una suscripción. ARGV[1] es la suscripción y ARGV[2] el consumidor.
-- Una referencia es "<id> <topico>", o "<id> <topico>!" si es una letra muerta reenviada, que no está en el tópico.
-- La marca de una referencia es su clave precedida de "k", o nada si no tiene.
local S = P .. 's:' .. ARGV[1] .. ':'
local DUENO = ARGV[2]
local MIAS = S .. 'tomadas:' .. DUENO
local CLAVES, DATOS = S .. 'claves', S .. 'datos'

-- Redis guarda los hashes pequeños como listas, y buscar en ellas de quinientos en quinientos cuesta veinte veces más; con
-- un valor de más de 64 bytes son tablas siempre. Ninguna referencia ni marca de clave es el campo vacío.
local RELLENO = string.rep('-', 65)

local function cola(clave) return S .. 'cola:' .. clave end
local function turno(dueno) return dueno and S .. 'turno:' .. dueno or S .. 'turno' end

local function posesion(valor)
  if not valor then return nil, 0 end
  local dueno, cuantas = string.match(valor, '^(%S+) (%d+)$')
  return dueno, tonumber(cuantas)
end

local function datos(ref)
  local valor = llamar('HGET', DATOS, ref)
  if not valor then return 0, 0, nil end
  local intentos, sospechosa, marca = string.match(valor, '^(%d+) (%d) (.*)$')
  return tonumber(intentos), tonumber(sospechosa), marca
end

local function guardar_datos(ref, intentos, sospechosa, marca)
  llamar('HSET', DATOS, ref, entero(intentos) .. ' ' .. entero(sospechosa) .. ' ' .. marca)
end

local function campos_de(ref)
  local id, topico, reenviada = string.match(ref, '^(%S+) ([^!]*)(!?)$')
  local fila = llamar('XRANGE', reenviada == '!' and S .. 'reenviadas' or stream(topico), id, id)[1]
  return fila and fila[2], topico
end

-- Lo que espera su turno se guarda en orden: por milisegundo, y dentro de él por el resto de la identidad.
local function encolar(ref, marca)
  local ms, n = string.match(ref, '^(%d+)-(%d+) ')
  local miembro = string.rep('0', 20 - #n) .. n .. ref
  if marca == '' then
    llamar('ZADD', S .. 'sueltas', ms, miembro)
  else
    local clave = string.sub(marca, 2)
    llamar('ZADD', cola(clave), ms, miembro)
    llamar('ZADD', turno(posesion(llamar('HGET', CLAVES, marca))), 'LT', ms, clave)
  end
  llamar('INCR', S .. 'retenidas')
end

local function ref_de(miembro) return string.sub(miembro, 21) end

local function avisar()
  if llamar('SREM', P .. 'dormidos', 's:' .. ARGV[1]) == 1 then llamar('PUBLISH', P .. 'avisos', 's:' .. ARGV[1]) end
end

-- La clave queda libre: si hay algo suyo en cola, le toca a cualquiera.
local function pasar_turno(clave, dueno)
  if llamar('ZREM', turno(dueno), clave) == 1 then
    local cabeza = llamar('ZRANGE', cola(clave), 0, 0, 'WITHSCORES')
    if cabeza[2] then llamar('ZADD', turno(nil), cabeza[2], clave) end
  end
end

-- Saca las referencias de las manos de este consumidor; devuelve las que de verdad tenía, con sus marcas.
local function quitar(refs)
  if #refs == 0 then return {}, {} end
  local mias, marcas, cuentas, distintas = {}, {}, {}, {}
  for i, marca in ipairs(leer_campos_de('HMGET', MIAS, refs)) do
    if marca then
      mias[#mias + 1], marcas[#marcas + 1] = refs[i], marca
      if marca ~= '' then
        if not cuentas[marca] then
          cuentas[marca] = 0
          distintas[#distintas + 1] = marca
        end
        cuentas[marca] = cuentas[marca] + 1
      end
    end
  end
  en_trozos('HDEL', MIAS, mias)
  if #distintas > 0 then
    local libres, quedan = {}, {}
    for i, valor in ipairs(leer_campos_de('HMGET', CLAVES, distintas)) do
      local dueno, cuantas = posesion(valor)
      if dueno == DUENO then
        local menos = cuentas[distintas[i]]
        if cuantas <= menos then
          libres[#libres + 1] = distintas[i]
        else
          quedan[#quedan + 1] = distintas[i]
          quedan[#quedan + 1] = DUENO .. ' ' .. entero(cuantas - menos)
        end
      end
    end
    en_trozos('HDEL', CLAVES, libres)
    en_trozos('HSET', CLAVES, quedan)
    if llamar('EXISTS', turno(DUENO)) == 1 then
      for _, marca in ipairs(libres) do pasar_turno(string.sub(marca, 2), DUENO) end
    end
  end
  return mias, marcas
end

-- Ya no hacen falta a esta suscripción.
local function olvidar(refs)
  if #refs == 0 then return end
  en_trozos('HDEL', DATOS, refs)
  for _, ref in ipairs(refs) do
    if string.sub(ref, -1) == '!' then llamar('XDEL', S .. 'reenviadas', string.match(ref, '^%S+')) end
  end
end

-- Lo que tenía un consumidor que ya no está pasa a ser de quien lo pida, como sospechoso.
local function soltar(dueno)
  local tenia = llamar('HGETALL', S .. 'tomadas:' .. dueno)
  llamar('DEL', S .. 'tomadas:' .. dueno)
  llamar('ZREM', S .. 'consumidores', dueno)
  llamar('HDEL', S .. 'fichas', dueno)
  local vistas, soltadas = {}, 0
  for i = 2, #tenia, 2 do
    local marca = tenia[i]
    if tenia[i - 1] ~= '' and marca ~= '' and not vistas[marca] then
      vistas[marca] = true
      llamar('HDEL', CLAVES, marca)
      pasar_turno(string.sub(marca, 2), dueno)
    end
  end
  for i = 1, #tenia, 2 do
    if tenia[i] ~= '' then
      local intentos = datos(tenia[i])
      guardar_datos(tenia[i], intentos, 1, tenia[i + 1])
      encolar(tenia[i], tenia[i + 1])
      soltadas = soltadas + 1
    end
  end
  return soltadas > 0
end
