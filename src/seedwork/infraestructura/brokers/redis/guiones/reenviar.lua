-- ARGV: suscripción, nada, id. La letra vuelve a su suscripción por un stream que sólo ella lee.
local letra = P .. 'letra:' .. ARGV[3]
local topico = llamar('HGET', letra, 'topico')
if not topico then return 0 end
local campos = llamar('HGETALL', letra .. ':campos')
local id = identidades()()
id = anadir(S .. 'reenviadas', id, unpack(campos))
llamar('SET', P .. 'ultimo', id)
local clave = clave_de(campos)
encolar(id .. ' ' .. topico .. '!', clave and 'k' .. clave or '')
llamar('DEL', letra, letra .. ':campos')
llamar('ZREM', P .. 'letras', ARGV[3])
llamar('ZREM', S .. 'letras', ARGV[3])
avisar()
return 1
