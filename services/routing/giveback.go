package routing

import (
	"fmt"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// mayGiveBack says why a lead may not be rejected for an agreed reason any more, or not
// yet; empty = it may. Where the agreement asks for neither attempts nor an end, it may
// always.
func (t *Turn) mayGiveBack(s *lead.State, reason agreement.Reason) string {
	if left := reason.Attempts - s.TouchesTried; left > 0 {
		return fmt.Sprintf("%s needs %d touches that were tried since the lead was offered; %d are recorded, so %d more: record each by outcome --kind touch", reason.ID, reason.Attempts, s.TouchesTried, left)
	}
	within, name, ok := t.agreement.AcceptedByDefault()
	if !ok || s.Owner == "" {
		return ""
	}
	if name == "" {
		pool, _ := t.agreement.Pool(s.Pool)
		name = pool.Calendar
	}
	calendar, ok := t.agreement.Calendar(name)
	if !ok {
		return ""
	}
	if since, ok := calendar.Add(s.AcceptedAt, within); ok && !t.now.Before(since) {
		return fmt.Sprintf("the lead counts as accepted for good since %s; record it as lost, or open a dispute if it was not what was agreed", stamp(since))
	}
	return ""
}
