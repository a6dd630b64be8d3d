"""What one test sees: its calls, its clock, its counters, its journal."""
