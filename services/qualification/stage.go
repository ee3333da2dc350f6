package qualification

import (
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// StageBy is the stage to which a version of the agreement brings a lead, by what is
// known of it at one instant and the calls until then: the service's own decisions,
// made in one go. LEAD where it would stay with marketing or wait for facts.
func StageBy(a *agreement.Agreement, version int64, f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
	k := Known{Features: f.Features, Touches: f.Touches, At: f.Now}
	p := &Past{Received: k.At, Known: k}
	for _, c := range calls {
		if c.GetQualifier() && c.GetReached() {
			p.Calls = append(p.Calls, PastCall{c, k})
		}
	}
	v := side{a, version}.decide(p)
	return leadv1.Stage_STAGE_LEAD + leadv1.Stage(max(0, v.rank()))
}
