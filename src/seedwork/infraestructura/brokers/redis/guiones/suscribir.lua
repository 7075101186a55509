-- ARGV: suscripción, consumidor, vida en ms, desde, patrones en JSON, tópicos que nombra sin comodines.
local nueva = llamar('HSET', P .. 'suscripciones', ARGV[1], ARGV[5]) == 1
if nueva and ARGV[4] == 'fin' then
  for _, topico in ipairs(llamar('SMEMBERS', P .. 'topicos')) do
    llamar('HSET', S .. 'cursores', topico, ultima(topico))
  end
  for i = 6, #ARGV do llamar('HSET', S .. 'cursores', ARGV[i], ultima(ARGV[i])) end
end
llamar('ZADD', S .. 'consumidores', AHORA + ARGV[3], DUENO)
