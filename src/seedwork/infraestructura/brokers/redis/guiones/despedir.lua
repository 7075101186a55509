if soltar(DUENO) then avisar() end
llamar('DEL', turno(DUENO))
