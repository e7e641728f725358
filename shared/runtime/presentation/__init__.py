"""How an order is written for people: its values ready to print, in each language; what lays them out is elsewhere."""
