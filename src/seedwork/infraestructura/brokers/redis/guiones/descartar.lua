-- ARGV: suscripción, nada, id.
local letra = P .. 'letra:' .. ARGV[3]
llamar('ZREM', P .. 'letras', ARGV[3])
llamar('ZREM', S .. 'letras', ARGV[3])
local borradas = llamar('DEL', letra)
llamar('DEL', letra .. ':campos')
return borradas
