-- ARGV: suscripción, consumidor y las referencias.
local refs = {}
for i = 3, #ARGV do refs[#refs + 1] = ARGV[i] end
olvidar((quitar(refs)))
if (tonumber(llamar('GET', S .. 'retenidas') or 0)) > 0 then avisar() end
