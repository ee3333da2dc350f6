package main

import (
	"context"

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

// runClocks says what clocks come to. The fold nudges the desk, so that it need not
// hear every event.
func (a *App) runClocks() error {
	ctx, cancel := context.WithCancel(a.run)
	desk, err := a.log.Desk(ctx, a.clocks, ledger.DeskConfig{})
	if err != nil {
		cancel()
		return err
	}
	a.clockDesk = desk
	a.clocks.Nudge(desk.Nudge)
	desk.Nudge() // for what came while nobody was nudged
	a.undo("clocks", func(ctx context.Context) error {
		a.clocks.Nudge(func() {})
		cancel()
		return wait(ctx, "clocks", desk.Stopped())
	})
	return nil
}
