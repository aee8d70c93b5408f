"""When messages may leave: public holidays, sending windows, the dates that customers ask for."""
