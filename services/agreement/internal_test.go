package agreement

// Reseal makes the seal of a changed export fit, as whoever changed it could.
func Reseal(e Export) Export {
	e.Seal = e.seal()
	return e
}
