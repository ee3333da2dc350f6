package qualification

import (
	"testing"

	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Whatever is known of a lead at one instant, its stage is where a trial says that it
// stands.
func TestStageIsWhatATrialSays(t *testing.T) {
	rules := edited(t)
	seen := map[leadv1.Stage]bool{}
	draws := 0
	rapid.Check(t, func(t *rapid.T) {
		draws++
		p := drawPast(t, "l")
		p.Received = p.At
		var calls []*leadv1.CallRecorded
		for i := range p.Calls {
			p.Calls[i].Known = p.Known
			calls = append(calls, p.Calls[i].Call)
		}
		got := StageBy(rules, 1, agreement.Facts{Features: p.Known.Features, Touches: p.Known.Touches, Now: p.Known.At}, calls)
		want := (side{rules, 1}).decide(p).stands
		if want == standsWaiting {
			want = standsLead
		}
		if lead.StageWord(got) != want {
			t.Fatalf("by its stage %s, by a trial %s", lead.StageWord(got), want)
		}
		seen[got] = true
	})
	for _, s := range []leadv1.Stage{leadv1.Stage_STAGE_LEAD, leadv1.Stage_STAGE_MQL, leadv1.Stage_STAGE_SAL, leadv1.Stage_STAGE_SQL} {
		if !seen[s] && draws >= 100 {
			t.Errorf("no lead was drawn that comes to %s", lead.StageWord(s))
		}
	}
}
