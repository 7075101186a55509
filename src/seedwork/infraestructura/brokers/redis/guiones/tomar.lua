-- ARGV: suscripción, consumidor, ficha, máximo, vida en ms, tópicos conocidos, cuántas claves exceptuadas, esas claves, y
-- los tópicos que atiende. Responde {hay más, cambiaron los tópicos, próxima espera en ms, perdidas, números, textos}.
local RETENIDAS_MAXIMO, EXAMEN_MAXIMO, SILENCIO_MS = 10000, 2000, 5000
local MAXIMO, VIDA_MS = tonumber(ARGV[4]), tonumber(ARGV[5])

-- Una petición que se dio por perdida y llega tarde no debe tomar nada para nadie.
if tonumber(llamar('HGET', S .. 'fichas', DUENO) or 0) > tonumber(ARGV[3]) then return { 0, 0, -1, 0, '', '' } end

local exceptuadas, topicos = {}, {}
for i = 8, 7 + ARGV[7] do exceptuadas[ARGV[i]] = true end
for i = 8 + ARGV[7], #ARGV do topicos[#topicos + 1] = ARGV[i] end

-- Si nadie habló en un rato es que faltaba el servidor, y los que callaron pueden seguir vivos: se les da otra vida.
if AHORA - (llamar('GET', P .. 'pulso') or 0) > SILENCIO_MS then
  llamar('SET', P .. 'gracia', entero(AHORA + VIDA_MS))
end
llamar('SET', P .. 'pulso', entero(AHORA))
llamar('ZADD', S .. 'consumidores', AHORA + VIDA_MS, DUENO)
if AHORA >= tonumber(llamar('GET', P .. 'gracia') or 0) then
  for _, muerto in ipairs(llamar('ZRANGEBYSCORE', S .. 'consumidores', '-inf', '(' .. entero(AHORA))) do soltar(muerto) end
end

local vencidas = llamar('ZRANGEBYSCORE', S .. 'esperas', '-inf', entero(AHORA), 'LIMIT', 0, 1000)
for _, ref in ipairs(vencidas) do
  local _, _, marca = datos(ref)
  encolar(ref, marca or '')
end
if #vencidas > 0 then en_trozos('ZREM', S .. 'esperas', vencidas) end

local retenidas = tonumber(llamar('GET', S .. 'retenidas') or 0)
local tomadas, cuentas, tenia, perdidas = { '', RELLENO }, {}, {}, 0

local function lleno() return lote_mensajes >= MAXIMO or lote_bytes >= LOTE_BYTES end

local function tomar(ref, marca, campos, intentos, sospechosa)
  al_lote(ref, campos, intentos, sospechosa)
  tomadas[#tomadas + 1] = ref
  tomadas[#tomadas + 1] = marca
  if marca ~= '' then
    local clave = string.sub(marca, 2)
    cuentas[clave] = (cuentas[clave] or 0) + 1
  end
end

-- Toma de una cola por su orden; lo que ya no está en su stream, porque alguien lo borró, se da por perdido.
local function tomar_de(cola_de, marca)
  local sacadas = {}
  for _, miembro in ipairs(llamar('ZRANGE', cola_de, 0, MAXIMO - lote_mensajes - 1)) do
    if lleno() then break end
    local ref = ref_de(miembro)
    local campos = campos_de(ref)
    if campos then
      local intentos, sospechosa = datos(ref)
      tomar(ref, marca, campos, intentos, sospechosa)
    else
      perdidas = perdidas + 1
      llamar('HDEL', DATOS, ref)
    end
    sacadas[#sacadas + 1] = miembro
  end
  if #sacadas > 0 then
    en_trozos('ZREM', cola_de, sacadas)
    retenidas = llamar('DECRBY', S .. 'retenidas', #sacadas)
  end
end

local function tomar_turnos(de)
  for _, clave in ipairs(llamar('ZRANGE', turno(de), 0, MAXIMO + tonumber(ARGV[7]))) do
    if lleno() then return end
    if not exceptuadas[clave] then
      local _, cuantas = posesion(llamar('HGET', CLAVES, 'k' .. clave))
      tenia[clave] = cuantas
      tomar_de(cola(clave), 'k' .. clave)
      llamar('ZREM', turno(de), clave)
      local cabeza = llamar('ZRANGE', cola(clave), 0, 0, 'WITHSCORES')
      if cabeza[2] then llamar('ZADD', turno(cuentas[clave] and DUENO or de), cabeza[2], clave) end
    end
  end
end

if retenidas > 0 then
  tomar_turnos(DUENO)
  tomar_turnos(nil)
  if not lleno() then tomar_de(S .. 'sueltas', '') end
end

local puede = {}
local function es_mia(clave)
  local mia = puede[clave]
  if mia == nil then
    local dueno, cuantas = posesion(llamar('HGET', CLAVES, 'k' .. clave))
    tenia[clave] = cuantas
    mia = not exceptuadas[clave] and (not dueno or dueno == DUENO)
      and (retenidas == 0 or llamar('EXISTS', cola(clave)) == 0)
    puede[clave] = mia
  end
  return mia
end

local examinadas = 0
if #topicos > 0 and not lleno() then
  local cursores = leer_campos_de('HMGET', S .. 'cursores', topicos)
  local leidos = recorrer(topicos, cursores, MAXIMO, function(id, topico, campos)
    if lleno() or examinadas >= EXAMEN_MAXIMO then return false end
    local clave = clave_de(campos)
    local ref = id .. ' ' .. topico
    if not clave or es_mia(clave) then
      tomar(ref, clave and 'k' .. clave or '', campos, 0, 0)
    elseif retenidas >= RETENIDAS_MAXIMO then
      return false
    else
      encolar(ref, 'k' .. clave)
      retenidas = retenidas + 1
    end
    examinadas = examinadas + 1
    return true
  end)
  local nuevos = {}
  for topico, id in pairs(leidos) do
    nuevos[#nuevos + 1] = topico
    nuevos[#nuevos + 1] = id
  end
  en_trozos('HSET', S .. 'cursores', nuevos)
end

if lote_mensajes > 0 then en_trozos('HSET', MIAS, tomadas) end
local posesiones = {}
for clave, cuantas in pairs(cuentas) do
  posesiones[#posesiones + 1] = 'k' .. clave
  posesiones[#posesiones + 1] = DUENO .. ' ' .. entero((tenia[clave] or 0) + cuantas)
end
if #posesiones > 0 then
  llamar('HSET', CLAVES, '', RELLENO)
  en_trozos('HSET', CLAVES, posesiones)
end

local cambio = topicos_cambiaron(ARGV[6])
local hay_mas = examinadas >= EXAMEN_MAXIMO or #vencidas >= 1000 or perdidas > 0
local espera_ms = -1
if lote_mensajes == 0 and not hay_mas and not cambio then
  dormir(topicos, ARGV[1])
  local proxima = llamar('ZRANGE', S .. 'esperas', 0, 0, 'WITHSCORES')[2]
  if proxima then espera_ms = math.max(0, proxima - AHORA) end
end
return { hay_mas and 1 or 0, cambio and 1 or 0, espera_ms, perdidas, table.concat(numeros, ' '), table.concat(textos) }
