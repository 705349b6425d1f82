"""WhatsApp. The fixtures are typed from Meta's documents, never produced by the simulator."""
