-- ARGV: suscripción, consumidor, referencia, intentos y espera en ms.
local refs, marcas = quitar({ ARGV[3] })
if refs[1] then
  guardar_datos(refs[1], tonumber(ARGV[4]), 0, marcas[1])
  llamar('ZADD', S .. 'esperas', AHORA + ARGV[5], refs[1])
  avisar()
end
