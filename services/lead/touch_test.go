package lead

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func campaign(name string) *leadv1.Attribution { return &leadv1.Attribution{Campaign: name} }

func TestTouchesOfALead(t *testing.T) {
	t.Parallel()
	s := &State{ID: "l1"}
	check := func(when, first, last, handoff string) {
		t.Helper()
		got := [3]string{s.First.Attribution.GetCampaign(), s.Last.Attribution.GetCampaign(), s.Handoff.Attribution.GetCampaign()}
		if want := [3]string{first, last, handoff}; got != want {
			t.Errorf("%s: first, last and handoff touch are %q, want %q", when, got, want)
		}
	}
	s.Evolve(&leadv1.LeadReceived{ReceivedAt: timestamppb.New(noon), Features: &leadv1.Features{Attribution: campaign("spring")}}, noon, noon)
	check("received", "spring", "spring", "")
	s.Evolve(&leadv1.SubmissionRevised{Features: &leadv1.Features{Attribution: campaign("revised")}}, later, later)
	check("a revision is no touch", "spring", "spring", "")
	s.Evolve(&leadv1.TouchAdded{Kind: "webinar", Attribution: campaign("webinar")}, noon.Add(time.Minute), later)
	check("a later touch", "spring", "webinar", "")
	s.Evolve(&leadv1.TouchAdded{Kind: "visit", Attribution: campaign("before")}, noon.Add(-time.Hour), later)
	check("a touch of before that becomes known now", "spring", "webinar", "")
	s.Evolve(offeredTo("ana", 1), later, later)
	check("handed over", "spring", "webinar", "webinar")
	s.Evolve(&leadv1.TouchAdded{Kind: "download", Attribution: campaign("summer")}, later, later)
	s.Evolve(&leadv1.OfferTimedOut{Member: "ana", Offer: 1}, later, later)
	s.Evolve(offeredTo("ben", 2), later, later)
	check("handed over again", "spring", "summer", "webinar")
}

// A lead of which nothing was said about where it came from keeps that.
func TestFirstTouchThatNobodyKnowsIsNotMadeUp(t *testing.T) {
	t.Parallel()
	s := folded(opened(), &leadv1.TouchAdded{Kind: "webinar", Attribution: campaign("webinar")})
	if s.First.Attribution != nil || !s.First.At.Equal(noon) {
		t.Errorf("the first touch became %v", s.First)
	}
}
