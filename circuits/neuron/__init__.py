"""What a neuron circuit is: manifest, netlist, process, schematic."""
