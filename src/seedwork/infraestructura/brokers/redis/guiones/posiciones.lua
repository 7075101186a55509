-- ARGV: tópicos nombrados sin comodines. Responde la hora y, de cada tópico que hay y de ésos, lo último publicado.
local respuesta = { entero(AHORA) }
local function decir(topico)
  respuesta[#respuesta + 1] = topico
  respuesta[#respuesta + 1] = ultima(topico)
end
for _, topico in ipairs(llamar('SMEMBERS', P .. 'topicos')) do decir(topico) end
for _, topico in ipairs(ARGV) do decir(topico) end
return respuesta
