-- ARGV: vida en ms, y de cada consumidor su suscripción y su nombre.
for i = 2, #ARGV, 2 do llamar('ZADD', P .. 's:' .. ARGV[i] .. ':consumidores', AHORA + ARGV[1], ARGV[i + 1]) end
llamar('SET', P .. 'pulso', entero(AHORA))
