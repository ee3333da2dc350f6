package lead

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// What is said of a dispute stands beside the lead.
func TestADisputeIsBesideTheLead(t *testing.T) {
	for _, body := range []proto.Message{
		&leadv1.DisputeOpened{}, &leadv1.DisputeAnswered{}, &leadv1.DisputeEscalated{}, &leadv1.DisputeDecided{}, &leadv1.DisputeLinked{},
	} {
		name := string(body.ProtoReflect().Descriptor().FullName())
		if !Telling(name) {
			t.Errorf("%s makes those who decide look", name)
		}
		s := &State{Failure: "x", Events: 3}
		if s.Evolve(body, time.Now(), time.Now()); s.Failure != "x" || s.Events != 3 || len(s.Course.Moments) != 0 {
			t.Errorf("%s moves the lead: %+v", name, s)
		}
	}
}

func TestEveryVerdictHasARuling(t *testing.T) {
	for n := range leadv1.DisputeVerdict_name {
		r, ok := RulingOf(leadv1.DisputeVerdict(n))
		if ok != (n > 0) || ok && (r.Finding == "" || r.Text == "" || VerdictWord(r.Verdict) == "") {
			t.Errorf("verdict %d: %+v, %v", n, r, ok)
		}
	}
	if got := VerdictWord(leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED) + " " + ClaimWord(leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED); got != "met-not-worked not-as-agreed" {
		t.Errorf("words %q", got)
	}
}
