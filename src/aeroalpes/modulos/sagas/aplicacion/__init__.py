"""Lo que la saga oye y lo que manda, en sus propias palabras, y en qué orden."""
