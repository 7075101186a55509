-- Lo que usan todos los guiones. KEYS[1] es el prefijo de todas las claves: su {etiqueta} las junta en una ranura.
local P = KEYS[1]
local llamar = redis.call
local hora = llamar('TIME')
local AHORA = hora[1] * 1000 + math.floor(hora[2] / 1000)
local LOTE_BYTES = 4 * 1024 * 1024

local function entero(n) return string.format('%.0f', n) end

local function stream(topico) return P .. 't:' .. topico end

-- `unpack` no admite más de unos 8000 valores.
local function en_trozos(orden, clave, valores)
  for i = 1, #valores, 4000 do
    llamar(orden, clave, unpack(valores, i, math.min(i + 3999, #valores)))
  end
end

local function leer_campos_de(orden, clave, campos)
  local valores = {}
  for i = 1, #campos, 4000 do
    for _, valor in ipairs(llamar(orden, clave, unpack(campos, i, math.min(i + 3999, #campos)))) do
      valores[#valores + 1] = valor
    end
  end
  return valores
end

-- Identidades crecientes entre todos los tópicos: dan un orden común, y no sólo el de cada stream.
local function identidades()
  local ms, n = 0, 0
  local ultimo = llamar('GET', P .. 'ultimo')
  if ultimo then
    local a, b = string.match(ultimo, '^(%d+)-(%d+)$')
    ms, n = tonumber(a), tonumber(b)
  end
  if AHORA > ms then ms, n = AHORA, -1 end
  local cabeza = entero(ms) .. '-'
  return function()
    n = n + 1
    return cabeza .. entero(n)
  end
end

-- Añade al stream; si otro programa escribió en él con una identidad mayor, se sigue desde la suya.
local function anadir(clave, id, ...)
  local hecho = redis.pcall('XADD', clave, id, ...)
  if type(hecho) == 'table' and hecho.err then return llamar('XADD', clave, '*', ...) end
  return hecho
end

local function ultima(topico)
  local fila = llamar('XREVRANGE', stream(topico), '+', '-', 'COUNT', 1)[1]
  return fila and fila[1] or '0-0'
end

local function clave_de(campos)
  local particion
  for i = 1, #campos, 2 do
    local campo = campos[i]
    if campo == 'key' then return campos[i + 1] end
    if campo == 'nokey' then return nil end
    if campo == 'ce_partitionkey' then particion = campos[i + 1] end
  end
  return particion
end

-- Un lote viaja como dos textos, los largos y los contenidos: leerlos cuesta mucho menos que una respuesta anidada.
local numeros, textos, memoria = {}, {}, {}
local n_numeros, n_textos, lote_mensajes, lote_bytes = 0, 0, 0, 0

local function anotar(n)
  local texto = memoria[n]
  if not texto then
    texto = entero(n)
    memoria[n] = texto
  end
  n_numeros = n_numeros + 1
  numeros[n_numeros] = texto
end

local function escribir(texto)
  n_textos = n_textos + 1
  textos[n_textos] = texto
  anotar(#texto)
  lote_bytes = lote_bytes + #texto
end

local function al_lote(ref, campos, intentos, sospechosa)
  anotar(#campos)
  anotar(intentos)
  anotar(sospechosa)
  escribir(ref)
  for i = 1, #campos do escribir(campos[i]) end
  lote_mensajes = lote_mensajes + 1
end

-- Los streams se recorren mezclados por identidad, en trozos que caben en memoria aunque los mensajes sean grandes.
local function avanzar(fuente, cupo)
  fuente.i = fuente.i + 1
  if fuente.i > #fuente.filas then
    if fuente.agotada then return false end
    local trozo = math.min(fuente.trozo, cupo)
    fuente.filas = llamar('XRANGE', stream(fuente.topico), '(' .. fuente.hasta, '+', 'COUNT', trozo)
    fuente.agotada = #fuente.filas < trozo
    if #fuente.filas == 0 then return false end
    fuente.hasta, fuente.i = fuente.filas[#fuente.filas][1], 1
  end
  local ms, n = string.match(fuente.filas[fuente.i][1], '^(%d+)-(%d+)$')
  fuente.ms, fuente.n = tonumber(ms), tonumber(n)
  return true
end

-- Llama a `visitar(id, topico, campos)` en orden hasta que devuelva false o no quede nada; devuelve lo leído de cada uno.
local function recorrer(topicos, cursores, cupo, visitar)
  local fuentes, leidos = {}, {}
  for i, topico in ipairs(topicos) do
    local mayor = tonumber(llamar('HGET', P .. 'mayores', topico) or 65536)
    local fuente = {
      topico = topico, hasta = cursores[i] or '0-0', filas = {}, i = 0, agotada = false,
      trozo = math.max(1, math.min(100, math.floor(LOTE_BYTES / math.max(1, mayor)))),
    }
    if avanzar(fuente, cupo) then fuentes[#fuentes + 1] = fuente end
  end
  while #fuentes > 0 do
    local k, mejor = 1, fuentes[1]
    for j = 2, #fuentes do
      local f = fuentes[j]
      if f.ms < mejor.ms or (f.ms == mejor.ms and f.n < mejor.n) then k, mejor = j, f end
    end
    local fila = mejor.filas[mejor.i]
    if not visitar(fila[1], mejor.topico, fila[2]) then break end
    leidos[mejor.topico] = fila[1]
    if not avanzar(mejor, cupo) then table.remove(fuentes, k) end
  end
  return leidos
end

local function topicos_cambiaron(conocidos) return llamar('SCARD', P .. 'topicos') ~= tonumber(conocidos) end

-- Quien duerme deja dicho con qué despertarlo: así sólo se avisa a quien espera.
local function dormir(topicos, suscripcion)
  local senas = {}
  for _, topico in ipairs(topicos) do senas[#senas + 1] = 't:' .. topico end
  if suscripcion then senas[#senas + 1] = 's:' .. suscripcion end
  if #senas > 0 then en_trozos('SADD', P .. 'dormidos', senas) end
end
