package main

import "github.com/leadbaton/baton/services/feedback"

// watchFigures opens a check of how both departments work together when figures fall, and
// lets the service list and close checks.
func (a *App) watchFigures(outcomes *feedback.Outcomes, writable bool) (err error) {
	outcomes.Checks(&feedback.Checking{Log: a.log, Checks: a.checks})
	if writable {
		a.checkDesk, err = a.nudged("checks", &feedback.Watch{Checks: a.checks}, a.checks.Nudge)
	}
	return err
}
