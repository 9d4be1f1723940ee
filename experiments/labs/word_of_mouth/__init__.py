"""What ties did in a run: who told whom of what, and how arms differ from the same world without ties."""
