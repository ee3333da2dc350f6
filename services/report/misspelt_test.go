package report

import (
	"context"
	"slices"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// rejectedTwice is a lead that two people rejected, and of which one said something.
func rejectedTwice() *story {
	st := &story{}
	st.received("twice", start, nil)
	for i, who := range []string{"dan", "ana"} {
		at := start.Add(time.Duration(i+1) * time.Hour)
		st.say("twice", at, &leadv1.LeadOffered{Pool: "inside", Member: who, Offer: int32(i + 1)})
		st.say("twice", at, &leadv1.OfferRejected{Member: who, Offer: int32(i + 1), Reason: "no-fit", AgreementVersion: 1, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON})
	}
	st.say("twice", start.Add(3*time.Hour), &leadv1.FeedbackGiven{Member: "ana", Phrases: []string{"too slow"}})
	return st
}

func misspelt(t *testing.T, s *Store) {
	refill(t, s, rejectedTwice().events, 10)
	now := start.Add(day)
	for where, want := range map[string]string{
		"reason=no-fti":  `Nothing here is of reason "no-fti"; there are no-fit.`,
		"person=anna":    `No lead is of person "anna"`,
		"reason=no-fit":  "",
		"credit=(none)":  "",
		"phrase=to slow": `Nothing here is of phrase "to slow"; there are too slow.`,
	} {
		of := reportReasons
		if where[:2] == "ph" {
			of = reportPhrases
		}
		got := asked(t, s, &feedbackv1.GetReportRequest{Report: of, Where: []string{where}}, now).GetRemarks()
		if want == "" && got != nil || want != "" && !slices.ContainsFunc(got, func(one string) bool { return len(one) >= len(want) && one[:len(want)] == want }) {
			t.Errorf("where %s it is remarked %q; want %q", where, got, want)
		}
	}
	for _, where := range []string{"credit=yes", "consequence=next", "size=10", "nurtured=no"} {
		if _, err := question(&feedbackv1.GetReportRequest{Report: reportReasons, Where: []string{where}}, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("where %s: %v; want a fault with the words that there are", where, err)
		}
	}
}

func listsNameWho(t *testing.T, s *Store) {
	refill(t, s, rejectedTwice().events, 10)
	for _, want := range []struct{ report, figure, is, who, unit string }{
		{reportReasons, "rejections", "rejected by", "ana, dan", unitRejections},
		{reportPhrases, "mentions", "said by", "ana", unitPhrases},
		{reportFunnel, "received", "with", "", unitLeads},
	} {
		q, err := question(&feedbackv1.GetReportRequest{Report: want.report}, start.Add(day))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.counted(context.Background(), q, want.figure, "", 10, "")
		if err != nil || len(got.GetLeads()) != 1 {
			t.Fatalf("%s lists %v, %v", want.report, got, err)
		}
		if l := got.GetLeads()[0]; l.GetOwner() != want.who || got.GetOwnerIs() != want.is || got.GetUnit() != want.unit {
			t.Errorf("%s lists %s %q in %s; want %s %q in %s", want.report, got.GetOwnerIs(), l.GetOwner(), got.GetUnit(), want.is, want.who, want.unit)
		}
	}
}
