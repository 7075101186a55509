-- ARGV: suscripción, consumidor y referencia. Responde los intentos que van; nada si ya es de otro.
local marca = llamar('HGET', MIAS, ARGV[3])
if not marca then return false end
local intentos, sospechosa = datos(ARGV[3])
guardar_datos(ARGV[3], intentos + 1, sospechosa, marca)
return intentos + 1
