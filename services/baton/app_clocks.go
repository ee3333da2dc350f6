package main

import (
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/routing"
)

// timing is the fold of the clocks, where this process says what they come to.
func (a *App) timing() ledger.Fold {
	if a.cfg.runs(routing.Name) {
		return a.clocks
	}
	return noFold{}
}

// noFold is a fold that keeps nothing.
type noFold struct{}

// Apply implements ledger.Fold.
func (noFold) Apply(*ledger.Event) {}
