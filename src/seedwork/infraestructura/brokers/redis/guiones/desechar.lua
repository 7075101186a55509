-- ARGV: suscripción, consumidor, referencia, motivo e intentos.
local refs = quitar({ ARGV[3] })
if refs[1] then
  local campos, topico = campos_de(refs[1])
  if campos then
    local n = entero(llamar('INCR', P .. 'letras:ultima'))
    local letra = P .. 'letra:' .. n
    llamar('HSET', letra, 'suscripcion', ARGV[1], 'topico', topico, 'motivo', ARGV[4], 'intentos', ARGV[5], 'fecha_ms', entero(AHORA))
    en_trozos('HSET', letra .. ':campos', campos)
    llamar('ZADD', P .. 'letras', n, n)
    llamar('ZADD', S .. 'letras', n, n)
  end
  olvidar(refs)
  avisar()
end
